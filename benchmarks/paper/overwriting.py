"""How many writes lock-free threads lose: α of Assumption 3, measured.

Two measurements. The bare one: threads that do nothing but add 1 to numbers of one
array, at places that each of them draws, all from the same moment on. Every thread
counts its own additions, number by number, and what the array is short of was lost; α
is the smallest share kept of any number, as Assumption 3 has it. The mean over all of
them is given, too: a thread that is taken off its core between reading and writing
takes back all that others have added meanwhile, but to one number only. The real one:
topics, Poisson factors and a Gaussian mixture are fitted, and the sums of what was
added to each topic or component, which every thread keeps for itself, are compared with
what is in the array.
"""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from dpsvi.compiling import kernel
from dpsvi.engine import Plan, Problem, ThreadTeam, run
from dpsvi.experiments.findings import COLOURS, Claim, Finding, counted, tidy
from dpsvi.experiments.topics import TopicStudy
from dpsvi.models.conjugate import Clock
from dpsvi.models.mixture.parameters import MixturePrior, pack
from dpsvi.models.mixture.problem import MixtureProblem
from dpsvi.models.mixture.standard import Standard
from dpsvi.models.poisson.problem import PoissonProblem

__all__ = [
    "find",
    "kept_of_bare_additions",
    "kept_of_factors",
    "kept_of_mixture",
    "kept_of_topics",
]

# Long enough that threads are at it together nearly all of the time.
_ADDITIONS = 10_000_000
_RUNS = 5
_SIZES = (1, 16, 1024, 65536)
# Sums in another order differ by so much.
_ROUNDING = 1e-6
_INFERENCES: tuple[Literal["vb", "cvb0"], ...] = ("vb", "cvb0")


@kernel(fastmath=False)
def add_ones(array: Any, own: Any, times: int, seed: int) -> None:
    """Add 1 at places drawn at random, and count them; the size is a power of two."""
    state = np.uint64(seed)
    last = np.uint64(array.size - 1)
    for _ in range(times):
        # Marsaglia's xorshift. Places that are not known before, and a second array
        # that might be the first, keep the compiler from adding up in a register.
        state ^= state << np.uint64(13)
        state ^= state >> np.uint64(7)
        state ^= state << np.uint64(17)
        place = state & last
        array[place] += 1.0
        own[place] += 1.0


class Kept(NamedTuple):
    """Shares of what was added: of the number that lost most, and of all together."""

    least: float
    mean: float

    @classmethod
    def of(cls, there: Any, added: Any) -> Kept:
        """Compare number by number."""
        return cls(float((there / added).min()), float(there.sum() / added.sum()))


class _Adders:
    """Threads that add to one array, and begin together."""

    def __init__(self, n_threads: int, size: int, times: int) -> None:
        self.array = np.zeros(size)
        self.own = [np.zeros(size) for _ in range(n_threads)]
        self._times = times
        self._begin = threading.Barrier(n_threads)
        add_ones(np.zeros(1), np.zeros(1), 1, 1)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        self._begin.wait()
        add_ones(self.array, self.own[thread], self._times, thread + 1)

    def kept(self) -> Kept:
        """Compare what is in the array with what was added."""
        added = np.sum(self.own, axis=0)
        return Kept.of(self.array[added > 0], added[added > 0])


def kept_of_bare_additions(n_threads: int, size: int, times: int = _ADDITIONS) -> Kept:
    """Return the shares of additions that arrived; the smaller one is α.

    Parameters
    ----------
    n_threads : int
        p; all begin at once.
    size : int
        Numbers in the array, a power of two.
    times : int
        Additions of each thread.
    """
    adders = _Adders(n_threads, size, times)
    with ThreadTeam(n_threads, "dpsvi-adders") as team:
        team.run(adders, range(n_threads))
    return adders.kept()


