"""From the parameters of the estimator to a run of the engine, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from dpsvi.engine import Placement, Plan, Result, run
from dpsvi.models.conjugate import Clock
from dpsvi.models.minibatches import MiniBatches, automatic_size
from dpsvi.models.mixture.parameters import MixturePrior, pack
from dpsvi.models.mixture.problem import MixtureProblem
from dpsvi.models.mixture.standard import Standard

__all__ = ["Fit"]

Floats = NDArray[np.float64]

# Rows of a thread between two looks at the clock and Ctrl-C.
_ROUND_ROWS = 1 << 16
# Rounds of each worker in an epoch if master and workers are apart.
_ROUNDS = 4
# Rows that a start is found on.
_SAMPLE = 10_000
# Of k-means, of which the best is taken: on a sample they cost nothing.
_STARTS = 4


class Fit:
    """One call of `fit` or `partial_fit`; leaves the estimator alone.

    Parameters
    ----------
    model : DPSVIGaussianMixture
        Validated.
    X : ndarray of shape (n_rows, n_features)
        Checked, in float64, a row after the other; it is not copied.
    prior : MixturePrior
        In the coordinates of X.
    standard : Standard
        Coordinates to compute in.
    place : Placement
        Where to fit.
    n_passes : int
        Over the rows.
    n_rows : float
        N, what the rows stand for.
    start : ndarray of shape (n_statistics, n_components) or None, default=None
        What to go on from; None: as `init_params` says.
    first_step : int, default=0
        Steps that the model has done before.
    least_batch : int, default=1
        Rows of a local step, at least, where the estimator leaves it to us.
    """

    def __init__(
        self,
        model: Any,
        X: Floats,
        prior: MixturePrior,
        standard: Standard,
        place: Placement,
        *,
        n_passes: int,
        n_rows: float,
        start: Floats | None = None,
        first_step: int = 0,
        least_batch: int = 1,
    ) -> None:
        self.model, self.place, self.standard = model, place, standard
        self.X, self.prior = X, standard.prior(prior)
        self.start, self.first_step, self.n_rows = start, first_step, float(n_rows)
        self.batch_size = self._batch_size(least_batch)
        n_batches = MiniBatches(X.shape[0], self.batch_size, None).n_batches
        self.n_batches, self.n_steps = n_batches, n_batches * n_passes

    def _batch_size(self, least: int) -> int:
        """S: as given, or such that every thread has work in every epoch."""
        if self.model.batch_size != "auto":
            return int(self.model.batch_size)
        in_flight = self.place.n_workers * self.place.n_threads
        n_rows = self.X.shape[0]
        return automatic_size(n_rows, in_flight, least=least, most=16384)

    def _problem(self, start: Floats) -> MixtureProblem:
        # The first step is number one: with offset 0 its rate is 1, and is cut.
        steps = self.first_step + 1.0 + np.arange(self.n_steps)
        rates = (self.model.learning_offset + steps) ** -self.model.learning_decay
        n_workers = self.place.n_workers
        return MixtureProblem(
            n_components=start.shape[1],
            n_rows=self.n_rows,
            standard=self.standard,
            prior=self.prior,
            start=start,
            clock=Clock(rates),
            batch_size=self.batch_size,
            rows_per_shard=None if n_workers == 1 else self.X.shape[0] / n_workers,
        )

    def _plan(self, problem: MixtureProblem, seed: int) -> Plan:
        return Plan(
            total_steps=self.n_steps,
            n_workers=self.place.n_workers,
            n_threads=self.place.n_threads,
            local_steps=self._local_steps(),
            master_batch_size=self.model.master_batch_size,
            max_time=self.model.max_time,
            boundaries=self.n_batches,
            furthest=problem.clock.furthest,
            seed=seed,
        )

    def _local_steps(self) -> int:
        """B: as asked for; else few steps where work under way is stale."""
        if self.model.local_steps != "auto":
            return int(self.model.local_steps)
        steps = max(1, _ROUND_ROWS // self.batch_size)
        if self.place.apart:
            in_flight = self.place.n_workers * self.place.n_threads
            steps = min(steps, self.n_batches // (_ROUNDS * in_flight))
        return max(1, steps)

    def run(self, random_state: np.random.RandomState) -> dict[str, Any]:
        """Run and return the fitted attributes.

        Parameters
        ----------
        random_state : RandomState
            Where the start and the seed of the run are drawn.

        Raises
        ------
        FloatingPointError
            If the components are no longer finite.
        """
        start = self._start(random_state) if self.start is None else self.start
        problem = self._problem(start)
        seed = int(random_state.randint(np.iinfo(np.int32).max))
        # Matrix products are small; threads are ours, and not those of BLAS.
        with threadpool_limits(1, user_api="blas"):
            result = run(
                problem,
                self._shards(),
                self._plan(problem, seed),
                backend=self.place.backend,
            )
        return self._attributes(problem, result)

    def _start(self, random_state: np.random.RandomState) -> Floats:
        """Statistics of a sample whose rows are dealt to the components."""
        n_rows, K = self.X.shape[0], int(self.model.n_components)
        sample = self.X
        if n_rows > _SAMPLE:
            sample = sample[random_state.choice(n_rows, _SAMPLE, replace=False)]
        sample = self.standard.of(sample)
        if self.model.init_params == "kmeans":
            labels = (
                KMeans(K, n_init=_STARTS, random_state=random_state).fit(sample).labels_
            )
            shares = np.eye(K)[labels]
        else:
            shares = random_state.uniform(size=(sample.shape[0], K))
            shares /= shares.sum(axis=1, keepdims=True)
        weight = self.n_rows / sample.shape[0]
        squares = sample**2
        if self.prior.full:
            found = np.einsum("nk,ni,nj->kij", shares, sample, sample, optimize=True)
        else:
            found = shares.T @ squares
        parts = (shares.sum(axis=0), shares.T @ sample, found)
        start: Floats = weight * pack(*parts, full=self.prior.full)
        return start

    def _shards(self) -> Sequence[Floats]:
        """Deal the rows to the workers, in turn: each gets a fair sample."""
        n_workers = self.place.n_workers
        if n_workers == 1:
            return [self.X]
        return [
            np.ascontiguousarray(self.X[worker::n_workers])
            for worker in range(n_workers)
        ]

    def _attributes(self, problem: MixtureProblem, result: Result) -> dict[str, Any]:
        done = result.counters.clock
        statistics = result.parameters.value(problem.clock.log_scale[done])
        posterior = self.prior.posterior(statistics)
        if not all(np.isfinite(part).all() for part in posterior):
            raise FloatingPointError(
                "the components are no longer finite: the numbers are too large to be "
                "squared; scale them down"
            )
        return {
            "posterior": self.standard.posterior(
                self.prior.lifted(posterior), back=True
            ),
            "history_": result.history,
            "n_iter_": done // self.n_batches,
            "n_batch_iter_": self.first_step + done,
            "converged_": result.reason == "completed",
            "_n_rows": self.n_rows,
        }
