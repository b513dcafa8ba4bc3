"""Faults of real processes; after each the data must still add up."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import gates
import pytest
from toy_problems import Counting

from dpsvi.engine import Plan, Result, run
from dpsvi.engine.backends.dask import Dask


def assert_adds_up(result: Result, most_lost: int) -> None:
    """What was accepted is in the parameters, once; what is lost is few rounds."""
    counters = result.counters
    assert counters.pending == 0
    assert counters.accepted == counters.merged == result.parameters[-1]
    assert sorted(set(result.parameters[:-1])) in ([0.0, 1.0], [1.0])
    assert result.parameters[:-1].sum() == counters.merged
    lost = counters.steps_reserved - counters.steps_merged
    assert 0 <= lost <= most_lost


def test_a_worker_killed_in_a_round(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    client = small_cluster(2)
    gate = gates.Gate(tmp_path, 9)
    plan = Plan(total_steps=60, n_workers=2, local_steps=3, master_batch_size=1)
    problem = Counting(60, before_step=gate)
    running = in_background(run, problem, [None] * 2, plan, backend=Dask(client))
    os.kill(gate.reached(), signal.SIGKILL)
    result = running.result(60)
    assert result.reason == "completed"
    assert result.counters.steps_reserved == 60
    assert_adds_up(result, 3)
    assert result.counters.merged < 60


def test_the_only_worker_killed(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    # Its nanny starts another, at a new address, and the shard goes there.
    client = small_cluster(1)
    gate = gates.Gate(tmp_path, 9)
    plan = Plan(total_steps=60, local_steps=3)
    problem = Counting(60, before_step=gate)
    running = in_background(run, problem, [None], plan, backend=Dask(client))
    os.kill(gate.reached(), signal.SIGKILL)
    result = running.result(60)
    assert result.reason == "completed"
    assert_adds_up(result, 3)
    assert result.counters.merged == 57


def test_all_workers_killed_at_once(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    client = small_cluster(3)
    trace = gates.Trace(tmp_path)
    plan = Plan(total_steps=500, n_workers=3, local_steps=2, master_batch_size=1)
    problem = Counting(500, before_step=trace)
    running = in_background(run, problem, [None] * 3, plan, backend=Dask(client))
    gates.wait_until(lambda: len(trace.pids()) == 3)
    for pid in trace.pids():
        os.kill(pid, signal.SIGKILL)
    result = running.result(60)
    assert result.reason == "completed"
    assert_adds_up(result, 6)
    assert len(trace.pids()) > 3


def test_a_worker_that_joins_takes_part(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    client = small_cluster(1)
    trace = gates.Trace(tmp_path)
    plan = Plan(total_steps=10**5, n_workers=2, master_batch_size=1)
    running = in_background(
        run,
        Counting(10**5, before_step=trace),
        [None] * 2,
        plan,
        backend=Dask(client),
        monitor=lambda progress: len(trace.pids()) == 2,
    )
    gates.wait_until(trace.pids)
    client.cluster.scale(2)
    result = running.result(60)
    assert result.reason == "stopped"
    assert len(trace.pids()) == 2
    # No more is known of what was under way when it was stopped.
    assert result.counters.accepted == (
        result.counters.merged + result.counters.pending
    )


def test_a_worker_that_retires(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    client = small_cluster(2)
    trace = gates.Trace(tmp_path)
    plan = Plan(total_steps=400, n_workers=2, local_steps=2, master_batch_size=1)
    problem = Counting(400, before_step=trace)
    running = in_background(run, problem, [None] * 2, plan, backend=Dask(client))
    gates.wait_until(lambda: len(trace.pids()) == 2)
    address = next(iter(client.scheduler_info(n_workers=-1)["workers"]))
    client.retire_workers([address])
    result = running.result(60)
    assert result.reason == "completed"
    assert_adds_up(result, 2)


def test_a_slow_worker_holds_nobody_up(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    # One worker stands still for the whole run.
    client = small_cluster(2)
    gate = gates.Gate(tmp_path, 4)
    plan = Plan(total_steps=50, n_workers=2, master_batch_size=1)
    seen: list[int] = []

    def monitor(progress: Any) -> None:
        seen.append(progress.steps)
        if progress.steps == 49:
            gate.open()

    problem = Counting(50, before_step=gate)
    result = in_background(
        run, problem, [None] * 2, plan, backend=Dask(client), monitor=monitor
    ).result(60)
    assert seen[-2:] == [49, 50]
    assert result.history["staleness_max"][-1] >= 40
    assert_adds_up(result, 0)


@pytest.mark.parametrize("bound", [0, 5])
def test_what_is_too_stale_is_dropped(
    small_cluster: Any, in_background: Any, tmp_path: Path, bound: int
) -> None:
    client = small_cluster(2)
    gate = gates.Gate(tmp_path, 4)
    plan = Plan(total_steps=50, n_workers=2, master_batch_size=1, max_staleness=bound)

    def monitor(progress: Any) -> None:
        if progress.version > 20:
            gate.open()

    problem = Counting(50, before_step=gate)
    result = in_background(
        run, problem, [None] * 2, plan, backend=Dask(client), monitor=monitor
    ).result(60)
    assert result.counters.too_stale >= 1
    assert result.parameters[4] == 0.0
    assert result.history["staleness_max"].max() <= bound
    counters = result.counters
    assert counters.merged + counters.dropped == 50
