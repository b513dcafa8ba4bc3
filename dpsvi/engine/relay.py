"""A worker whose threads go on while it pushes (Alg. 9 lines 30-34).

In rounds all threads of a worker stop, then it pushes and pulls. In a relay they never
do: the thread that finds the steps of a round used up is the one that is due. It pushes
and pulls, and the others go on with the steps of the next round, which has been asked
for one round ahead. What they have written meanwhile is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from dpsvi.engine.lockfree import Steps, ThreadTeam
from dpsvi.engine.plan import Plan
from dpsvi.engine.problem import Continuous, Snapshot
from dpsvi.engine.worker import Exchange, Worker, work

__all__ = ["Relay", "work_in_relay"]

# Waiting in slices lets a stop through.
_SLICE = 0.1


def work_in_relay(
    worker: Worker, exchange: Exchange, halted: Callable[[], bool], plan: Plan
) -> None:
    """Run a worker as `work` does, in a relay if its problem and the plan allow.

    A relay needs several threads and a `Continuous` problem. Synchronous workers have
    rounds, as nobody is to work on what is not merged.
    """
    team, local = worker.team, worker.local
    if (
        plan.synchronous
        or not (isinstance(team, ThreadTeam) and team.n_threads > 1)
        or not isinstance(local, Continuous)
    ):
        work(worker, exchange, halted)
        return
    if halted() or not exchange.pull(worker):
        return
    worker.in_relay = True
    relay = Relay(worker, exchange, halted)
    team.follow(local, relay)
    relay.finish()


class Relay(Iterator[int]):
    """The steps of all rounds of a worker, dealt to whichever thread asks.

    Parameters
    ----------
    worker : Worker
        With its first round loaded.
    exchange : Exchange
        The way to the master; used by one thread at a time, whichever is due.
    halted : callable
        Whether the run is over; asked between rounds.
    """

    def __init__(
        self, worker: Worker, exchange: Exchange, halted: Callable[[], bool]
    ) -> None:
        self._worker, self._exchange, self._halted = worker, exchange, halted
        self._gate = threading.Condition()
        self._stopped = False
        # Whether a thread is at the master's.
        self._away = False
        self._round = Steps(self._loaded().steps)
        # None: there are no more steps, or not yet.
        self._next = self._asked()

    def __next__(self) -> int:
        while not self._stopped:
            now = self._round
            step = next(now, None)
            if step is not None:
                return step
            if self._is_due(now):
                self._talk(now)
        raise StopIteration

    def stop(self) -> None:
        """Deal no further steps; those dealt are still to be done."""
        self._stopped = True
        self._round.stop()

    def finish(self) -> None:
        """Push what was done last, once all threads have ended."""
        if self._round.done:
            self._push(self._round)

    def _is_due(self, finished: Steps) -> bool:
        """Go on to the next round; True for the one thread that is to talk."""
        with self._gate:
            # Nothing to go on with before the last exchange has come back.
            while self._round is finished and self._away and not self._stopped:
                self._gate.wait(_SLICE)
            if self._round is not finished or self._stopped:
                return False
            if self._next is None:
                self.stop()
                return False
            self._round, self._next = self._next, None
            self._away = True
            return True

    def _talk(self, finished: Steps) -> None:
        """Push a round that is done, and ask for the one after the next."""
        try:
            if self._push(finished) and not self._halted():
                self._next = self._asked()
        except BaseException:
            self.stop()
            raise
        finally:
            with self._gate:
                self._away = False
                self._gate.notify_all()

    def _push(self, steps: Steps) -> bool:
        push = self._worker.push(self._loaded(), steps.done)
        return self._exchange.push(push).status != "stopped"

    def _asked(self) -> Steps | None:
        if not self._exchange.pull(self._worker):
            return None
        return Steps(self._loaded().steps)

    def _loaded(self) -> Snapshot:
        snapshot = self._worker.snapshot
        if snapshot is None:
            raise RuntimeError("a relay needs a snapshot: call load first")
        return snapshot
