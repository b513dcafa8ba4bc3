"""Figure 3: speed-up with as many threads as workers, for several B."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import (
    HERE,
    RULES,
    SLOW,
    draw,
    network_costs,
    simulated_rows,
    sooner,
)
from dpsvi.experiments.topics import TopicStudy, study_of

__all__ = ["claims", "find"]

_LENGTHS = (1, 5, 15)
_NOTE = "All is simulated: n workers of n threads need n² cores."


def find(*, full: bool = False) -> Finding:
    """Run; `full` takes NYTimes."""
    study = study_of(full)
    sizes = [1, 2, 4, 6, 9]
    layouts = [(n, n, B) for B in _LENGTHS for n in sizes]
    rows = simulated_rows(study, network_costs(study), layouts)
    return Finding(
        "fig3",
        "Speed-up with as many threads as workers, n = p",
        rows,
        claims(rows, study),
        lambda figure: draw(figure, rows, "n", "n = p"),
        note=_NOTE,
    )


def claims(rows: Sequence[dict[str, Any]], study: TopicStudy) -> list[Claim]:
    """Return what the paper says, and what the rows say of it."""
    found = {(row["n"], row["B"], row["steps"], row["rule"]): row for row in rows}
    most = 6
    six, nine = (found[n, 15, SLOW, "samples"] for n in (most, 9))
    paces = [found[most, B, HERE, "samples"]["pace"] for B in _LENGTHS]
    times, others = (
        [found[most, B, HERE, rule]["TSP"] for B in _LENGTHS] for rule in RULES
    )
    possible = any(study.has_room(most, most, B) for B in _LENGTHS[1:])
    return [
        Claim.judged(
            "Longer rounds lose less to communication",
            paces[0] < paces[1] <= paces[2] * 1.01,
            f"With {HERE} n = p = {most} does {paces[0]:.1f}, {paces[1]:.1f} and "
            f"{paces[2]:.1f} times the work of one thread with B = 1, 5 and 15.",
        ),
        Claim.judged(
            "and so reach the perplexity sooner",
            times[0] < max(times[1:]),
            f"To the perplexity: {sooner(*times)}. "
            f"With B = 15, {study.under_way(most, most, 15):,} of "
            f"{study.train.shape[0]:,} documents are under way at once.",
            possible=possible,
        ),
        Claim.judged(
            "Rule 13a is as good as rule 13b",
            max(others) > 0.9 * max(times),
            f"To the perplexity under 13a: {sooner(*others)}.",
            possible=possible,
        ),
        Claim(
            "The speed-up slows when workers and threads both exceed six",
            "out of reach",
            "Nodes of the simulation are told to have six cores, so it cannot say "
            f"otherwise. With {SLOW} and B = 15, n = p = 6 does {six['pace']:.1f} "
            "times the work of one thread, of 36 at best, n = p = 9 "
            f"{nine['pace']:.1f} of 81.",
        ),
    ]
