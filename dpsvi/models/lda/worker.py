"""LDA on one worker: p lock-free threads over one array (Alg. 4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update
from dpsvi.models.conjugate import NaturalParameters, RowUpdate
from dpsvi.models.lda.kernels.cvb0 import cvb0_scratch, cvb0_step
from dpsvi.models.lda.kernels.topics import digamma_factors, sum_words
from dpsvi.models.lda.kernels.vb import VBScratch, vb_scratch, vb_step
from dpsvi.models.lda.minibatches import MiniBatches
from dpsvi.models.lda.problem import multiply

if TYPE_CHECKING:
    from dpsvi.models.lda.problem import LDAProblem

__all__ = ["BatchWorker", "OnlineWorker"]

# Steps of the running average over a document's words: strength, delay, decay.
_AVERAGE = (2.0, 10.0, 0.9)
_WORDS_AT_ONCE = 4


class _VBThread:
    """Variational Bayes for one thread, with scratch that grows as needed."""

    def __init__(self, problem: LDAProblem, shard: sp.csr_array, thread: int) -> None:
        self._problem = problem
        self._shard = shard
        self._thread = thread
        self._lengths = np.diff(shard.indptr)
        self._longest = int(self._lengths.max(initial=0))
        self._scratch: VBScratch | None = None
        to = problem.dtype.type
        self._prior = to(problem.topic_word_prior)
        # Padded topics are harmless with any positive prior.
        self._doc_prior = np.ones(problem.n_padded, problem.dtype)
        self._doc_prior[: problem.n_topics] = problem.doc_topic_prior
        self._tolerance = to(problem.tolerance)

    def step(
        self,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        into: NaturalParameters,
        log_scale: float,
        log_scale_after: float,
        rate: float,
    ) -> int:
        """Add a mini-batch; return the iterations done."""
        problem, scratch = self._problem, self._room_for(documents)
        to = problem.dtype.type
        scale = read.scale(log_scale)
        digamma_factors(read.totals, scale, problem.prior_mass, scratch.factors)
        weight = rate * problem.n_documents / max(1, documents.size)
        return vb_step(
            self._shard.indptr,
            self._shard.indices,
            self._shard.data,
            documents,
            read.weights,
            self._prior,
            to(scale),
            self._doc_prior,
            problem.n_topics,
            self._tolerance,
            problem.max_iterations,
            to(weight / into.scale(log_scale_after)),
            into.weights,
            into.totals[self._thread],
            scratch,
        )

    def _room_for(self, documents: NDArray[np.int32]) -> VBScratch:
        entries = int(self._lengths[documents].sum())
        scratch = self._scratch
        if (
            scratch is None
            or entries > scratch.local.size
            or documents.size > scratch.expectations.shape[0]
        ):
            problem = self._problem
            self._scratch = scratch = vb_scratch(
                problem.n_words,
                problem.n_padded,
                problem.dtype,
                int(documents.size),
                max(1, entries + entries // 4),
                max(1, self._longest),
            )
        return scratch


class _CVB0Thread:
    """Zero-order collapsed inference for one thread."""

    def __init__(self, problem: LDAProblem, shard: sp.csr_array, thread: int) -> None:
        self._problem = problem
        self._shard = shard
        self._thread = thread
        self._scratch = cvb0_scratch(problem.n_padded, problem.dtype)
        self._prior = problem.dtype.type(problem.topic_word_prior)
        self._doc_prior = np.zeros(problem.n_padded, problem.dtype)
        self._doc_prior[: problem.n_topics] = problem.doc_topic_prior
        self._rates = _average_rates(int(np.diff(shard.indptr).max(initial=0)))
        self._rates = self._rates.astype(problem.dtype)

    def step(
        self,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        into: NaturalParameters,
        log_scale: float,
        log_scale_after: float,
        rate: float,
    ) -> int:
        """Add a mini-batch, document by document; return the passes done."""
        problem, size = self._problem, max(1, documents.size)
        scale = read.scale(log_scale)
        # The decay of the whole step, spread evenly over its documents.
        decay = float(np.exp((log_scale_after - log_scale) / size))
        share = 1.0 - decay if decay < 1.0 else rate / size
        cvb0_step(
            self._shard.indptr,
            self._shard.indices,
            self._shard.data,
            documents,
            read.weights,
            self._prior,
            problem.prior_mass,
            scale,
            decay,
            share * problem.n_documents / (into.scale(log_scale) * decay),
            self._doc_prior,
            self._rates,
            read.totals,
            into.weights,
            into.totals[self._thread],
            self._scratch,
        )
        return int(documents.size)


def _average_rates(longest: int) -> NDArray[np.float64]:
    """Step sizes of a document's running average, one per group of words."""
    strength, delay, decay = _AVERAGE
    groups = np.arange(max(1, -(-longest // _WORDS_AT_ONCE) + 1))
    return strength * (delay + _WORDS_AT_ONCE * groups) ** -decay


class _Worker:
    """What online and batch learning share: threads, mini-batches, counters."""

    def __init__(
        self,
        problem: LDAProblem,
        shard: sp.csr_array,
        n_threads: int,
        seed: np.random.SeedSequence,
    ) -> None:
        self._problem = problem
        self._shard = shard
        self._n_threads = n_threads
        shuffled = seed if problem.learning == "online" else None
        self._batches = MiniBatches(shard.shape[0], problem.batch_size, shuffled)
        self._numbers = itertools.count()
        kind: Any = _VBThread if problem.inference == "vb" else _CVB0Thread
        self._threads = [kind(problem, shard, i) for i in range(n_threads)]
        # Columns: documents, iterations. A row per thread, which alone writes it.
        self._done = np.zeros((n_threads, 2))
        self._documents: list[NDArray[np.int32]] = []
        self._read: NaturalParameters
        self._into: NaturalParameters
        self._before: NDArray[np.floating] | None = None

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Alg. 4 lines 4-9: a mini-batch a step, until the round has no more."""
        clock = self._problem.clock
        for step in steps:
            documents = self._batches[next(self._numbers)]
            iterations = self._threads[thread].step(
                documents,
                self._read,
                self._into,
                clock.log_scale[step],
                clock.log_scale[step + 1],
                clock.rates[step],
            )
            self._done[thread] += (documents.size, iterations)
            self._documents.append(documents)

    def _start_round(self, read: NaturalParameters, into: NaturalParameters) -> None:
        self._read, self._into = read, into
        self._done[:] = 0.0
        self._documents = []

    def _finish_round(self, payload: RowUpdate | None) -> Update:
        documents, iterations = self._done.sum(axis=0)
        return Update(
            payload, documents, {"iterations": iterations / max(1.0, documents)}
        )

    def _totals_per_thread(self, parameters: NaturalParameters) -> None:
        """Give every thread its own row of totals, exact at this moment."""
        parameters.totals = np.zeros((self._n_threads, self._problem.n_topics))
        sum_words(parameters.weights, parameters.totals[0])


class OnlineWorker(_Worker):
    """Stochastic natural gradients; threads add to λ where they read it."""

    def load(self, snapshot: Snapshot) -> None:
        """Take λ, or a copy of it, in units of this moment."""
        parameters: NaturalParameters = snapshot.parameters
        if not snapshot.shared:
            parameters = self._copy(parameters)
        base = parameters.log_base
        parameters.renew(self._problem.clock.log_scale[snapshot.steps.start], multiply)
        renewed = parameters.log_base != base
        if renewed or parameters.totals.shape[0] != self._n_threads:
            self._totals_per_thread(parameters)
        self._before = None if snapshot.shared else parameters.weights.copy()
        self._start_round(parameters, parameters)

    def update(self) -> Update:
        """Alg. 4 line 10: what was added to each row that a document touched."""
        if self._before is None:
            return self._finish_round(None)
        rows = self._touched()
        values = self._into.weights[rows] - self._before[rows]
        totals = values.sum(axis=0, dtype=float)[: self._problem.n_topics]
        return self._finish_round(
            RowUpdate(rows, values, totals, self._into.log_base)
        )

    def _copy(self, parameters: NaturalParameters) -> NaturalParameters:
        copy = self._problem.empty_parameters()
        np.copyto(copy.weights, parameters.weights)
        copy.totals[0] = parameters.totals.sum(axis=0)
        copy.log_base = parameters.log_base
        return copy

    def _touched(self) -> NDArray[np.int32]:
        touched = np.zeros(self._problem.n_words, dtype=bool)
        if self._documents:
            documents = np.concatenate(self._documents)
            touched[self._shard[documents].indices] = True
        return np.flatnonzero(touched).astype(np.int32)


class BatchWorker(_Worker):
    """Full coordinate ascent: λ stays as pulled while the statistics are summed.

    A round that is not a whole epoch has no update, so λ is always that of an epoch.
    """

    def load(self, snapshot: Snapshot) -> None:
        """Read λ where it is; nobody merges before the only worker pushes."""
        sums = self._problem.empty_parameters()
        sums.totals = np.zeros((self._n_threads, self._problem.n_topics))
        self._start_round(snapshot.parameters, sums)

    def update(self) -> Update:
        """The statistics of all documents, which make the next λ."""
        complete = self._done[:, 0].sum() == self._shard.shape[0]
        sums = self._into
        payload = RowUpdate(slice(None), sums.weights, sums.totals.sum(axis=0), 0.0)
        return self._finish_round(payload if complete else None)
