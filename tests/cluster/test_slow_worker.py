"""A worker that is ten times slower than the other, or that starts late."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gates
import pytest
from toy_problems import Counting, LocalCounting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask, session

TOTAL, FACTOR = 220, 10


@dataclass
class Uneven(Counting):
    """While the loop of shard "slow" does one step, the other one does ten."""

    folder: Path = Path()

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> LocalCounting:
        # Both are there before the first step.
        (self.folder / f"{shard}.there").touch()
        gates.wait_until(lambda: len(list(self.folder.glob("*.there"))) == 2)
        note = self.folder / "steps of the fast"
        return LocalCounting(n_threads, Slow(note) if shard == "slow" else Fast(note))


class Fast:
    def __init__(self, note: Path) -> None:
        self.note = note

    def __call__(self, t: int) -> None:
        with self.note.open("ab") as note:
            note.write(b".")


class Slow:
    def __init__(self, note: Path) -> None:
        self.note = note
        self.n_steps = 0

    def __call__(self, t: int) -> None:
        self.n_steps += 1
        begun = self._others()
        # There may be fewer left for the other to do.
        until = min(begun + FACTOR, TOTAL - self.n_steps)
        gates.wait_until(lambda: self._others() >= until, "the fast worker")

    def _others(self) -> int:
        return os.path.getsize(self.note) if self.note.exists() else 0


@pytest.mark.parametrize("bound", [None, 5])
def test_a_slow_worker(cluster_client: Any, tmp_path: Path, bound: int | None) -> None:
    plan = Plan(
        total_steps=TOTAL,
        n_workers=2,
        master_batch_size=1,
        max_staleness=bound,
        keep_log=True,
    )
    problem = Uneven(TOTAL, folder=tmp_path)
    result = run(problem, ["fast", "slow"], plan, backend=Dask(cluster_client))
    counters = result.counters
    pushes = Counter(arrival.worker for arrival in result.log)
    assert sum(pushes.values()) == TOTAL
    # Nobody is held up: the fast one makes ten pushes for each of the slow one.
    assert pushes[0] >= FACTOR * (pushes[1] - 1)
    assert pushes[1] > 1
    assert counters.pending == 0
    assert counters.accepted == counters.merged == result.parameters[-1]
    assert counters.merged + counters.dropped == TOTAL
    assert result.parameters[:-1].sum() == counters.merged
    worst = result.history["staleness_max"].max()
    if bound is None:
        assert counters.dropped == 0
        assert worst >= FACTOR - 1
    else:
        assert counters.too_stale >= pushes[1] - 1
        assert worst <= bound


@dataclass
class Late(Counting):
    """The worker of shard "late" is ready once the other is, or has made a step."""

    folder: Path = Path()
    after: str = "ready"

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> LocalCounting:
        if shard == "late":
            gates.wait_until((self.folder / self.after).exists, "the other worker")
            # All steps would be over by then.
            time.sleep(0.5)
            return LocalCounting(n_threads, None)
        (self.folder / "ready").touch()
        return LocalCounting(n_threads, lambda t: (self.folder / "step").touch())


def test_nobody_begins_before_all_are_ready(
    cluster_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The scheduler runs in this process, and this machine may be slow.
    monkeypatch.setattr(session, "_MUSTER", gates.PATIENCE)
    plan = Plan(total_steps=20, n_workers=2, master_batch_size=1, keep_log=True)
    problem = Late(20, folder=tmp_path)
    result = run(problem, ["early", "late"], plan, backend=Dask(cluster_client))
    assert {arrival.worker for arrival in result.log} == {0, 1}


def test_who_does_not_come_holds_nobody_up(
    cluster_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_MUSTER", 0.1)
    plan = Plan(total_steps=20, n_workers=2, master_batch_size=1, keep_log=True)
    problem = Late(20, folder=tmp_path, after="step")
    result = run(problem, ["early", "late"], plan, backend=Dask(cluster_client))
    assert result.parameters[:-1].tolist() == [1.0] * 20
