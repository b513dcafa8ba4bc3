"""LDA on one worker: p lock-free threads over one array (Alg. 4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update
from dpsvi.models.conjugate import NaturalParameters, RowUpdate
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.kernels.arrays import padded_size
from dpsvi.models.lda.kernels.cvb0 import cvb0_scratch, cvb0_step
from dpsvi.models.lda.minibatches import MiniBatches
from dpsvi.models.lda.settings import LDASettings

__all__ = ["BatchWorker", "OnlineWorker"]

# Steps of the running average over a document's words: strength, delay, decay.
_AVERAGE = (2.0, 10.0, 0.9)
_WORDS_AT_ONCE = 4


class _VBThread:
    """Variational Bayes for one thread."""

    def __init__(self, problem: LDASettings, shard: sp.csr_array, thread: int) -> None:
        self._thread = thread
        self._inference = Inference(
            shard, problem.doc_topic_prior, problem.tolerance, problem.max_iterations
        )

    def step(
        self,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        into: NaturalParameters,
        log_scales: tuple[float, float],
        weight: float,
        noise: int,
    ) -> int:
        """Add a mini-batch; return the iterations done."""
        before, after = log_scales
        iterations = self._inference.infer(documents, read, read.scale(before), noise)
        self._inference.add_statistics(
            weight / into.scale(after), into, into.totals[self._thread]
        )
        return iterations


class _CVB0Thread:
    """Zero-order collapsed inference for one thread."""

    def __init__(self, problem: LDASettings, shard: sp.csr_array, thread: int) -> None:
        self._problem = problem
        self._shard = shard
        self._thread = thread
        n_padded = padded_size(problem.n_topics, problem.dtype)
        self._scratch = cvb0_scratch(n_padded, problem.dtype)
        self._prior = problem.dtype.type(problem.topic_word_prior)
        self._doc_prior = np.zeros(n_padded, problem.dtype)
        self._doc_prior[: problem.n_topics] = problem.doc_topic_prior
        self._rates = _average_rates(int(np.diff(shard.indptr).max(initial=0)))
        self._rates = self._rates.astype(problem.dtype)

    def step(
        self,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        into: NaturalParameters,
        log_scales: tuple[float, float],
        weight: float,
        noise: int,
    ) -> int:
        """Add a mini-batch, document by document; return the passes done."""
        before, after = log_scales
        # The decay of the step, and so its weight, spread evenly over its documents.
        size = max(1, documents.size)
        decay = float(np.exp((after - before) / size))
        if decay < 1.0:
            weight *= size * (1.0 - decay) / -np.expm1(after - before)
        cvb0_step(
            self._shard.indptr,
            self._shard.indices,
            self._shard.data,
            documents,
            read.weights,
            self._prior,
            read.prior_mass,
            read.scale(before),
            decay,
            weight / (into.scale(before) * decay),
            self._doc_prior,
            self._rates,
            read.totals,
            into.weights,
            into.totals[self._thread],
            self._scratch,
        )
        return int(documents.size)


def _average_rates(longest: int) -> NDArray[np.floating]:
    """Step sizes of a document's running average, one per group of words."""
    strength, delay, decay = _AVERAGE
    groups = np.arange(max(1, -(-longest // _WORDS_AT_ONCE) + 1))
    return strength * (delay + _WORDS_AT_ONCE * groups) ** -decay


class _Worker:
    """What online and batch learning share: threads, mini-batches, counters."""

    def __init__(
        self,
        problem: LDASettings,
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
        self._noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
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
            number = next(self._numbers)
            documents = self._batches[number]
            iterations = self._threads[thread].step(
                documents,
                self._read,
                self._into,
                (clock.log_scale[step], clock.log_scale[step + 1]),
                self._weight(step, documents.size),
                self._noise + number,
            )
            self._done[thread] += (documents.size, iterations)
            self._documents.append(documents)

    def _weight(self, step: int, n_documents: int) -> float:
        """What a token of the step adds to λ: ρ_t N / |S| of Eq. 52."""
        rate = self._problem.clock.rates[step]
        return float(rate * self._problem.n_documents / max(1, n_documents))

    def _start_round(self, read: NaturalParameters, into: NaturalParameters) -> None:
        self._read, self._into = read, into
        self._done[:] = 0.0
        self._documents = []

    def _finish_round(self, payload: RowUpdate | None) -> Update:
        documents, iterations = self._done.sum(axis=0)
        return Update(
            payload, float(documents), {"iterations": iterations / max(1.0, documents)}
        )


class OnlineWorker(_Worker):
    """Stochastic natural gradients; threads add to λ where they read it."""

    def load(self, snapshot: Snapshot) -> None:
        """Take λ, or a copy of it, in units of this moment."""
        parameters: NaturalParameters = snapshot.parameters
        if not snapshot.shared:
            parameters = self._copy(parameters)
        base = parameters.log_base
        parameters.renew(self._problem.clock.log_scale[snapshot.steps.start])
        renewed = parameters.log_base != base
        if renewed or parameters.totals.shape[0] != self._n_threads:
            parameters.sum_again(self._n_threads)
        self._before = None if snapshot.shared else parameters.weights.copy()
        self._start_round(parameters, parameters)

    def update(self) -> Update:
        """Alg. 4 line 10: what was added to each row that a document touched."""
        if self._before is None:
            return self._finish_round(None)
        rows = self._touched()
        values = self._into.weights[rows] - self._before[rows]
        totals = values.sum(axis=0, dtype=float)[: self._problem.n_topics]
        return self._finish_round(RowUpdate(rows, values, totals, self._into.log_base))

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

    def _weight(self, step: int, n_documents: int) -> float:
        return 1.0

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
