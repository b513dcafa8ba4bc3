"""Schedulers, workers and clients as processes of their own, and their deaths."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gates
import pytest
from processes import PATHS, Processes

SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = {paths!r}
import gates
from distributed import Client
from toy_problems import Counting
from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask

with Client(scheduler_file={file!r}) as client:
    client.wait_for_workers(2, timeout=100)
    problem = Counting(10**6, before_step=gates.Trace(Path({folder!r})))
    plan = Plan(
        total_steps=10**6, n_workers=2, local_steps={steps}, master_batch_size=1
    )
    result = run(problem, [None] * 2, plan, backend=Dask(client))
    print(result.reason, result.parameters[-1] == result.counters.merged > 0)
"""


class Cluster(Processes):
    """A scheduler and two workers, each a process, and a client that fits for ever."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.trace = gates.Trace(folder)
        self.scripts: list[subprocess.Popen[str]] = []
        self.master = self.scheduler()
        for _ in range(2):
            self.worker("--no-nanny")

    def script(self, local_steps: int = 1) -> subprocess.Popen[str]:
        """Start the client; returns when both workers are at it."""
        text = SCRIPT.format(
            paths=[str(path) for path in PATHS],
            file=str(self.file),
            folder=str(self.folder),
            steps=local_steps,
        )
        process = subprocess.Popen(
            [sys.executable, "-c", text],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.scripts.append(process)
        gates.wait_until(lambda: self._both_work(process), "two workers")
        return process

    def _both_work(self, script: subprocess.Popen[str]) -> bool:
        if script.poll() is not None:
            raise AssertionError(f"the client has ended: {script.communicate()}")
        return len(self.trace.pids()) == 2

    def close(self) -> None:
        for process in self.scripts:
            process.kill()
            process.communicate()
        super().close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


def test_ctrl_c_keeps_the_model_so_far(cluster: Cluster) -> None:
    script = cluster.script()
    script.send_signal(signal.SIGINT)
    out, err = script.communicate(timeout=60)
    assert out.split() == ["interrupted", "True"], err
    assert script.returncode == 0
    with cluster.client() as client:
        gates.wait_until(lambda: not any(client.processing().values()))


def test_ctrl_c_in_a_long_round_keeps_what_was_done(cluster: Cluster) -> None:
    script = cluster.script(local_steps=10**5)
    script.send_signal(signal.SIGINT)
    out, err = script.communicate(timeout=60)
    assert out.split() == ["interrupted", "True"], err


def test_a_killed_client_frees_the_cluster(cluster: Cluster) -> None:
    script = cluster.script()
    with cluster.client() as client:
        assert any(client.processing().values())
        script.kill()
        script.communicate()

        def sessions(dask_scheduler: Any) -> int:
            return len(dask_scheduler.plugins["dpsvi-master-1"]._sessions)

        gates.wait_until(lambda: client.run_on_scheduler(sessions) == 0)
        gates.wait_until(lambda: not any(client.processing().values()))
        # The loops themselves end, and with them their threads.
        busy = "dpsvi-"

        def loops() -> list[str]:
            import threading

            return [t.name for t in threading.enumerate() if t.name.startswith(busy)]

        gates.wait_until(lambda: not any(client.run(loops).values()))


def test_a_killed_scheduler_is_named(cluster: Cluster) -> None:
    script = cluster.script()
    cluster.master.kill()
    _, err = script.communicate(timeout=90)
    assert script.returncode != 0
    assert "RuntimeError: the connection to the scheduler at tcp://127.0.0.1" in err
    assert "is lost, and with it the run" in err
