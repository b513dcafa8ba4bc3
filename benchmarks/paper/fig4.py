"""Figure 4: perplexity against time, for several numbers of workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dpsvi.engine import Plan, run
from dpsvi.experiments.findings import COLOURS, Claim, Finding, tidy
from dpsvi.experiments.speed_ups import HERE, network_costs
from dpsvi.experiments.topics import TopicStudy
from dpsvi.theory.speedup.forecast import forecast

__all__ = ["find"]

_B = 5


def find(*, full: bool = False) -> Finding:
    """Run; `full` uses larger models."""
    study = TopicStudy(n_topics=100 if full else 20)
    costs, numbers = network_costs(study)[HERE], (1, 2, 4, 6, 9)
    rows: list[dict[str, Any]] = []
    for n in numbers:
        curve = study.replay(n, n, _B, step=study.step("samples", n, n, _B))
        (expected,) = forecast(costs, [n], n_threads=n, local_steps=_B)
        pace = expected.samples_per_second
        kind = "simulated"
        if n == 1:
            # One thread and no network: this machine is all that it needs.
            pace, kind = _pace(study), "measured"
        rows += [
            {"n": n, "kind": kind, "seconds": done / pace, "perplexity": perplexity}
            for done, perplexity in zip(curve.documents, curve.perplexity, strict=True)
        ]
    finals = [_of(rows, n)[-1] for n in numbers]
    ends = [row["perplexity"] for row in finals]
    return Finding(
        "fig4",
        f"Held-out perplexity against time, n workers of n threads (B = {_B})",
        rows,
        [
            Claim.judged(
                "More workers of more threads get through the data sooner",
                all(
                    after["seconds"] < before["seconds"]
                    for before, after in pairwise(finals)
                ),
                f"{finals[0]['seconds']:.2f} s with one of one, "
                f"{finals[-1]['seconds']:.2f} s with nine of nine, to the end of the "
                "data.",
            ),
            Claim.judged(
                "to the same perplexity",
                max(ends) < 1.05 * ends[0],
                "At the end: "
                + ", ".join(f"{end:,.0f}" for end in ends)
                + f" for n = {', '.join(map(str, numbers))}. With nine of nine "
                f"{81 * _B * study.batch_size:,} of {study.train.shape[0]:,} documents "
                "are under way at once.",
            ),
        ],
        lambda figure: _draw(figure, rows, numbers),
    )


def _pace(study: TopicStudy) -> float:
    """Documents per second of one thread."""
    problem = study.problem(study.best_step)
    plan = Plan(
        total_steps=study.n_steps,
        local_steps=_B,
        furthest=problem.clock.furthest,
        seed=0,
    )
    begun = time.perf_counter()
    done = run(problem, [study.train], plan)
    return done.counters.merged / (time.perf_counter() - begun)


def _of(rows: Sequence[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["n"] == n]


def _draw(figure: Any, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> None:
    axes = figure.subplots()
    for colour, n in zip(COLOURS, numbers, strict=False):
        chosen = _of(rows, n)
        measured = chosen[0]["kind"] == "measured"
        axes.plot(
            [row["seconds"] for row in chosen],
            [row["perplexity"] for row in chosen],
            "s-" if measured else "o--",
            color=colour,
            mfc=colour if measured else "white",
            label=f"DPSVI-{n}, {chosen[0]['kind']}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(frameon=False)
    tidy(axes, "", "seconds", "held-out perplexity")
