"""A worker by itself, and what `run` asks of its arguments."""

from __future__ import annotations

import numpy as np
import pytest
from toy_problems import Counting, LocalCounting

from dpsvi.engine import (
    LocalProblem,
    Master,
    Plan,
    Problem,
    Push,
    Receipt,
    Recorder,
    Snapshot,
    ThreadTeam,
    Update,
    Worker,
    run,
    work,
)
from dpsvi.engine.progress import Reason
from dpsvi.engine.worker import finish


def make_worker(team: ThreadTeam) -> Worker:
    return Worker("me", LocalCounting(1, None), team, round_steps=3, incarnation="x")


def test_a_round_turns_a_snapshot_into_a_push() -> None:
    with ThreadTeam(1) as team:
        worker = make_worker(team)
        for sequence in range(2):
            assert worker.load(Snapshot(np.zeros(8), 4, range(2, 5)))
            push = worker.round()
            assert push is not None
            assert (push.worker, push.incarnation, push.sequence) == (
                "me",
                "x",
                sequence,
            )
            assert (push.based_on, push.steps) == (4, range(2, 5))
            assert push.update.payload.tolist() == [0, 0, 1, 1, 1, 0, 0, 3]


def test_a_shared_round_has_nothing_to_merge() -> None:
    parameters = np.zeros(8)
    with ThreadTeam(1) as team:
        worker = make_worker(team)
        worker.load(Snapshot(parameters, 0, range(2), shared=True))
        push = worker.round()
    assert push is not None
    assert push.update.payload is None
    assert push.update.amount == 2.0
    assert parameters.tolist() == [1, 1, 0, 0, 0, 0, 0, 2]


def test_a_round_needs_a_snapshot_with_steps() -> None:
    with ThreadTeam(1) as team:
        worker = make_worker(team)
        assert not worker.load(Snapshot(np.zeros(8), 0, range(3, 3)))
        with pytest.raises(RuntimeError, match="call load first"):
            worker.round()


def test_a_stopped_team_gives_no_push() -> None:
    with ThreadTeam(1) as team:
        worker = make_worker(team)
        team.stop()
        worker.load(Snapshot(np.zeros(8), 0, range(3)))
        assert worker.round() is None


class Endless:
    """A master that answers each push with the next status."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses)
        self.sequences: list[int] = []

    def pull(self, worker: Worker) -> bool:
        return worker.load(Snapshot(np.zeros(8), 0, range(3)))

    def push(self, push: Push) -> Receipt:
        self.sequences.append(push.sequence)
        return Receipt(self.statuses.pop(0), 0, 0)  # type: ignore[arg-type]


def test_a_worker_goes_on_until_the_master_says_stop() -> None:
    exchange = Endless("accepted", "too_stale", "duplicate", "stopped")
    with ThreadTeam(1) as team:
        work(make_worker(team), exchange, halted=lambda: False)
    assert exchange.sequences == [0, 1, 2, 3]


def test_a_worker_goes_on_until_halted() -> None:
    exchange = Endless(*["accepted"] * 9)
    with ThreadTeam(1) as team:
        work(make_worker(team), exchange, lambda: len(exchange.sequences) == 5)
    assert exchange.sequences == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("reason", "merged"),
    [(None, 5.0), ("max_time", 5.0), ("interrupted", 5.0), ("stopped", 0.0)],
)
def test_what_is_pending_is_merged_unless_the_monitor_stopped(
    reason: Reason | None, merged: float
) -> None:
    master = Master(Counting(1), np.zeros(2), Plan(total_steps=1, master_batch_size=2))
    recorder = Recorder(lambda: 0.0)
    master.receive(Push(0, "a", 0, Update(np.ones(2), 5.0), 0, range(1)))
    if reason is not None:
        recorder.stop(reason)
    finish(master, recorder)
    assert master.counters.merged == merged
    assert master.counters.pending == 5.0 - merged
    assert len(recorder.history) == (merged > 0)
    assert recorder.reason == master.stopped == (reason or "completed")


def test_the_toys_fulfil_the_contract() -> None:
    assert isinstance(Counting(3), Problem)
    assert isinstance(LocalCounting(1, None), LocalProblem)


def test_run_refuses_what_does_not_fit() -> None:
    plan = Plan(total_steps=3, n_workers=2)
    with pytest.raises(ValueError, match="1 shards for 2 workers"):
        run(Counting(3), [None], plan)
    with pytest.raises(TypeError, match="it lacks additive, initial_parameters"):
        run(object(), [None] * 2, plan)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no backend 'cloud'"):
        run(Counting(3), [None] * 2, plan, backend="cloud")


@pytest.mark.parametrize("backend", ["local", "simulated"])
def test_a_run_without_steps_gives_the_start(backend: str) -> None:
    result = run(Counting(0), [None], Plan(total_steps=0), backend=backend)
    assert result.reason == "completed"
    assert result.parameters.tolist() == [0.0]
    assert len(result.history) == 0
