"""A worker (Alg. 2): pull, work on all threads, push, until nothing is left.

The same loop serves every backend; they differ in the `Exchange` that they put
between worker and master.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

import numpy as np

from dpsvi.engine.master import Master
from dpsvi.engine.problem import (
    Continuous,
    LocalProblem,
    Push,
    Receipt,
    Request,
    Snapshot,
)
from dpsvi.engine.progress import Recorder

__all__ = [
    "DirectExchange",
    "Exchange",
    "Team",
    "Worker",
    "finish",
    "open_workers",
    "record",
    "work",
]


class Team(Protocol):
    """Whoever carries out a round: threads, or a replay of threads."""

    def run(self, local: LocalProblem, steps: range) -> range:
        """Do the steps and return those done."""


class Worker:
    """One asynchronous worker.

    Parameters
    ----------
    name : int or str
        Who it is, for the master.
    local : LocalProblem
        The problem opened on the worker's shard.
    team : Team
        The worker's threads.
    round_steps : int
        Steps to ask for with each pull, p * B in the paper.
    incarnation : str or None, default=None
        Tells this worker from an earlier one of the same name; None: a new one.

    Attributes
    ----------
    snapshot : Snapshot or None
        The last one loaded, without its parameters; None once its round is done.
    in_relay : bool
        Whether threads are running, so that snapshots are caught up with.
    """

    def __init__(
        self,
        name: int | str,
        local: LocalProblem,
        team: Team,
        round_steps: int,
        incarnation: str | None = None,
    ) -> None:
        self.name = name
        self.round_steps = round_steps
        self.incarnation = uuid4().hex if incarnation is None else incarnation
        self.local = local
        self.team = team
        self.snapshot: Snapshot | None = None
        self.in_relay = False
        self._sequence = 0

    def request(self) -> Request:
        """Say which part of the parameters the next round needs; None: all."""
        ask = getattr(self.local, "request", None)
        return None if ask is None else ask(self.round_steps)

    def load(self, snapshot: Snapshot) -> bool:
        """Take a snapshot (Alg. 2 line 3); False if it has no steps to do."""
        if not snapshot.steps:
            return False
        if self.in_relay and isinstance(self.local, Continuous):
            self.local.catch_up(snapshot)
        else:
            self.local.load(snapshot)
        # The parameters are loaded; holding on to them would keep them alive.
        self.snapshot = replace(snapshot, parameters=None)
        return True

    def round(self) -> Push | None:
        """Work on the loaded snapshot (Alg. 2 lines 4-10).

        Returns
        -------
        Push or None
            None if the team was stopped before the first step.

        Raises
        ------
        RuntimeError
            If no snapshot is loaded.
        """
        snapshot, self.snapshot = self.snapshot, None
        if snapshot is None:
            raise RuntimeError("a round needs a snapshot: call load first")
        steps = self.team.run(self.local, snapshot.steps)
        return self.push(snapshot, steps) if steps else None

    def push(self, snapshot: Snapshot, steps: range) -> Push:
        """Make a push of steps that are done, based on a snapshot."""
        update = self.local.update()
        if snapshot.shared:
            # It is in the parameters already and must not be merged again.
            update = replace(update, payload=None)
        self._sequence += 1
        return Push(
            worker=self.name,
            incarnation=self.incarnation,
            sequence=self._sequence - 1,
            update=update,
            based_on=snapshot.version,
            steps=steps,
        )


def open_workers(
    master: Master,
    shards: Sequence[Any],
    seeds: Sequence[np.random.SeedSequence],
    teams: Sequence[Team],
) -> list[Worker]:
    """Open the master's problem on each shard, for a worker with each team."""
    plan = master.plan
    return [
        Worker(
            name,
            master.problem.open_worker(shard, plan.n_threads, seed),
            team,
            plan.round_steps,
        )
        for name, (shard, seed, team) in enumerate(
            zip(shards, seeds, teams, strict=True)
        )
    ]


class Exchange(Protocol):
    """The way between a worker and the master."""

    def pull(self, worker: Worker) -> bool:
        """Load a snapshot into the worker; False if nothing is left to do."""

    def push(self, push: Push) -> Receipt:
        """Deliver a push."""


def work(worker: Worker, exchange: Exchange, halted: Callable[[], bool]) -> None:
    """Run a worker until there is nothing left, the master says stop, or `halted`.

    `halted` is asked between rounds.
    """
    while not halted() and exchange.pull(worker):
        push = worker.round()
        if push is not None and exchange.push(push).status == "stopped":
            return


class DirectExchange:
    """Between workers and a master that all live in the calling thread.

    Parameters
    ----------
    master : Master
        The master.
    recorder : Recorder
        Told about each merge.
    shared : bool, default=False
        Let the (only) worker write into the master's parameters.
    """

    def __init__(
        self, master: Master, recorder: Recorder, shared: bool = False
    ) -> None:
        self._master = master
        self._recorder = recorder
        self._shared = shared

    def pull(self, worker: Worker) -> bool:
        """Load a snapshot into the worker; False if nothing is left to do."""
        request = None if self._shared else worker.request()
        return worker.load(
            self._master.snapshot(worker.round_steps, request, shared=self._shared)
        )

    def push(self, push: Push) -> Receipt:
        """Deliver a push and record the merge it led to, if any."""
        before = self._master.version
        receipt = self._master.receive(push)
        if receipt.version > before:
            record(self._master, self._recorder)
        return receipt


def record(master: Master, recorder: Recorder) -> None:
    """Tell the recorder about the last merge."""
    report = master.report
    if report is not None:
        recorder.record(report, lambda: (master.parameters, report.clock))


def finish(master: Master, recorder: Recorder) -> None:
    """End a run: merge what is pending, and stop the master.

    After a stop by the monitor nothing is merged, so that the parameters stay as
    the monitor saw them.
    """
    reason = recorder.reason or "completed"
    if reason != "stopped" and master.flush():
        record(master, recorder)
    recorder.stop(reason)
    master.stop(reason)
