"""Workers as customers of a closed queueing network: mean value analysis.

n workers take turns between their own work, for Z seconds, and places where they
queue, first come first served. The exact recursion for exponential service is

    R_k = s (1 + Q_{k-1}),   X_k = k / (Z + R_k),   Q_k = X_k R_k

with response time R, throughput X and queue Q of k workers, and a sum over the places
if there are several. Whatever the distribution of Z, only its mean counts.
Where services vary less than exponential ones, the worker that is being served has less
of its service left; R is smaller by that, which is no longer exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.setting import check_count, check_positive

__all__ = ["MeanValues", "knee", "largest_throughput", "mean_values"]


@dataclass(frozen=True)
class MeanValues:
    """Means of a closed network with 1 to n workers.

    Attributes
    ----------
    throughput : ndarray of shape (n,)
        X: rounds per second of k + 1 workers together.
    response : ndarray of shape (n,)
        R: seconds of a round that are spent waiting for service and being served.
    queue : ndarray of shape (n, n_places)
        Workers at each place.
    busy : ndarray of shape (n, n_places)
        Share of the time that each place is busy.
    """

    throughput: NDArray[np.float64]
    response: NDArray[np.float64]
    queue: NDArray[np.float64]
    busy: NDArray[np.float64]


def mean_values(
    n_workers: int,
    think: float,
    demands: float | Sequence[float],
    *,
    service_spread: float = 1.0,
) -> MeanValues:
    """Return throughput, response and queues of 1 to n workers.

    Parameters
    ----------
    n_workers : int
        n.
    think : float
        Z: seconds of a round that a worker needs for itself; 0 is allowed.
    demands : float or sequence of float
        s: seconds of a round at each place where workers queue.
    service_spread : float, default=1.0
        Coefficient of variation of a service, at most 1. With 1, exponential, the means
        are exact; 0: all services take the same time.

    Returns
    -------
    MeanValues

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> found = mean_values(60, think=1.0, demands=0.05)
    >>> found.throughput[[0, 3, 8, 19, 39]].round(2).tolist()
    [0.95, 3.78, 8.36, 16.79, 20.0]
    """
    check_count("n_workers", n_workers, least=1)
    s = _checked(think, demands)
    if not 0 <= service_spread <= 1:
        raise ValueError(f"service_spread is {service_spread!r}; give 0 to 1")
    # What is left of a service under way, as a share of an exponential one.
    saved = (1 - service_spread**2) / 2
    throughput, response = np.empty(n_workers), np.empty(n_workers)
    queues = np.empty((n_workers, s.size))
    queue, busy = np.zeros(s.size), np.zeros(s.size)
    for k in range(1, n_workers + 1):
        stay = s * (1 + queue - saved * busy)
        rate = k / (think + stay.sum())
        if rate * s.max() > 1:
            # Only if spread < 1: the correction must not serve more than there is time.
            rate = 1 / s.max()
            stay[s.argmax()] += k / rate - think - stay.sum()
        queue, busy = rate * stay, rate * s
        throughput[k - 1], response[k - 1], queues[k - 1] = rate, stay.sum(), queue
    return MeanValues(throughput, response, queues, throughput[:, None] * s)


def largest_throughput(
    n_workers: int, think: float, demands: float | Sequence[float]
) -> float:
    """Return what no n workers can exceed: min(n / (Z + Σ s), 1 / max s).

    Examples
    --------
    >>> largest_throughput(10, think=1.0, demands=0.25)
    4.0
    """
    check_count("n_workers", n_workers, least=1)
    s = _checked(think, demands)
    return float(min(n_workers / (think + s.sum()), 1 / s.max()))


def knee(think: float, demands: float | Sequence[float]) -> float:
    """Return n* = (Z + Σ s) / max s, the workers that the busiest place bears.

    Fewer hardly meet one another; more wait and add next to nothing.

    Examples
    --------
    >>> knee(think=1.0, demands=0.05)
    21.0
    """
    s = _checked(think, demands)
    return float((think + s.sum()) / s.max())


def _checked(think: float, demands: float | Sequence[float]) -> NDArray[np.float64]:
    if not (think >= 0 and math.isfinite(think)):
        raise ValueError(f"think is {think!r}; give seconds, finite and at least 0")
    s = np.atleast_1d(np.asarray(demands, dtype=float))
    if s.ndim != 1 or not s.size:
        raise ValueError(f"demands has shape {s.shape}; give one number per place")
    for value in s:
        check_positive("demands", float(value))
    return s
