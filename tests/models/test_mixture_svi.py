"""Stochastic steps on a mixture: batch updates, workers, threads."""

from __future__ import annotations

from typing import Any

import mixture_reference as reference
import numpy as np
import pytest

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.models.conjugate import Clock
from dpsvi.models.mixture.parameters import MixturePrior
from dpsvi.models.mixture.problem import MixtureProblem, statistics_of
from dpsvi.models.mixture.standard import Standard

PRIOR = MixturePrior("full", False, 0.5, 1.0, 2.0, np.zeros(2), np.eye(2))
UNITS = Standard(np.zeros(2), np.ones(2))
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(-1.0, 0.3, (40, 2)), RNG.normal(1.0, 0.3, (40, 2))])


def start(*, good: bool = False) -> Any:
    """Statistics of random shares; good ones lean to the side that a row is on."""
    shares = np.random.default_rng(1).dirichlet([1.0, 1.0], len(X))
    if good:
        shares = 0.5 * shares + 0.5 * np.eye(2)[(X[:, 0] > 0).astype(int)]
    found = np.array([reference.features(x, full=True) for x in X])
    return found.T @ shares


def problem(rates: Any, *, good: bool = False, **more: Any) -> MixtureProblem:
    given = {"n_components": 2, "n_rows": float(len(X)), "prior": PRIOR} | more
    given.setdefault("standard", UNITS)
    clock = Clock(np.asarray(rates))
    return MixtureProblem(start=start(good=good), clock=clock, **given)


def fitted(made: MixtureProblem, shards: list[Any], **plan: Any) -> Any:
    n_steps = len(made.clock.rates)
    backend = plan.pop("backend", None) or Simulated()
    layout = Plan(total_steps=n_steps, n_workers=len(shards), seed=0, **plan)
    result = run(made, shards, layout, backend=backend)
    return result.parameters.value(made.clock.log_scale[result.counters.clock])


def test_a_step_mixes_old_and_new_statistics() -> None:
    made = problem([0.3], batch_size=len(X))
    q = PRIOR.posterior(start())
    expected, _ = reference.expect(PRIOR, q, X)
    np.testing.assert_allclose(
        fitted(made, [X]), 0.7 * start() + 0.3 * expected, rtol=1e-8
    )


def test_a_mini_batch_stands_for_all_rows() -> None:
    made = problem([0.5], batch_size=20)
    found = fitted(made, [X])
    # Counts add up to N, whichever rows were drawn.
    assert found[0].sum() == pytest.approx(len(X))


def test_whole_passes_reach_the_fixed_point_of_batch_learning() -> None:
    statistics = start()
    for _ in range(200):
        statistics = statistics_of(X, UNITS, PRIOR, statistics)
    found = fitted(problem(np.full(60, 0.8), batch_size=len(X)), [X])
    np.testing.assert_allclose(found, statistics, rtol=1e-6, atol=1e-6)
    means = PRIOR.posterior(found).means
    assert np.sort(means[:, 0]) == pytest.approx([-1.0, 1.0], abs=0.15)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_in_turn_are_one_thread(n_threads: int) -> None:
    rates = (2.0 + np.arange(24)) ** -0.6
    made = problem(rates, batch_size=10)
    alone = fitted(made, [X], local_steps=6)
    together = fitted(made, [X], n_threads=n_threads, local_steps=6 // n_threads)
    np.testing.assert_allclose(together, alone, rtol=1e-10)


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 0, 1]])
def test_stale_workers_converge(order: list[int]) -> None:
    rates = (2.0 + np.arange(400)) ** -0.7
    made = problem(rates, good=True, batch_size=10, rows_per_shard=len(X) / 2)
    shards = [X[::2].copy(), X[1::2].copy()]
    plan = {"local_steps": 3, "master_batch_size": 1, "backend": Simulated(order)}
    found = PRIOR.posterior(fitted(made, shards, **plan))
    assert np.sort(found.means[:, 0]) == pytest.approx([-1.0, 1.0], abs=0.15)
    assert found.counts == pytest.approx([40.0, 40.0], abs=4.0)


def test_shards_count_by_their_rows() -> None:
    # Two workers, three quarters of the rows with one of them.
    rates = (2.0 + np.arange(400)) ** -0.7
    made = problem(rates, good=True, batch_size=10, rows_per_shard=len(X) / 2)
    shards = [X[:60].copy(), X[60:].copy()]
    found = PRIOR.posterior(fitted(made, shards, local_steps=1))
    assert np.sort(found.counts) == pytest.approx([40.0, 40.0], abs=6.0)
