"""The simulation against mean values, cases without chance, and conservation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsvi.theory.speedup import (
    Costs,
    Faults,
    ThreadScaling,
    largest_throughput,
    mean_values,
    round_with_faults,
    simulate,
)


def costs(**changes: float) -> Costs:
    return Costs(**{"step_seconds": 1.0, "push_seconds": 0.1, **changes})


@pytest.mark.parametrize("n", [1, 4, 12])
@pytest.mark.parametrize("handling", [0.0, 0.08])
def test_exponential_services_have_the_mean_values(n: int, handling: float) -> None:
    given = costs(handling_seconds=handling, latency=0.05)
    expected = mean_values(n, given.think(), given.visits)
    found = simulate(given, n, rounds=30_000, service_spread=1.0)
    assert found.throughput == pytest.approx(expected.throughput[-1], rel=0.02)
    assert found.response == pytest.approx(expected.response[-1], rel=0.04)
    assert found.busy == pytest.approx(expected.busy[-1, 0], rel=0.03)


@pytest.mark.parametrize("n", [2, 6, 14])
def test_two_calls_are_near_the_mean_values(n: int) -> None:
    given = costs(pull_seconds=0.02, trips=2, latency=0.01)
    told = mean_values(n, given.think(), given.visits, service_spread=0.0)
    found = simulate(given, n)
    assert found.throughput == pytest.approx(told.throughput[-1], rel=0.06)


def test_one_worker_without_chance_needs_the_sum_of_the_parts() -> None:
    given = costs(
        pull_seconds=0.03, handling_seconds=0.02, latency=0.01, trips=2, n_bytes=1e6
    ).over(bandwidth=1e9)
    found = simulate(given, 1, local_steps=3, rounds=100, spread=0.0)
    # Steps, messages, event loop, master with 8 ms of wire each way.
    parts = 3.0 + 4 * 0.01 + 0.02 + 0.13 + 2 * 0.008
    assert found.throughput == pytest.approx(1 / parts)
    assert found.response == pytest.approx(0.02 + 0.13 + 2 * 0.008)
    assert not found.staleness.any()


@pytest.mark.parametrize("n", [2, 5, 11, 12, 20])
def test_workers_without_chance_reach_the_bound(n: int) -> None:
    found = simulate(costs(), n, rounds=4_000, spread=0.0)
    # They fall into step after the first round and never meet again.
    assert found.throughput == pytest.approx(min(n / 1.1, 10.0), rel=0.01)
    assert set(found.staleness.tolist()) == {n - 1}
    assert found.rounds_of.max() - found.rounds_of.min() <= 1


@settings(max_examples=15)
@given(
    n=st.integers(1, 12),
    trips=st.sampled_from([1, 2]),
    merge_size=st.integers(1, 4),
    service=st.floats(0.01, 1.0),
    spread=st.floats(0.0, 1.0),
    seed=st.integers(0, 2**16),
)
def test_work_is_conserved(
    n: int, trips: int, merge_size: int, service: float, spread: float, seed: int
) -> None:
    given = costs(push_seconds=service, pull_seconds=service / 4, trips=trips)
    found = simulate(
        *(given, n),
        rounds=1_000,
        master_batch_size=merge_size,
        spread=spread,
        service_spread=spread,
        seed=seed,
    )
    assert found.rounds == 900 == found.rounds_of.sum() == found.staleness.size
    assert found.merges == 1000 // merge_size - 100 // merge_size
    assert found.losses == 0
    assert found.staleness.min() >= 0
    # A busy master has served what it has served; no faster than the bounds.
    assert found.busy == pytest.approx(found.throughput * given.service, rel=0.25)
    most = largest_throughput(n, given.think(), given.visits)
    assert found.throughput <= most * 1.15


def test_merges_that_take_time_are_served_by_the_master() -> None:
    found = simulate(
        costs(), 40, master_batch_size=4, merge_seconds=0.4, spread=0.0, rounds=4_000
    )
    # Saturated: each four pushes take 0.4 s, and their merge 0.4 s more.
    assert found.throughput == pytest.approx(5.0, rel=0.01)
    assert found.busy == pytest.approx(1.0, rel=0.01)


def test_staleness_is_shared_among_the_pushes_of_a_merge() -> None:
    found = simulate(costs(push_seconds=0.01), 12, master_batch_size=4)
    assert found.staleness.mean() == pytest.approx(11 / 4, rel=0.1)


def test_a_worker_of_half_the_speed_does_half_the_rounds() -> None:
    found = simulate(costs(push_seconds=1e-6), 2, speeds=[1.0, 0.5], rounds=3_000)
    fast, slow = found.rounds_of
    assert slow / fast == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_faults_lose_what_they_should(spread: float) -> None:
    faults = Faults(rate=0.5, repair_seconds=2.0)
    given = costs(push_seconds=1e-6)
    found = simulate(given, 8, faults=faults, spread=spread, rounds=40_000)
    mean = round_with_faults(1.0, faults, spread=spread)
    assert found.throughput == pytest.approx(8 / mean, rel=0.03)
    # Each death costs the repair and the steps since the last push.
    if spread == 0:
        dying = 1 - np.exp(-0.5)
        share = found.losses / (found.losses + found.rounds)
        assert share == pytest.approx(dying, rel=0.03)


def test_rare_faults_cost_next_to_nothing_and_are_counted() -> None:
    rare = Faults(rate=1e-9)
    assert round_with_faults(3.0, rare) == pytest.approx(3.0)
    with_them, without = (simulate(costs(), 3, faults=it) for it in (rare, None))
    assert with_them.losses == 0
    assert with_them.throughput == pytest.approx(without.throughput, rel=0.01)


@pytest.mark.parametrize(("n", "expected"), [(1, 1 / 1.1), (2, 2 / 1.1), (9, 2.0)])
def test_workers_on_one_host_share_its_cores(n: int, expected: float) -> None:
    given = costs(threads=ThreadScaling(cores=2, smt=0.0))
    found = simulate(given, n, one_host=True, spread=0.5, rounds=5_000)
    # With many workers two are always at work, a second for each round.
    assert found.throughput == pytest.approx(expected, rel=0.03)


@settings(max_examples=15)
@given(p=st.integers(1, 6), contention=st.floats(0.0, 0.3), latency=st.floats(0.0, 1.0))
def test_a_host_of_one_worker_is_what_its_threads_make_it(
    p: int, contention: float, latency: float
) -> None:
    scaling = ThreadScaling(contention=contention, cores=4)
    given = costs(threads=scaling, latency=latency)
    alone, shared = (
        simulate(given, 1, n_threads=p, one_host=it, rounds=50, spread=0.0)
        for it in (False, True)
    )
    assert shared.throughput == pytest.approx(alone.throughput)
    assert shared.busy == pytest.approx(alone.busy)
    assert shared.response == pytest.approx(alone.response)


def test_a_host_slows_steps_and_not_the_master() -> None:
    alone = costs(push_seconds=1.0, threads=ThreadScaling(cores=4, smt=0.0))
    # The master takes one a second, whatever the steps take.
    found = simulate(alone, 8, one_host=True, spread=0.0, rounds=2_000)
    assert found.throughput == pytest.approx(1.0, rel=0.01)
    assert found.busy == pytest.approx(1.0, rel=0.01)
    undisturbed = costs(push_seconds=0.3)
    apart, together = (
        simulate(undisturbed, 6, one_host=it, rounds=2_000) for it in (False, True)
    )
    assert together.seconds == pytest.approx(apart.seconds)
    assert np.array_equal(together.staleness, apart.staleness)


def test_the_dead_keep_no_core_busy() -> None:
    given = costs(push_seconds=1e-6, threads=ThreadScaling(cores=1, smt=0.0))
    faults = Faults(rate=1e-9, repair_seconds=1e6)
    kept = simulate(given, 2, one_host=True, faults=faults, rounds=3_000)
    mortal = Faults(rate=0.5, repair_seconds=50.0)
    lost = simulate(given, 2, one_host=True, faults=mortal, rounds=3_000, spread=0.0)
    assert kept.throughput == pytest.approx(1.0, rel=0.03)
    # Nearly always at most one of both is alive, and has the core for itself.
    mean = round_with_faults(1.0, mortal, spread=0.0)
    assert lost.throughput == pytest.approx(2 / mean, rel=0.1)


def test_services_that_hardly_vary_are_constant() -> None:
    constant, almost = (
        simulate(costs(), 3, rounds=200, service_spread=spread).throughput
        for spread in (0.0, 1e-300)
    )
    assert almost == constant


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    first, again, other = (
        simulate(costs(), 4, rounds=500, seed=seed) for seed in (1, 1, 2)
    )
    assert first.seconds == again.seconds
    assert first.seconds != other.seconds


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_workers": 0}, "n_workers is 0"),
        ({"rounds": 0}, "rounds is 0"),
        ({"merge_seconds": -1.0}, "merge_seconds is -1.0"),
        ({"spread": float("nan")}, "spread is nan"),
        ({"speeds": [1.0]}, "1 speeds for 2 workers"),
        ({"speeds": [1.0, 0.0]}, "speeds is 0.0"),
    ],
)
def test_numbers_out_of_range_are_refused(
    given: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(costs(), **{"n_workers": 2, **given})


def test_faults_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="rate is 0"):
        Faults(rate=0)
    with pytest.raises(ValueError, match="repair_seconds is -1"):
        Faults(rate=1.0, repair_seconds=-1)
