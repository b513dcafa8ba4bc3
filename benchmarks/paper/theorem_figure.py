"""The figure of Theorem 3.1: G against six things, and the bound where it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dpsvi.experiments.findings import COLOURS, counted, plain, tidy

__all__ = ["draw"]

# Where a second axis is in the way of matplotlib's own choice.
_FREE = {"B": "center left", "T": "lower left"}

Rows = Sequence[dict[str, Any]]


def draw(figure: Any, rows: Rows) -> None:
    """G against T, D, D', α, ρ and B."""
    figure.set_size_inches(10, 6.2)
    by_merges, by_delay, by_late, by_kept, by_share, by_length = figure.subplots(
        2, 3
    ).ravel()
    _points(by_merges, rows, "T", "location", 0)
    factors = dict.fromkeys(
        row["sweep"] for row in rows if row["sweep"].startswith("T, factors")
    )
    for colour, sweep in enumerate(factors, 1):
        _points(by_merges, rows, sweep, sweep.removeprefix("T, "), colour)
    _finish(by_merges, rows, "T", "merges T", of=", location")
    plain(by_merges.xaxis)
    # Room for the legend below all points.
    by_merges.set_ylim(bottom=by_merges.get_ylim()[0] / 50)
    _points(by_delay, rows, "D", "γ of Corollary 1", 0)
    _points(by_delay, rows, "D, γ = 0.3", "γ = 0.3", 1)
    of = ", γ of Corollary 1"
    _finish(by_delay, rows, "D", "staleness D", counts=True, of=of)
    _points(by_late, rows, "D'", "γ of Corollary 1", 0)
    _points(by_late, rows, "D', γ = 0.2", "γ = 0.2", 1)
    _finish(by_late, rows, "D'", "late reads D' (rounds of 10)", counts=True, of=of)
    _points(by_kept, rows, "alpha", "measured", 0)
    _finish(by_kept, rows, "alpha", "writes kept, α")
    _points(by_share, rows, "rho", "measured", 0)
    _finish(by_share, rows, "rho", "global rate ρ, at the same ρ η")
    _points(by_length, rows, "B", "measured", 0)
    _finish(by_length, rows, "B", "local steps B (M = 4)")
    _exchanges(by_length, rows)
    figure.supylabel("mean squared gradient norm G", fontsize="medium")
    figure.supxlabel(
        "Filled: T is as large as Corollary 1 asks (Eq. 10), or its constants are not "
        "known; open: it is not. Dashed: the bound, where condition (7) holds.",
        fontsize="small",
    )


def _points(axes: Any, rows: Rows, sweep: str, label: str, colour: int) -> None:
    """Draw what was measured; open circles where Corollary 1 does not hold."""
    chosen = [row for row in rows if row["sweep"] == sweep]
    axes.errorbar(
        [row["value"] for row in chosen],
        [row["norm"] for row in chosen],
        [2 * row["error"] for row in chosen],
        fmt="-",
        color=COLOURS[colour],
        label=label,
    )
    for row in chosen:
        inside = row["corollary_1"] in (True, "")
        axes.plot(
            row["value"],
            row["norm"],
            "o",
            color=COLOURS[colour],
            markerfacecolor=COLOURS[colour] if inside else "white",
        )


def _finish(
    axes: Any, rows: Rows, sweep: str, x: str, *, counts: bool = False, of: str = ""
) -> None:
    """Draw the bound where it is guaranteed, and give the axes their looks.

    Where there are several curves, the bound is `of` the first.
    """
    chosen = [row for row in rows if row["sweep"] == sweep]
    sure = [row for row in chosen if row["guaranteed"]]
    axes.plot(
        [row["value"] for row in sure],
        [row["bound"] for row in sure],
        "--",
        color=COLOURS[0] if of else "#777777",
        label=f"bound{of}",
    )
    if not counts:
        axes.set_xscale("log")
        counted(axes.xaxis, [row["value"] for row in chosen])
    axes.set_yscale("log")
    tidy(axes, "", x, "")
    axes.legend(frameon=False, fontsize="small", loc=_FREE.get(sweep, "best"))


def _exchanges(axes: Any, rows: Rows) -> None:
    """Add the exchanges, on an axis of their own."""
    chosen = [row for row in rows if row["sweep"] == "B"]
    other = axes.twinx()
    other.plot(
        [row["value"] for row in chosen],
        [row["exchanges"] for row in chosen],
        "s:",
        color=COLOURS[2],
    )
    other.set_yscale("log")
    # Above the points of G.
    other.set_ylim(bottom=chosen[-1]["exchanges"] / 4)
    other.set_ylabel("exchanges", color=COLOURS[2])
    other.spines[["top"]].set_visible(False)
