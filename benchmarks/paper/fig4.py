"""Figure 4: perplexity against time, for several numbers of workers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from dpsvi.engine import Plan, run
from dpsvi.experiments.findings import COLOURS, Claim, Finding, plain, tidy
from dpsvi.experiments.speed_ups import HERE, network_costs
from dpsvi.experiments.topics import TopicStudy, study_of
from dpsvi.theory.speedup.forecast import forecast

__all__ = ["find"]

_B = 5
# Two seeds of one run end half as far apart.
_SAME = 1.05
_NOTE = (
    "The paper draws the perplexity of training documents; this is that of documents "
    "held out, which do not get better by being learned by heart. DPSVI-1 is measured "
    "in one process without a network; the others are simulated at 1 Gbit/s, behind "
    "a scheduler whose event loop takes as long as here."
)


def find(*, full: bool = False) -> Finding:
    """Run; `full` takes NYTimes."""
    study = study_of(full)
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
            _row(n, kind, done, done / pace, perplexity)
            for done, perplexity in zip(curve.documents, curve.perplexity, strict=True)
        ]
    finals = [_of(rows, n)[-1] for n in numbers]
    ends = [row["perplexity"] for row in finals]
    worse = [n for n, end in zip(numbers, ends, strict=True) if end > _SAME * ends[0]]
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
                "To the end of the data: "
                + ", ".join(f"{row['seconds']:.2f}" for row in finals)
                + f" s for n = {', '.join(map(str, numbers))}.",
            ),
            Claim.judged(
                "to the same perplexity",
                not worse,
                "At the end: "
                + ", ".join(f"{end:,.0f}" for end in ends)
                + f" for n = {', '.join(map(str, numbers))}. With nine of nine "
                f"{study.under_way(9, 9, _B):,} of {study.train.shape[0]:,} documents "
                "are under way at once.",
                possible=any(study.has_room(n, n, _B) for n in worse),
            ),
        ],
        lambda figure: _draw(figure, rows, numbers),
        note=_NOTE,
    )


def _row(
    n: int, kind: str, documents: float, seconds: float, perplexity: float
) -> dict[str, Any]:
    row = {"n": n, "kind": kind, "documents": documents, "seconds": seconds}
    return {**row, "perplexity": perplexity}


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
    panels = figure.subplots(1, 2, sharey=True)
    for axes, x in zip(panels, ("seconds", "documents"), strict=True):
        for colour, n in zip(COLOURS, numbers, strict=False):
            chosen = _of(rows, n)
            measured = chosen[0]["kind"] == "measured"
            axes.plot(
                [row[x] for row in chosen],
                [row["perplexity"] for row in chosen],
                "s-" if measured else "o--",
                color=colour,
                mfc=colour if measured else "white",
                markersize=4,
                label=f"DPSVI-{n}, {chosen[0]['kind']}",
            )
        axes.set(xscale="log", yscale="log")
        plain(axes.xaxis)
        plain(axes.yaxis, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)
    panels[1].legend(frameon=False, fontsize=8)
    tidy(panels[0], "against time", "seconds", "held-out perplexity")
    tidy(panels[1], "against work done", "documents", "")
