"""A cluster in simulated time: what mean values leave out.

A discrete-event simulation with a heap of events. A worker goes round a fixed route:
work (log-normal seconds), message, the event loop, the master, which serves one after
another (gamma-distributed seconds; M pushes make a merge, which takes time of its own),
and message. Push and pull are one visit to the master or two, as `Costs.trips` says.
Workers may differ in speed; they may die while they work, at a constant rate, which
loses the round, and come back after some time. All may share one host, where steps take
the longer the more threads are at work. No arithmetic is done, only counting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.setting import check_count, check_positive
from dpsvi.theory.speedup.costs import Costs, check_not_negative
from dpsvi.theory.speedup.events import SimulatedCluster, Steps, Tally, route_of
from dpsvi.theory.speedup.threads import ThreadScaling

__all__ = ["Faults", "Outcome", "round_with_faults", "simulate"]

# Random numbers drawn at a time.
_BLOCK = 4096
# Services that vary less are constant: the shape of their distribution overflows.
_LEAST_SPREAD = 1e-6


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
        check_not_negative("repair_seconds", self.repair_seconds)


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
    one_host: bool = False,
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
    one_host : bool, default=False
        Whether all workers share one host. Their threads then disturb one another, in
        their steps, as σ of `costs` says of the threads of one worker, and the host has
        the cores of σ. The master is not slowed, and takes no core from them.
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
    >>> round(found.throughput, 1), round(float(found.staleness.mean()), 1)
    (3.8, 3.0)
    """
    check_count("n_workers", n_workers, least=1)
    check_count("rounds", rounds, least=1)
    check_count("master_batch_size", master_batch_size, least=1)
    check_not_negative("merge_seconds", merge_seconds)
    check_not_negative("spread", spread)
    check_not_negative("service_spread", service_spread)
    pace = _speeds(speeds, n_workers)
    rng = np.random.default_rng(seed)
    # On one host, how threads disturb one another is its business.
    working = costs.working(1 if one_host else n_threads, local_steps)
    slower = _slower_by(costs.threads) if one_host else _as_ever
    work = _lognormal(rng, working, spread)
    deaths = repeat(math.inf) if faults is None else _gamma(rng, 1 / faults.rate, 1.0)
    repair = 0.0 if faults is None else faults.repair_seconds
    route = route_of(
        costs, work, lambda mean: _gamma(rng, mean, service_spread), repair
    )
    cluster = SimulatedCluster(route, pace, deaths, Steps(n_threads, slower))
    since, tally, warm = cluster.run(rounds, master_batch_size, merge_seconds)
    return _outcome(since, tally, warm, n_workers)


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


def _as_ever(busy: int) -> float:
    return 1.0


def _slower_by(scaling: ThreadScaling) -> Callable[[int], float]:
    """How many times as long things take on a host with so many busy threads."""
    return cache(lambda busy: busy / scaling(busy) if busy else 1.0)


def _speeds(speeds: Sequence[float] | None, n_workers: int) -> list[float]:
    pace = [1.0] * n_workers if speeds is None else [float(v) for v in speeds]
    if len(pace) != n_workers:
        raise ValueError(f"{len(pace)} speeds for {n_workers} workers; give one each")
    for value in pace:
        check_positive("speeds", value)
    return pace


def _outcome(
    since: NDArray[np.float64], tally: Tally, warm: int, n_workers: int
) -> Outcome:
    seconds, served, stayed, merges, losses = since.tolist()
    rounds = tally.pushes - warm
    seconds = seconds or math.ulp(1.0)
    return Outcome(
        seconds=seconds,
        rounds=rounds,
        merges=int(merges),
        losses=int(losses),
        busy=min(1.0, served / seconds),
        response=stayed / rounds,
        staleness=tally.staleness[warm:],
        rounds_of=np.bincount(tally.pusher[warm:], minlength=n_workers),
    )


def _lognormal(rng: np.random.Generator, mean: float, spread: float) -> Iterator[float]:
    """Endless positive numbers of this mean and coefficient of variation."""
    sigma = math.sqrt(math.log1p(spread**2))
    while True:
        yield from (mean * rng.lognormal(-(sigma**2) / 2, sigma, _BLOCK)).tolist()


def _gamma(rng: np.random.Generator, mean: float, spread: float) -> Iterator[float]:
    """The same of another shape: exponential with a spread of 1."""
    if spread < _LEAST_SPREAD or mean == 0:
        yield from repeat(mean)
    shape = spread**-2
    while True:
        yield from (mean / shape * rng.standard_gamma(shape, _BLOCK)).tolist()
