"""Poisson factorisation in slow NumPy, in the textbook's form.

Gamma distributions are (shape, rate); shapes of q(β) have a row per feature.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import reference
import scipy.sparse as sp
from scipy.special import psi

from dpsvi.engine import Plan
from dpsvi.models.minibatches import MiniBatches
from dpsvi.models.poisson.problem import PoissonProblem

Array = npt.NDArray[Any]


class Gammas(NamedTuple):
    """q(β), dense, without a scale."""

    shapes: Array
    rates: Array

    @property
    def mean(self) -> Array:
        """E[β], feature-major."""
        return self.shapes / self.rates

    @property
    def log(self) -> Array:
        """E[log β], feature-major."""
        return psi(self.shapes) - np.log(self.rates)


def textbook_row(x: Array, q: Gammas, a: float, b: float, n: int) -> tuple[Array, ...]:
    """Shape and rate of q(θ) of a row, and φ, after n rounds of coordinate ascent."""
    shape, rate = np.full(q.rates.size, a + x.sum() / q.rates.size), b + q.mean.sum(0)
    for _ in range(n):
        log = psi(shape) - np.log(rate) + q.log
        phi = np.exp(log - log.max(axis=1, keepdims=True))
        phi /= phi.sum(axis=1, keepdims=True)
        shape = a + x @ phi
    return shape, rate, phi


def step(
    problem: PoissonProblem,
    counts: sp.csr_array,
    rows: Array,
    q: Gammas,
    noise: int,
) -> Gammas:
    """Statistics of a mini-batch: Σ x φ, and Σ E[θ]."""
    n_components, state = problem.n_components, noise
    a = np.full(n_components, problem.activity_shape)
    rates = problem.activity_rate + q.mean.sum(axis=0)
    parts = np.exp(q.log) / rates
    statistics, activities = np.zeros_like(q.shapes), np.zeros(n_components)
    for row in rows:
        features, x = reference.document(counts, row)
        share = x.sum() / n_components
        start = np.full(n_components, share)
        if noise:
            start, state = reference.random_start(share, n_components, state)
        gamma, phi, _ = reference.infer_document(
            x, parts[features], a, start, problem.tolerance, problem.max_iterations
        )
        statistics[features] += phi
        activities += gamma / rates
    return Gammas(statistics, activities)


class Rows:
    """The mini-batches of one worker, and their statistics."""

    def __init__(
        self,
        problem: PoissonProblem,
        counts: sp.csr_array,
        seed: np.random.SeedSequence,
    ) -> None:
        self.problem, self.counts = problem, counts
        self.batches = MiniBatches(counts.shape[0], problem.batch_size, seed)
        self.noise = int(seed.generate_state(1, np.uint64)[0] >> 1) | 1
        self.number = 0

    def scaled(self, q: Gammas) -> Gammas:
        """N / S times the statistics of the next mini-batch."""
        number, self.number = self.number, self.number + 1
        rows, noise = self.batches[number], self.noise + number
        statistics = step(self.problem, self.counts, rows, q, noise)
        factor = self.problem.n_rows / rows.size
        return Gammas(factor * statistics.shapes, factor * statistics.rates)


def svi(problem: PoissonProblem, counts: sp.csr_array, plan: Plan) -> Gammas:
    """Hoffman et al. (2013): one step after another."""
    first, (seed,) = plan.seeds()
    begun = problem.initial_parameters(np.random.default_rng(first))
    q, rows = Gammas(begun.shapes(1.0), begun.rates(1.0)), Rows(problem, counts, seed)
    for rho in problem.clock.rates:
        new = rows.scaled(q)
        q = Gammas(
            (1 - rho) * q.shapes + rho * (problem.component_shape + new.shapes),
            (1 - rho) * q.rates + rho * (problem.component_rate + new.rates),
        )
    return q


def stale_svi(
    problem: PoissonProblem,
    shards: list[sp.csr_array],
    plan: Plan,
    order: list[int],
) -> Gammas:
    """p = B = M = 1: a worker's step comes from the q that it saw at its delivery.

    The decay belongs to the clock: a step is weighted as if it had come in time.
    """
    first, seeds = plan.seeds()
    begun = problem.initial_parameters(np.random.default_rng(first))
    prior = Gammas(
        np.full_like(begun.shapes(1.0), problem.component_shape),
        np.full(problem.n_components, problem.component_rate),
    )
    above = [begun.shapes(1.0) - prior.shapes, begun.rates(1.0) - prior.rates]
    workers = [Rows(problem, *given) for given in zip(shards, seeds, strict=True)]
    rates = problem.clock.rates
    s = np.cumprod(np.append(1.0, 1.0 - rates))

    def now(t: int) -> Gammas:
        t = min(t, plan.total_steps)
        return Gammas(*(p + s[t] * u for p, u in zip(prior, above, strict=True)))

    steps = list(range(len(shards)))
    seen = [now(t) for t in steps]
    for delivery, name in enumerate(order):
        t = steps[name]
        new = workers[name].scaled(seen[name])
        above = [u + rates[t] * g / s[t + 1] for u, g in zip(above, new, strict=True)]
        steps[name] = len(shards) + delivery
        seen[name] = now(steps[name])
    return now(plan.total_steps)
