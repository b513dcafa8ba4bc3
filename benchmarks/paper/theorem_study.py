"""Runs of which the theory knows all, and one of which it does not.

`RedescendingLocation` has exact L, V and f*, so that bounds can be compared with what
is measured: G, the mean over the run of the squared norm of the full gradient, over
independent replicates. Asynchrony is replayed, and losses are drawn, so a run has
exactly the staleness, the late reads and the share of lost writes that it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsvi.engine import Plan, constant, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.engine.problems import (
    MatrixFactorization,
    RedescendingLocation,
    SGDProblem,
    SyntheticProcess,
)
from dpsvi.theory import (
    Constants,
    Layout,
    corollary_rates,
    fewest_merges,
    theorem_bound,
    theorem_condition,
)

__all__ = ["Measured", "Study", "factors_norm"]

# Versions at which the gradient is looked at.
_LOOKS = 400


@dataclass(frozen=True)
class Measured:
    """One run beside its bound.

    Attributes
    ----------
    norm : float
        G: mean squared norm of the gradient, over the run and the replicates.
    error : float
        Its standard error over replicates.
    bound : float
        Theorem 3.1's for the same rates and layout.
    condition : float
        The left side of condition (7) over α: the bound is guaranteed up to 1.
    fewest : float
        T from which Corollary 1 holds (Eq. 10), whatever rates the run had.
    exchanges : int
        Pushes in all.
    staleness : int
        The largest of a push.
    """

    norm: float
    error: float
    bound: float
    condition: float
    fewest: float
    exchanges: int
    staleness: int


class Study:
    """Runs on one objective.

    Parameters
    ----------
    replicates : int, default=32
        Independent runs, side by side.
    n_dimensions : int, default=8
        d.
    seed : int, default=0
        Of samples and runs.
    """

    def __init__(
        self, replicates: int = 32, n_dimensions: int = 8, seed: int = 0
    ) -> None:
        self.objective = RedescendingLocation(
            n_dimensions=n_dimensions, replicates=replicates, seed=seed
        )
        self.constants = Constants(
            smoothness=self.objective.smoothness,
            gradient_bound=self.objective.gradient_bound,
            gap=self.objective.gap,
        )
        self._seed = seed

    def measure(
        self, layout: Layout, *, step: float | None = None, rho: float = 1.0
    ) -> Measured:
        """Run once.

        Parameters
        ----------
        layout : Layout
            T, M, p, B, D, D' and α. Workers take turns; with M = 1 there are D + 1 of
            them and every push but the first ones is D versions stale.
        step : float or None, default=None
            γ = ρ η; None: that of Corollary 1.
        rho : float, default=1.0
            ρ.
        """
        if step is None:
            step = float(np.prod(corollary_rates(self.constants, layout)))
        n_workers = layout.master_batch_size * layout.staleness + 1
        if layout.staleness == 0:
            n_workers = layout.master_batch_size
        problem = SyntheticProcess(
            self.objective, step / rho, kept=layout.kept, read_delay=layout.read_delay
        )
        plan = Plan(
            total_steps=layout.steps,
            n_workers=n_workers,
            # The synthetic process stands for the threads.
            local_steps=layout.round_steps,
            master_batch_size=layout.master_batch_size,
            global_rate=constant(rho),
            # With M > 1 a worker would pull before its push is merged.
            synchronous=layout.staleness == 0,
            seed=self._seed,
        )
        norms = _Norms(self._squares, self.objective.start(), layout.merges)
        done = run(
            problem,
            [None] * n_workers,
            plan,
            backend=Simulated(order=range(n_workers)),
            monitor=norms,
        )
        each = norms.mean()
        rates = (rho, step / rho)
        left = theorem_condition(self.constants, layout, *rates)
        return Measured(
            float(each.mean()),
            _error(each),
            theorem_bound(self.constants, layout, *rates),
            left / layout.kept,
            fewest_merges(self.constants, layout, rho=rho),
            done.counters.pushes,
            int(done.history["staleness_max"].max()),
        )

    def _squares(self, parameters: Any) -> Any:
        return (self.objective.full_gradient(parameters) ** 2).sum(axis=1)


def factors_norm(merges: int, scale: float, runs: int = 4) -> tuple[float, float]:
    """Return G of factorising a noisy matrix, and its standard error over runs.

    Constants are not known, so the rate is scale / √T.
    """
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(12, 2)) @ rng.normal(size=(2, 10))
    rows, columns = np.indices(clean.shape).reshape(2, -1)
    noisy = (clean + 0.5 * rng.normal(size=clean.shape)).ravel()
    objective = MatrixFactorization(rows, columns, noisy, rank=2, penalty=0.01)
    problem = SGDProblem(objective, scale / merges**0.5)

    def squares(parameters: Any) -> Any:
        return (objective.full_gradient(parameters) ** 2).sum()

    def once(seed: int) -> float:
        plan = Plan(total_steps=merges, seed=seed)
        first, _ = plan.seeds()
        start = problem.initial_parameters(np.random.default_rng(first))
        norms = _Norms(squares, start, merges)
        run(problem, [None], plan, backend=Simulated(), monitor=norms)
        return float(norms.mean())

    each = np.array([once(seed) for seed in range(runs)])
    return float(each.mean()), _error(each)


class _Norms:
    """Notes squared norms of the full gradient at evenly spread versions."""

    def __init__(self, squares: Callable[[Any], Any], start: Any, merges: int) -> None:
        self._squares = squares
        self._every = max(1, merges // _LOOKS)
        self._sums = squares(start)
        self._count = 1

    def __call__(self, progress: Any) -> None:
        if progress.version % self._every == 0:
            self._sums = self._sums + self._squares(progress.parameters)
            self._count += 1

    def mean(self) -> Any:
        """Return the mean over the run, per replicate."""
        return self._sums / self._count


def _error(each: Any) -> float:
    return float(each.std(ddof=1) / np.sqrt(each.size)) if each.size > 1 else 0.0
