"""Conjugate models on the engine: master and worker, but for the local step.

The master adds pushes to natural parameters (Alg. 3); a worker is p lock-free threads
over one array (Alg. 4). What a model adds is a prior, a start and a local step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update
from dpsvi.models.conjugate import Clock, NaturalParameters, Rows
from dpsvi.models.minibatches import MiniBatches

__all__ = ["ConjugateProblem", "ConjugateWorker"]

Parameters = TypeVar("Parameters", bound=NaturalParameters)


class ConjugateProblem(ABC, Generic[Parameters]):
    """What all conjugate problems have in common: updates are pure additions.

    A model adds `empty_parameters`, `initial_parameters` and `open_worker`.

    Attributes
    ----------
    n_rows : float
        N, the number of rows that a mini-batch stands for.
    clock : Clock
        Rates of the local steps, over all workers and threads.
    batch_size : int
        Rows of a local step, S.
    rows_per_shard : float or None
        On average. A worker takes as many steps as others, so the rows of a large
        shard must count for more than those of a small one. None: one shard.
    """

    n_rows: float
    clock: Clock
    batch_size: int
    rows_per_shard: float | None

    #: What the amount of an update counts.
    unit: ClassVar[str] = "rows"

    @property
    def additive(self) -> bool:
        """Whether a lone worker may add to the master's parameters themselves."""
        return True

    @abstractmethod
    def empty_parameters(self) -> Parameters:
        """Return the prior, in the shape that the parameters have."""

    def extract(
        self, parameters: Parameters, request: NDArray[np.int32] | slice | None
    ) -> Rows | Parameters:
        """Copy some rows, or everything."""
        return deepcopy(parameters) if request is None else parameters.take(request)

    def merge(
        self, parameters: Parameters, payloads: Sequence[Rows], rates: Sequence[float]
    ) -> Parameters:
        """Add the pushes to the rows that they touch (Alg. 3 line 4)."""
        for payload, rate in zip(payloads, rates, strict=True):
            parameters.add(payload, rate)
        return parameters


class ConjugateWorker(ABC, Generic[Parameters]):
    """A shard with its threads, between pull and push.

    Unless the parameters are shared with the master, a round has a copy of those that
    it pulled, and pushes what it has added to them.

    Parameters
    ----------
    problem : ConjugateProblem
        What is computed.
    n_observed : int
        Rows of the shard.
    n_threads : int
        p in the paper.
    seed : numpy.random.SeedSequence
        Of the order of rows and of random starts.

    Raises
    ------
    ValueError
        If the shard has no rows; in a run, once it comes to a step for which the clock
        has no rate.

    Attributes
    ----------
    n_threads : int
        As given.
    batches : MiniBatches
        Which rows make a mini-batch.
    parameters : NaturalParameters
        What all threads read and add to; known once a round has begun.
    """

    parameters: Parameters

    def __init__(
        self,
        problem: ConjugateProblem[Parameters],
        n_observed: int,
        n_threads: int,
        seed: np.random.SeedSequence,
    ) -> None:
        if n_observed < 1:
            raise ValueError(
                "a worker was given a shard without rows, for which others would "
                "count too little: give every worker some, or have fewer workers"
            )
        self._clock, self.n_threads = problem.clock, n_threads
        self.batches = MiniBatches(n_observed, problem.batch_size, seed)
        # N, as this shard knows it.
        self._n_rows = problem.n_rows
        if problem.rows_per_shard is not None:
            self._n_rows *= n_observed / problem.rows_per_shard
        self._copy = problem.empty_parameters()
        self._copy.sum_again(n_threads)
        self._noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
        # Mini-batches done in earlier rounds, and the steps of this one.
        self._number, self._steps = 0, range(0)
        # Columns: rows, iterations, mini-batches. A row per thread, which alone
        # writes it.
        self._done = np.zeros((n_threads, 3))
        self._pulled: Rows | None = None

    @abstractmethod
    def step(self, thread: int, step: int, rows: NDArray[np.int32], noise: int) -> int:
        """Add ρ_t N / S times the statistics of a mini-batch (Eq. 52).

        Parameters
        ----------
        thread : int
            Who does it.
        step : int
            t, on the clock of all workers.
        rows : ndarray of shape (S,)
            Rows of the shard: a mini-batch.
        noise : int
            A seed for what is random in it.

        Returns
        -------
        int
            Iterations that it took, over all rows.
        """

    def scale(self, step: int) -> float:
        """Return what the weights count before a step: λ = prior + scale · weights."""
        return self.parameters.scale(self._clock.log_scale[step])

    def weight(self, step: int, n_rows: int) -> float:
        """Return what statistics of so many rows are to be added with (Eq. 52)."""
        share = self._clock.rates[step] * self._n_rows / max(1, n_rows)
        return float(share) / self.parameters.scale(self._clock.log_scale[step + 1])

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
        n_rates = len(self._clock.rates)
        if snapshot.steps.stop > n_rates:
            raise ValueError(
                f"the clock has {n_rates} rates, and the run comes to step "
                f"{snapshot.steps.stop}; give a rate for each step of the plan"
            )
        now = self._clock.log_scale[snapshot.steps.start]
        self._steps = snapshot.steps
        self._done[:] = 0.0
        if snapshot.shared:
            self._pulled, self.parameters = None, snapshot.parameters
            base = self.parameters.log_base
            self.parameters.renew(now)
            renewed = self.parameters.log_base != base
            if renewed or self.parameters.totals.shape[0] != self.n_threads:
                self.parameters.sum_again(self.n_threads)
            return
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
