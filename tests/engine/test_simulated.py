"""Asynchrony replayed: bitwise repeatable, with the staleness that theory says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_problems import Array, Counting, LeastSquares, make_rows, serial_sgd

from dpsvi.engine import Plan, Result, run
from dpsvi.engine.backends import resolve
from dpsvi.engine.backends.simulated import Simulated, _by_think_time

A, b, _ = make_rows()


def simulate(backend: Simulated, monitor: Any = None, **plan: Any) -> Result:
    plan = {"total_steps": 120, "n_workers": 3, "seed": 5, **plan}
    shards = [(A, b)] * plan["n_workers"]
    return run(LeastSquares(), shards, Plan(**plan), backend=backend, monitor=monitor)


def count(backend: Simulated, **plan: Any) -> Result:
    made = Plan(**plan)
    problem = Counting(made.total_steps)
    return run(problem, [None] * made.n_workers, made, backend=backend)


@given(
    order=st.lists(st.integers(0, 2), max_size=8).map(lambda more: [0, 1, 2, *more]),
    n_threads=st.integers(1, 3),
    merge_size=st.integers(1, 4),
)
@settings(max_examples=30)
def test_a_given_order_repeats_bitwise(
    order: list[int], n_threads: int, merge_size: int
) -> None:
    plan = {"n_threads": n_threads, "local_steps": 2, "master_batch_size": merge_size}
    one = simulate(Simulated(order), **plan)
    two = simulate(Simulated(order), **plan)
    assert one.parameters.tobytes() == two.parameters.tobytes()
    assert one.history == two.history
    assert one.counters == two.counters


def test_a_drawn_order_can_be_replayed() -> None:
    drawn = Simulated(delays=[1.0, 2.0, 5.0], seed=3)
    first = simulate(drawn, master_batch_size=1)
    again = simulate(drawn, master_batch_size=1)
    assert again.history == first.history
    replay = Simulated(order=drawn.recorded_order)
    replayed = simulate(replay, master_batch_size=1)
    assert replayed.parameters.tobytes() == first.parameters.tobytes()
    assert replay.recorded_order == drawn.recorded_order
    other = Simulated(delays=[1.0, 2.0, 5.0], seed=4)
    simulate(other, master_batch_size=1)
    assert other.recorded_order != drawn.recorded_order


def test_slow_workers_deliver_less_often() -> None:
    backend = Simulated(delays=[1.0, 4.0], seed=0)
    simulate(backend, n_workers=2, total_steps=500)
    shares = np.bincount(backend.recorded_order)
    assert 3.5 < shares[0] / shares[1] < 4.5


def test_think_times_have_the_mean_and_spread_asked_for() -> None:
    events = _by_think_time([2.0], spread=0.3, seed=0)
    times = np.diff([next(events)[0] for _ in range(20_000)])
    assert times.mean() == pytest.approx(2.0, rel=0.02)
    assert times.std() / times.mean() == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("n_workers", [1, 2, 5])
def test_round_robin_staleness_is_workers_less_one(n_workers: int) -> None:
    result = simulate(
        Simulated(order=range(n_workers)), n_workers=n_workers, master_batch_size=1
    )
    n_rounds = len(result.history)
    expected = np.minimum(np.arange(n_rounds), n_workers - 1)
    np.testing.assert_array_equal(result.history["staleness_mean"], expected)
    np.testing.assert_array_equal(result.history["staleness_max"], expected)


def stale_reference(order: list[int], n_rounds: int, bound: int) -> tuple[int, int]:
    """Accepted and dropped pushes of M = 1, counted with bare numbers."""
    version = accepted = dropped = 0
    based_on = [0] * (max(order) + 1)
    for worker in (order * n_rounds)[:n_rounds]:
        if version - based_on[worker] > bound:
            dropped += 1
        else:
            accepted += 1
            version += 1
        based_on[worker] = version
    return accepted, dropped


@pytest.mark.parametrize("bound", [0, 1, 2, 3])
def test_pushes_staler_than_the_bound_are_dropped(bound: int) -> None:
    order = [0, 1, 2, 3]
    plan = {"total_steps": 40, "n_workers": 4, "master_batch_size": 1}
    result = count(Simulated(order), max_staleness=bound, **plan)
    counters = result.counters
    expected = stale_reference(order, 40, bound)
    assert (counters.pushes, counters.too_stale) == expected
    assert counters.dropped == expected[1]
    assert result.history["staleness_max"].max() <= bound
    # What was dropped is in no cell.
    assert result.parameters[:-1].sum() == counters.merged == expected[0]


def test_serial_sgd_bit_for_bit() -> None:
    plan = Plan(total_steps=200, seed=11)
    start = np.ones(4)
    result = run(
        LeastSquares(), [(A, b)], plan, backend="simulated", parameters=start.copy()
    )
    expected = serial_sgd(A, b, start, 0.05, 200)
    assert result.parameters.tobytes() == expected.tobytes()


def stale_sgd(start: Array, n_workers: int, n_steps: int) -> Array:
    """Round robin with M = B = p = 1: every gradient is n - 1 versions old."""
    v, rate = start.copy(), 0.05
    copies = [start.copy() for _ in range(n_workers)]
    for t in range(n_steps):
        row, target = A[t % len(b)], b[t % len(b)]
        v -= rate * (row @ copies[t % n_workers] - target) * row
        copies[t % n_workers] = v.copy()
    return v


def test_round_robin_is_sgd_with_delayed_gradients() -> None:
    plan = Plan(total_steps=150, n_workers=3, master_batch_size=1)
    start = np.ones(4)
    result = run(
        LeastSquares(),
        [(A, b)] * 3,
        plan,
        backend=Simulated(order=[0, 1, 2]),
        parameters=start.copy(),
    )
    np.testing.assert_allclose(result.parameters, stale_sgd(start, 3, 150), rtol=1e-12)


@given(
    total_steps=st.integers(0, 60),
    n_workers=st.integers(1, 4),
    n_threads=st.integers(1, 3),
    local_steps=st.integers(1, 4),
    merge_size=st.none() | st.integers(1, 5),
    boundaries=st.none() | st.integers(1, 10),
)
def test_every_step_is_merged_once(**plan: Any) -> None:
    plan["master_batch_size"] = plan.pop("merge_size")
    result = count(Simulated(), **plan)
    total = plan["total_steps"]
    np.testing.assert_array_equal(result.parameters[:-1], np.ones(total))
    assert result.parameters[-1] == total
    counters = result.counters
    assert counters.accepted == counters.merged == counters.steps_merged == total
    assert counters.pending == 0


def test_time_is_simulated() -> None:
    result = simulate(Simulated(order=[0, 1, 2]), master_batch_size=1, max_time=10.5)
    assert result.reason == "max_time"
    assert result.history["time"].tolist() == [*range(1, 11), 11]


def test_a_monitor_stops_at_what_it_saw() -> None:
    seen = []

    def monitor(progress: Any) -> bool:
        seen.append(progress.parameters.copy())
        return len(seen) == 4

    # Of M = 2, one push is pending when a third worker's arrives.
    result = simulate(Simulated(), monitor, n_workers=3, master_batch_size=2)
    assert result.reason == "stopped"
    assert len(result.history) == 4
    assert result.parameters.tobytes() == seen[-1].tobytes()


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="order or delays, not both"):
        Simulated(order=[0], delays=[1.0])
    with pytest.raises(ValueError, match="each must be above 0"):
        Simulated(delays=[1.0, 0.0])
    with pytest.raises(ValueError, match="spread is -1"):
        Simulated(spread=-1)
    with pytest.raises(ValueError, match="must name each of 0 to 2"):
        simulate(Simulated(order=[0, 1]))
    with pytest.raises(ValueError, match="2 delays for 3 workers"):
        simulate(Simulated(delays=[1.0, 1.0]))


def test_names_of_backends() -> None:
    assert isinstance(resolve("simulated"), Simulated)
    backend = Simulated()
    assert resolve(backend) is backend
    with pytest.raises(ValueError, match=r"no backend 'mpi'; choose one of .*local"):
        resolve("mpi")
    with pytest.raises(TypeError, match="give a name"):
        resolve(Simulated)  # type: ignore[arg-type]


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_threads_step_in_turn_as_one_thread_would(n_threads: int) -> None:
    plan = Plan(total_steps=60, n_threads=n_threads, local_steps=5, seed=5)
    found = run(LeastSquares(), [(A, b)], plan, backend=Simulated()).parameters
    start = LeastSquares().initial_parameters(np.random.default_rng(plan.seeds()[0]))
    expected = serial_sgd(A, b, start, LeastSquares().rate, 60)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
