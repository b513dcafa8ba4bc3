"""Poisson factorisation: one of everything is SVI; many are what theory says."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import poisson_reference as slow
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.engine import Plan, Result, Snapshot, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.models.conjugate import Clock
from dpsvi.models.poisson.parameters import balanced_rates
from dpsvi.models.poisson.problem import PoissonProblem

Array = npt.NDArray[Any]

STEPS = 42  # seven epochs of six mini-batches
RATES = {
    "falling": (2.0 + np.arange(STEPS)) ** -0.7,
    # log s falls by 2.3 a step: the units are renewed every ninth step.
    "steep": np.full(STEPS, 0.9),
}
SHARED = {"backend": "local"}
COPIES = {"backend": "local", "global_rate": lambda version: 1.0}
SIMULATED = {"backend": "simulated"}


def make_counts(n_rows: int = 24, n_features: int = 15, seed: int = 0) -> sp.csr_array:
    """Rows of 12 counts: then every mini-batch of one size has one weight."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(n_features, 0.3), n_rows)
    return sp.csr_array(rng.multinomial(12, shares).astype(float))


COUNTS = make_counts()


def make_problem(rates: Array, **more: Any) -> PoissonProblem:
    """A small problem in double precision, with four different priors."""
    usual: dict[str, Any] = {
        "n_features": 15,
        "n_components": 4,
        "n_rows": 24.0,
        "row_total": 12.0,
        "clock": Clock(rates),
        "activity_shape": 0.4,
        "activity_rate": 0.7,
        "component_shape": 0.2,
        "component_rate": 1.3,
        "batch_size": 4,
        "tolerance": 1e-3,
        "dtype": np.dtype("float64"),
    }
    return PoissonProblem(**{**usual, **more})


def check(problem: PoissonProblem, result: Result, expected: slow.Gammas) -> None:
    """The result of a run is q(β) as expected."""
    end = problem.clock.log_scale[result.counters.steps_reserved]
    parameters = result.parameters
    scale = parameters.scale(end)
    np.testing.assert_allclose(parameters.shapes(scale), expected.shapes, rtol=1e-9)
    np.testing.assert_allclose(parameters.rates(scale), expected.rates, rtol=1e-9)
    np.testing.assert_allclose(
        parameters.mass(scale), expected.shapes.sum(axis=0), rtol=1e-9
    )
    assert not parameters.weights[:, problem.n_components :].any()


@pytest.mark.parametrize(
    "layout", [SHARED, COPIES, SIMULATED], ids=["shared", "copies", "simulated"]
)
@pytest.mark.parametrize("rates", RATES)
def test_one_of_everything_is_svi(layout: dict[str, Any], rates: str) -> None:
    layout = dict(layout)
    backend = layout.pop("backend")
    problem = make_problem(RATES[rates])
    plan = Plan(total_steps=STEPS, master_batch_size=1, seed=3, **layout)
    result = run(problem, [COUNTS], plan, backend=backend)
    check(problem, result, slow.svi(problem, COUNTS, plan))
    if rates == "steep":
        assert result.parameters.log_base < -60, "the units were not renewed"


def test_longer_rounds_of_one_thread_change_nothing() -> None:
    problem = make_problem(RATES["steep"])
    plan = Plan(total_steps=STEPS, local_steps=17, seed=3)
    result = run(problem, [COUNTS], plan)
    assert len(result.history) == 3
    check(problem, result, slow.svi(problem, COUNTS, plan))


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("order", [[0, 1, 2], [0, 0, 2, 1, 0], [2, 1, 2, 2, 0]])
def test_asynchronous_workers_step_from_what_they_saw(
    rates: str, order: list[int]
) -> None:
    shards = [COUNTS[:8], COUNTS[8:13], COUNTS[13:]]
    problem = make_problem(RATES[rates])
    plan = Plan(total_steps=STEPS, n_workers=3, master_batch_size=1, seed=3)
    backend = Simulated(order)
    result = run(problem, shards, plan, backend=backend)
    recorded = backend.recorded_order
    check(problem, result, slow.stale_svi(problem, shards, plan, recorded))
    n_full = STEPS - 3
    assert recorded[:n_full] == list(islice(cycle(order), n_full))
    assert result.history["staleness_max"].max() >= 2


