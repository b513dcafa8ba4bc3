"""How many writes lock-free threads lose: α of Assumption 3, measured.

Two measurements. The bare one: threads that do nothing but add 1 to every number of
one array, as often and as fast as they can; what is missing at the end was lost. The
real one: topics are fitted, and the sums of what was added, which every thread keeps
for itself and so loses nothing of, are compared with what is in the array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from dpsvi.engine import Plan, ThreadTeam, run
from dpsvi.experiments.findings import COLOURS, Claim, Finding, tidy
from dpsvi.experiments.topics import TopicStudy
from dpsvi.models.lda.kernels.compiling import kernel

__all__ = ["find", "kept_of_bare_additions", "kept_of_topics"]

_ADDITIONS = 20_000
_INFERENCES: tuple[Literal["vb", "cvb0"], ...] = ("vb", "cvb0")


@kernel(fastmath=False)
def add_ones(array: Any, times: int) -> None:
    """Equivalent to ``array += times``, one at a time, for threads that do the same."""
    for _ in range(times):
        for place in range(array.size):
            array[place] += 1.0


class _Adders:
    """Threads that add to one array."""

    def __init__(self, size: int) -> None:
        self.array = np.zeros(size)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        for _ in steps:
            add_ones(self.array, _ADDITIONS)


def kept_of_bare_additions(n_threads: int, size: int, steps: int = 20) -> float:
    """Return the smallest share of additions to a number that arrived."""
    adders = _Adders(size)
    with ThreadTeam(n_threads, "dpsvi-adders") as team:
        team.run(adders, range(steps))
    return float(adders.array.min() / (steps * _ADDITIONS))


def kept_of_topics(
    study: TopicStudy, n_threads: int, inference: Literal["vb", "cvb0"] = "vb"
) -> float:
    """Return the share of what was added to a topic that is in it, at its smallest."""
    problem = replace(study.problem(0.02), inference=inference)
    plan = Plan(
        total_steps=study.n_steps,
        n_threads=n_threads,
        local_steps=50,
        # Sums are taken anew where units change; the last unit is looked at.
        furthest=problem.clock.furthest,
        seed=0,
    )
    topics = run(problem, [study.train], plan).parameters
    K = study.n_topics
    there = topics.weights[:, :K].sum(axis=0, dtype=float)
    return float((there / topics.totals.sum(axis=0)).min())


def find(*, full: bool = False) -> Finding:
    """Measure for one thread to twice the cores."""
    from dpsvi.theory.speedup.calibration import cores_at_hand

    cores, _ = cores_at_hand()
    numbers = sorted({1, 2, cores, 2 * cores})
    study = TopicStudy(n_topics=100 if full else 20)
    rows: list[dict[str, Any]] = []
    for p in numbers:
        for size in (1, 16, 1024):
            kept = kept_of_bare_additions(p, size)
            rows.append({"what": f"{size} numbers", "threads": p, "kept": kept})
        for inference in _INFERENCES:
            kept = kept_of_topics(study, p, inference)
            rows.append({"what": f"topics, {inference}", "threads": p, "kept": kept})
    topics = [row["kept"] for row in rows if row["what"].startswith("topics")]
    bare = min(row["kept"] for row in rows)
    return Finding(
        "overwriting",
        "Writes that are not lost, α",
        rows,
        [
            Claim.judged(
                "Threads that fit topics lose next to no writes",
                min(topics) > 0.99,
                f"Of what is added to a topic {max(0.0, 1 - min(topics)):.1g} is lost "
                f"at most, with up to {numbers[-1]} threads.",
            ),
            Claim.judged(
                "α > 0 (Assumption 3)",
                bare > 0,
                f"Threads that do nothing but add to the same few numbers keep "
                f"{bare:.1%} at worst.",
            ),
        ],
        lambda figure: _draw(figure, rows, numbers),
    )


def _draw(figure: Any, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> None:
    axes = figure.subplots()
    names = dict.fromkeys(row["what"] for row in rows)
    for colour, name in zip(COLOURS, names, strict=False):
        kept = [row["kept"] for row in rows if row["what"] == name]
        axes.plot(numbers, kept, "s-", color=colour, label=name)
    axes.set_ylim(0, 1.05)
    axes.legend(frameon=False)
    tidy(axes, "", "threads", "share of additions that arrived")
