"""A cluster in simulated time: what mean values leave out.

A discrete-event simulation with a heap of events. A worker goes round a fixed route:
work (log-normal seconds), message, the event loop, the master, which serves one after
another (gamma-distributed seconds; M pushes make a merge, which takes time of its own),
and message. Push and pull are one visit to the master or two, as `Costs.trips` says.
Workers may differ in speed; they may die while they work, at a constant rate, which
loses the round, and come back after some time. No arithmetic is done, only counting.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.setting import check_count, check_positive
from dpsvi.theory.speedup.costs import Costs

__all__ = ["Faults", "Outcome", "round_with_faults", "simulate"]

# Random numbers drawn at a time.
_BLOCK = 4096
# Share of the rounds at the start that are left out: queues have to fill first.
_START = 0.1


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How workers fail.

    Attributes
    ----------
    rate : float
        Deaths of a worker per second of work.
    repair_seconds : float
        From a death until the worker pulls again.

    Examples
    --------
    >>> daily = Faults(rate=1 / 86_400, repair_seconds=60.0)
    """

    rate: float
    repair_seconds: float = 0.0

    def __post_init__(self) -> None:
        check_positive("rate", self.rate)
        _check_seconds("repair_seconds", self.repair_seconds)


@dataclass(frozen=True)
class Outcome:
    """What was counted once the queues had filled.

    Attributes
    ----------
    seconds : float
        Simulated.
    rounds, merges, losses : int
        Pushes taken in, merges done, and rounds lost with a worker.
    busy : float
        Share of the time that the master was busy.
    response : float
        Mean seconds of a round at the master and the event loop, queue and service.
    staleness : ndarray of shape (rounds,)
        Of each push, in versions.
    rounds_of : ndarray of shape (n_workers,)
        Rounds by worker.
    """

    seconds: float
    rounds: int
    merges: int
    losses: int
    busy: float
    response: float
    staleness: NDArray[np.int64] = field(repr=False)
    rounds_of: NDArray[np.int64] = field(repr=False)

    @property
    def throughput(self) -> float:
        """X: rounds per second of all workers together."""
        return self.rounds / self.seconds


def simulate(
    costs: Costs,
    n_workers: int,
    *,
    n_threads: int = 1,
    local_steps: int = 1,
    master_batch_size: int = 1,
    merge_seconds: float = 0.0,
    rounds: int = 20_000,
    spread: float = 0.3,
    service_spread: float = 0.0,
    speeds: Sequence[float] | None = None,
    faults: Faults | None = None,
    seed: int = 0,
) -> Outcome:
    """Simulate rounds of workers with one master.

    Parameters
    ----------
    costs : Costs
        Of a step and of an exchange.
    n_workers, n_threads, local_steps, master_batch_size : int
        n, p, B and M.
    merge_seconds : float, default=0.0
        What a merge takes besides its pushes.
    rounds : int, default=20_000
        Pushes to simulate, with the tenth of them that is not counted.
    spread : float, default=0.3
        Coefficient of variation of the steps of a round together.
    service_spread : float, default=0.0
        Of the master's services; 1: exponential, as mean value analysis has it.
    speeds : sequence of float or None, default=None
        Of the workers, relative to `costs`; None: 1 for all.
    faults : Faults or None, default=None
        None: nobody dies.
    seed : int, default=0
        Of everything random.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If a number is out of range, or `speeds` is not one for each worker.

    Examples
    --------
    >>> costs = Costs(step_seconds=1.0, push_seconds=0.05)
    >>> found = simulate(costs, 4, rounds=5_000)
    >>> round(found.throughput, 1), round(found.staleness.mean(), 1)
    (3.8, 3.0)
    """
    check_count("n_workers", n_workers, least=1)
    check_count("rounds", rounds, least=1)
    check_count("master_batch_size", master_batch_size, least=1)
    _check_seconds("merge_seconds", merge_seconds)
    _check_seconds("spread", spread)
    _check_seconds("service_spread", service_spread)
    pace = _speeds(speeds, n_workers)
    rng = np.random.default_rng(seed)
    work = _lognormal(rng, costs.working(n_threads, local_steps), spread)
    route = _route(costs, work, lambda mean: _gamma(rng, mean, service_spread))
    deaths = repeat(math.inf) if faults is None else _gamma(rng, 1 / faults.rate, 1.0)
    repair = 0.0 if faults is None else faults.repair_seconds
    world = _World(route, pace, deaths, repair)
    return world.run(rounds, master_batch_size, merge_seconds)


def round_with_faults(work: float, faults: Faults, *, spread: float = 0.3) -> float:
    """Return the mean seconds of work until a round is done, with what deaths cost.

    With P the probability to die within a round, r the rate and R the repair, each
    round takes P (1/r + R) / (1 - P). Use it as a part of Z.

    Examples
    --------
    >>> faults = Faults(rate=0.1, repair_seconds=5.0)
    >>> round(round_with_faults(1.0, faults, spread=0.0), 2)
    1.58
    """
    check_positive("work", work)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    sigma = math.sqrt(math.log1p(spread**2))
    times = work * np.exp(sigma * nodes - sigma**2 / 2)
    survive = float(weights @ np.exp(-faults.rate * times) / weights.sum())
    return (1 - survive) / survive * (1 / faults.rate + faults.repair_seconds)


def _speeds(speeds: Sequence[float] | None, n_workers: int) -> list[float]:
    pace = [1.0] * n_workers if speeds is None else [float(v) for v in speeds]
    if len(pace) != n_workers:
        raise ValueError(f"{len(pace)} speeds for {n_workers} workers; give one each")
    for value in pace:
        check_positive("speeds", value)
    return pace


