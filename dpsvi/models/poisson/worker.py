"""Poisson factorisation on one worker: p lock-free threads over one array (Alg. 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update
from dpsvi.models.conjugate import Rows
from dpsvi.models.lda.minibatches import MiniBatches
from dpsvi.models.poisson.inference import RowInference
from dpsvi.models.poisson.parameters import FactorParameters

if TYPE_CHECKING:
    from dpsvi.models.poisson.problem import PoissonProblem

__all__ = ["PoissonWorker"]


class PoissonWorker:
    """A shard with its threads.

    Unless the parameters are shared with the master, a round has a copy of the rows
    of its features, and of the rates.

    Parameters
    ----------
    problem : PoissonProblem
        What is computed.
    shard : csr_array of shape (n_rows, n_features)
        The worker's rows.
    n_threads : int
        p in the paper.
    seed : numpy.random.SeedSequence
        Of the order of rows and of random starts.
    """

    def __init__(
        self,
        problem: PoissonProblem,
        shard: sp.csr_array,
        n_threads: int,
        seed: np.random.SeedSequence,
    ) -> None:
        self._problem, self._shard, self._n_threads = problem, shard, n_threads
        # N, as this shard knows it.
        self._n_rows = problem.n_rows
        if problem.rows_per_shard is not None:
            self._n_rows *= shard.shape[0] / problem.rows_per_shard
        self._batches = MiniBatches(shard.shape[0], problem.batch_size, seed)
        self._noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
        self._threads = [
            RowInference(
                shard,
                problem.n_components,
                problem.activity_shape,
                problem.activity_rate,
                problem.tolerance,
                problem.max_iterations,
            )
            for _ in range(n_threads)
        ]
        # Mini-batches done in earlier rounds, and the steps of this one.
        self._number, self._steps = 0, range(0)
        # Columns: rows, iterations, mini-batches. A row per thread, which alone
        # writes it.
        self._done = np.zeros((n_threads, 3))
        self._pulled: Rows | None = None
        self._copy: FactorParameters | None = None
        self._parameters: FactorParameters

    def request(self, n_steps: int) -> NDArray[np.int32] | slice:
        """Return the features of the next mini-batches, and the row of the rates."""
        n_features = self._problem.n_features
        needed = np.zeros(n_features + 1, dtype=bool)
        needed[n_features] = True
        # Two passes from anywhere contain a whole one.
        n_steps = min(n_steps, 2 * self._batches.n_batches)
        for number in range(self._number, self._number + n_steps):
            needed[self._shard[self._batches[number]].indices] = True
        return slice(None) if needed.all() else np.flatnonzero(needed).astype(np.int32)

    def load(self, snapshot: Snapshot) -> None:
        """Take the parameters, or the rows pulled, in units of this moment."""
        now = self._problem.clock.log_scale[snapshot.steps.start]
        self._steps = snapshot.steps
        self._done[:] = 0.0
        if snapshot.shared:
            self._pulled, self._parameters = None, snapshot.parameters
            base = self._parameters.log_base
            self._parameters.renew(now)
            renewed = self._parameters.log_base != base
            if renewed or self._parameters.totals.shape[0] != self._n_threads:
                self._parameters.sum_again(self._n_threads)
            return
        if self._copy is None:
            self._copy = self._problem.empty_parameters()
            self._copy.sum_again(self._n_threads)
        self._pulled, self._parameters = snapshot.parameters.renewed(now), self._copy
        self._parameters.put(self._pulled)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Alg. 4 lines 4-9: a mini-batch a step, until the round has no more."""
        for step in steps:
            number = self._number + step - self._steps.start
            rows = self._batches[number]
            iterations = self._step(thread, step, rows, self._noise + number)
            self._done[thread] += (rows.size, iterations, 1)

    def _step(self, thread: int, step: int, rows: NDArray[np.int32], noise: int) -> int:
        """Add ρ_t N / |S| times the statistics of a mini-batch (Eq. 52)."""
        clock, parameters = self._problem.clock, self._parameters
        before, after = clock.log_scale[step], clock.log_scale[step + 1]
        inference = self._threads[thread]
        scale = parameters.scale(before)
        iterations = inference.infer(rows, parameters, scale, noise)
        weight = clock.rates[step] * self._n_rows / max(1, rows.size)
        weight /= parameters.scale(after)
        inference.add_statistics(weight, parameters, parameters.totals[thread])
        # The statistics of the rates are the activities themselves.
        rates = parameters.weights[-1, : self._problem.n_components]
        rates += (weight * inference.activities().sum(axis=0)).astype(rates.dtype)
        return iterations

    def update(self) -> Update:
        """Alg. 4 line 10: what was added to the rows."""
        n_rows, iterations, n_batches = self._done.sum(axis=0)
        # Steps are dealt in order, and every one dealt has been done.
        self._number += int(n_batches)
        statistics = {"iterations": iterations / max(1.0, n_rows)}
        return Update(self._added(), float(n_rows), statistics)

    def _added(self) -> Rows | None:
        if self._pulled is None:
            return None
        done = self._parameters.take(self._pulled.rows)
        values = done.values
        values -= self._pulled.values
        # The last row is that of the rates, which do not count in the totals.
        totals = values[:-1].sum(axis=0, dtype=float)
        return Rows(done.rows, values, totals, done.log_base)
