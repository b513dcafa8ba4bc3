"""A Gaussian mixture as a `Problem` of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import LocalProblem
from dpsvi.models.conjugate import Clock, NaturalParameters, Rows
from dpsvi.models.lda.kernels.arrays import aligned, padded_size
from dpsvi.models.mixture.kernels import add_rows
from dpsvi.models.mixture.parameters import MixturePrior, n_statistics
from dpsvi.models.rounds import ConjugateWorker

__all__ = ["MixtureProblem", "MixtureWorker", "statistics_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MixtureProblem:
    """Rows of numbers from K Gaussians with conjugate priors.

    The parameters are expected statistics, to which `prior` is added where they are
    used (see `dpsvi.models.mixture.parameters`).

    Attributes
    ----------
    n_components : int
        K.
    n_rows : float
        N, the number of rows that a mini-batch stands for.
    prior : MixturePrior
        In the coordinates of the shards.
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
    prior: MixturePrior
    start: Floats
    clock: Clock
    batch_size: int = 1024
    rows_per_shard: float | None = None

    #: What the amount of an update counts.
    unit: ClassVar[str] = "rows"

    @property
    def additive(self) -> bool:
        """Updates are pure additions."""
        return True

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
        return MixtureWorker(self, shard, n_threads, seed)

    def extract(
        self, parameters: NaturalParameters, request: slice | None
    ) -> Rows | NaturalParameters:
        """Copy everything: there is little of it."""
        return deepcopy(parameters) if request is None else parameters.take(request)

    def merge(
        self,
        parameters: NaturalParameters,
        payloads: Sequence[Rows],
        rates: Sequence[float],
    ) -> NaturalParameters:
        """Add the pushes (Alg. 3 line 4)."""
        for payload, rate in zip(payloads, rates, strict=True):
            parameters.add(payload, rate)
        return parameters


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
        empty, size = problem.empty_parameters(), problem.batch_size
        super().__init__(empty, problem.clock, shard.shape[0], size, n_threads, seed)
        self._problem, self._shard = problem, shard
        # N, as this shard knows it.
        self._n_rows = problem.n_rows
        if problem.rows_per_shard is not None:
            self._n_rows *= shard.shape[0] / problem.rows_per_shard
        self._found = [np.zeros_like(empty.weights) for _ in range(n_threads)]

    def step(self, thread: int, step: int, rows: NDArray[np.int32], noise: int) -> int:
        """Add the expected statistics of a mini-batch."""
        clock, parameters, found = self.clock, self.parameters, self._found[thread]
        scale = parameters.scale(clock.log_scale[step])
        held: Any = parameters.weights[:, : self._problem.n_components]
        statistics = scale * held
        _expect(self._shard, rows, self._problem.prior, statistics, found)
        weight = clock.rates[step] * self._n_rows / max(1, rows.size)
        found *= weight / parameters.scale(clock.log_scale[step + 1])
        parameters.weights += found
        parameters.totals[thread] += self.totals_of(found)
        return rows.size

    def totals_of(self, values: Floats) -> Floats:
        """Return the column sums without padding."""
        return super().totals_of(values[:, : self._problem.n_components])


def statistics_of(X: Floats, prior: MixturePrior, statistics: Floats) -> Floats:
    """Return the expected statistics of all rows given those of a model."""
    rows = np.arange(X.shape[0], dtype=np.int32)
    n_components = statistics.shape[1]
    size = padded_size(n_components, float)
    found = np.zeros((statistics.shape[0], size))
    _expect(X, rows, prior, statistics, found)
    return found[:, :n_components]


def _expect(
    X: Floats,
    rows: NDArray[np.int32],
    prior: MixturePrior,
    statistics: Floats,
    out: Floats,
) -> None:
    """Write the expected statistics of some rows."""
    theta = prior.theta(prior.posterior(statistics))
    out[:] = 0.0
    add_rows(X, rows, prior.full, theta, statistics.shape[1], out)
