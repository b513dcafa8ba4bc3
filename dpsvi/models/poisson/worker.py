"""The local step of Poisson factorisation, on one worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.models.adapter import ConjugateWorker
from dpsvi.models.poisson.inference import RowInference
from dpsvi.models.poisson.parameters import FactorParameters

if TYPE_CHECKING:
    from dpsvi.models.poisson.problem import PoissonProblem

__all__ = ["PoissonWorker"]


class PoissonWorker(ConjugateWorker[FactorParameters]):
    """A shard with its threads.

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
        super().__init__(problem, shard.shape[0], n_threads, seed)
        self._problem, self._shard = problem, shard
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

    def request(self, n_steps: int) -> NDArray[np.int32] | slice:
        """Return the features of the next mini-batches, and the row of the rates."""
        n_features = self._problem.n_features
        needed = np.zeros(n_features + 1, dtype=bool)
        needed[n_features] = True
        needed[self._shard[self.needed(n_steps)].indices] = True
        return slice(None) if needed.all() else np.flatnonzero(needed).astype(np.int32)

    def step(self, thread: int, step: int, rows: NDArray[np.int32], noise: int) -> int:
        """Add the shapes that the counts give, and E[θ] to the rates."""
        inference, parameters = self._threads[thread], self.parameters
        iterations = inference.infer(rows, parameters, self.scale(step), noise)
        weight = self.weight(step, rows.size)
        inference.add_statistics(weight, parameters, parameters.totals[thread])
        # The statistics of the rates are the activities themselves.
        rates = parameters.weights[-1, : self._problem.n_components]
        rates += (weight * inference.activities().sum(axis=0)).astype(rates.dtype)
        return iterations

    def totals_of(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sums without the last row, that of the rates."""
        return super().totals_of(values[:-1])
