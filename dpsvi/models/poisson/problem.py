"""Poisson factorisation as a `Problem` of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from dpsvi.engine import LocalProblem
from dpsvi.models.adapter import ConjugateProblem
from dpsvi.models.conjugate import Clock
from dpsvi.models.poisson.parameters import (
    FactorParameters,
    balanced_rates,
    empty_parameters,
)
from dpsvi.models.poisson.worker import PoissonWorker

__all__ = ["PoissonProblem"]


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
        balanced = balanced_rates(
            counts + self.n_rows * self.activity_shape,
            mass,
            self.activity_rate,
            self.component_rate,
        )
        rates = balanced * parameters.mass(1.0) / mass - self.component_rate
        parameters.weights[-1, : shape[1]] = np.maximum(rates, 0.0)
        return parameters

    def open_worker(
        self, shard: sp.csr_array, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalProblem:
        """Open the problem on a shard: counts in CSR, in the problem's dtype."""
        return PoissonWorker(self, shard, n_threads, seed)
