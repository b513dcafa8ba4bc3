"""Figure 3: speed-up with as many threads as workers, for several B."""

from __future__ import annotations

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import (
    HERE,
    SLOW,
    draw,
    network_costs,
    simulated_rows,
)
from dpsvi.experiments.topics import study_of

__all__ = ["find"]


def find(*, full: bool = False) -> Finding:
    """Run; `full` takes NYTimes."""
    study = study_of(full)
    sizes = [1, 2, 4, 6, 9]
    lengths = [1, 5, 15]
    layouts = [(n, n, B) for B in lengths for n in sizes]
    rows = simulated_rows(study, network_costs(study), layouts)
    found = {
        (row["n"], row["B"], row["steps"]): row
        for row in rows
        if row["rule"] == "samples"
    }
    most, six, nine = 6, found[6, 15, SLOW], found[9, 15, SLOW]
    paces = [found[most, B, HERE]["pace"] for B in lengths]
    times = [found[most, B, HERE]["TSP"] for B in lengths]
    return Finding(
        "fig3",
        "Speed-up with as many threads as workers, n = p",
        rows,
        [
            Claim.judged(
                "Longer rounds lose less to communication",
                paces[0] < paces[1] <= paces[2] * 1.01,
                f"With {HERE} n = p = {most} does {paces[0]:.1f}, {paces[1]:.1f} and "
                f"{paces[2]:.1f} times the work of one thread with B = 1, 5 and 15.",
            ),
            Claim.judged(
                "and so reach the perplexity sooner",
                times[0] < max(times[1:]),
                f"To the perplexity: {_sooner(times)}. "
                f"With B = 15, {study.under_way(most, most, 15):,} of "
                f"{study.train.shape[0]:,} documents are under way at once.",
                possible=any(study.has_room(most, most, B) for B in lengths[1:]),
            ),
            Claim.judged(
                "The speed-up slows when workers and threads both exceed six",
                nine["pace"] / 81 < 0.9 * six["pace"] / 36,
                f"With {SLOW} and B = 15, n = p = 6 does {six['pace']:.1f} times the "
                "work of one thread, of 36 at best, n = p = 9 "
                f"{nine['pace']:.1f} of 81: threads beyond the six cores of a node "
                "share them.",
            ),
        ],
        lambda figure: draw(figure, rows, "n", "n = p"),
    )


def _sooner(times: list[float]) -> str:
    """The speed-ups in words; zero says that the perplexity was not reached."""
    return ", ".join(
        f"{speed:.1f} times as soon" if speed else "never" for speed in times
    )
