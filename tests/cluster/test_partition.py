"""A worker that the network cuts off, and that comes back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gates
import pytest
from processes import Processes
from toy_problems import Counting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask
from dpsvi.engine.backends.dask.host import HOST_NAME

MARK = "DPSVI_TEST_HELD"
# Names of devices are short, and other tests may run on this machine.
NUMBER = os.getpid() % 250
SPACE, BRIDGE, PORT, END = (f"dpsvi{name}{NUMBER}" for name in ("", "b", "p", "e"))
HERE, THERE = f"10.213.{NUMBER}.1", f"10.213.{NUMBER}.2"


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def has_namespaces() -> bool:
    """Whether networks can be made here: it takes Linux, iproute2 and root."""
    if shutil.which("ip") is None:
        return False
    try:
        ip(f"netns add {SPACE}")
        ip(f"netns del {SPACE}")
    except subprocess.CalledProcessError:
        return False
    return True


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not has_namespaces(),
        reason="`ip netns add` does not work here: it needs Linux, iproute2 and root",
    ),
]


@pytest.fixture
def network() -> Iterator[None]:
    """A bridge here, and a network namespace that has a cable to it."""
    try:
        ip(f"netns add {SPACE}")
        ip(f"link add {BRIDGE} type bridge")
        ip(f"addr add {HERE}/24 dev {BRIDGE}")
        ip(f"link set {BRIDGE} up")
        ip(f"link add {PORT} type veth peer name {END} netns {SPACE}")
        ip(f"link set {PORT} master {BRIDGE} up")
        ip(f"-n {SPACE} addr add {THERE}/24 dev {END}")
        ip(f"-n {SPACE} link set {END} up")
        ip(f"-n {SPACE} link set lo up")
        yield
    finally:
        for command in (f"netns del {SPACE}", f"link del {BRIDGE}"):
            subprocess.run(["ip", *command.split()], capture_output=True)


@pytest.fixture
def processes(network: None, tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path, HERE)
    yield made
    made.close()


@dataclass(frozen=True)
class Held(gates.Gate):
    """Holds up a process that is marked; others take their time."""

    def __call__(self, t: int) -> None:
        if MARK not in os.environ:
            gates.Trace(self.folder)(t)
        elif not (self.folder / "open").exists():
            (self.folder / "step").write_text(str(t))
            gates.Gate(self.folder, t)(t)


def refused(dask_scheduler: Any) -> bool:
    sessions = dask_scheduler.plugins[HOST_NAME]._sessions.values()
    return any(session.master.counters.dropped for session in sessions)


def test_a_worker_that_is_cut_off(
    processes: Processes, in_background: Any, tmp_path: Path
) -> None:
    settings = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s"}
    processes.scheduler(settings=settings)
    processes.worker("--no-nanny", host=HERE, settings=settings)
    cut_off = processes.worker(
        "--no-nanny",
        host=THERE,
        before=["ip", "netns", "exec", SPACE],
        settings={**settings, MARK: "1"},
    )
    gate = Held(tmp_path, -1)
    versions = [0]

    def monitor(progress: Any) -> bool:
        versions.append(progress.version)
        return (tmp_path / "enough").exists()

    plan = Plan(total_steps=10**5, n_workers=2, master_batch_size=1)
    with processes.client(2) as client:
        running = in_background(
            run,
            Counting(10**5, before_step=gate),
            *([None] * 2, plan),
            backend=Dask(client),
            monitor=monitor,
        )
        gate.reached()
        step = int((tmp_path / "step").read_text())
        ip(f"link set {PORT} down")
        seen = versions[-1]
        # Nobody knows yet, and nobody is held up.
        gates.wait_until(lambda: versions[-1] > seen + 20)
        assert len(client.scheduler_info(n_workers=-1)["workers"]) == 2

        def joined() -> list[str]:
            events = [event for _, event in client.get_events("dpsvi")]
            return [event["worker"] for event in events if event["event"] == "join"]

        gates.wait_until(lambda: len(joined()) == 3, "its data to be taken over")
        ip(f"link set {PORT} up")
        gate.open()
        gates.wait_until(
            lambda: cut_off.poll() is not None or client.run_on_scheduler(refused),
            "the worker to end, or to push once more",
        )
        (tmp_path / "enough").touch()
        result = running.result(60)
    assert result.reason == "stopped"
    # What it did meanwhile is in the parameters neither then nor later.
    assert result.parameters[step] == 0
    assert result.parameters[:-1].max() == 1
    counters = result.counters
    assert counters.accepted == counters.merged + counters.pending
    assert counters.merged == result.parameters[-1] == result.parameters[:-1].sum()
