"""Asynchronous workers replayed in one thread, in a known order.

Workers and master do exactly what they do elsewhere; only time is made up. The order
of deliveries is given, or drawn from think times. So staleness, dropped pushes and
every bit of the result repeat.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from dpsvi.engine.interrupt import CtrlC
from dpsvi.engine.master import Master
from dpsvi.engine.problem import LocalProblem
from dpsvi.engine.progress import Recorder
from dpsvi.engine.worker import DirectExchange, Worker, finish, open_workers

__all__ = ["Simulated", "TakeTurns"]


class Simulated:
    """The backend "simulated".

    Each worker pulls right after its previous push was delivered. The threads of a
    worker do a step each in turn. The history
    is in simulated seconds, and so is ``max_time``.

    Parameters
    ----------
    order : sequence of int or None, default=None
        The workers in the order of their deliveries, one simulated second each;
        repeated as often as needed, and a worker with nothing left is passed over.
        None: the order follows from `delays`.
    delays : sequence of float or None, default=None
        Mean seconds that each worker needs for a round; None: 1 for all.
    seed : int, default=0
        Of the think times.
    spread : float, default=0.3
        Coefficient of variation of the log-normal think times.

    Attributes
    ----------
    recorded_order : list of int
        The deliveries of the last run; give it as `order` to replay them.

    Raises
    ------
    ValueError
        If both `order` and `delays` are given, or a delay is not above 0.

    Examples
    --------
    >>> Simulated(order=[0, 1, 1])
    Simulated(order=[0, 1, 1], delays=None, seed=0, spread=0.3)
    """

    def __init__(
        self,
        order: Sequence[int] | None = None,
        delays: Sequence[float] | None = None,
        seed: int = 0,
        spread: float = 0.3,
    ) -> None:
        if order is not None and delays is not None:
            raise ValueError("give order or delays, not both: each fixes the order")
        if delays is not None and not all(delay > 0 for delay in delays):
            raise ValueError(f"delays are {list(delays)!r}; each must be above 0")
        if not spread >= 0:
            raise ValueError(f"spread is {spread!r}; it must be at least 0")
        self.order = None if order is None else list(order)
        self.delays = None if delays is None else list(delays)
        self.seed = seed
        self.spread = spread
        self.recorded_order: list[int] = []
        self._now = 0.0

    def __repr__(self) -> str:
        return (
            f"Simulated(order={self.order}, delays={self.delays}, "
            f"seed={self.seed}, spread={self.spread})"
        )

    def clock(self) -> float:
        """Return simulated seconds."""
        return self._now

    def run(
        self,
        master: Master,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        recorder: Recorder,
    ) -> Master:
        """Replay the run; see `dpsvi.engine.backends.Backend`.

        Raises
        ------
        ValueError
            If `order` or `delays` do not fit the number of workers.
        """
        deliveries = self._deliveries(len(shards))
        team = TakeTurns(master.plan.n_threads)
        workers = open_workers(master, shards, seeds, [team] * len(shards))
        exchange = DirectExchange(master, recorder)
        try:
            with CtrlC(lambda: recorder.stop("interrupted")):
                self._replay(master, workers, exchange, deliveries, recorder)
                finish(master, recorder)
        finally:
            # The next run of this instance starts at 0 too, and repeats every bit.
            self._now = 0.0
        return master

    def _replay(
        self,
        master: Master,
        workers: Sequence[Worker],
        exchange: DirectExchange,
        deliveries: Iterator[tuple[float, int]],
        recorder: Recorder,
    ) -> None:
        self.recorded_order = []
        busy = {worker.name for worker in workers if exchange.pull(worker)}
        waiting: set[int] = set()
        while busy and not recorder.finished():
            time, name = next(deliveries)
            if name not in busy:
                continue
            self._now = time
            self.recorded_order.append(name)
            # The round's result depends on the loaded copy alone, so it may be
            # worked out as late as this.
            push = workers[name].round()
            if push is not None:
                exchange.push(push)
            busy.discard(name)
            waiting.add(name)
            if recorder.finished():
                break
            free = sorted(other for other in waiting if master.may_pull(other))
            waiting.difference_update(free)
            busy.update(other for other in free if exchange.pull(workers[other]))

    def _deliveries(self, n_workers: int) -> Iterator[tuple[float, int]]:
        """Endless (time, worker) in order of time."""
        if self.order is None:
            return self._drawn_deliveries(n_workers)
        if set(self.order) != set(range(n_workers)):
            raise ValueError(
                f"order names the workers {sorted(set(self.order))}; "
                f"it must name each of 0 to {n_workers - 1}"
            )
        return ((1.0 + k, name) for k, name in enumerate(cycle(self.order)))

    def _drawn_deliveries(self, n_workers: int) -> Iterator[tuple[float, int]]:
        delays = [1.0] * n_workers if self.delays is None else self.delays
        if len(delays) != n_workers:
            raise ValueError(f"{len(delays)} delays for {n_workers} workers")
        return _by_think_time(delays, self.spread, self.seed)


class TakeTurns:
    """The threads of a worker, which do a step each in turn."""

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads

    def run(self, local: LocalProblem, steps: range) -> range:
        """Do the steps, dealt to the threads in turn."""
        if self.n_threads == 1:
            local.run(0, iter(steps))
            return steps
        # One step each, as threads that run side by side would: what a thread reads
        # must not hold steps that are still to come.
        for number, step in enumerate(steps):
            local.run(number % self.n_threads, iter((step,)))
        return steps


def _by_think_time(
    delays: Sequence[float], spread: float, seed: int
) -> Iterator[tuple[float, int]]:
    """Events of workers that think for log-normal times, in order of time."""
    rng = np.random.default_rng(seed)
    # Log-normal with mean 1 and the given coefficient of variation.
    sigma = math.sqrt(math.log1p(spread**2))

    def think(name: int) -> float:
        return delays[name] * float(rng.lognormal(-(sigma**2) / 2, sigma))

    events = [(think(name), name) for name in range(len(delays))]
    heapq.heapify(events)
    while True:
        now, name = events[0]
        yield now, name
        heapq.heapreplace(events, (now + think(name), name))
