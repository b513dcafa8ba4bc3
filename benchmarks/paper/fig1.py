"""Figure 1: speed-up over serial SVI against the number of workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import (
    HERE,
    RULES,
    SLOW,
    draw,
    measured_row,
    network_costs,
    simulated_rows,
)
from dpsvi.experiments.topics import study_of

__all__ = ["claims", "find"]


def find(*, full: bool = False) -> Finding:
    """Run; `full` takes NYTimes. 54 workers are the cores of nine nodes."""
    study = study_of(full)
    numbers = [1, 2, 4, 6, 9, 18, 36, 54]
    costs = network_costs(study)
    rows = simulated_rows(study, costs, [(n, 1, 1) for n in numbers])
    rows += [measured_row(study, 2, 1, 1, rule) for rule in RULES]
    return Finding(
        "fig1",
        "Speed-up against the number of workers (p = B = 1, M = n)",
        rows,
        claims(rows),
        lambda figure: draw(figure, rows, "n", "workers n"),
    )


def claims(rows: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return what the paper says, and what the rows say of it."""
    found = {
        (row["n"], row["rule"], row["steps"]): row
        for row in rows
        if row["kind"] == "simulated"
    }
    last = max(row["n"] for row in rows)
    few, many = (found[n, "samples", SLOW] for n in (4, last))
    today, other = found[last, "samples", HERE], found[4, "corollary", SLOW]
    waiting = ": they wait for the network" if today["pace"] < 1 else ""
    larger = (
        " More than n times is no mistake: pushes of n workers act as a larger "
        "mini-batch, which can end in better topics."
    )
    return [
        Claim.judged(
            "The speed-up is linear for few workers",
            few["TSP"] > 0.7 * 4,
            f"With {SLOW} four workers reach the perplexity {few['TSP']:.1f} times "
            f"as soon under rule 13b.{larger if few['TSP'] > 4 else ''}",
        ),
        Claim.judged(
            "and falls behind for many",
            many["pace"] < 0.9 * last or many["TSP"] < 0.7 * last,
            f"With {SLOW} {last} workers get {many['pace']:.1f} times as many "
            f"documents done, and reach the perplexity {many['TSP']:.1f} times as "
            "soon.",
        ),
        Claim.judged(
            "Pushing after every step pays with kernels of today, too",
            today["TSP"] > 1.5,
            f"With {HERE} {last} workers are {today['TSP']:.2g} times as fast as "
            f"one thread{waiting}. Figure 3 has longer rounds.",
        ),
        Claim.judged(
            "Rule 13a is as good as rule 13b",
            other["TSP"] > 0.9 * few["TSP"],
            f"Four workers: {other['TSP']:.1f} against {few['TSP']:.1f}. 13a lowers "
            "the steps, as for a given number of merges.",
        ),
    ]
