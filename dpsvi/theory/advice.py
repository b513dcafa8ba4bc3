"""From constants and costs to a layout: rates, M, B, and how many help."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from dpsvi.theory.communication import local_steps_to_break_even
from dpsvi.theory.corollary import (
    corollary_bound,
    corollary_rates,
    expected_staleness,
    fewest_merges,
)
from dpsvi.theory.search import largest
from dpsvi.theory.setting import Constants, Layout, check_count

__all__ = ["Recommendation", "recommend"]

# Workers, or threads, beyond which nobody asks.
_MOST = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What the theory recommends for a run.

    Attributes
    ----------
    global_rate, local_rate : float
        ρ and η of Corollary 1.
    layout : Layout
        T, M, p, B, and the largest delays D and D' to expect.
    n_workers : int
        n: at most what was offered.
    workers_that_help, threads_that_help : int
        The largest numbers for which Corollary 1 holds, each beside the recommended
        number of the other; beyond them it does not promise that more help. Never
        fewer than 1.
    bound : float
        What Corollary 1 promises for the mean squared gradient norm.
    proven : bool
        Whether the run is long enough for the corollary to hold (Eq. 10). If not,
        rates and bound are those of one worker and thread, and no guarantee; B is
        then at most the steps of the run.
    """

    global_rate: float
    local_rate: float
    layout: Layout
    n_workers: int
    workers_that_help: int
    threads_that_help: int
    bound: float
    proven: bool

    def __str__(self) -> str:
        made = self.layout
        return (
            f"{self.n_workers} workers with {made.n_threads} threads each, "
            f"B = {made.local_steps}, M = {made.master_batch_size}, "
            f"global rate {self.global_rate:.3g}, local rate {self.local_rate:.3g}; "
            f"up to {self.workers_that_help} workers and {self.threads_that_help} "
            "threads would help"
        )


def recommend(
    constants: Constants,
    steps: int,
    *,
    n_workers: int,
    n_threads: int,
    step_seconds: float,
    exchange_seconds: float,
    kept: float = 1.0,
    staleness: float | None = None,
    read_delay: float | None = None,
) -> Recommendation:
    """Recommend a layout for a run of so many local steps.

    Of the numbers of workers and threads offered it takes those that do most at once,
    n p, while Corollary 1 holds for T = steps / (p B) merges (Eq. 10). M is 1: the
    theory bounds M (D + 1), so that a larger M gains nothing. Rounds are as long as
    the master needs to keep up with all workers, B = n t_c / t_u, and no longer,
    since long rounds stray and make pushes stale.

    Parameters
    ----------
    constants : Constants
        L, V and Δ; see `estimate_constants`.
    steps : int
        Local steps of the whole run: what the budget of samples allows.
    n_workers, n_threads : int
        What is offered: workers, and threads of each.
    step_seconds : float
        t_u: one local step on one thread.
    exchange_seconds : float
        t_c: what one pull and push take of the master's time, or of its scheduler's
        event loop, if that is longer.
    kept : float, default=1.0
        α: the probability that a write is not lost.
    staleness : float or None, default=None
        D, a whole number, if it was measured, with all that is offered and M = 1;
        fewer or more workers change it in proportion to n - 1. None:
        `expected_staleness`.
    read_delay : float or None, default=None
        D', a whole number, if it was measured, with all threads that are offered; in
        proportion to p - 1. None: p - 1, one write under way on each other thread.

    Returns
    -------
    Recommendation

    Raises
    ------
    ValueError
        If a number is out of range, or a delay is given that one worker or thread
        cannot have.

    Examples
    --------
    >>> constants = Constants(smoothness=2.0, gradient_bound=2.0, gap=2.0)
    >>> advice = recommend(
    ...     constants,
    ...     10**6,
    ...     n_workers=8,
    ...     n_threads=2,
    ...     step_seconds=0.01,
    ...     exchange_seconds=0.002,
    ... )
    >>> print(advice)
    8 workers with 2 threads each, B = 2, M = 1, global rate 1, local rate 0.0005;
    up to 14 workers and 5 threads would help
    >>> advice.proven
    True
    """
    check_count("steps", steps, least=1)
    check_count("n_workers", n_workers, least=1)
    check_count("n_threads", n_threads, least=1)
    # They may have come as 1e6.
    steps, n_workers, n_threads = int(steps), int(n_workers), int(n_threads)
    offer = _Offer(
        constants,
        steps,
        local_steps_to_break_even(step_seconds, exchange_seconds),
        kept,
        _per_other("staleness", staleness, n_workers, expected_staleness(2)),
        _per_other("read_delay", read_delay, n_threads, 1),
    )
    n, p = offer.best(n_workers, n_threads)
    chosen, proven = offer.layout(n, p), offer.holds(n, p)
    if not proven:
        chosen = replace(chosen, local_steps=min(chosen.local_steps, steps))
    rho, eta = corollary_rates(constants, chosen)
    return Recommendation(
        global_rate=rho,
        local_rate=eta,
        layout=chosen,
        n_workers=n,
        workers_that_help=largest(lambda more: offer.holds(more, p), _MOST),
        threads_that_help=largest(lambda more: offer.holds(n, more), _MOST),
        bound=corollary_bound(constants, chosen),
        proven=proven,
    )


@dataclass(frozen=True)
class _Offer:
    """What is known before n and p are chosen."""

    constants: Constants
    steps: int
    # t_c / t_u: steps that one exchange takes as long as.
    busy: float
    kept: float
    # D per further worker and D' per further thread.
    stale: Fraction
    late: Fraction

    def layout(self, n: int, p: int) -> Layout:
        """Return the layout for n workers of p threads."""
        local_steps = max(1, math.ceil(n * self.busy - 1e-9))
        return Layout(
            merges=max(1, self.steps // (p * local_steps)),
            n_threads=p,
            local_steps=local_steps,
            staleness=math.ceil(self.stale * (n - 1)),
            read_delay=math.ceil(self.late * (p - 1)),
            kept=self.kept,
        )

    def holds(self, n: int, p: int) -> bool:
        """Whether Corollary 1 holds for n workers of p threads (Eq. 10)."""
        made = self.layout(n, p)
        return made.steps <= self.steps and (
            made.merges >= fewest_merges(self.constants, made)
        )

    def _hold(self, p: int, n: int) -> bool:
        return self.holds(n, p)

    def best(self, n_workers: int, n_threads: int) -> tuple[int, int]:
        """Return n and p within the numbers offered, so that n p is largest."""
        found = (1, 1)
        most = largest(lambda p: self.holds(1, p), n_threads)
        for p in range(1, most + 1):
            n = min(n_workers, largest(partial(self._hold, p), n_workers))
            # Of equals, the one with fewer workers: they are the staler ones.
            if self.holds(n, p) and n * p >= found[0] * found[1]:
                found = (n, p)
        return found


def _per_other(name: str, delay: float | None, among: int, default: int) -> Fraction:
    """Return a measured delay per other worker or thread, or what is expected."""
    if delay is None:
        return Fraction(default)
    check_count(name, delay, least=0)
    if among == 1 and delay > 0:
        raise ValueError(
            f"{name} is {delay}, and there is only one to be late; it must be 0"
        )
    return Fraction(int(delay), max(1, among - 1))
