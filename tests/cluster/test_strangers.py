"""Processes that cannot take part: no `dpsvi`, another version, or no answer."""

from __future__ import annotations

import os
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gates
import pytest
from processes import Processes
from toy_problems import Counting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask, preflight

# Loaded by Python itself at its start.
BLOCK = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "dpsvi":
            raise ModuleNotFoundError("No module named 'dpsvi'", name="dpsvi")

sys.meta_path.insert(0, Blocked())
"""
METADATA = "Metadata-Version: 2.1\nName: dpsvi\nVersion: 0.0.1\n"


def without(folder: Path) -> Path:
    """A folder that keeps `dpsvi` from those that have it on their path."""
    made = folder / "without"
    made.mkdir()
    (made / "sitecustomize.py").write_text(BLOCK)
    return made


def other_version(folder: Path) -> Path:
    """A folder in which `dpsvi` has another version."""
    made = folder / "other"
    (made / "dpsvi-0.0.1.dist-info").mkdir(parents=True)
    (made / "dpsvi-0.0.1.dist-info" / "METADATA").write_text(METADATA)
    return made


STRANGERS = pytest.mark.parametrize(
    ("make", "words"),
    [
        (without, r"cannot load dpsvi \(.*No module.*install dpsvi=="),
        (other_version, r"has dpsvi 0\.0\.1, this process has .*one version everywh"),
    ],
)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path)
    yield made
    made.close()


@STRANGERS
def test_a_worker_that_is_a_stranger(
    processes: Processes, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    first = [make(tmp_path)]
    trace = gates.Trace(tmp_path)
    plan = Plan(total_steps=10**5, n_workers=2, master_batch_size=1)
    problem = Counting(10**5, before_step=trace)
    processes.scheduler()
    processes.worker("--no-nanny")
    with processes.client(1) as client:
        backend = Dask(client)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")

            def monitor(progress: Any) -> bool:
                if progress.version == 1:
                    processes.worker("--no-nanny", first=first)
                return len(warned) > 0

            # It joins, and the run goes on without it.
            run(problem, [None] * 2, plan, backend=backend, monitor=monitor)
        assert len(trace.pids()) == 1
        # It is there, and the first round does not begin.
        with pytest.raises(RuntimeError, match="the worker at tcp://127.*" + words):
            run(Counting(9), [None], Plan(total_steps=9), backend=backend)
        opened = [e for _, e in client.get_events("dpsvi") if e["event"] == "open"]
    assert len(opened) == 1
    [warning] = warned
    assert "not used: the worker at tcp://127" in str(warning.message)
    assert re.search(words, str(warning.message))


@STRANGERS
def test_a_scheduler_that_is_a_stranger(
    processes: Processes, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    trace = gates.Trace(tmp_path, 0.0)
    processes.scheduler(first=[make(tmp_path)])
    processes.worker("--no-nanny")
    problem = Counting(9, before_step=trace)
    with (
        processes.client(1) as client,
        pytest.raises(RuntimeError, match="the scheduler at tcp://127.*" + words),
    ):
        run(problem, [None], Plan(total_steps=9), backend=Dask(client))
    assert not trace.pids()


def test_a_worker_that_does_not_answer(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_ANSWER", 0.5)
    trace = gates.Trace(tmp_path, 0.0)
    processes.scheduler()
    worker = processes.worker("--no-nanny")
    with processes.client(1) as client:
        worker.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(RuntimeError, match=r"at tcp://127.*not answered for"):
                run(
                    *(Counting(9, before_step=trace), [None], Plan(total_steps=9)),
                    backend=Dask(client),
                )
        finally:
            os.kill(worker.pid, signal.SIGCONT)
    assert not trace.pids()
