"""Workers cut off in the middle of a push, started again, restarted, taken away."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gates
import numpy as np
import pytest
from processes import Processes, memory
from test_faults import assert_adds_up
from toy_problems import Array, Counting, LocalCounting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask
from dpsvi.engine.problem import Update

BALLAST = 300 * 2**20


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.close()


@dataclass
class Heavy(Counting):
    """One of the pushes is large."""

    heavy_step: int = -1

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> LocalCounting:
        return LocalHeavy(n_threads, self.before_step, self.heavy_step)

    def merge(
        self, parameters: Array, payloads: Sequence[Any], rates: Sequence[float]
    ) -> Array:
        return super().merge(parameters, [counts for counts, _ in payloads], rates)


class LocalHeavy(LocalCounting):
    def __init__(self, n_threads: int, before_step: Any, heavy_step: int) -> None:
        super().__init__(n_threads, before_step)
        self.heavy_step = heavy_step

    def update(self) -> Update:
        update = super().update()
        is_heavy = any(self.heavy_step in steps for steps in self.taken)
        ballast = np.ones(BALLAST if is_heavy else 0, np.uint8)
        return replace(update, payload=(update.payload, ballast))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_a_worker_killed_in_a_push(
    processes: Processes, in_background: Any, tmp_path: Path
) -> None:
    gate = gates.Gate(tmp_path, 9)
    plan = Plan(total_steps=60, n_workers=2, local_steps=3, master_batch_size=1)
    problem = Heavy(60, before_step=gate, heavy_step=9)
    scheduler = processes.scheduler()
    for _ in range(2):
        processes.worker("--no-nanny")
    with processes.client(2) as client:
        running = in_background(run, problem, [None] * 2, plan, backend=Dask(client))
        worker = gate.reached()
        before = memory(scheduler.pid)
        gate.open()
        gates.wait_until(lambda: memory(scheduler.pid) > before + BALLAST // 4)
        # A part of the push has come; the rest never will.
        scheduler.send_signal(signal.SIGSTOP)
        arrived = memory(scheduler.pid) - before
        os.kill(worker, signal.SIGKILL)
        scheduler.send_signal(signal.SIGCONT)
        result = running.result(60)
        assert arrived < BALLAST
        gates.wait_until(lambda: memory(scheduler.pid) < before + BALLAST // 8)
    assert result.reason == "completed"
    assert result.parameters[9] == 0
    assert result.counters.merged == 57
    assert_adds_up(result, 3)


def test_a_nanny_starts_another_worker(
    processes: Processes, in_background: Any, tmp_path: Path
) -> None:
    gate = gates.Gate(tmp_path, 9)
    plan = Plan(total_steps=60, local_steps=3)
    problem = Counting(60, before_step=gate)
    processes.scheduler()
    nanny = processes.worker("--nanny")
    with processes.client(1) as client:
        running = in_background(run, problem, [None], plan, backend=Dask(client))
        worker = gate.reached()
        assert worker != nanny.pid
        os.kill(worker, signal.SIGKILL)
        result = running.result(60)
        events = [event for _, event in client.get_events("dpsvi")]
    first, second = [e["worker"] for e in events if e["event"] == "join"]
    assert first != second
    assert [e["worker"] for e in events if e["event"] == "lost"] == [first]
    assert result.reason == "completed"
    assert result.counters.merged == 57
    assert_adds_up(result, 3)


def test_a_client_that_restarts_the_cluster(
    small_cluster: Any, in_background: Any, tmp_path: Path
) -> None:
    client = small_cluster(2)
    trace = gates.Trace(tmp_path)
    plan = Plan(total_steps=400, n_workers=2, local_steps=2, master_batch_size=1)
    problem = Counting(400, before_step=trace)
    running = in_background(run, problem, [None] * 2, plan, backend=Dask(client))
    gates.wait_until(lambda: len(trace.pids()) == 2)
    client.restart()
    result = running.result(60)
    assert result.reason == "completed"
    assert len(trace.pids()) > 2
    assert_adds_up(result, 4)


@dataclass(frozen=True)
class Wait:
    """Somebody else's work."""

    until: Path

    def __call__(self, number: int) -> None:
        gates.wait_until(self.until.exists)


def test_a_cluster_that_grows_on_demand(in_background: Any, tmp_path: Path) -> None:
    from distributed import Client, LocalCluster

    trace = gates.Trace(tmp_path)
    plan = Plan(total_steps=10**5, n_workers=2, master_batch_size=1)
    options: Any = {"threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        LocalCluster(n_workers=0, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        cluster.adapt(
            minimum=0,
            maximum=2,
            interval="100ms",
            target_duration="50ms",
            wait_count=40,
        )
        running = in_background(
            run,
            Counting(10**5, before_step=trace),
            *([None] * 2, plan),
            backend=Dask(client),
            monitor=lambda progress: (tmp_path / "enough").exists(),
        )
        gates.wait_until(trace.pids, "the first worker")
        assert len(client.has_what()) == 1
        # Somebody else has work, and a worker is added for it. It is kept for ours.
        other = client.map(Wait(tmp_path / "two"), range(10), pure=False)
        gates.wait_until(lambda: len(client.has_what()) == 2, "the second worker")
        (tmp_path / "two").touch()
        client.gather(other)

        def looked(dask_scheduler: Any) -> Any:
            spare = dask_scheduler.workers_to_close(n=2)
            busy = [len(w.long_running) for w in dask_scheduler.workers.values()]
            return busy == [1, 1] and not spare

        gates.wait_until(lambda: client.run_on_scheduler(looked), "two loops")
        (tmp_path / "enough").touch()
        result = running.result(60)
    assert result.reason == "stopped"
    counters = result.counters
    assert counters.accepted == counters.merged + counters.pending
    assert result.parameters[-1] == counters.merged
