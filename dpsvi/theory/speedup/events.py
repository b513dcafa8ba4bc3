"""The events of a simulated cluster; see `dpsvi.theory.speedup.simulation`."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.speedup.costs import Costs

__all__ = ["Clock", "SimulatedCluster", "Stage", "Tally", "route_of"]

# Share of the rounds at the start that are left out: queues have to fill first.
_FILLING = 0.1


class Stage(NamedTuple):
    """A part of the route: a delay (place -1), or a service at a place."""

    place: int
    seconds: Iterator[float]
    following: int
    pushes: bool = False
    pulls: bool = False
    works: bool = False


def route_of(
    costs: Costs,
    work: Iterator[float],
    drawn: Callable[[float], Iterator[float]],
    repair: float,
) -> list[Stage]:
    """Where a worker passes, from pull to pull; the last stage is that of the dead."""
    way = repeat(costs.latency)
    # The event loop, place 1, sees each call.
    handling = drawn(costs.handling_seconds / costs.trips)
    wire, both = costs.wire_seconds, costs.trips == 1
    pushing = costs.service if both else costs.push_seconds + wire
    return [
        Stage(-1, work, 1, works=True),
        Stage(-1, way, 2),
        Stage(1, handling, 3),
        Stage(0, drawn(pushing), 4, pushes=True, pulls=both),
        # The answer to a push is the pull of the next round, or else asks for one.
        Stage(-1, way, 0 if both else 5),
        Stage(-1, way, 6),
        Stage(1, handling, 7),
        Stage(0, drawn(costs.pull_seconds + wire), 8, pulls=True),
        Stage(-1, way, 0),
        # Who has come back begins with a pull.
        Stage(-1, repeat(repair), 5),
    ]


# Stage of a worker that has died, and that of one that has not begun.
_DEAD, _NOWHERE = 9, Stage(-1, repeat(0.0), 0)


class Tally:
    """Versions, and of each push who made it and how stale it was."""

    def __init__(self, n_workers: int, rounds: int, merge_size: int) -> None:
        self._based_on = [0] * n_workers
        self._merge_size = merge_size
        self.version = self.pushes = self.losses = 0
        self.staleness = np.empty(rounds, np.int64)
        self.pusher = np.empty(rounds, np.int64)

    def pull(self, worker: int) -> None:
        self._based_on[worker] = self.version

    def push(self, worker: int) -> bool:
        """Take a push in; say whether it makes a merge."""
        self.staleness[self.pushes] = self.version - self._based_on[worker]
        self.pusher[self.pushes] = worker
        self.pushes += 1
        merges = self.pushes % self._merge_size == 0
        self.version += merges
        return merges


class Clock:
    """Seconds, of the run and of service and stay, and what workers do meanwhile.

    Where all share one host everything takes longer the more threads are busy, by the
    same factor: the order of events is as it were without, and only the clock is.

    Parameters
    ----------
    n_workers, n_threads : int
        n and p.
    slower : callable
        How many times as long things take with so many busy threads.
    """

    def __init__(
        self, n_workers: int, n_threads: int, slower: Callable[[int], float]
    ) -> None:
        self._n_threads, self._slower = n_threads, slower
        self._stages = [_NOWHERE] * n_workers
        self._working = self._staying = 0
        self._then = self.seconds = self.served = self.stayed = 0.0

    def advance(self, now: float, free: list[float]) -> None:
        """Go on to an event; places are busy until they are free."""
        master, loop = (until > self._then for until in free)
        busy = self._working * self._n_threads + master + loop
        passed = (now - self._then) * self._slower(busy)
        self.seconds += passed
        self.served += passed * master
        self.stayed += passed * self._staying
        self._then = now

    def enter(self, worker: int, stage: Stage) -> None:
        """A worker is at another stage from now on."""
        before = self._stages[worker]
        self._working += stage.works - before.works
        self._staying += (stage.place >= 0) - (before.place >= 0)
        self._stages[worker] = stage


class SimulatedCluster:
    """Workers on their route; time is that of the event in hand.

    Events are arrivals at stages. Places serve in order of arrival, which is the order
    of events, so that the end of a service is known as soon as it is asked for.
    """

    def __init__(
        self,
        route: list[Stage],
        speeds: list[float],
        deaths: Iterator[float],
        clock: Clock,
    ) -> None:
        self._route, self._speeds, self._deaths = route, speeds, deaths
        self._free, self._clock = [0.0, 0.0], clock

    def run(
        self, rounds: int, merge_size: int, merge_seconds: float
    ) -> tuple[NDArray[np.float64], Tally, int]:
        """Go on until there were so many pushes.

        Returns
        -------
        since : ndarray of shape (5,)
            Seconds, seconds of service and of stay, merges and losses since the queues
            have filled.
        tally : Tally
            Of all pushes.
        warm : int
            How many of them came before the queues had filled.
        """
        n = len(self._speeds)
        tally, order = Tally(n, rounds, merge_size), count()
        events = [(0.0, next(order), worker, 0) for worker in range(n)]
        warm = int(rounds * _FILLING)
        begun = self._readings(tally)
        while tally.pushes < rounds:
            now, _, worker, number = events[0]
            stage = self._route[number]
            self._clock.advance(now, self._free)
            self._clock.enter(worker, stage)
            if stage.works:
                end, following = self._work(stage, now, worker, tally)
            else:
                end, following = self._stay(stage, now), stage.following
            if stage.pushes:
                if tally.push(worker):
                    end = self._merge(end, merge_seconds)
                if tally.pushes == warm:
                    begun = self._readings(tally)
            if stage.pulls:
                tally.pull(worker)
            heapq.heapreplace(events, (end, next(order), worker, following))
        return self._readings(tally) - begun, tally, warm

    def _readings(self, tally: Tally) -> NDArray[np.float64]:
        clock = self._clock
        seconds = clock.seconds, clock.served, clock.stayed
        return np.array([*seconds, tally.version, tally.losses])

    def _work(
        self, stage: Stage, now: float, worker: int, tally: Tally
    ) -> tuple[float, int]:
        """Do the steps of a round, or die on the way."""
        seconds, death = next(stage.seconds) / self._speeds[worker], next(self._deaths)
        if death > seconds:
            return now + seconds, stage.following
        tally.losses += 1
        return now + death, _DEAD

    def _stay(self, stage: Stage, now: float) -> float:
        """Return when a delay or a service is over."""
        seconds = next(stage.seconds)
        if stage.place < 0:
            return now + seconds
        end = max(now, self._free[stage.place]) + seconds
        self._free[stage.place] = end
        return end

    def _merge(self, end: float, seconds: float) -> float:
        """The master goes on with a merge; who has pushed last waits for it."""
        self._free[0] = end + seconds
        return end + seconds
