"""How much faster p lock-free threads are than one: the universal scalability law.

Up to the physical cores of a machine, p threads do the work of

    σ(p) = p / (1 + a (p - 1) + k p (p - 1))

threads: a is the share of a step that only one of them can be in (contention), k the
price of keeping their caches in agreement (coherence). Beyond the cores, where two
threads share one, each further thread adds a fixed part of what a core does; a quarter
unless it has been measured. A third thread on a core adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dpsvi.theory.setting import check_count

__all__ = ["ThreadScaling", "fit_threads"]

# What a second thread on a core adds, as a share of what the core does.
_SMT = 0.25


@dataclass(frozen=True, kw_only=True)
class ThreadScaling:
    """σ: the work of p threads of one worker, in threads.

    Attributes
    ----------
    contention, coherence : float, default=0.0
        a and k of the universal scalability law; 0 and 0: threads do not disturb one
        another.
    cores : int or None, default=None
        Physical cores of a worker; None: more than threads.
    smt : float, default=0.25
        What a second thread on a core adds, as a share of what the core does; 0 where
        a core runs one thread at a time.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> scaling = ThreadScaling(contention=0.02, cores=4)
    >>> round(scaling(4), 2), round(scaling(8), 2)
    (3.77, 4.72)
    """

    contention: float = 0.0
    coherence: float = 0.0
    cores: int | None = None
    smt: float = _SMT

    def __post_init__(self) -> None:
        for name in ("contention", "coherence", "smt"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value!r}; it is a share, from 0 to 1")
        if self.cores is not None:
            check_count("cores", self.cores, least=1)

    def __call__(self, n_threads: int) -> float:
        """Return σ(p).

        Raises
        ------
        ValueError
            If `n_threads` is not a whole number of at least 1.
        """
        check_count("n_threads", n_threads, least=1)
        p = n_threads if self.cores is None else min(n_threads, self.cores)
        alone = p / (1 + self.contention * (p - 1) + self.coherence * p * (p - 1))
        second = min(n_threads, 2 * p) - p
        return alone * (1 + self.smt * second / p)


def fit_threads(
    n_threads: Sequence[int], throughput: Sequence[float], cores: int | None = None
) -> ThreadScaling:
    """Fit σ to measured throughputs, by least squares of p / σ(p).

    Parameters
    ----------
    n_threads : sequence of int
        p of each measurement; 1 must be among them, since it is the unit.
    throughput : sequence of float
        Steps per second, or any number in proportion to them.
    cores : int or None, default=None
        Physical cores; measurements with more threads fix `smt`. None: all
        measurements are within the cores.

    Returns
    -------
    ThreadScaling
        With `contention` and `coherence` of at least 0.

    Raises
    ------
    ValueError
        If there is no measurement with one thread, or a throughput is not above 0.

    Examples
    --------
    >>> fitted = fit_threads([1, 2, 4], [100.0, 190.0, 340.0])
    >>> round(fitted.contention, 3)
    0.046
    """
    p, rate = np.asarray(n_threads, dtype=float), np.asarray(throughput, dtype=float)
    if p.shape != rate.shape or p.ndim != 1:
        raise ValueError(
            f"{p.size} numbers of threads for {rate.size} throughputs; give one each"
        )
    if not np.all((rate > 0) & np.isfinite(rate)):
        raise ValueError(
            f"throughput is {rate.tolist()}; each must be finite and above 0"
        )
    if 1 not in p:
        raise ValueError("n_threads lacks 1; measure one thread too, it is the unit")
    sigma = rate / rate[p == 1].mean()
    within = p <= (np.inf if cores is None else cores)
    contention, coherence = _law(p[within], sigma[within])
    law = ThreadScaling(contention=contention, coherence=coherence, cores=cores)
    if within.all() or cores is None:
        return law
    smt = _slope(p[~within], sigma[~within], law(cores), cores)
    return ThreadScaling(
        contention=contention, coherence=coherence, cores=cores, smt=smt
    )


def _law(p: NDArray[np.float64], sigma: NDArray[np.float64]) -> tuple[float, float]:
    """a and k, neither below 0: p / σ - 1 is linear in them."""
    terms, target = np.stack([p - 1, p * (p - 1)], axis=1), p / sigma - 1
    if not terms.any():
        return 0.0, 0.0
    # With two unknowns the best point is inside, on one of two edges, or the corner.
    edges = np.diag((terms * target[:, None]).sum(axis=0) / (terms**2).sum(axis=0))
    points = [edges[0], edges[1], np.zeros(2)]
    if np.unique(p[p > 1]).size > 1:
        points.append(np.linalg.lstsq(terms, target, rcond=None)[0])
    else:
        # One measurement cannot tell a from k; a is the one that promises no fall.
        del points[1]
    found = [point for point in points if np.all(point >= 0)]
    best = min(found, key=lambda point: float(np.sum((terms @ point - target) ** 2)))
    return min(1.0, float(best[0])), min(1.0, float(best[1]))


def _slope(
    p: NDArray[np.float64], sigma: NDArray[np.float64], full: float, cores: int
) -> float:
    """What a thread beyond the cores adds, between 0 and 1."""
    more = full * (np.minimum(p, 2 * cores) - cores) / cores
    return min(1.0, max(0.0, float(more @ (sigma - full) / (more @ more))))