@pytest.mark.parametrize(
    ("layout", "close"),
    [
        ({"n_threads": 1}, 1e-9),
        # Two threads may lose an addition to one another, and on a busy machine more.
        ({"n_threads": 2}, 1e-2),
        ({"n_threads": 2, "backend": "simulated"}, 1e-9),
        ({"n_workers": 3, "backend": "simulated"}, 1e-9),
        ({"n_workers": 2, "n_threads": 2}, 1e-2),
    ],
    ids=str,
)
def test_mass_is_what_the_clock_says(layout: dict[str, Any], close: float) -> None:
    layout = dict(layout)
    n_workers = layout.get("n_workers", 1)
    counts = make_counts(240, 400)
    rates = np.minimum((2.0 + np.arange(300)) ** -0.6, 0.5)
    problem = make_problem(rates, n_rows=240.0, n_features=400)
    backend = layout.pop("backend", "local")
    plan = Plan(total_steps=300, local_steps=7, master_batch_size=1, seed=3, **layout)
    shards = [counts[i::n_workers] for i in range(n_workers)]
    parameters = run(problem, shards, plan, backend=backend).parameters
    first, _ = plan.seeds()
    begun = problem.initial_parameters(np.random.default_rng(first))
    expected = float(begun.totals.sum())
    for rho in rates:
        expected = (1.0 - rho) * expected + rho * 240 * 12.0
    scale = parameters.scale(problem.clock.log_scale[300])
    shapes = parameters.shapes(scale)
    assert shapes.min() >= 0.2
    assert shapes.sum() == pytest.approx(expected + 0.2 * shapes.size, rel=close)
    np.testing.assert_allclose(parameters.mass(scale), shapes.sum(axis=0), rtol=close)


def test_rows_of_a_small_shard_count_for_less() -> None:
    """Its worker takes as many steps as one that has three times as many rows."""
    masses = []
    for rows_per_shard in (None, 24.0):
        problem = make_problem(
            np.full(STEPS, 0.1), n_rows=48.0, rows_per_shard=rows_per_shard
        )
        worker = problem.open_worker(COUNTS[:12], 1, np.random.SeedSequence(0))
        pulled = problem.initial_parameters(np.random.default_rng(0)).take(slice(None))
        worker.load(Snapshot(pulled, version=0, steps=range(1)))
        worker.run(0, iter(range(1)))
        masses.append(worker.update().payload.totals.sum())
    # 48 rows of 12 counts at a rate of 0.1; and half of them in the small shard.
    assert masses[1] == pytest.approx(masses[0] / 2)
    assert masses[0] == pytest.approx(0.1 * 48 * 12 / 0.9)


def test_only_rows_that_are_touched_travel() -> None:
    counts = sp.csr_array(([1.0, 2.0, 3.0], ([0, 0, 1], [3, 700, 5])), (2, 1000))
    problem = make_problem(RATES["falling"], n_features=1000, batch_size=1)
    worker: Any = problem.open_worker(counts, 1, np.random.SeedSequence(0))
    assert worker.request(2).tolist() == [3, 5, 700, 1000]
    master = problem.initial_parameters(np.random.default_rng(0))
    pulled = problem.extract(master, worker.request(2))
    worker.load(Snapshot(pulled, version=0, steps=range(2)))
    worker.run(0, iter(range(2)))
    pushed = worker.update().payload
    assert pushed.rows.tolist() == [3, 5, 700, 1000]
    assert pushed.values.min() >= 0
    np.testing.assert_allclose(pushed.totals, pushed.values[:-1].sum(axis=0))
    before = master.shapes(1.0)[pushed.rows[:-1]]
    problem.merge(master, [pushed], [1.0])
    after = master.shapes(1.0)[pushed.rows[:-1]]
    np.testing.assert_allclose(after - before, pushed.values[:-1])
    np.testing.assert_allclose(
        master.totals.sum(axis=0), master.weights[:-1, :4].sum(0)
    )


masses = st.floats(1e-3, 1e9)
priors = st.floats(1e-3, 1e3)


@given(activity_mass=masses, component_mass=masses, b=priors, d=priors)
def test_balanced_rates_stand_still(
    activity_mass: float, component_mass: float, b: float, d: float
) -> None:
    rate = balanced_rates(activity_mass, component_mass, b, d)
    assert rate >= d * (1 - 1e-9)
    next_rate = d + activity_mass / (b + component_mass / rate)
    assert next_rate == pytest.approx(rate, rel=1e-6)


def test_a_run_starts_where_its_scale_stands_still() -> None:
    """A full step with even activities leaves the rates where they are."""
    problem = make_problem(np.full(1, 0.5), n_rows=2400.0, row_total=120.0)
    begun = problem.initial_parameters(np.random.default_rng(0))
    # With as much mass as the data have, the rates would be in balance.
    grown = begun.rates(1.0).mean() * (288000 / 4 + 15 * 0.2) / begun.mass(1.0).mean()
    activities = 0.7 + (288000 / 4 + 15 * 0.2) / grown
    assert 1.3 + (288000 / 4 + 2400 * 0.4) / activities == pytest.approx(grown, rel=0.1)


def test_shards_and_clocks_that_do_not_fit_are_refused() -> None:
    problem = make_problem(RATES["falling"][:5])
    with pytest.raises(ValueError, match="a shard without rows"):
        run(problem, [COUNTS, COUNTS[:0]], Plan(total_steps=2, n_workers=2))
    for backend in ("local", "simulated"):
        with pytest.raises(ValueError, match="5 rates, and the run comes to step 6"):
            run(problem, [COUNTS], Plan(total_steps=6, local_steps=3), backend=backend)
