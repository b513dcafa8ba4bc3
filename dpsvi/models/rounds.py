"""A worker of a conjugate model: p lock-free threads over one array (Alg. 4).

What a model adds is a local step: see `ConjugateWorker.step`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update
from dpsvi.models.conjugate import Clock, NaturalParameters, Rows
from dpsvi.models.lda.minibatches import MiniBatches

__all__ = ["ConjugateWorker"]

Parameters = TypeVar("Parameters", bound=NaturalParameters)


class ConjugateWorker(ABC, Generic[Parameters]):
    """A shard with its threads, between pull and push.

    Unless the parameters are shared with the master, a round has a copy of those that
    it pulled, and pushes what it has added to them.

    Parameters
    ----------
    empty : NaturalParameters
        The prior, in the shape that the parameters have.
    clock : Clock
        Rates of the local steps, over all workers and threads.
    n_observed : int
        Rows of the shard.
    batch_size : int
        Rows of a local step, S.
    n_threads : int
        p in the paper.
    seed : numpy.random.SeedSequence
        Of the order of rows and of random starts.

    Attributes
    ----------
    clock : Clock
        As given.
    batches : MiniBatches
        Which rows make a mini-batch.
    parameters : NaturalParameters
        What all threads read and add to; known once a round has begun.
    """

    parameters: Parameters

    def __init__(
        self,
        empty: Parameters,
        clock: Clock,
        n_observed: int,
        batch_size: int,
        n_threads: int,
        seed: np.random.SeedSequence,
    ) -> None:
        self.clock = clock
        self.batches = MiniBatches(n_observed, batch_size, seed)
        self._copy, self._n_threads = empty, n_threads
        self._noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
        # Mini-batches done in earlier rounds, and the steps of this one.
        self._number, self._steps = 0, range(0)
        # Columns: rows, iterations, mini-batches. A row per thread, which alone
        # writes it.
        self._done = np.zeros((n_threads, 3))
        self._pulled: Rows | None = None

    @abstractmethod
    def step(self, thread: int, step: int, rows: NDArray[np.int32], noise: int) -> int:
        """Add ρ_t N / |S| times the statistics of a mini-batch (Eq. 52).

        Parameters
        ----------
        thread : int
            Who does it.
        step : int
            t, on the clock of all workers.
        rows : ndarray of shape (batch_size,)
            Rows of the shard, S.
        noise : int
            A seed for what is random in it.

        Returns
        -------
        int
            Iterations that it took, over all rows.
        """

    def totals_of(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return what added values add to the totals: their column sums."""
        totals: NDArray[np.float64] = values.sum(axis=0, dtype=float)
        return totals

    def needed(self, n_steps: int) -> NDArray[np.int32]:
        """Return the rows of the shard that the next steps take."""
        # Two passes from anywhere contain a whole one.
        n_steps = min(n_steps, 2 * self.batches.n_batches)
        numbers = range(self._number, self._number + n_steps)
        return np.concatenate([self.batches[number] for number in numbers])

    def request(self, n_steps: int) -> NDArray[np.int32] | slice:
        """Return which rows of the parameters a round needs: all, if not overridden."""
        return slice(None)

    def load(self, snapshot: Snapshot) -> None:
        """Take the parameters, or the rows pulled, in units of this moment."""
        now = self.clock.log_scale[snapshot.steps.start]
        self._steps = snapshot.steps
        self._done[:] = 0.0
        if snapshot.shared:
            self._pulled, self.parameters = None, snapshot.parameters
            base = self.parameters.log_base
            self.parameters.renew(now)
            renewed = self.parameters.log_base != base
            if renewed or self.parameters.totals.shape[0] != self._n_threads:
                self.parameters.sum_again(self._n_threads)
            return
        if self._copy.totals.shape[0] != self._n_threads:
            self._copy.sum_again(self._n_threads)
        self._pulled, self.parameters = snapshot.parameters.renewed(now), self._copy
        self.parameters.put(self._pulled)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Alg. 4 lines 4-9: a mini-batch a step, until the round has no more."""
        for step in steps:
            number = self._number + step - self._steps.start
            rows = self.batches[number]
            iterations = self.step(thread, step, rows, self._noise + number)
            self._done[thread] += (rows.size, iterations, 1)

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
        done = self.parameters.take(self._pulled.rows)
        values = done.values
        values -= self._pulled.values
        return Rows(done.rows, values, self.totals_of(values), done.log_base)
