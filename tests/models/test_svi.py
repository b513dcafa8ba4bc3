"""With one worker, thread, step and push DPSVI is SVI; with more, what theory says."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import lda_replay as replay
import numpy as np
import numpy.typing as npt
import pytest

from dpsvi.engine import Plan, Result, Snapshot, run
from dpsvi.engine.backends.simulated import Simulated

Array = npt.NDArray[Any]
COUNTS = replay.make_counts()
STEPS = 42  # seven epochs of six mini-batches

RATES = {
    "falling": (2.0 + np.arange(STEPS)) ** -0.7,
    # log s falls by 2.3 a step: the units are renewed every ninth step.
    "steep": np.full(STEPS, 0.9),
}
SHARED = {"backend": "local"}
COPIES = {"backend": "local", "global_rate": lambda version: 1.0}
SIMULATED = {"backend": "simulated"}
layouts = pytest.mark.parametrize(
    "layout", [SHARED, COPIES, SIMULATED], ids=["shared", "copies", "simulated"]
)


def value(problem: Any, result: Result) -> Array:
    """λ at the end of a run."""
    end = problem.clock.log_scale[result.counters.steps_reserved]
    return result.parameters.value(end)


@layouts
@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_one_of_everything_is_svi(
    layout: dict[str, Any], rates: str, inference: str
) -> None:
    layout = dict(layout)
    problem = replay.make_problem(RATES[rates], 24, inference=inference)
    backend = layout.pop("backend")
    plan = Plan(total_steps=STEPS, master_batch_size=1, seed=3, **layout)
    result = run(problem, [COUNTS], plan, backend=backend)
    expected = replay.svi(problem, COUNTS, plan)
    np.testing.assert_allclose(value(problem, result), expected, rtol=1e-9)
    if rates == "steep":
        assert result.parameters.log_base < -60, "the units were not renewed"
    assert not result.parameters.weights[:, problem.n_topics :].any()


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_longer_rounds_of_one_thread_change_nothing(inference: str) -> None:
    problem = replay.make_problem(RATES["steep"], 24, inference=inference)
    plan = Plan(total_steps=STEPS, local_steps=17, seed=3)
    result = run(problem, [COUNTS], plan)
    assert len(result.history) == 3
    expected = replay.svi(problem, COUNTS, plan)
    np.testing.assert_allclose(value(problem, result), expected, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [24, 5, 1])
def test_batch_learning_is_coordinate_ascent(batch_size: int) -> None:
    n_batches = -(-24 // batch_size)
    steps = 3 * n_batches
    problem = replay.make_problem(
        np.zeros(steps), 24, learning="batch", batch_size=batch_size
    )
    plan = Plan(total_steps=steps, local_steps=n_batches, boundaries=n_batches, seed=3)
    result = run(problem, [COUNTS], plan)
    expected = replay.batch_vb(problem, COUNTS, plan)
    np.testing.assert_allclose(value(problem, result), expected, rtol=1e-9)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("order", [[0, 1, 2], [0, 0, 2, 1, 0], [2, 1, 2, 2, 0]])
def test_asynchronous_workers_step_from_what_they_saw(
    rates: str, order: list[int]
) -> None:
    shards = [COUNTS[:8], COUNTS[8:13], COUNTS[13:]]
    problem = replay.make_problem(RATES[rates], 24)
    plan = Plan(total_steps=STEPS, n_workers=3, master_batch_size=1, seed=3)
    backend = Simulated(order)
    result = run(problem, shards, plan, backend=backend)
    expected = replay.stale_svi(problem, shards, plan, backend.recorded_order)
    np.testing.assert_allclose(value(problem, result), expected, rtol=1e-9)
    # Nothing but the end of the run may have changed the order.
    n_full = STEPS - 3
    assert backend.recorded_order[:n_full] == list(islice(cycle(order), n_full))
    assert result.history["staleness_max"].max() >= 2


def mass(problem: Any, plan: Plan, n_tokens: float) -> float:
    """What λ must sum to, by the clock alone, but for the prior."""
    first, _ = plan.seeds()
    begun = problem.initial_parameters(np.random.default_rng(first))
    total = float(begun.weights.sum(dtype=float))
    for rho in problem.clock.rates:
        total = (1.0 - rho) * total + rho * n_tokens
    return total


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
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
def test_mass_is_what_the_clock_says(
    inference: str, layout: dict[str, Any], close: float
) -> None:
    layout = dict(layout)
    n_workers = layout.get("n_workers", 1)
    counts = replay.make_counts(240, 400, length=30)
    rates = np.minimum((2.0 + np.arange(300)) ** -0.6, 0.5)
    problem = replay.make_problem(rates, 240, n_words=400, inference=inference)
    backend = layout.pop("backend", "local")
    plan = Plan(total_steps=300, local_steps=7, master_batch_size=1, seed=3, **layout)
    shards = [counts[i::n_workers] for i in range(n_workers)]
    result = run(problem, shards, plan, backend=backend)
    lam = value(problem, result)
    assert lam.min() >= replay.ETA
    # Every document has 30 tokens, every mini-batch as many documents.
    expected = mass(problem, plan, 240 * 30.0) + lam.size * replay.ETA
    assert lam.sum() == pytest.approx(expected, rel=close)
    parameters = result.parameters
    sums = parameters.weights[:, : problem.n_topics].sum(axis=0)
    np.testing.assert_allclose(parameters.totals.sum(axis=0), sums, rtol=close)
    assert not parameters.weights[:, problem.n_topics :].any()


def test_documents_of_a_small_shard_count_for_less() -> None:
    """Its worker takes as many steps as one that has three times as many documents."""
    masses = []
    for documents_per_shard in (None, 24.0):
        problem = replay.make_problem(
            np.full(STEPS, 0.1), 48, documents_per_shard=documents_per_shard
        )
        worker = problem.open_worker(COUNTS[:12], 1, np.random.SeedSequence(0))
        pulled = problem.initial_parameters(np.random.default_rng(0)).take(slice(None))
        worker.load(Snapshot(pulled, version=0, steps=range(1)))
        worker.run(0, iter(range(1)))
        masses.append(worker.update().payload.totals.sum())
    # 48 documents of 12 words at a rate of 0.1; and half of them in the small shard.
    assert masses[1] == pytest.approx(masses[0] / 2)
    assert masses[0] == pytest.approx(0.1 * 48 * 12 / 0.9)
