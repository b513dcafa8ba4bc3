"""Poisson factorisation as a `Problem` of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import LocalProblem
from dpsvi.models.adapter import ConjugateProblem, ConjugateWorker
from dpsvi.models.conjugate import Clock
from dpsvi.models.poisson.inference import RowInference
from dpsvi.models.poisson.parameters import (
    FactorParameters,
    balanced_rates,
    empty_parameters,
)

__all__ = ["PoissonProblem", "PoissonWorker"]


@dataclass(frozen=True)
class PoissonProblem(ConjugateProblem[FactorParameters]):
    """Counts x_dv ~ Poisson(Σ_k θ_dk β_kv) with Gamma priors on θ and β.

    The parameters are a `FactorParameters`: shapes and rates of q(β).

    Attributes
    ----------
    n_features, n_components : int
        V and K.
    n_rows : float
        N, the number of rows that a mini-batch stands for.
    row_total : float
        Sum of a row, on average: it decides where a run starts.
    activity_shape, activity_rate : float
        a and b of the prior Gamma(a, b) of θ.
    component_shape, component_rate : float
        c and d of the prior Gamma(c, d) of β.
    clock : Clock
        Rates of the local steps, over all workers and threads.
    batch_size : int
        Rows of a local step, S.
    tolerance, max_iterations : float, int
        When inference stops on a row: at this mean absolute change of the shapes.
    dtype : numpy.dtype
        float32 or float64, of everything but sums.
    rows_per_shard : float or None
        On average. A worker takes as many steps as others, so the rows of a large
        shard must count for more than those of a small one. None: one shard.
    """

    n_features: int
    n_components: int
    n_rows: float
    row_total: float
    clock: Clock
    activity_shape: float = 0.3
    activity_rate: float = 1.0
    component_shape: float = 0.3
    component_rate: float = 1.0
    batch_size: int = 128
    tolerance: float = 1e-2
    max_iterations: int = 100
    dtype: np.dtype[Any] = np.dtype("float32")  # noqa: RUF009 (immutable)
    rows_per_shard: float | None = None

    def empty_parameters(self) -> FactorParameters:
        """Return q(β) = prior."""
        shape = (self.n_features, self.n_components)
        priors = (self.component_shape, self.component_rate)
        return empty_parameters(shape, self.dtype, *priors)

    def initial_parameters(self, rng: np.random.Generator) -> FactorParameters:
        """Return components that differ by noise, with rates that keep their scale.

        They weigh as much as the data, but at most one count per feature.
        """
        parameters, shape = (
            self.empty_parameters(),
            (self.n_features, self.n_components),
        )
        counts = self.n_rows * self.row_total / self.n_components
        mean = min(1.0, counts / self.n_features)
        parameters.weights[:-1, : shape[1]] = mean * rng.uniform(0.5, 1.5, shape)
        parameters.sum_again()
        mass = counts + self.n_features * self.component_shape
        rates = self.balanced_rate(counts) * parameters.mass(1.0) / mass
        rates -= self.component_rate
        parameters.weights[-1, : shape[1]] = np.maximum(rates, 0.0)
        return parameters

    def balanced_rate(self, counts: float) -> float:
        """Return the rate at which a component of so many counts keeps its scale."""
        return balanced_rates(
            counts + self.n_rows * self.activity_shape,
            counts + self.n_features * self.component_shape,
            self.activity_rate,
            self.component_rate,
        )

    def open_worker(
        self, shard: sp.csr_array, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalProblem:
        """Open the problem on a shard: counts in CSR, in the problem's dtype."""
        return PoissonWorker(self, shard, n_threads, seed)


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
