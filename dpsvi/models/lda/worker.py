"""LDA on one worker: p lock-free threads over one array (Alg. 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update
from dpsvi.models.arrays import padded_size
from dpsvi.models.conjugate import NaturalParameters, Rounding, Rows
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.kernels.cvb0 import cvb0_scratch, cvb0_step
from dpsvi.models.lda.kernels.tables import Learning, no_learning
from dpsvi.models.lda.on_disk import DiskShard
from dpsvi.models.lda.priors import (
    Gathered,
    TopicParameters,
    gathering,
    learn,
    take_priors,
    told_of,
    with_gathered,
)
from dpsvi.models.lda.settings import LDASettings
from dpsvi.models.lda.streaming import batches_of

__all__ = ["BatchWorker", "OnlineWorker"]

# Steps of the running average over a document's words: strength, delay, decay.
_AVERAGE = (2.0, 10.0, 0.9)
_WORDS_AT_ONCE = 4


class _VBThread:
    """Variational Bayes for one thread."""

    def __init__(self, problem: LDASettings, thread: int) -> None:
        self._thread = thread
        self._counts = sp.csr_array((0, problem.n_words), dtype=problem.dtype)
        self._inference = Inference(
            self._counts,
            problem.doc_topic_prior,
            problem.tolerance,
            problem.max_iterations,
        )
        self.learning = no_learning()

    def set_prior(self, prior: NDArray[np.float64], learning: Learning) -> None:
        """Infer with this prior of the documents, and gather what they say of it."""
        self._inference.set_prior(prior)
        self.learning = learning

    def step(
        self,
        counts: sp.csr_array,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        into: NaturalParameters,
        log_scales: tuple[float, float],
        weight: float,
        noise: int,
    ) -> tuple[int, int]:
        """Add a mini-batch; return the iterations done and the documents converged."""
        if counts is not self._counts:
            self._counts = counts
            self._inference.turn_to(counts)
        before, after = log_scales
        iterations = self._inference.infer(documents, read, read.scale(before), noise)
        if self.learning.tables.size:
            self._inference.add_tables(self.learning)
        self._inference.add_statistics(
            weight / into.scale(after), into, into.totals[self._thread]
        )
        return iterations, self._inference.converged


class _CVB0Thread:
    """Zero-order collapsed inference for one thread."""

    def __init__(self, problem: LDASettings, thread: int) -> None:
        self._problem = problem
        self._counts = sp.csr_array((0, problem.n_words), dtype=problem.dtype)
        self._thread = thread
        n_padded = padded_size(problem.n_topics, problem.dtype)
        self._scratch = cvb0_scratch(n_padded, problem.dtype)
        self._doc_prior = np.zeros(n_padded, problem.dtype)
        self._doc_prior[: problem.n_topics] = problem.doc_topic_prior
        self._rates = _average_rates(0).astype(problem.dtype)

    @property
    def learning(self) -> Learning:
        """What the documents have said about their prior."""
        return self._scratch.learning

    def set_prior(self, prior: NDArray[np.float64], learning: Learning) -> None:
        """Infer with this prior of the documents, and gather what they say of it."""
        self._doc_prior[: prior.size] = prior
        self._scratch = self._scratch._replace(learning=learning)

    def step(
        self,
        counts: sp.csr_array,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        into: NaturalParameters,
        log_scales: tuple[float, float],
        weight: float,
        noise: int,
    ) -> tuple[int, int]:
        """Add a mini-batch, document by document; return the passes done, and none."""
        if counts is not self._counts:
            self._turn_to(counts)
        before, after = log_scales
        # The decay of the step, and so its weight, spread evenly over its documents.
        size = max(1, documents.size)
        decay = float(np.exp((after - before) / size))
        if decay < 1.0:
            weight *= size * (1.0 - decay) / -np.expm1(after - before)
        cvb0_step(
            counts.indptr,
            counts.indices,
            counts.data,
            documents,
            read.weights,
            read.prior_of(slice(None)),
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
        return int(documents.size), 0

    def _turn_to(self, counts: sp.csr_array) -> None:
        self._counts = counts
        rates = _average_rates(int(np.diff(counts.indptr).max(initial=0)))
        if rates.size > self._rates.size:
            self._rates = rates.astype(self._problem.dtype)


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
        shard: sp.csr_array | DiskShard,
        n_threads: int,
        seed: np.random.SeedSequence,
    ) -> None:
        self._problem = problem
        self._n_in_shard = shard.shape[0]
        self._n_threads = n_threads
        # N, as this shard knows it.
        self._n_documents = problem.n_documents
        if problem.documents_per_shard is not None:
            self._n_documents *= self._n_in_shard / problem.documents_per_shard
        shuffled = seed if problem.learning == "online" else None
        self._batches = batches_of(shard, problem.batch_size, shuffled, problem.dtype)
        # Mini-batches done in earlier rounds, and the steps of this one.
        self._number, self._steps = problem.batches_before, range(0)
        self._noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
        kind: Any = _VBThread if problem.inference == "vb" else _CVB0Thread
        self._threads = [kind(problem, i) for i in range(n_threads)]
        # Columns: documents, iterations, mini-batches, documents converged. A row per
        # thread, which alone writes it.
        self._done = np.zeros((n_threads, 4))
        self._read: NaturalParameters
        self._into: NaturalParameters

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Alg. 4 lines 4-9: a mini-batch a step, until the round has no more."""
        clock = self._problem.clock
        for step in steps:
            number = self._number + step - self._steps.start
            counts, documents = self._batches[number]
            iterations, converged = self._threads[thread].step(
                counts,
                documents,
                self._read,
                self._into,
                (clock.log_scale[step], clock.log_scale[step + 1]),
                self._weight(step, documents.size),
                self._noise + number,
            )
            self._done[thread] += (documents.size, iterations, 1, converged)

    def _weight(self, step: int, n_documents: int) -> float:
        """What a token of the step adds to λ: ρ_t N / |S| of Eq. 52."""
        rate = self._problem.clock.rates[step]
        return float(rate * self._n_documents / max(1, n_documents))

    def _start_round(
        self, steps: range, read: NaturalParameters, into: NaturalParameters
    ) -> None:
        self._steps = steps
        self._read, self._into = read, into
        self._done[:] = 0.0
        if isinstance(read, TopicParameters):
            prior, learned = read.doc_topic_prior, self._problem.learned
            for thread in self._threads:
                thread.set_prior(prior, gathering(prior, learned))

    def _gathered(self) -> Gathered:
        """Return what the round has said about the priors."""
        problem = self._problem
        tables = np.zeros(problem.n_topics + 1)
        for thread in self._threads:
            if thread.learning.tables.size:
                tables += thread.learning.tables
        documents, _, n_batches, _ = self._done.sum(axis=0)
        end = problem.clock.log_scale[self._steps.start + int(n_batches)]
        return Gathered(tables, float(documents), float(end))

    def _finish_round(self, payload: Rows | None) -> Update:
        # Steps are dealt in order, and every one dealt has been done.
        documents, iterations, n_batches, converged = self._done.sum(axis=0)
        self._number += int(n_batches)
        statistics = {"iterations": iterations / max(1.0, documents)}
        if self._problem.inference == "vb":
            statistics["converged"] = converged / max(1.0, documents)
        return Update(payload, float(documents), {**statistics, **told_of(self._read)})


