"""The events of a simulated cluster; see `dpsvi.theory.speedup.simulation`."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from itertools import count, repeat
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.speedup.costs import Costs

__all__ = ["SimulatedCluster", "Stage", "Steps", "Tally", "route_of"]

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


# Stage of a worker that has died: the last.
_DEAD = -1
# A worker on its way: when, its turn among equals, who, and the stage it comes to.
Arrival: TypeAlias = tuple[float, int, int, int]


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


class Steps:
    """Workers that do their steps, all equally fast, and slower the more there are.

    Ends are kept in seconds that the steps would take if they were alone.

    Parameters
    ----------
    n_threads : int
        p, of each worker.
    slower : callable
        How many times as long steps take with so many busy threads.
    """

    def __init__(self, n_threads: int, slower: Callable[[int], float]) -> None:
        self._n_threads, self._slower = n_threads, slower
        self._ends: list[Arrival] = []
        self._alone = 0.0

    def begin(self, seconds: float, order: int, worker: int, following: int) -> None:
        """A worker begins with steps of so many seconds."""
        heapq.heappush(self._ends, (self._alone + seconds, order, worker, following))

    @property
    def rest(self) -> float:
        """Seconds until the next worker is done, if nobody else begins."""
        if not self._ends:
            return math.inf
        return (self._ends[0][0] - self._alone) * self._factor()

    def advance(self, seconds: float) -> None:
        """Go on for a while, with nobody done before."""
        if self._ends:
            self._alone += seconds / self._factor()

    def end(self) -> Arrival:
        """The next worker is done."""
        arrival = heapq.heappop(self._ends)
        self._alone = arrival[0]
        return arrival

    def _factor(self) -> float:
        return self._slower(self._n_threads * len(self._ends))


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
        steps: Steps,
    ) -> None:
        self._route, self._speeds, self._deaths = route, speeds, deaths
        self._steps, self._order, self._now = steps, count(), 0.0
        self._arrivals: list[Arrival] = [
            (0.0, next(self._order), worker, 0) for worker in range(len(speeds))
        ]
        self._free = [0.0, 0.0]
        self._served = self._stayed = 0.0

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
        tally = Tally(len(self._speeds), rounds, merge_size)
        warm = int(rounds * _FILLING)
        begun = self._readings(tally)
        while tally.pushes < rounds:
            worker, stage = self._next()
            if stage.works:
                self._work(stage, worker, tally)
                continue
            end = self._stay(stage)
            if stage.pushes:
                if tally.push(worker):
                    end = self._merge(end, merge_seconds)
                if tally.pushes == warm:
                    begun = self._readings(tally)
            if stage.pulls:
                tally.pull(worker)
            arrival = end, next(self._order), worker, stage.following
            heapq.heappush(self._arrivals, arrival)
        return self._readings(tally) - begun, tally, warm

    def _next(self) -> tuple[int, Stage]:
        """Go on to the next arrival: of who has done its steps, or of another."""
        arrives = self._arrivals[0][0] if self._arrivals else math.inf
        done = self._now + self._steps.rest
        if done < arrives:
            self._now = done
            _, _, worker, number = self._steps.end()
        else:
            self._steps.advance(arrives - self._now)
            self._now, _, worker, number = heapq.heappop(self._arrivals)
        return worker, self._route[number]

    def _readings(self, tally: Tally) -> NDArray[np.float64]:
        busy = self._served, self._stayed
        return np.array([self._now, *busy, tally.version, tally.losses])

    def _work(self, stage: Stage, worker: int, tally: Tally) -> None:
        """Do the steps of a round, or die on the way."""
        seconds, death = next(stage.seconds) / self._speeds[worker], next(self._deaths)
        following = stage.following
        if death <= seconds:
            tally.losses += 1
            seconds, following = death, _DEAD
        self._steps.begin(seconds, next(self._order), worker, following)

    def _stay(self, stage: Stage) -> float:
        """Return when a delay or a service is over."""
        seconds = next(stage.seconds)
        if stage.place < 0:
            return self._now + seconds
        end = max(self._now, self._free[stage.place]) + seconds
        self._free[stage.place] = end
        self._stayed += end - self._now
        self._served += seconds if stage.place == 0 else 0.0
        return end

    def _merge(self, end: float, seconds: float) -> float:
        """The master goes on with a merge; who has pushed last waits for it."""
        self._free[0] = end + seconds
        self._served += seconds
        self._stayed += seconds
        return end + seconds
