"""From the parameters of the estimator to a run of the engine, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from dpsvi.engine import Placement, Plan, Result, run
from dpsvi.models.conjugate import Clock
from dpsvi.models.minibatches import MiniBatches, automatic_size
from dpsvi.models.poisson.parameters import FactorParameters
from dpsvi.models.poisson.problem import PoissonProblem
from dpsvi.models.poisson.start import start_from

__all__ = ["Fit"]

# Rows of a thread between two looks at the clock and Ctrl-C.
_ROUND_ROWS = 4096
# Rounds of each worker in an epoch if master and workers are apart.
_ROUNDS = 16


class Fit:
    """One call of `fit` or `partial_fit`; leaves the estimator alone.

    Parameters
    ----------
    model : DPSVIPoissonFactorization
        Validated.
    counts : csr_array of shape (n_rows, n_features)
        Checked.
    place : Placement
        Where to fit.
    n_passes : int
        Over the rows.
    n_rows : float
        N, what the rows stand for.
    start : FactorParameters or None, default=None
        What to go on from; None: see `start_from`.
    first_step : int, default=0
        Steps that the model has done before.
    least_batch : int, default=1
        Rows of a local step, at least, where the estimator leaves it to us.
    """

    def __init__(
        self,
        model: Any,
        counts: sp.csr_array,
        place: Placement,
        *,
        n_passes: int,
        n_rows: float,
        start: FactorParameters | None = None,
        first_step: int = 0,
        least_batch: int = 1,
    ) -> None:
        self.model, self.counts, self.place = model, counts, place
        self.start = start
        size = self._batch_size(least_batch)
        self.n_batches = MiniBatches(counts.shape[0], size, None).n_batches
        self.first_step = first_step
        # The first step is number one: with offset 0 its rate is 1, and is cut.
        steps = first_step + 1.0 + np.arange(self.n_batches * n_passes)
        rates = (model.learning_offset + steps) ** -model.learning_decay
        in_shard = counts.shape[0] / place.n_workers
        component_shape, component_rate = (
            (model.component_shape, model.component_rate)
            if start is None
            else (float(start.prior), start.rate_prior)
        )
        self.problem = PoissonProblem(
            n_features=counts.shape[1],
            n_components=_n_components(model, start),
            n_rows=float(n_rows),
            row_total=float(counts.data.sum(dtype=float)) / counts.shape[0],
            clock=Clock(rates),
            activity_shape=model.activity_shape,
            activity_rate=model.activity_rate,
            component_shape=component_shape,
            component_rate=component_rate,
            batch_size=size,
            tolerance=model.row_tol,
            max_iterations=model.max_row_iter,
            dtype=counts.data.dtype,
            rows_per_shard=None if place.n_workers == 1 else in_shard,
        )

    def _batch_size(self, least: int) -> int:
        """S: as given, or such that every thread has work in every epoch."""
        if self.model.batch_size != "auto":
            return int(self.model.batch_size)
        in_flight = self.place.n_workers * self.place.n_threads
        n_rows = self.counts.shape[0]
        return automatic_size(n_rows, in_flight, least=least, most=1024)

    def plan(self, seed: int) -> Plan:
        """Return the layout of the run."""
        return Plan(
            total_steps=len(self.problem.clock.rates),
            n_workers=self.place.n_workers,
            n_threads=self.place.n_threads,
            local_steps=self._local_steps(),
            master_batch_size=self.model.master_batch_size,
            max_time=self.model.max_time,
            boundaries=self.n_batches,
            furthest=self.problem.clock.furthest,
            seed=seed,
        )

    def _local_steps(self) -> int:
        """B: as asked for; else few steps where work under way is stale."""
        if self.model.local_steps != "auto":
            return int(self.model.local_steps)
        steps = max(1, _ROUND_ROWS // self.problem.batch_size)
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
            If the counts are too large for the precision.
        """
        start = self.start or start_from(self.counts, self.problem, random_state)
        result = run(
            self.problem,
            self._shards(),
            self.plan(int(random_state.randint(np.iinfo(np.int32).max))),
            backend=self.place.backend,
            parameters=start,
        )
        return self._attributes(result)

    def _shards(self) -> Sequence[sp.csr_array]:
        """Deal the rows to the workers, in turn: each gets a fair sample."""
        n_workers = self.place.n_workers
        if n_workers == 1:
            return [self.counts]
        return [self.counts[worker::n_workers] for worker in range(n_workers)]

    def _attributes(self, result: Result) -> dict[str, Any]:
        done = result.counters.clock
        parameters: FactorParameters = result.parameters
        scale = parameters.scale(self.problem.clock.log_scale[done])
        rates = parameters.rates(scale)
        components = parameters.shapes(scale).T / rates[:, np.newaxis]
        components = components.astype(self.counts.data.dtype, copy=False)
        if not np.isfinite(components).all():
            raise FloatingPointError(
                "the components are no longer finite: the numbers are too large for "
                f"{self.problem.dtype}; scale them down or give them as float64"
            )
        return {
            "components_": components,
            "component_rates_": rates,
            "history_": result.history,
            "n_iter_": done // self.n_batches,
            "n_batch_iter_": self.first_step + done,
            "converged_": result.reason == "completed",
            "_n_rows": self.problem.n_rows,
            "_component_prior": (
                self.problem.component_shape,
                self.problem.component_rate,
            ),
        }


def _n_components(model: Any, start: FactorParameters | None) -> int:
    return int(model.n_components if start is None else start.totals.shape[1])
