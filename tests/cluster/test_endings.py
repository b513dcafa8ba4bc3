"""What goes wrong when a run is nearly over, or has hardly begun."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gates
import pytest
from processes import Processes
from toy_problems import Counting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask, fleet, handle
from dpsvi.engine.backends.dask.preflight import Roll


@dataclass(frozen=True)
class Late(gates.Gate):
    """Goes wrong once the gate is open."""

    def __call__(self, t: int) -> None:
        super().__call__(t)
        if t == self.step:
            raise ArithmeticError(f"step {t} went wrong")


@pytest.mark.parametrize("n_workers", [1, 2])
def test_an_error_in_the_last_round_comes_home(
    cluster_client: Any, n_workers: int
) -> None:
    # All steps are handed out by then, and all other loops may have ended.
    plan = Plan(total_steps=30, n_workers=n_workers, master_batch_size=1)
    problem = Counting(30, before_step=gates.Raise(29))
    with pytest.raises(ArithmeticError, match="step 29 went wrong"):
        run(problem, [None] * n_workers, plan, backend=Dask(cluster_client))


def test_an_error_after_the_end_is_told(cluster_client: Any, tmp_path: Path) -> None:
    gate = Late(tmp_path, 4)
    plan = Plan(total_steps=10**4, n_workers=2, master_batch_size=1)

    def monitor(progress: Any) -> bool:
        if (tmp_path / "reached").exists():
            gate.open()
        return (tmp_path / "open").exists()

    # The model so far is not thrown away.
    with pytest.warns(RuntimeWarning, match="run was ending, .*step 4 went wrong"):
        result = run(
            Counting(10**4, before_step=gate),
            *([None] * 2, plan),
            backend=Dask(cluster_client),
            monitor=monitor,
        )
    assert result.reason == "stopped"
    assert result.parameters[4] == 0
    assert result.parameters[-1] == result.counters.merged > 0


def test_a_worker_that_cannot_be_reached_is_left_alone(
    small_cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = small_cluster(2)
    monkeypatch.setattr(fleet, "_DELIVERY", 0.5)
    monkeypatch.setattr(fleet, "_REST", 0.0)
    check = Roll.check
    silent = max(client.run(os.getpid).values())

    def check_and_stop(roll: Roll) -> None:
        check(roll)
        os.kill(silent, signal.SIGSTOP)

    monkeypatch.setattr(Roll, "check", check_and_stop)
    trace = gates.Trace(tmp_path, 0.0)
    plan = Plan(total_steps=40, n_workers=2)
    try:
        problem = Counting(40, before_step=trace)
        result = run(problem, [None] * 2, plan, backend=Dask(client))
    finally:
        os.kill(silent, signal.SIGCONT)
    assert result.reason == "completed"
    assert result.parameters.tolist() == [1.0] * 40 + [40.0]
    assert len(trace.pids()) == 1
    assert silent not in trace.pids()


def test_a_scheduler_that_does_not_answer_is_named(
    in_background: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes = Processes(tmp_path)
    versions: list[int] = []
    try:
        scheduler = processes.scheduler()
        processes.worker("--no-nanny")
        with processes.client(1) as client:
            running = in_background(
                run,
                Counting(10**5, before_step=gates.Trace(tmp_path)),
                *([None], Plan(total_steps=10**5)),
                backend=Dask(client),
                monitor=lambda progress: versions.append(progress.version),
            )
            gates.wait_until(lambda: versions, "the first version")
            monkeypatch.setattr(handle, "_LONGEST_CALL", 1.0)
            monkeypatch.setattr(handle, "_GOODBYE", 0.2)
            monkeypatch.setattr(fleet, "_CANCEL", 0.2)
            # Later calls know of it.
            seen = versions[-1]
            gates.wait_until(lambda: versions[-1] > seen + 100 or running.done())
            scheduler.send_signal(signal.SIGSTOP)
            try:
                error = running.exception(30)
            finally:
                scheduler.send_signal(signal.SIGCONT)
    finally:
        processes.close()
    assert isinstance(error, RuntimeError)
    assert "the connection to the scheduler at tcp://127.0.0.1" in str(error)
