"""Master and workers in this process.

One worker is driven from the calling thread. Several are one thread each, with its
own copy of the parameters and its own team of lock-free threads; a gate in front of
the master lets them in one at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from dpsvi.engine.interrupt import CtrlC, deadline
from dpsvi.engine.lockfree import ThreadTeam
from dpsvi.engine.master import Master
from dpsvi.engine.problem import Push, Receipt
from dpsvi.engine.progress import Reason, Recorder
from dpsvi.engine.relay import work_in_relay
from dpsvi.engine.worker import (
    DirectExchange,
    Worker,
    finish,
    open_workers,
    record,
    work,
)

__all__ = ["Local"]

# No wait is longer, so that Ctrl-C and the time limit are seen.
_SLICE = 0.1


class Local:
    """The backend "local": this process, without a network.

    A lone worker writes straight into the master's parameters where that is the
    same thing (see `dpsvi.engine.Master.can_share`); otherwise it works on a copy.
    """

    def __repr__(self) -> str:
        return "Local()"

    def clock(self) -> float:
        """Return seconds of wall-clock time."""
        return time.perf_counter()

    def run(
        self,
        master: Master,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        recorder: Recorder,
    ) -> Master:
        """Work until the run is over; see `dpsvi.engine.backends.Backend`."""
        with ExitStack() as stack:
            teams = [
                stack.enter_context(ThreadTeam(master.plan.n_threads, f"dpsvi-{name}"))
                for name in range(len(shards))
            ]
            workers = open_workers(master, shards, seeds, teams)
            # Innermost: the teams are closed with the usual Ctrl-C back in force.
            stack.enter_context(CtrlC(lambda: _halt(recorder, teams, "interrupted")))
            stack.enter_context(
                deadline(
                    master.plan.max_time, lambda: _halt(recorder, teams, "max_time")
                )
            )
            if len(workers) == 1:
                exchange = DirectExchange(master, recorder, shared=master.can_share)
                work(workers[0], exchange, recorder.finished)
            else:
                _Crew(master, recorder, workers, teams).run()
            finish(master, recorder)
        return master


def _halt(recorder: Recorder, teams: Sequence[ThreadTeam], reason: Reason) -> None:
    recorder.stop(reason)
    for team in teams:
        team.stop()


class _Crew:
    """Several workers as threads, watched by the calling thread."""

    def __init__(
        self,
        master: Master,
        recorder: Recorder,
        workers: Sequence[Worker],
        teams: Sequence[ThreadTeam],
    ) -> None:
        self._master = master
        self._recorder = recorder
        self._teams = teams
        self._gate = threading.Condition()
        # A merge that the calling thread has not recorded yet. Until it has, nobody
        # merges, so every version is seen; pulls go on.
        self._unseen = False
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(
                target=self._drive, args=(worker,), name=f"dpsvi-worker-{worker.name}"
            )
            for worker in workers
        ]
        self._active = len(self._threads)

    def run(self) -> None:
        """Start the workers, watch them, and raise the first of their errors."""
        try:
            for thread in self._threads:
                thread.start()
            while self._wait_for_news():
                self._see()
        except BaseException:
            self._abandon()
            raise
        finally:
            self._join()
        if self._errors:
            raise self._errors[0]

    def pull(self, worker: Worker) -> bool:
        """Load a snapshot; nobody merges while it is copied."""
        request = worker.request()
        with self._gate:
            while not (self._master.may_pull(worker.name) or self._halted()):
                self._gate.wait(_SLICE)
            snapshot = self._master.snapshot(worker.round_steps, request)
        return worker.load(snapshot)

    def push(self, push: Push) -> Receipt:
        """Deliver a push as soon as the last merge has been recorded."""
        with self._gate:
            while self._unseen:
                self._gate.wait(_SLICE)
            before = self._master.version
            receipt = self._master.receive(push)
            if receipt.version > before:
                self._unseen = True
                self._gate.notify_all()
            return receipt

    def _drive(self, worker: Worker) -> None:
        """The life of a worker's thread."""
        try:
            work_in_relay(worker, self, self._halted, self._master.plan)
        except BaseException as error:
            self._errors.append(error)
            self._abandon()
        finally:
            with self._gate:
                self._active -= 1
                self._gate.notify_all()

    def _halted(self) -> bool:
        return bool(self._errors) or self._recorder.finished()

    def _wait_for_news(self) -> bool:
        """Wait for a merge; False once all workers are gone and all is recorded."""
        with self._gate:
            while self._active and not self._unseen:
                self._gate.wait(_SLICE)
            return self._unseen

    def _see(self) -> None:
        """Record a merge, then let pushes through again."""
        record(self._master, self._recorder)
        with self._gate:
            if self._recorder.reason == "stopped":
                # The parameters are to stay as the monitor saw them.
                self._master.stop("stopped")
            self._unseen = False
            self._gate.notify_all()

    def _abandon(self) -> None:
        """Let every worker run out after an error, without further merges."""
        for team in self._teams:
            team.stop()
        with self._gate:
            self._master.stop("failed")
            self._unseen = False
            self._gate.notify_all()

    def _join(self) -> None:
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_SLICE)
