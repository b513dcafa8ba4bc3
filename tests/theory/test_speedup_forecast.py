"""Costs and forecasts: their formulas, their bounds, what saturates and what helps."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.theory import Constants, Layout, theorem_bound, theorem_condition
from dpsvi.theory.speedup import (
    Costs,
    ThreadScaling,
    forecast,
    local_steps_needed,
    samples_needed,
    saturating_workers,
    statistical_efficiency,
)

CONSTANTS = Constants(smoothness=2.0, gradient_bound=1.5, gap=0.7)

some_costs = st.builds(
    Costs,
    step_seconds=st.floats(0.01, 1.0),
    push_seconds=st.floats(0.001, 0.5),
    pull_seconds=st.floats(0.0, 0.5),
    handling_seconds=st.one_of(st.just(0.0), st.floats(1e-4, 0.1)),
    latency=st.floats(0.0, 0.1),
    trips=st.sampled_from([1, 2]),
    n_bytes=st.floats(0.0, 1e7),
    bandwidth=st.sampled_from([1e9, 1e10, math.inf]),
)


def test_the_parts_of_a_round() -> None:
    threads = ThreadScaling(contention=0.5)
    costs = Costs(
        step_seconds=0.1,
        push_seconds=0.02,
        pull_seconds=0.01,
        n_bytes=1e6,
        bandwidth=1e9,
        latency=0.005,
        threads=threads,
    )
    assert costs.wire_seconds == pytest.approx(0.008)
    assert costs.service == pytest.approx(2 * 0.008 + 0.03)
    # Two threads do the work of 4/3.
    assert costs.working(2, 10) == pytest.approx(10 * 0.1 * 2 / (4 / 3))
    assert costs.think(2, 10) == pytest.approx(1.5 + 2 * 0.005)
    assert costs.over(bandwidth=1e10).service == pytest.approx(2 * 0.0008 + 0.03)
    assert costs.over(bandwidth=1e9, latency=0.1).think() == pytest.approx(0.1 + 0.2)


@given(some_costs)
def test_visits_add_up_to_the_service(costs: Costs) -> None:
    assert sum(costs.visits[0]) == pytest.approx(costs.service)
    assert all(len(place) == costs.trips for place in costs.visits)
    assert sum(costs.demands) == pytest.approx(costs.service + costs.handling_seconds)


@given(some_costs, st.integers(1, 8))
def test_shards_divide_the_bytes_and_the_work_but_not_the_messages(
    costs: Costs, shards: int
) -> None:
    dealt = costs.sharded(shards)
    assert dealt.service == pytest.approx(costs.service / shards)
    assert dealt.handling_seconds == costs.handling_seconds
    assert dealt.think() == costs.think()


@given(some_costs, st.integers(1, 40), st.integers(1, 20))
def test_a_forecast_keeps_the_bounds(costs: Costs, n: int, local_steps: int) -> None:
    *_, last = found = forecast(costs, range(1, n + 1), local_steps=local_steps)
    alone = local_steps * costs.step_seconds
    for one in found:
        bound = one.n_workers / (
            costs.think(1, local_steps) + costs.service + costs.handling_seconds
        )
        most = min(bound, 1 / max(costs.demands))
        assert one.rounds_per_second <= most * (1 + 1e-9)
        assert one.speed_up == pytest.approx(one.rounds_per_second * alone)
        assert one.speed_up <= one.n_workers
        assert 0 <= one.waiting < 1
        assert one.busy <= 1 + 1e-9
    assert last.staleness == n - 1


def test_one_worker_does_not_wait() -> None:
    costs = Costs(step_seconds=0.3, push_seconds=0.02, latency=0.01)
    [alone] = forecast(costs, [1], n_threads=2, local_steps=5)
    assert alone.rounds_per_second == pytest.approx(1 / (1.5 + 0.02 + 0.02))
    assert alone.samples_per_second == pytest.approx(10 * alone.rounds_per_second)
    assert alone.waiting == 0


def test_past_saturation_the_master_decides() -> None:
    costs = Costs(step_seconds=0.3, push_seconds=0.02)
    many = forecast(costs, [500, 1000])
    for found in many:
        assert found.rounds_per_second == pytest.approx(1 / 0.02, rel=1e-6)
        assert found.busy == pytest.approx(1.0, rel=1e-6)
    # And longer rounds or more masters raise it.
    [longer] = forecast(costs, [500], local_steps=4)
    assert longer.speed_up == pytest.approx(4 * many[0].speed_up, rel=1e-6)
    [dealt] = forecast(costs.sharded(4), [500])
    assert dealt.speed_up == pytest.approx(4 * many[0].speed_up, rel=1e-6)


@given(some_costs, st.integers(1, 200))
def test_the_steps_needed_are_just_enough(costs: Costs, n: int) -> None:
    steps = local_steps_needed(costs, n)
    assert saturating_workers(costs, local_steps=steps) >= n * (1 - 1e-6)
    if steps > 1:
        assert saturating_workers(costs, local_steps=steps - 1) < n * (1 + 1e-6)


def test_stale_samples_count_less() -> None:
    costs = Costs(step_seconds=0.3, push_seconds=0.02)
    fresh, stale = (
        forecast(costs, [4], efficiency=share)[0] for share in (1.0, lambda n: 1 / n)
    )
    assert stale.speed_up == pytest.approx(fresh.speed_up / 4)
    assert stale.samples_per_second == fresh.samples_per_second
    seconds = fresh.time_to_score(1000)
    assert seconds == pytest.approx(1000 / fresh.samples_per_second)
    assert stale.time_to_score(1000) == pytest.approx(4 * seconds)


@pytest.mark.parametrize("target", [0.05, 0.5])
@pytest.mark.parametrize("rho", [1.0, 0.3])
def test_the_samples_needed_are_those_of_the_theorem(target: float, rho: float) -> None:
    layout = Layout(
        merges=1,
        master_batch_size=2,
        n_threads=2,
        local_steps=3,
        staleness=5,
        read_delay=1,
        kept=0.9,
    )
    samples = samples_needed(CONSTANTS, layout, target, rho=rho)
    merges = math.ceil(samples / layout.merge_steps)
    run = Layout(**{**vars(layout), "merges": merges})
    # The best allowed rate gets there with so many merges, and no sooner.
    steps = [
        step
        for step in np.geomspace(1e-3, 0.05, 150)
        if theorem_condition(CONSTANTS, run, rho, step / rho) <= layout.kept
    ]

    def best(run: Layout) -> float:
        return min(theorem_bound(CONSTANTS, run, rho, step / rho) for step in steps)

    assert best(run) <= target * 1.05
    sooner = Layout(**{**vars(layout), "merges": max(1, int(0.8 * merges))})
    assert best(sooner) > target


def test_efficiency_falls_with_staleness_and_is_1_for_serial_sgd() -> None:
    shares = [
        statistical_efficiency(CONSTANTS, Layout(merges=1, staleness=delay), 0.01)
        for delay in (0, 2, 8, 32)
    ]
    assert shares[0] == pytest.approx(1.0)
    assert all(late < early for early, late in pairwise(shares))
    assert shares[-1] > 0


def test_lost_writes_cost_the_square_of_their_share() -> None:
    lossy = Layout(merges=1, kept=0.5)
    found = statistical_efficiency(CONSTANTS, lossy, 1e-4)
    assert found == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"step_seconds": 0.0}, "step_seconds is 0"),
        ({"latency": -1.0}, "latency is -1"),
        ({"n_bytes": math.inf}, "n_bytes is inf"),
        ({"bandwidth": 10.0}, "bits per second"),
        ({"trips": 3}, "trips is 3"),
        ({"push_seconds": 0.0}, "takes the master no time"),
    ],
)
def test_costs_out_of_range_are_refused(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Costs(**{"step_seconds": 1.0, "push_seconds": 0.1, **given})


def test_forecasts_out_of_range_are_refused() -> None:
    costs = Costs(step_seconds=1.0, push_seconds=0.1)
    with pytest.raises(ValueError, match="n_workers is 0"):
        forecast(costs, [0])
    with pytest.raises(ValueError, match=r"efficiency is 1\.5"):
        forecast(costs, [1], efficiency=1.5)
    with pytest.raises(ValueError, match="samples is 0"):
        forecast(costs, [1])[0].time_to_score(0)
    with pytest.raises(ValueError, match="n_masters is 0"):
        costs.sharded(0)