def _check_seconds(name: str, value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value!r}; it must be finite and at least 0")


class _Stage(NamedTuple):
    """A part of the route: a delay (place -1), or a service at a place."""

    place: int
    seconds: Iterator[float]
    following: int
    pushes: bool = False
    pulls: bool = False
    works: bool = False


def _route(
    costs: Costs, work: Iterator[float], drawn: Callable[[float], Iterator[float]]
) -> list[_Stage]:
    """Where a worker passes, from pull to pull; stage 5 is where one begins anew."""
    way = repeat(costs.latency)
    # The event loop, place 1, sees each call.
    handling = drawn(costs.handling_seconds / costs.trips)
    wire, both = costs.wire_seconds, costs.trips == 1
    pushing = costs.service if both else costs.push_seconds + wire
    return [
        _Stage(-1, work, 1, works=True),
        _Stage(-1, way, 2),
        _Stage(1, handling, 3),
        _Stage(0, drawn(pushing), 4, pushes=True, pulls=both),
        # The answer to a push is the pull of the next round, or else asks for one.
        _Stage(-1, way, 0 if both else 5),
        _Stage(-1, way, 6),
        _Stage(1, handling, 7),
        _Stage(0, drawn(costs.pull_seconds + wire), 8, pulls=True),
        _Stage(-1, way, 0),
    ]


_ANEW = 5


class _Count:
    """Versions and staleness, once so many pushes have been left out."""

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


class _World:
    """Workers on their route; time is that of the event in hand.

    Events are arrivals at stages. Places serve in order of arrival, which is the order
    of events, so that the end of a service is known as soon as it is asked for.
    """

    def __init__(
        self,
        route: list[_Stage],
        speeds: list[float],
        deaths: Iterator[float],
        repair: float,
    ) -> None:
        self._route, self._speeds = route, speeds
        self._deaths, self._repair = deaths, repair
        self._free = [0.0, 0.0]
        self._served = self._stayed = 0.0

    def run(self, rounds: int, merge_size: int, merge_seconds: float) -> Outcome:
        """Go on until there were so many pushes."""
        n = len(self._speeds)
        counted, order = _Count(n, rounds, merge_size), count()
        events = [(0.0, next(order), worker, 0) for worker in range(n)]
        warm, now = int(rounds * _START), 0.0
        begun = self._marks(now, counted)
        while counted.pushes < rounds:
            now, _, worker, number = events[0]
            stage = self._route[number]
            if stage.works:
                end, following = self._work(stage, now, worker, counted)
            else:
                end, following = self._pass(stage, now), stage.following
            if stage.pushes:
                if counted.push(worker):
                    end = self._lengthen(end, merge_seconds)
                if counted.pushes == warm:
                    begun = self._marks(now, counted)
            if stage.pulls:
                counted.pull(worker)
            heapq.heapreplace(events, (end, next(order), worker, following))
        since = self._marks(now, counted) - begun
        return _outcome(since, counted, warm, n)

    def _marks(self, now: float, counted: _Count) -> NDArray[np.float64]:
        busy = self._served, self._stayed
        return np.array([now, *busy, counted.version, counted.losses])

    def _work(
        self, stage: _Stage, now: float, worker: int, counted: _Count
    ) -> tuple[float, int]:
        """Do the steps of a round, or die on the way and begin anew."""
        seconds, death = next(stage.seconds) / self._speeds[worker], next(self._deaths)
        if death > seconds:
            return now + seconds, stage.following
        counted.losses += 1
        return now + death + self._repair, _ANEW

    def _pass(self, stage: _Stage, now: float) -> float:
        """Return when a delay or a service is over."""
        seconds = next(stage.seconds)
        if stage.place < 0:
            return now + seconds
        end = max(now, self._free[stage.place]) + seconds
        self._free[stage.place] = end
        self._stayed += end - now
        self._served += seconds if stage.place == 0 else 0.0
        return end

    def _lengthen(self, end: float, seconds: float) -> float:
        """The master goes on with a merge; who has pushed last waits for it."""
        self._free[0] = end + seconds
        self._served += seconds
        self._stayed += seconds
        return end + seconds


def _outcome(
    since: NDArray[np.float64], counted: _Count, warm: int, n_workers: int
) -> Outcome:
    seconds, served, stayed, merges, losses = since.tolist()
    rounds = counted.pushes - warm
    seconds = seconds or math.ulp(1.0)
    return Outcome(
        seconds=seconds,
        rounds=rounds,
        merges=int(merges),
        losses=int(losses),
        busy=min(1.0, served / seconds),
        response=stayed / rounds,
        staleness=counted.staleness[warm:],
        rounds_of=np.bincount(counted.pusher[warm:], minlength=n_workers),
    )


def _lognormal(rng: np.random.Generator, mean: float, spread: float) -> Iterator[float]:
    """Endless positive numbers of this mean and coefficient of variation."""
    sigma = math.sqrt(math.log1p(spread**2))
    while True:
        yield from (mean * rng.lognormal(-(sigma**2) / 2, sigma, _BLOCK)).tolist()


def _gamma(rng: np.random.Generator, mean: float, spread: float) -> Iterator[float]:
    """The same of another shape: exponential with a spread of 1."""
    if spread == 0 or mean == 0:
        yield from repeat(mean)
    shape = spread**-2
    while True:
        yield from (mean / shape * rng.standard_gamma(shape, _BLOCK)).tolist()
