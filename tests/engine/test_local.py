"""Workers and threads in one process."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_problems import Counting, LeastSquares, make_rows, serial_sgd

from dpsvi.engine import Plan, Progress, Result, Snapshot, run

A, b, solution = make_rows()

LAYOUTS = [
    {"n_workers": 1, "n_threads": 1},
    {"n_workers": 1, "n_threads": 2},
    {"n_workers": 3, "n_threads": 1},
    {"n_workers": 2, "n_threads": 2},
]
layouts = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda kw: str([*kw.values()]))


def count(plan: Plan, monitor: Any = None, **problem: Any) -> Result:
    toy = Counting(plan.total_steps, **problem)
    return run(toy, [None] * plan.n_workers, plan, monitor=monitor)


def test_serial_sgd_bit_for_bit() -> None:
    start = np.ones(4)
    plan = Plan(total_steps=200)
    result = run(LeastSquares(), [(A, b)], plan, parameters=start.copy())
    expected = serial_sgd(A, b, start, 0.05, 200)
    assert result.parameters.tobytes() == expected.tobytes()


@layouts
def test_lock_free_workers_find_the_solution(layout: dict[str, int]) -> None:
    # The bound keeps a push that the system has held up for long from coming last.
    plan = Plan(
        total_steps=3000,
        local_steps=5,
        master_batch_size=1,
        max_staleness=20,
        seed=0,
        **layout,
    )
    result = run(LeastSquares(), [(A, b)] * plan.n_workers, plan)
    assert result.reason == "completed"
    np.testing.assert_allclose(result.parameters, solution, atol=1e-6)


@layouts
@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("merge_size", [1, None, 4])
def test_every_step_is_merged_once(
    layout: dict[str, int], additive: bool, merge_size: int | None
) -> None:
    plan = Plan(total_steps=501, local_steps=3, master_batch_size=merge_size, **layout)
    result = count(plan, additive=additive)
    np.testing.assert_array_equal(result.parameters, [1.0] * 501 + [501.0])
    counters = result.counters
    assert counters.accepted == counters.merged == 501
    assert counters.pending == counters.dropped == 0
    assert result.history["steps"][-1] == 501
    assert result.history["amount"][-1] == 501


def test_a_lone_worker_of_sums_writes_into_the_parameters() -> None:
    parameters = np.zeros(11)

    def changed_before_merge(**plan: Any) -> bool:
        seen = []
        parameters[:] = 0
        toy = Counting(10, before_step=lambda t: seen.append(parameters.sum()))
        made = Plan(total_steps=10, local_steps=10, **plan)
        result = run(toy, [None] * made.n_workers, made, parameters=parameters)
        assert result.parameters is parameters
        assert parameters.tolist() == [1.0] * 10 + [10.0]
        return any(seen)

    assert changed_before_merge()
    assert not changed_before_merge(master_batch_size=2)
    assert not changed_before_merge(n_workers=2, master_batch_size=1)


class SlowMerge(Counting):
    """Merges in two halves; a snapshot loaded in between is torn."""

    def merge(self, parameters: Any, payloads: Any, rates: Any) -> Any:
        for part in (slice(None, -1), slice(-1, None)):
            for payload, rate in zip(payloads, rates, strict=True):
                parameters[part] += rate * payload[part]
            time.sleep(0.002)
        return parameters

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> Any:
        local = super().open_worker(shard, n_threads, seed)
        load = local.load

        def load_and_check(snapshot: Snapshot) -> None:
            load(snapshot)
            if local.u[:-1].sum() != local.u[-1]:
                raise AssertionError("torn snapshot")

        local.load = load_and_check  # type: ignore[method-assign]
        return local


def test_snapshots_are_of_one_version() -> None:
    plan = Plan(total_steps=100, n_workers=3, master_batch_size=1)
    result = run(SlowMerge(100), [None] * 3, plan)
    assert result.parameters[-1] == 100


@layouts
def test_rounds_end_at_boundaries(layout: dict[str, int]) -> None:
    rounds: list[int] = []
    plan = Plan(
        total_steps=100, local_steps=7, boundaries=25, master_batch_size=1, **layout
    )
    count(plan, lambda progress: rounds.append(progress.steps))
    assert rounds[-1] == 100
    if plan.n_workers == 1:
        assert {25, 50, 75} <= set(rounds)


@layouts
def test_the_monitor_sees_every_version_in_the_calling_thread(
    layout: dict[str, int],
) -> None:
    plan = Plan(total_steps=60, local_steps=2, master_batch_size=1, **layout)
    versions, sums, threads = [], [], set()

    def monitor(progress: Progress) -> None:
        versions.append(progress.version)
        before = progress.parameters.copy()
        time.sleep(0.001)
        # Nobody writes while it looks, and the merged steps are all in.
        np.testing.assert_array_equal(progress.parameters, before)
        sums.append(progress.parameters[-1] == progress.steps == progress.amount)
        threads.add(threading.current_thread())
        progress.record(double=2 * progress.version)

    result = count(plan, monitor)
    assert versions == list(range(1, len(result.history) + 1))
    assert all(sums)
    assert threads == {threading.current_thread()}
    history = result.history
    np.testing.assert_array_equal(history["double"], 2 * history["version"])
    assert (np.diff(history["time"]) >= 0).all()
    assert (history["monitor_time"] < history["time"]).all()


@layouts
def test_a_monitor_stops_at_what_it_saw(layout: dict[str, int]) -> None:
    seen = []

    def monitor(progress: Progress) -> bool:
        seen.append(progress.parameters.copy())
        return progress.version == 5

    plan = Plan(total_steps=10_000, master_batch_size=1, **layout)
    result = count(plan, monitor)
    assert result.reason == "stopped"
    assert len(result.history) == 5
    np.testing.assert_array_equal(result.parameters, seen[-1])


@layouts
@pytest.mark.parametrize("local_steps", [1, 10**6])
def test_max_time_ends_a_run_within_a_round(
    layout: dict[str, int], local_steps: int
) -> None:
    plan = Plan(total_steps=10**6, local_steps=local_steps, max_time=0.3, **layout)
    result = count(plan, before_step=lambda t: time.sleep(0.001))
    assert result.reason == "max_time"
    counters = result.counters
    # Every step that was done was also merged.
    assert counters.merged == result.parameters[-1] <= counters.steps_reserved
    assert 0 < counters.merged < 10**6


@layouts
@pytest.mark.parametrize("additive", [True, False])
def test_an_error_in_a_thread_is_raised_and_all_threads_end(
    layout: dict[str, int], additive: bool
) -> None:
    def fail(t: int) -> None:
        if t == 40:
            raise ZeroDivisionError("step 40")

    before = threading.active_count()
    plan = Plan(total_steps=100_000, local_steps=4, **layout)
    with pytest.raises(ZeroDivisionError, match="step 40"):
        count(plan, before_step=fail, additive=additive)
    assert threading.active_count() == before


@layouts
def test_an_error_in_the_monitor_is_raised_and_all_threads_end(
    layout: dict[str, int],
) -> None:
    def monitor(progress: Progress) -> None:
        raise ZeroDivisionError("monitor")

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError, match="monitor"):
        count(Plan(total_steps=100_000, **layout), monitor)
    assert threading.active_count() == before


@layouts
@pytest.mark.parametrize("additive", [True, False])
def test_ctrl_c_returns_the_result_so_far(
    layout: dict[str, int], additive: bool
) -> None:
    def press(t: int) -> None:
        time.sleep(0.001)
        if t == 50:
            _thread.interrupt_main()

    before = threading.active_count()
    plan = Plan(total_steps=10**6, local_steps=3000, **layout)
    result = count(plan, before_step=press, additive=additive)
    assert result.reason == "interrupted"
    # The rounds cut short are in: each step done is merged, once.
    done = result.counters.steps_merged
    assert 50 <= done < 2000
    assert result.counters.accepted == result.counters.merged == done
    assert result.parameters[:-1].sum() == result.parameters[-1] == done
    assert set(result.parameters[:-1]) == {0.0, 1.0}
    assert threading.active_count() == before


@layouts
def test_a_second_ctrl_c_raises(layout: dict[str, int]) -> None:
    pressed = []

    def press(t: int) -> None:
        if t >= 10 and not pressed:
            pressed.append(t)
            for _ in range(2):
                _thread.interrupt_main()
                time.sleep(0.3)

    before = threading.active_count()
    plan = Plan(total_steps=10**6, local_steps=1000, **layout)
    with pytest.raises(KeyboardInterrupt):
        count(plan, before_step=press)
    assert threading.active_count() == before


INTERRUPTED = """
import sys, threading
import numpy as np
from dpsvi.engine import Plan, run
from toy_problems import LeastSquares, make_rows

def monitor(progress):
    if progress.version == 3:
        sys.stdout.write("ready\\n")
        sys.stdout.flush()

n_workers, n_threads = map(int, sys.argv[1:])
plan = Plan(
    total_steps=10**9, n_workers=n_workers, n_threads=n_threads, local_steps=10
)
shard = make_rows()[:2]
result = run(LeastSquares(), [shard] * n_workers, plan, monitor=monitor)
finite = np.isfinite(result.parameters).all()
sys.stdout.write(f"{result.reason} {threading.active_count()} {finite}\\n")
"""


@layouts
def test_a_real_ctrl_c(
    press_ctrl_c: Callable[..., list[str]], layout: dict[str, int]
) -> None:
    printed = press_ctrl_c(INTERRUPTED, *layout.values(), cwd=Path(__file__).parent)
    assert printed == ["interrupted 1 True"]
