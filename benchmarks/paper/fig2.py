"""Figure 2: speed-up over serial SVI against the number of threads of one worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import (
    HERE,
    RULES,
    draw,
    measured_row,
    simulated_rows,
    six_cores,
    sooner,
)
from dpsvi.experiments.topics import study_of
from dpsvi.theory.speedup.calibration import cores_at_hand

__all__ = ["claims", "find"]

_B = 15


def find(*, full: bool = False) -> Finding:
    """Run; `full` takes NYTimes.

    Mini-batches are larger than for the other figures: with steps below a millisecond
    threads wait for Python.
    """
    study = study_of(full, n_topics=100, batch_size=128)
    costs, (cores, _) = {HERE: six_cores(study)}, cores_at_hand()
    rows = simulated_rows(study, costs, [(1, p, _B) for p in (1, 2, 4, 6, 8, 10, 12)])
    # Twice as many threads as cores, too: what do those beyond them add?
    here = sorted({1, cores, 2 * cores, *(p for p in (2, 4, 6, 8, 12) if p <= cores)})
    rows += [measured_row(study, 1, p, _B, rule) for p in here for rule in RULES]
    return Finding(
        "fig2",
        f"Speed-up against the number of threads (one worker, B = {_B})",
        rows,
        claims(rows, cores),
        lambda figure: draw(figure, rows, "p", "threads p"),
    )


def claims(rows: Sequence[dict[str, Any]], cores: int) -> list[Claim]:
    """Return what the paper says, and what the rows say of it."""
    found = {(row["p"], row["kind"], row["rule"]): row for row in rows}
    most, beyond = (found[p, "measured", "samples"] for p in (cores, 2 * cores))
    other = found[cores, "measured", "corollary"]
    six, twelve = (found[p, "simulated", "samples"] for p in (6, 12))
    there = found.get((6, "measured", "samples"))
    return [
        Claim.judged(
            "Threads speed up nearly linearly as far as there are cores",
            most["pace"] > 0.75 * cores,
            f"Measured: {cores} threads do {most['pace']:.2f} times the work of "
            f"one, and reach the perplexity {most['TSP']:.2f} times as soon as "
            "serial SVI under rule 13b.",
        ),
        Claim.judged(
            "which are six in a node",
            there is not None and there["pace"] > 0.75 * 6,
            f"Measured: {there['pace']:.2f} times the work with six threads."
            if there
            else f"This machine has {cores}. What these lose, carried on to six, would "
            f"leave {six['pace']:.1f} times the work of one.",
            possible=there is not None,
        ),
        Claim.judged(
            "and less beyond the cores",
            beyond["pace"] < 1.5 * most["pace"],
            f"Measured: {2 * cores} threads on {cores} cores do {beyond['pace']:.2f} "
            f"times the work of one. Nodes of six cores are simulated with this "
            f"assumed: {six['pace']:.1f} times with 6 threads, {twelve['pace']:.1f} "
            "with 12.",
        ),
        Claim.judged(
            "Rule 13a is as good as rule 13b",
            other["TSP"] > 0.9 * most["TSP"],
            f"To the perplexity with {cores} threads: {sooner(other['TSP'])} against "
            f"{sooner(most['TSP'])}.",
        ),
    ]
