"""What an experiment leaves: data, a figure, and claims with their verdicts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = [
    "COLOURS",
    "Claim",
    "Finding",
    "counted",
    "keep",
    "plain",
    "tidy",
    "unreached",
]

Verdict: TypeAlias = Literal["supported", "not supported", "out of reach"]

#: Told apart with any kind of colour vision (Okabe and Ito).
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    *("#000000", "#999999"),
)


@dataclass(frozen=True)
class Claim:
    """Something that the paper, or its theory, says, and what was found."""

    text: str
    verdict: Verdict
    found: str

    @classmethod
    def judged(
        cls, text: str, holds: bool, found: str, *, possible: bool = True
    ) -> Claim:
        """Return a claim that is supported or not.

        One that could not have held at the size of this run is out of reach instead.
        """
        if holds:
            return cls(text, "supported", found)
        return cls(text, "not supported" if possible else "out of reach", found)


@dataclass(frozen=True)
class Finding:
    """The outcome of an experiment.

    Attributes
    ----------
    name, title : str
        Which experiment.
    rows : sequence of dict
        The data; all have the same keys.
    claims : sequence of Claim
        In the order in which they were looked at.
    draw : callable
        Draws the figure onto a matplotlib figure.
    note : str, default=""
        What to know before reading the figure.
    table : sequence of dict, default=()
        What is shown as a table in the words; all have the same keys.
    """

    name: str
    title: str
    rows: Sequence[dict[str, Any]]
    claims: Sequence[Claim]
    draw: Callable[[Any], None]
    note: str = ""
    table: Sequence[dict[str, str]] = ()

    def words(self) -> str:
        """Return title, note, claims and table as Markdown."""
        lines = [f"# {self.title}", "", f"![{self.title}]({self.name}.png)", ""]
        if self.note:
            lines += [self.note, ""]
        for claim in self.claims:
            lines.append(f"- {claim.text}: **{claim.verdict}**. {claim.found}")
        if self.table:
            lines += ["", *_table(self.table)]
        return "\n".join(lines) + "\n"


def _table(rows: Sequence[dict[str, str]]) -> list[str]:
    """Return the lines of a Markdown table, numbers to the right."""
    names = list(rows[0])
    lines = [names, ["---", *["---:"] * (len(names) - 1)]]
    lines += [[row[name] for name in names] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def keep(finding: Finding, folder: Path) -> list[Path]:
    """Write NAME.csv, NAME.png and NAME.md into a folder; return the three paths."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    data, picture, words = (
        folder / f"{finding.name}.{ending}" for ending in ("csv", "png", "md")
    )
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(finding.rows[0]))
        writer.writeheader()
        writer.writerows(finding.rows)
    figure = Figure(figsize=(9, 4.2), layout="constrained")
    finding.draw(figure)
    figure.savefig(picture, dpi=130, facecolor="white")
    words.write_text(finding.words(), encoding="utf-8")
    return [data, picture, words]


def tidy(axes: Any, title: str, x: str, y: str) -> None:
    """Give axes their labels, a light grid and two spines."""
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def counted(axis: Any, numbers: Sequence[float]) -> None:
    """Give an axis of counts, logarithmic or not, these ticks in plain numbers."""
    axis.set_ticks(list(numbers), [f"{number:,g}" for number in numbers], fontsize=8)
    axis.set_ticks([], minor=True)


def plain(axis: Any, *parts: float) -> None:
    """Give a logarithmic axis plain numbers, at these parts of each power of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=parts or (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_ticks([], minor=True)


def unreached(
    axes: Any, places: Sequence[float], colour: str, *, at: float = 0.03
) -> None:
    """Mark where there is no value, at a height that is a share of that of the axes."""
    if not places:
        return
    (marks,) = axes.plot(
        places,
        [at] * len(places),
        "x",
        color=colour,
        transform=axes.get_xaxis_transform(),
        clip_on=False,
    )
    # Half of its coordinates are no data, which the layout of logarithmic axes takes
    # for far away.
    marks.set_in_layout(False)
