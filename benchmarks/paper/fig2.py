"""Figure 2: speed-up over serial SVI against the number of threads of one worker."""

from __future__ import annotations

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import (
    HERE,
    RULES,
    draw,
    measured_row,
    network_costs,
    simulated_rows,
)
from dpsvi.experiments.topics import study_of
from dpsvi.theory.speedup.calibration import cores_at_hand

__all__ = ["find"]

_B = 15


def find(*, full: bool = False) -> Finding:
    """Run; `full` takes NYTimes.

    Mini-batches are larger than for the other figures: with steps below a millisecond
    threads wait for Python.
    """
    study = study_of(full, n_topics=100, batch_size=128)
    costs, (cores, _) = {HERE: network_costs(study)[HERE]}, cores_at_hand()
    rows = simulated_rows(study, costs, [(1, p, _B) for p in (1, 2, 4, 6, 8, 10, 12)])
    here = [p for p in (1, 2, 4, 6, 8, 12) if p <= cores]
    rows += [measured_row(study, 1, p, _B, rule) for p in here for rule in RULES]
    found = {(row["p"], row["rule"], row["kind"]): row for row in rows}
    six, twelve = (found[p, "samples", "simulated"] for p in (6, 12))
    most = found[here[-1], "samples", "measured"]
    return Finding(
        "fig2",
        f"Speed-up against the number of threads (one worker, B = {_B})",
        rows,
        [
            Claim.judged(
                "Threads speed up nearly linearly as far as there are cores",
                most["pace"] > 0.75 * here[-1],
                f"Measured: {here[-1]} threads do {most['pace']:.2f} times the work of "
                f"one, and reach the perplexity {most['TSP']:.2f} times as soon as "
                "serial SVI under rule 13b.",
            ),
            Claim.judged(
                "and less beyond the six cores of a node",
                twelve["pace"] < 1.5 * six["pace"],
                f"Simulated: {six['pace']:.1f} times with 6 threads, "
                f"{twelve['pace']:.1f} with 12.",
            ),
        ],
        lambda figure: draw(figure, rows, "p", "threads p"),
    )
