"""LDA runs replayed in slow NumPy, step by step, in the textbook's form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import reference
import scipy.sparse as sp

from dpsvi.engine import Plan
from dpsvi.models.conjugate import Clock
from dpsvi.models.lda import worker
from dpsvi.models.lda.problem import LDAProblem
from dpsvi.models.minibatches import MiniBatches

Array = npt.NDArray[Any]

ETA = 0.1


def make_counts(
    n_documents: int = 24, n_words: int = 15, length: int = 12, seed: int = 0
) -> sp.csr_array:
    """Documents of one length: then every mini-batch of one size has one weight."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(n_words, 0.3), n_documents)
    return sp.csr_array(rng.multinomial(length, shares).astype(float))


def make_problem(rates: Iterable[float], n_documents: int, **more: Any) -> LDAProblem:
    """A small problem in double precision."""
    given: dict[str, Any] = {
        "n_words": 15,
        "n_topics": 4,
        "n_documents": float(n_documents),
        "topic_word_prior": ETA,
        "doc_topic_prior": np.array([0.5, 0.2, 0.3, 0.4]),
        "clock": Clock(np.array(list(rates))),
        "batch_size": 4,
        "dtype": np.dtype("float64"),
    }
    return LDAProblem(**{**given, **more})


class Documents:
    """The mini-batches of one worker, and what a problem's local step makes of them."""

    def __init__(
        self, problem: LDAProblem, counts: sp.csr_array, seed: np.random.SeedSequence
    ) -> None:
        online = problem.learning == "online"
        size = problem.batch_size
        self.problem, self.counts = problem, counts
        self.batches = MiniBatches(counts.shape[0], size, seed if online else None)
        self.noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
        self.number = 0

    def statistics(self, lam: Array) -> tuple[Array, int]:
        """Expected counts of the next mini-batch, by Eq. 44, and its size."""
        problem, batch = self.problem, self.batches[self.number]
        statistics, _, _ = reference.vb_step(
            self.counts,
            batch,
            lam,
            problem.doc_topic_prior,
            problem.tolerance,
            problem.max_iterations,
            self.noise + self.number,
        )
        self.number += 1
        return statistics, batch.size

    def cvb0(self, lam: Array, rho: float) -> Array:
        """λ after the next mini-batch: a step per document, which share the decay."""
        problem, batch = self.problem, self.batches[self.number]
        self.number += 1
        each = 1.0 - (1.0 - rho) ** (1.0 / batch.size)
        longest = int(np.diff(self.counts.indptr).max())
        return reference.cvb0_step(
            self.counts,
            batch,
            lam,
            problem.topic_word_prior,
            problem.doc_topic_prior,
            np.asarray(worker._average_rates(longest)),
            each,
            each * problem.n_documents,
        )


def start(problem: LDAProblem, plan: Plan) -> tuple[Array, list[Any]]:
    """The λ that a run of this plan starts from, and the seeds of its workers."""
    first, seeds = plan.seeds()
    parameters = problem.initial_parameters(np.random.default_rng(first))
    return parameters.value(0.0).astype(float), seeds


def svi(problem: LDAProblem, counts: sp.csr_array, plan: Plan) -> Array:
    """Hoffman et al. (2013): one step after another, λ dense, no scale, no units."""
    lam, (seed,) = start(problem, plan)
    documents = Documents(problem, counts, seed)
    for t in range(plan.total_steps):
        rho = problem.clock.rates[t]
        if problem.inference == "cvb0":
            lam = documents.cvb0(lam, rho)
            continue
        statistics, size = documents.statistics(lam)
        scaled = problem.n_documents / size * statistics
        lam = reference.svi_update(lam, ETA, rho, scaled)
    return lam


def batch_vb(problem: LDAProblem, counts: sp.csr_array, plan: Plan) -> Array:
    """Coordinate ascent: λ is the prior and the counts of a whole pass."""
    lam, (seed,) = start(problem, plan)
    documents = Documents(problem, counts, seed)
    n_batches = documents.batches.n_batches
    for _ in range(plan.total_steps // n_batches):
        lam = ETA + sum(documents.statistics(lam)[0] for _ in range(n_batches))
    return lam


def stale_svi(
    problem: LDAProblem, shards: Sequence[sp.csr_array], plan: Plan, order: list[int]
) -> Array:
    """p = B = M = 1: a worker's step comes from the λ it saw when it last delivered.

    The decay belongs to the clock: a step is weighted as if it had come in time.
    """
    lam, seeds = start(problem, plan)
    n, rates = len(shards), problem.clock.rates
    workers = [Documents(problem, *given) for given in zip(shards, seeds, strict=True)]
    s = np.cumprod(np.append(1.0, 1.0 - rates))
    counted = lam - ETA
    seen = [ETA + s[t] * counted for t in range(n)]
    step = list(range(n))
    for delivery, name in enumerate(order):
        t = step[name]
        statistics, size = workers[name].statistics(seen[name])
        scaled = problem.n_documents / size * statistics
        counted = counted + rates[t] * scaled / s[t + 1]
        step[name] = n + delivery
        seen[name] = ETA + s[min(step[name], plan.total_steps)] * counted
    return ETA + s[plan.total_steps] * counted
