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

FOLDER = Path(__file__).parent
QUIET = ["--no-dashboard", "--host", "127.0.0.1"]

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
    client.wait_for_workers(2, timeout=60)
    problem = Counting(10**6, before_step=gates.Trace(Path({folder!r})))
    plan = Plan(
        total_steps=10**6, n_workers=2, local_steps={steps}, master_batch_size=1
    )
    result = run(problem, [None] * 2, plan, backend=Dask(client))
    print(result.reason, result.parameters[-1] == result.counters.merged > 0)
"""


class Cluster:
    """A scheduler and two workers, each a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.trace = gates.Trace(folder)
        self.processes: list[subprocess.Popen[str]] = []
        self.scheduler = self.start(
            *("dask_scheduler", "--port", "0", "--scheduler-file", str(self.file)),
            *QUIET,
        )
        gates.wait_until(self.file.exists, "the scheduler")
        for _ in range(2):
            self.start(
                *("dask_worker", "--scheduler-file", str(self.file)),
                *("--nthreads", "1", "--no-nanny", *QUIET),
            )

    def start(self, module: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        return self._popen(command)

    def script(self, local_steps: int = 1) -> subprocess.Popen[str]:
        """A client that fits for ever; returns when both workers are at it."""
        tests = FOLDER.parent
        text = SCRIPT.format(
            paths=[str(FOLDER), str(tests / "engine")],
            file=str(self.file),
            folder=str(self.folder),
            steps=local_steps,
        )
        process = self._popen([sys.executable, "-c", text])
        gates.wait_until(lambda: len(self.trace.pids()) == 2, "two workers")
        return process

    def _popen(self, command: list[str]) -> subprocess.Popen[str]:
        tests = FOLDER.parent
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Workers load the problems from here.
            env={"PYTHONPATH": f"{FOLDER}:{tests / 'engine'}", "PATH": "/usr/bin:/bin"},
            cwd="/",
        )
        self.processes.append(process)
        return process

    def client(self) -> Any:
        from distributed import Client

        return Client(scheduler_file=str(self.file), set_as_default=False)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


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
    cluster.scheduler.kill()
    _, err = script.communicate(timeout=90)
    assert script.returncode != 0
    assert "RuntimeError: the connection to the scheduler at tcp://127.0.0.1" in err
    assert "is lost, and with it the run" in err
