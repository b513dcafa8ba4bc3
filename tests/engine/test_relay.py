"""Threads that go on while one of them pushes and pulls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from dpsvi.engine import Plan, Push, Receipt, Snapshot, ThreadTeam, Update, Worker, run
from dpsvi.engine.problem import Continuous
from dpsvi.engine.relay import Relay, work_in_relay

PATIENCE = 20.0


class LocalSums:
    """Adds 1 to cell t at step t. Locked, so that what is lost is lost by the relay."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.u = self.told = np.zeros(0)
        self.n_done = self.n_told = 0
        self.catches = 0

    def load(self, snapshot: Snapshot) -> None:
        self.told = snapshot.parameters
        self.u = np.array(self.told)

    def catch_up(self, snapshot: Snapshot) -> None:
        with self.lock:
            self.u += snapshot.parameters - self.told
            self.told = snapshot.parameters
            self.catches += 1

    def run(self, thread: int, steps: Iterator[int]) -> None:
        for t in steps:
            with self.lock:
                self.u[t] += 1
                self.n_done += 1

    def update(self) -> Update:
        with self.lock:
            now = self.u.copy()
            moved, self.told = now - self.told, now
            amount, self.n_told = self.n_done - self.n_told, self.n_done
        return Update(moved, float(amount))


@dataclass
class Sums:
    """The problem of `LocalSums`."""

    total_steps: int
    additive: bool = False

    def initial_parameters(self, rng: np.random.Generator) -> Any:
        return np.zeros(self.total_steps)

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> LocalSums:
        return LocalSums()

    def merge(self, parameters: Any, payloads: Any, rates: Any) -> Any:
        for payload, rate in zip(payloads, rates, strict=True):
            parameters += rate * payload
        return parameters


class Rounds:
    """A master that hands out rounds of four steps, and counts what comes back."""

    def __init__(self, n_rounds: int) -> None:
        self.starts = iter(range(0, 4 * n_rounds, 4))
        self.sum = np.zeros(4 * n_rounds)
        self.pushes: list[Push] = []

    def pull(self, worker: Worker) -> bool:
        start = next(self.starts, None)
        steps = range(0) if start is None else range(start, start + 4)
        return worker.load(Snapshot(self.sum.copy(), len(self.pushes), steps))

    def push(self, push: Push) -> Receipt:
        self.pushes.append(push)
        self.sum += push.update.payload
        return Receipt("accepted", len(self.pushes), 0)


def relayed(exchange: Any, n_threads: int = 2, **plan: Any) -> LocalSums:
    local = LocalSums()
    with ThreadTeam(n_threads) as team:
        worker = Worker("w", local, team, 4)
        work_in_relay(worker, exchange, lambda: False, Plan(total_steps=1, **plan))
    return local


@pytest.mark.parametrize("n_threads", [2, 3])
def test_every_step_is_done_and_pushed_once(n_threads: int) -> None:
    exchange = Rounds(50)
    local = relayed(exchange, n_threads)
    np.testing.assert_array_equal(exchange.sum, np.ones(200))
    assert [t for push in exchange.pushes for t in push.steps] == list(range(200))
    assert sum(push.update.amount for push in exchange.pushes) == 200
    assert [push.sequence for push in exchange.pushes] == list(range(50))
    # The first round is loaded, all others are caught up with.
    assert local.catches == 49


def test_the_others_go_on_while_one_is_at_the_masters() -> None:
    went_on: list[bool] = []

    class Slow(Rounds):
        def push(self, push: Push) -> Receipt:
            if len(self.pushes) == 3:
                before = local.n_done
                end = threading.Event()
                for _ in range(int(PATIENCE / 0.01)):
                    if local.n_done > before or end.wait(0.01):
                        break
                went_on.append(local.n_done > before)
            return super().push(push)

    exchange = Slow(20)
    local = LocalSums()
    with ThreadTeam(2) as team:
        worker = Worker("w", local, team, 4)
        work_in_relay(worker, exchange, lambda: False, Plan(total_steps=1))
    assert went_on == [True]
    np.testing.assert_array_equal(exchange.sum, np.ones(80))


def test_rounds_where_nobody_may_go_on() -> None:
    assert relayed(Rounds(5), n_threads=1).catches == 0
    plan = {"synchronous": True, "n_workers": 1}
    assert relayed(Rounds(5), n_threads=2, **plan).catches == 0


def test_an_error_on_the_way_ends_all_threads() -> None:
    class Broken(Rounds):
        def push(self, push: Push) -> Receipt:
            if self.pushes:
                raise OSError("the line is dead")
            return super().push(push)

    with pytest.raises(OSError, match="the line is dead"):
        relayed(Broken(10))


def test_after_a_stop_what_was_done_is_pushed() -> None:
    exchange = Rounds(100)
    local = LocalSums()
    with ThreadTeam(2) as team:
        worker = Worker("w", local, team, 4)

        def halted() -> bool:
            if len(exchange.pushes) == 5:
                team.stop()
            return False

        work_in_relay(worker, exchange, halted, Plan(total_steps=1))
    assert 20 <= local.n_done < 400
    assert exchange.sum.sum() == local.n_done
    assert sum(len(push.steps) for push in exchange.pushes) == local.n_done


def test_a_master_that_says_stop_is_obeyed() -> None:
    class Full(Rounds):
        def push(self, push: Push) -> Receipt:
            super().push(push)
            return Receipt("stopped", len(self.pushes), 0)

    exchange = Full(10)
    relayed(exchange)
    # The round that was under way is offered, and nothing is asked for any more.
    assert len(exchange.pushes) == 2


def test_several_workers_of_several_threads_lose_nothing() -> None:
    assert isinstance(LocalSums(), Continuous)
    plan = Plan(total_steps=600, n_workers=2, n_threads=2, local_steps=3, seed=0)
    result = run(Sums(600), [None] * 2, plan)
    np.testing.assert_array_equal(result.parameters, np.ones(600))
    assert result.counters.merged == result.counters.steps_merged == 600


def test_a_relay_needs_a_snapshot() -> None:
    with ThreadTeam(2) as team:
        worker = Worker("w", LocalSums(), team, 4)
        with pytest.raises(RuntimeError, match="needs a snapshot"):
            Relay(worker, Rounds(1), lambda: False)
