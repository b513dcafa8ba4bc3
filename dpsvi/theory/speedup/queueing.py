"""Workers as customers of a closed queueing network: mean value analysis.

n workers take turns between their own work, for Z seconds, and places where they
queue, first come first served. The exact recursion for exponential service is

    R_k = s (1 + Q_{k-1}),   X_k = k / (Z + R_k),   Q_k = X_k R_k

with response time R, throughput X and queue Q of k workers, and a sum over the places
if there are several. Whatever the distribution of Z, only its mean counts.

Two departures from that are no longer exact. Where services vary less than exponential
ones, the worker that is being served has less of its service left, and R is smaller by
that. And where a worker comes to a place several times in a round, with services s_v
of different length, as for a push and a pull, each visit waits for all services that
are ahead of it: R_v = s_v + Σ_u Q_u s_u.

Workers that push and then pull bunch up at a busy master: each finds the push of
another before its pull, both go on at once, and meet again. Means do not know that.
Near saturation they are about a tenth too high, and more with a spread below 1;
`simulate` has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.setting import check_count, check_positive

__all__ = ["MeanValues", "Services", "knee", "largest_throughput", "mean_values"]

#: Seconds at one place, at several, or at several with the visits of each.
Services = float | Sequence[float | Sequence[float]]


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
    services: Services,
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
    services : float, or sequence of float or of sequences of float
        s: seconds of a round at each place where workers queue; for a place that is
        visited several times in a round, the seconds of each visit.
    service_spread : float, default=1.0
        Coefficient of variation of a service, at most 1. With 1, exponential, the means
        are exact, as long as all visits to a place take equally long; 0: a service
        always takes the same time.

    Returns
    -------
    MeanValues

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> found = mean_values(60, think=1.0, services=0.05)
    >>> found.throughput[[0, 3, 8, 19, 39]].round(2).tolist()
    [0.95, 3.78, 8.36, 16.82, 20.0]
    """
    check_count("n_workers", n_workers, least=1)
    if not 0 <= service_spread <= 1:
        raise ValueError(f"service_spread is {service_spread!r}; give 0 to 1")
    visits = _visits(think, services)
    own = np.concatenate(visits)
    place = np.repeat(np.arange(len(visits)), [len(visit) for visit in visits])
    demands = np.bincount(place, own)
    # What is left of a service under way, as a share of a whole one.
    left = (1 + service_spread**2) / 2
    throughput, response = np.empty(n_workers), np.empty(n_workers)
    queues = np.empty((n_workers, len(visits)))
    present, served = np.zeros(own.size), np.zeros(own.size)
    for k in range(1, n_workers + 1):
        # Seconds of service that are ahead of who arrives, at each place.
        ahead = np.bincount(place, (present - served * (1 - left)) * own)
        stay = own + ahead[place]
        rate = k / (think + stay.sum())
        # Only where the means are not exact: no place serves more than it can, and one
        # worker more does no harm.
        possible = min(1 / demands.max(), max(rate, throughput[k - 2] if k > 1 else 0))
        if possible != rate:
            rate = possible
            stay = _stretched(stay, k / rate - think, place == demands.argmax())
        present, served = rate * stay, rate * own
        throughput[k - 1], response[k - 1] = rate, stay.sum()
        queues[k - 1] = np.bincount(place, present)
    return MeanValues(throughput, response, queues, throughput[:, None] * demands)


def largest_throughput(n_workers: int, think: float, services: Services) -> float:
    """Return what no n workers can exceed: min(n / (Z + Σ s), 1 / max s).

    Examples
    --------
    >>> largest_throughput(10, think=1.0, services=0.25)
    4.0
    """
    check_count("n_workers", n_workers, least=1)
    s = np.array([visit.sum() for visit in _visits(think, services)])
    return float(min(n_workers / (think + s.sum()), 1 / s.max()))


def knee(think: float, services: Services) -> float:
    """Return n* = (Z + Σ s) / max s, the workers that the busiest place bears.

    Fewer hardly meet one another; more wait and add next to nothing.

    Examples
    --------
    >>> knee(think=1.0, services=0.05)
    21.0
    """
    s = np.array([visit.sum() for visit in _visits(think, services)])
    return float((think + s.sum()) / s.max())


def _stretched(
    stay: NDArray[np.float64], total: float, busiest: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Make stays add up to so much: what they lack is spent at the busiest place."""
    lacking = total - float(stay.sum())
    if lacking < 0:
        stay *= total / float(stay.sum())
    else:
        stay[busiest] += lacking / int(busiest.sum())
    return stay


def _visits(think: float, services: Services) -> list[NDArray[np.float64]]:
    """Seconds of each visit of a round, place by place."""
    if not (think >= 0 and math.isfinite(think)):
        raise ValueError(f"think is {think!r}; give seconds, finite and at least 0")
    places = services if isinstance(services, Sequence) else [services]
    visits = [np.atleast_1d(np.asarray(place, dtype=float)) for place in places]
    if not visits or any(visit.ndim != 1 or not visit.size for visit in visits):
        raise ValueError(
            f"services is {services!r}; give a number for each place, or one for each "
            "visit to it"
        )
    for visit in visits:
        # A visit may take no time, but then another to the same place must.
        check_positive("services", float(visit.sum()))
        if visit.min() < 0:
            raise ValueError(f"services is {services!r}; seconds are at least 0")
    return visits