def kept_of_topics(
    study: TopicStudy, n_threads: int, inference: Literal["vb", "cvb0"] = "vb"
) -> Kept:
    """Return the shares of what was added to topics that are in them."""
    problem = replace(study.problem(0.02), inference=inference)
    topics = _fitted(problem, problem.clock, study.train, n_threads)
    return _kept(topics.weights, topics.totals)


def kept_of_factors(study: TopicStudy, n_threads: int) -> Kept:
    """Return the shares of what was added to Poisson factors that are in them."""
    counts = study.train
    problem = PoissonProblem(
        n_features=counts.shape[1],
        n_components=study.n_topics,
        n_rows=float(counts.shape[0]),
        row_total=float(counts.sum()) / counts.shape[0],
        clock=study.problem(0.02).clock,
        batch_size=study.batch_size,
    )
    factors = _fitted(problem, problem.clock, counts, n_threads)
    # The last row is that of the rates, which have no totals.
    return _kept(factors.weights[:-1], factors.totals)


def kept_of_mixture(n_threads: int, n_rows: int = 50_000, batch_size: int = 64) -> Kept:
    """Return the shares of what was added to a mixture that are in it.

    Ten components of ten features: all threads write to the same 660 numbers.
    """
    size, rng = 10, np.random.default_rng(0)
    means = rng.normal(0.0, 4.0, (size, size))
    rows = means[rng.integers(size, size=n_rows)] + rng.normal(size=(n_rows, size))
    prior = MixturePrior("full", False, 1.0, 1.0, 10.0, np.zeros(size), np.eye(size))
    share = n_rows / size
    squares = share * (means[:, :, np.newaxis] * means[:, np.newaxis] + np.eye(size))
    problem = MixtureProblem(
        n_components=size,
        n_rows=float(n_rows),
        standard=Standard(np.zeros(size), np.ones(size)),
        prior=prior,
        start=pack(np.full(size, share), share * means, squares, full=True),
        clock=Clock(np.full(4 * n_rows // batch_size, 0.02)),
        batch_size=batch_size,
    )
    mixture = _fitted(problem, problem.clock, rows, n_threads)
    return _kept(mixture.weights, mixture.totals)


def _fitted(problem: Problem, clock: Clock, shard: Any, n_threads: int) -> Any:
    """Fit in one process; return the parameters, with the sums of every thread."""
    plan = Plan(
        total_steps=len(clock.rates),
        n_threads=n_threads,
        local_steps=50,
        # Sums are taken anew where units change; the last unit is looked at.
        furthest=clock.furthest,
        seed=0,
    )
    return run(problem, [shard], plan).parameters


def _kept(weights: Any, totals: Any) -> Kept:
    """Compare the sums over an array with those that its threads have kept."""
    there = weights[:, : totals.shape[1]].sum(axis=0, dtype=float)
    return Kept.of(there, totals.sum(axis=0))


def find(*, full: bool = False) -> Finding:
    """Measure for one thread to twice the cores, the median of several runs."""
    from dpsvi.theory.speedup.calibration import cores_at_hand

    cores, _ = cores_at_hand()
    numbers = sorted({1, 2, cores, 2 * cores})
    study = TopicStudy(n_topics=100 if full else 20)
    rows: list[dict[str, Any]] = []

    def look(what: str, p: int, runs: Sequence[Kept]) -> None:
        least = [each.least for each in runs]
        rows.append(
            {
                **{"what": what, "threads": p, "kept": statistics.median(least)},
                **{"lowest": min(least), "highest": max(least), "runs": len(runs)},
                "kept_on_average": statistics.median(each.mean for each in runs),
            }
        )

    for p in numbers:
        for size in _SIZES:
            bare = [kept_of_bare_additions(p, size) for _ in range(_RUNS)]
            look(f"{size:,} number{'s' * (size > 1)}", p, bare)
        for inference in _INFERENCES:
            look(
                f"topics, {inference}",
                p,
                [kept_of_topics(study, p, inference) for _ in range(3)],
            )
        look("Poisson factors", p, [kept_of_factors(study, p) for _ in range(3)])
        look("Gaussian mixture", p, [kept_of_mixture(p) for _ in range(3)])
    return Finding(
        "overwriting",
        "Writes that are not lost, α",
        rows,
        judge(rows),
        lambda figure: _draw(figure, rows, numbers),
    )


def judge(rows: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return what is claimed of lost writes and what was found."""
    topics = [row["kept"] for row in rows if row["what"].startswith("topics")]
    others = {
        what: min(row["kept"] for row in rows if row["what"] == what)
        for what in ("Poisson factors", "Gaussian mixture")
        if any(row["what"] == what for row in rows)
    }
    most = max(row["threads"] for row in rows)
    crowded = [
        row for row in rows if row["threads"] == most and "number" in row["what"]
    ]
    few, many = crowded[0], crowded[-1]
    rare = 1 - many["kept_on_average"]
    return [
        Claim.judged(
            "Threads that fit topics lose next to no writes",
            min(topics) > 0.99,
            f"Of what is added to a topic {max(0.0, 1 - min(topics)):.1g} is lost "
            f"at most, with up to {most} threads. A topic is the sum of all words.",
        ),
        Claim.judged(
            "and so do those that fit other models",
            min(others.values()) > 0.99,
            f"With up to {most} threads {_lost(others)}. The mixture has 660 numbers "
            "in all, to which every step of every thread adds.",
        ),
        Claim.judged(
            "α > 0 (Assumption 3)",
            min(row["lowest"] for row in rows) > 0,
            f"{most} threads that do nothing but add to the same number keep "
            f"{few['kept']:.0%} of what they add (median of {few['runs']} runs, "
            f"{few['lowest']:.0%} to {few['highest']:.0%}).",
        ),
        Claim.judged(
            "Threads that seldom meet lose little",
            rare < 1e-3,
            f"Of additions to {many['what']} {rare:.1g} is lost on average. The one "
            f"that loses most keeps {many['kept']:.0%}: a thread that is taken off its "
            "core while it adds takes back what others have added meanwhile.",
        ),
    ]


def _lost(kept: dict[str, float]) -> str:
    """What was lost of some models, in words."""
    shares = {name: 1 - share for name, share in kept.items()}
    return " and ".join(
        f"the {name} lost {share:.1g}"
        if share > _ROUNDING
        else f"the {name} lost nothing"
        for name, share in shares.items()
    )


def _draw(figure: Any, rows: Sequence[dict[str, Any]], numbers: Sequence[int]) -> None:
    """1 - α against threads, at its largest and on average."""
    worst, mean = figure.subplots(1, 2, sharey=True)
    _lines(worst, rows, numbers, "kept")
    _lines(mean, rows, numbers, "kept_on_average")
    tidy(
        worst,
        "what loses most: a number, a topic",
        "threads",
        "additions lost, 1 - α",
    )
    tidy(mean, "all numbers together", "threads", "")
    figure.legend(
        *worst.get_legend_handles_labels(), frameon=False, loc="outside right center"
    )


def _lines(axes: Any, rows: Sequence[dict[str, Any]], numbers: Any, key: str) -> None:
    """Draw 1 - α of each kind; open where nothing is lost that could be told."""
    names = dict.fromkeys(row["what"] for row in rows)
    for colour, name in zip(COLOURS, names, strict=True):
        lost = [1 - row[key] for row in rows if row["what"] == name]
        shown = np.maximum(lost, _ROUNDING)
        # The last is dashed: it may lie upon another of which nothing is lost either.
        line = "--" if colour == COLOURS[-1] else "-"
        axes.plot(numbers, shown, line, color=colour, label=name)
        for p, share in zip(numbers, shown, strict=True):
            face = colour if share > _ROUNDING else "white"
            axes.plot(p, share, "o", color=colour, markerfacecolor=face)
    axes.set_yscale("log")
    counted(axes.xaxis, numbers)
