"""What an experiment leaves: data, a figure, and claims with their verdicts."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

__all__ = ["COLOURS", "Claim", "Finding", "keep", "tidy"]

Verdict: TypeAlias = Literal["supported", "not supported", "out of reach"]

#: Told apart with any kind of colour vision (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


@dataclass(frozen=True)
class Claim:
    """Something that the paper, or its theory, says, and what was found."""

    text: str
    verdict: Verdict
    found: str

    @classmethod
    def judged(cls, text: str, holds: bool, found: str) -> Claim:
        """Return a claim that is supported or not."""
        return cls(text, "supported" if holds else "not supported", found)


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
    """

    name: str
    title: str
    rows: Sequence[dict[str, Any]]
    claims: Sequence[Claim]
    draw: Callable[[Any], None]

    def words(self) -> str:
        """Return title and claims as Markdown."""
        lines = [f"# {self.title}", "", f"![{self.title}]({self.name}.png)", ""]
        for claim in self.claims:
            lines.append(f"- {claim.text}: **{claim.verdict}**. {claim.found}")
        return "\n".join(lines) + "\n"


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
