"""What talking to the master costs at least (paper, Eq. 56 to 58)."""

from __future__ import annotations

from dpsvi.theory.setting import check_count, check_positive

__all__ = ["communication_time", "local_steps_to_break_even"]


def communication_time(
    steps: int, steps_per_exchange: int, exchange_seconds: float
) -> float:
    """Return the seconds that a master needs for the exchanges of a run (Eq. 56).

    An exchange (pull, push) brings in some steps, and a master that does one exchange
    at a time spends ``exchange_seconds`` on each: T M t_c for B = p = 1, and 1/B of it
    with B steps per exchange.

    Parameters
    ----------
    steps : int
        Local steps of the run, T M p B in all.
    steps_per_exchange : int
        p B: those of all threads of a worker.
    exchange_seconds : float
        t_c: what one exchange takes of the master's time, in seconds.

    Returns
    -------
    float
        Seconds; the run cannot be shorter, however many workers there are.

    Examples
    --------
    >>> communication_time(10_000, steps_per_exchange=50, exchange_seconds=0.02)
    4.0
    """
    check_count("steps", steps, least=1)
    check_count("steps_per_exchange", steps_per_exchange, least=1)
    check_positive("exchange_seconds", exchange_seconds)
    return steps / steps_per_exchange * exchange_seconds


def local_steps_to_break_even(step_seconds: float, exchange_seconds: float) -> float:
    """Return the steps per exchange from which workers can beat one thread (Eq. 58).

    With one step per exchange and ``exchange_seconds >= step_seconds`` a serialised
    master alone takes longer than a serial run of the same steps, with any number of
    workers: T M t_c >= T M t_u (Eq. 57, 58). More steps per exchange than the ratio
    of the two make up for it.

    Parameters
    ----------
    step_seconds : float
        t_u: one local step of one thread.
    exchange_seconds : float
        t_c: what one exchange takes of the master's time.

    Examples
    --------
    >>> local_steps_to_break_even(step_seconds=0.001, exchange_seconds=0.02)
    20.0
    """
    check_positive("step_seconds", step_seconds)
    check_positive("exchange_seconds", exchange_seconds)
    return exchange_seconds / step_seconds
