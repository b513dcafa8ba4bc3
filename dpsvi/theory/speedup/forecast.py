"""From costs to speed-up, data per second and time to a score, for any number of
workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dpsvi.theory.setting import check_count, check_positive
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.queueing import knee, mean_values

__all__ = ["Forecast", "forecast", "local_steps_needed", "saturating_workers"]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What so many workers are expected to do.

    Attributes
    ----------
    n_workers, n_threads, local_steps : int
        n, p and B.
    rounds_per_second : float
        X, of all workers together.
    samples_per_second : float
        X p B times the samples of a step.
    speed_up : float
        S = X p B t_u E_stat: against one thread that works on its own, without a
        master, on what reaches the same result.
    busy : float
        Share of the time that the master is busy, at its busiest place.
    waiting : float
        Share of a round that a worker waits for others to be served.
    staleness : float
        (n - 1) / M: what the staleness of pushes is on average, at most.
    efficiency : float
        E_stat.
    """

    n_workers: int
    n_threads: int
    local_steps: int
    rounds_per_second: float
    samples_per_second: float
    speed_up: float
    busy: float
    waiting: float
    staleness: float
    efficiency: float = 1.0

    def time_to_score(self, samples: float) -> float:
        """Return the seconds until a score that takes one thread so many samples.

        Raises
        ------
        ValueError
            If `samples` is not above 0.
        """
        check_positive("samples", samples)
        return samples / self.efficiency / self.samples_per_second


def forecast(
    costs: Costs,
    n_workers: Iterable[int],
    *,
    n_threads: int = 1,
    local_steps: int = 1,
    master_batch_size: int = 1,
    efficiency: Callable[[int], float] | float = 1.0,
    service_spread: float = 1.0,
) -> list[Forecast]:
    """Say what some numbers of workers would do, by mean value analysis.

    Parameters
    ----------
    costs : Costs
        Of a step and of an exchange.
    n_workers : iterable of int
        Values of n.
    n_threads, local_steps, master_batch_size : int, default=1
        p, B and M.
    efficiency : float or callable, default=1.0
        E_stat, or a function from n to it; see `statistical_efficiency`.
    service_spread : float, default=1.0
        See `mean_values`.

    Returns
    -------
    list of Forecast

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> costs = Costs(step_seconds=0.3, push_seconds=0.02, latency=0.01)
    >>> for found in forecast(costs, [1, 4, 18, 54]):
    ...     print(found.n_workers, round(found.speed_up, 1))
    1 0.9
    4 3.5
    18 13.3
    54 15.0
    """
    wanted = list(n_workers)
    for n in wanted:
        check_count("n_workers", n, least=1)
    check_count("master_batch_size", master_batch_size, least=1)
    think, steps = costs.think(n_threads, local_steps), n_threads * local_steps
    most = max(wanted, default=1)
    found = mean_values(most, think, costs.visits, service_spread=service_spread)
    forecasts = []
    for n in wanted:
        rate, response = found.throughput[n - 1], found.response[n - 1]
        useful = efficiency(n) if callable(efficiency) else efficiency
        if not 0 < useful <= 1:
            raise ValueError(f"efficiency is {useful!r}; it is a share, at most 1")
        waiting = (response - sum(costs.demands)) / (think + response)
        forecasts.append(
            Forecast(
                n_workers=n,
                n_threads=n_threads,
                local_steps=local_steps,
                rounds_per_second=float(rate),
                samples_per_second=float(rate * steps * costs.samples_per_step),
                speed_up=float(rate * steps * costs.step_seconds * useful),
                busy=float(found.busy[n - 1].max()),
                waiting=max(0.0, float(waiting)),
                staleness=(n - 1) / master_batch_size,
                efficiency=useful,
            )
        )
    return forecasts


def saturating_workers(
    costs: Costs, *, n_threads: int = 1, local_steps: int = 1
) -> float:
    """Return n*: with how many workers one master has no time left.

    Examples
    --------
    >>> costs = Costs(step_seconds=0.3, push_seconds=0.02, latency=0.01)
    >>> round(saturating_workers(costs, local_steps=15))
    227
    """
    return knee(costs.think(n_threads, local_steps), costs.demands)


def local_steps_needed(costs: Costs, n_workers: int, *, n_threads: int = 1) -> int:
    """Return the smallest B with which the master bears n workers.

    About n s σ(p) / (p t_u), less what latency leaves it time for.

    Examples
    --------
    >>> costs = Costs(step_seconds=0.08, push_seconds=0.02)
    >>> local_steps_needed(costs, 60)
    15
    """
    check_count("n_workers", n_workers, least=1)
    rest = costs.think(n_threads) - costs.working(n_threads) + sum(costs.demands)
    wanted = n_workers * max(costs.demands) - rest
    return max(1, math.ceil(wanted / costs.working(n_threads) - 1e-9))
