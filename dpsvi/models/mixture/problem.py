"""A Gaussian mixture as a `Problem` of the engine."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import LocalProblem
from dpsvi.models.adapter import ConjugateProblem, ConjugateWorker
from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import Clock, NaturalParameters
from dpsvi.models.mixture.kernels import add_rows
from dpsvi.models.mixture.parameters import MixturePrior, n_statistics
from dpsvi.models.mixture.standard import Standard

__all__ = ["MixtureProblem", "MixtureWorker", "statistics_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixtureProblem(ConjugateProblem[NaturalParameters]):
    """Rows of numbers from K Gaussians with conjugate priors.

    The parameters are expected statistics, to which `prior` is added where they are
    used (see `dpsvi.models.mixture.parameters`).

    Attributes
    ----------
    n_components : int
        K.
    n_rows : float
        N, the number of rows that a mini-batch stands for.
    standard : Standard
        Coordinates in which statistics are taken.
    prior : MixturePrior
        In these coordinates.
    start : ndarray of shape (n_statistics, n_components)
        Where a run starts.
    clock : Clock
        Rates of the local steps, over all workers and threads.
    batch_size : int
        Rows of a local step, S.
    rows_per_shard : float or None
        On average; see `PoissonProblem`. None: one shard.
    """

    n_components: int
    n_rows: float
    standard: Standard
    prior: MixturePrior
    start: Floats
    clock: Clock
    batch_size: int = 1024
    rows_per_shard: float | None = None

    def empty_parameters(self) -> NaturalParameters:
        """Return statistics of no rows at all."""
        n_features = self.prior.mean.size
        size = n_statistics(n_features, self.prior.covariance_type)
        shape = (size, padded_size(self.n_components, float))
        return NaturalParameters(
            aligned(shape, float), np.zeros((1, self.n_components)), 0.0
        )

    def initial_parameters(self, rng: np.random.Generator) -> NaturalParameters:
        """Return the start."""
        parameters = self.empty_parameters()
        parameters.weights[:, : self.n_components] = self.start
        parameters.sum_again()
        return parameters

    def open_worker(
        self, shard: Floats, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalProblem:
        """Open the problem on rows of shape (n_rows, n_features), in float64."""
        if not shard.flags.writeable:
            # As they may come over a network; kernels are compiled for other arrays.
            shard = shard.copy()
        return MixtureWorker(self, shard, n_threads, seed)


class MixtureWorker(ConjugateWorker[NaturalParameters]):
    """A shard with its threads.

    Parameters
    ----------
    problem : MixtureProblem
        What is computed.
    shard : ndarray of shape (n_rows, n_features)
        The worker's rows.
    n_threads : int
        p in the paper.
    seed : numpy.random.SeedSequence
        Of the order of rows.
    """

    def __init__(
        self,
        problem: MixtureProblem,
        shard: Floats,
        n_threads: int,
        seed: np.random.SeedSequence,
    ) -> None:
        super().__init__(problem, shard.shape[0], n_threads, seed)
        self._problem, self._shard = problem, shard
        self._adding = threading.Lock()
        shape = problem.empty_parameters().weights.shape
        self._found = [np.zeros(shape) for _ in range(n_threads)]

    def step(self, thread: int, step: int, rows: NDArray[np.int32], noise: int) -> int:
        """Add the expected statistics of a mini-batch."""
        parameters, found = self.parameters, self._found[thread]
        held: Any = parameters.weights[:, : self._problem.n_components]
        statistics = self.scale(step) * held
        problem = self._problem
        _expect(self._shard, rows, problem.standard, problem.prior, statistics, found)
        found *= self.weight(step, rows.size)
        # Counts, sums and squares must fit together: with half of an addition lost to
        # another thread covariances are none. A step is a thousand times as long.
        with self._adding:
            parameters.weights += found
        parameters.totals[thread] += self.totals_of(found)
        return rows.size

    def totals_of(self, values: Floats) -> Floats:
        """Return the column sums without padding."""
        return super().totals_of(values[:, : self._problem.n_components])


def statistics_of(
    X: Floats, standard: Standard, prior: MixturePrior, statistics: Floats
) -> Floats:
    """Return the expected statistics of all rows given those of a model."""
    rows = np.arange(X.shape[0], dtype=np.int32)
    n_components = statistics.shape[1]
    size = padded_size(n_components, float)
    found = np.zeros((statistics.shape[0], size))
    _expect(X, rows, standard, prior, statistics, found)
    return found[:, :n_components]


def _expect(
    X: Floats,
    rows: NDArray[np.int32],
    standard: Standard,
    prior: MixturePrior,
    statistics: Floats,
    out: Floats,
) -> None:
    """Write the expected statistics of some rows."""
    theta = prior.theta(prior.posterior(statistics))
    out[:] = 0.0
    add_rows(X, rows, *standard, prior.full, theta, statistics.shape[1], out)