class OnlineWorker(_Worker):
    """Stochastic natural gradients; threads add to λ where they read it.

    Unless λ is shared with the master, a round has a copy of the rows of its words.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._pulled: Rows | None = None
        self._copy: NaturalParameters | None = None
        # Documents of a round that was broken off, of which the priors wait to learn.
        self._unfinished = 0.0
        problem = self._problem
        self._rounding: Rounding | None = None
        if problem.bfloat16_pushes:
            self._rounding = Rounding(
                (problem.n_words, problem.n_topics), problem.dtype
            )

    def request(self, n_steps: int) -> NDArray[np.int32] | slice:
        """Return the words of the next mini-batches: the rows that a round needs."""
        needed = np.zeros(self._problem.n_words, dtype=bool)
        for number in range(self._number, self._number + n_steps):
            counts, documents = self._batches[number]
            needed[counts[documents].indices] = True
        rows = np.flatnonzero(needed).astype(np.int32)
        # With its number a row is as long as one column more.
        n_words, n_topics = self._problem.n_words, self._problem.n_topics
        return slice(None) if rows.size * (n_topics + 1) >= n_words * n_topics else rows

    def load(self, snapshot: Snapshot) -> None:
        """Take λ, or the rows pulled of it, in units of this moment."""
        now = self._problem.clock.log_scale[snapshot.steps.start]
        if snapshot.shared:
            self._pulled = None
            parameters = self._share(snapshot.parameters, now)
        else:
            self._pulled = snapshot.parameters.renewed(now)
            parameters = self._own()
            parameters.put(self._pulled)
            take_priors(parameters, self._pulled)
        self._start_round(snapshot.steps, parameters, parameters)
        if isinstance(parameters, TopicParameters) and snapshot.shared:
            self._go_on_gathering(parameters)

    def update(self) -> Update:
        """Alg. 4 line 10: what was added to the rows."""
        if self._pulled is None:
            update = self._finish_round(None)
            if isinstance(self._into, TopicParameters):
                self._learn(self._into)
            return update
        done = self._into.take(self._pulled.rows)
        values = done.values
        values -= self._pulled.values
        totals = values.sum(axis=0, dtype=float)
        push = Rows(done.rows, values, totals, done.log_base)
        if self._problem.learned:
            push = with_gathered(push, self._gathered())
        return self._finish_round(self._rounding(push) if self._rounding else push)

    def _go_on_gathering(self, parameters: TopicParameters) -> None:
        """Begin with what a round that was broken off has heard of the priors."""
        self._unfinished, heard = 0.0, parameters.unfinished
        if heard is None:
            return
        self._unfinished = float(heard[-1])
        tables = self._threads[0].learning.tables
        tables[:] = heard[: tables.size]

    def _learn(self, parameters: TopicParameters) -> None:
        """Learn at the end of a round, not where it is broken off."""
        heard = self._gathered()
        heard = replace(heard, documents=heard.documents + self._unfinished)
        if self._done[:, 2].sum() < len(self._steps):
            parameters.unfinished = np.append(heard.tables, heard.documents)
            return
        parameters.unfinished = None
        learn(parameters, [heard], self._problem.learned, self._problem.n_documents)

    def _share(self, parameters: NaturalParameters, now: float) -> NaturalParameters:
        base = parameters.log_base
        parameters.renew(now)
        renewed = parameters.log_base != base
        if renewed or parameters.totals.shape[0] != self._n_threads:
            parameters.sum_again(self._n_threads)
        return parameters

    def _own(self) -> NaturalParameters:
        """Room for all of λ; memory is used for rows that were ever pulled."""
        if self._copy is None:
            self._copy = self._problem.empty_parameters()
            n_topics = self._problem.n_topics
            self._copy.totals = np.zeros((self._n_threads, n_topics))
        return self._copy


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
        self._start_round(snapshot.steps, snapshot.parameters, sums)

    def update(self) -> Update:
        """The statistics of all documents, which make the next λ."""
        complete = self._done[:, 0].sum() == self._n_in_shard
        sums, n_topics = self._into, self._problem.n_topics
        values, totals = sums.weights[:, :n_topics], sums.totals.sum(axis=0)
        payload = Rows(slice(None), values, totals, sums.log_base)
        if self._problem.learned:
            payload = with_gathered(payload, self._gathered())
        return self._finish_round(payload if complete else None)
