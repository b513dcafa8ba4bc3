"""Figure 1: speed-up over serial SVI against the number of workers."""

from __future__ import annotations

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.speed_ups import (
    RULES,
    draw,
    measured_row,
    network_costs,
    simulated_rows,
)
from dpsvi.experiments.topics import TopicStudy

__all__ = ["find"]


def find(*, full: bool = False) -> Finding:
    """Run; `full` uses larger models and the paper's nine nodes as 54 workers."""
    study = TopicStudy(n_topics=100 if full else 20)
    numbers = [1, 2, 4, 6, 9, 18, *([36, 54] if full else [])]
    costs = network_costs(study)
    rows = simulated_rows(study, costs, [(n, 1, 1) for n in numbers])
    rows += [measured_row(study, 2, 1, 1, rule) for rule in RULES]
    found = {(row["n"], row["rule"]): row for row in rows if row["kind"] != "measured"}
    few, many = found[4, "samples"], found[numbers[-1], "samples"]
    pace = many["pace"] / numbers[-1]
    return Finding(
        "fig1",
        "Speed-up against the number of workers (p = B = 1, M = n)",
        rows,
        [
            Claim.judged(
                "The speed-up is linear for few workers",
                few["TSP"] > 0.7 * 4,
                f"Four workers reach the perplexity {few['TSP']:.1f} times as soon "
                "under rule 13b.",
            ),
            Claim.judged(
                "and falls behind for many",
                pace < 0.9 or many["TSP"] < 0.7 * numbers[-1],
                f"{numbers[-1]} workers get {many['pace']:.1f} times as many documents "
                f"done, and {many['TSP']:.1f} times as soon to the perplexity.",
            ),
            Claim.judged(
                "Rule 13a is as good as rule 13b",
                found[4, "corollary"]["TSP"] > 0.9 * few["TSP"],
                f"Four workers: {found[4, 'corollary']['TSP']:.1f} against "
                f"{few['TSP']:.1f}. 13a lowers the steps, as for a given number of "
                "merges, so more documents are needed.",
            ),
        ],
        lambda figure: draw(figure, rows, "n", "workers n"),
    )
