"""From constants and costs to a layout: rates, M, B, and how many help."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dpsvi.theory.communication import local_steps_to_break_even
from dpsvi.theory.corollary import (
    corollary_bound,
    corollary_rates,
    fewest_merges,
    largest_staleness,
    most_threads,
)
from dpsvi.theory.search import largest
from dpsvi.theory.setting import Constants, Layout, check_count, check_positive

__all__ = ["Recommendation", "recommend"]

# Pushes meet twice the mean staleness at most, as a rule, where every push is merged
# at once (measured on the discrete-event simulation).
_TAIL = 2
# Workers beyond which nobody asks.
_MOST = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What the theory recommends for a run.

    Attributes
    ----------
    global_rate, local_rate : float
        ρ and η of Corollary 1.
    layout : Layout
        T, M, p, B and the largest staleness to expect.
    n_workers : int
        n: at most what was offered.
    workers_that_help, threads_that_help : int
        From how many on more are of no use, by communication or by the theory; never
        fewer than 1.
    bound : float
        What Corollary 1 promises for the mean squared gradient norm.
    proven : bool
        Whether the run is long enough for the corollary to hold (Eq. 10).
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
) -> Recommendation:
    """Recommend a layout for a run of so many local steps.

    M is 1: the theory bounds M (D + 1), and with every push merged at once
    D = 2 (n - 1) is all there is. Rounds are as long as the master needs to keep up
    with all workers, n t_c / t_u steps, and no longer, since long rounds stray and
    make pushes stale. Workers and threads help as long as such rounds are within
    Corollary 1's bounds.

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
        t_c: what one pull and push take of the master's time.
    kept : float, default=1.0
        α: the probability that a write is not lost.

    Returns
    -------
    Recommendation

    Raises
    ------
    ValueError
        If a number is out of range.

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
    up to 16 workers and 64 threads would help
    """
    check_count("steps", steps, least=1)
    check_count("n_workers", n_workers, least=1)
    check_count("n_threads", n_threads, least=1)
    check_positive("step_seconds", step_seconds)
    threads = max(1, most_threads(constants, Layout(merges=steps)))
    p = min(n_threads, threads)
    busy = local_steps_to_break_even(step_seconds, exchange_seconds)

    def laid_out(n: int) -> Layout:
        B = max(1, math.ceil(n * busy - 1e-9))
        merges = max(1, steps // (p * B))
        stale = _TAIL * (n - 1)
        return Layout(
            merges=merges, n_threads=p, local_steps=B, staleness=stale, kept=kept
        )

    helping = largest(
        lambda n: largest_staleness(constants, laid_out(n)) >= laid_out(n).staleness,
        _MOST,
    )
    chosen = laid_out(min(n_workers, helping))
    rho, eta = corollary_rates(constants, chosen)
    return Recommendation(
        global_rate=rho,
        local_rate=eta,
        layout=chosen,
        n_workers=min(n_workers, helping),
        workers_that_help=helping,
        threads_that_help=threads,
        bound=corollary_bound(constants, chosen),
        proven=chosen.merges >= fewest_merges(constants, chosen),
    )
