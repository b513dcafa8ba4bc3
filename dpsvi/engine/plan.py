"""How a run is laid out: how many workers, threads and steps, at which rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dpsvi.engine.admission import Admission, accept_all
from dpsvi.engine.schedules import Schedule, constant

__all__ = ["Plan", "check_integer"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The layout of a run.

    Attributes
    ----------
    total_steps : int
        Local steps to hand out over all workers and threads, with `steps_before`.
        Steps of pushes that are dropped are not handed out again.
    n_workers : int, default=1
        Asynchronous workers, n in the paper.
    n_threads : int, default=1
        Lock-free threads per worker, p in the paper.
    local_steps : int, default=1
        Steps per thread between pull and push, B in the paper. The threads of a
        worker share their p * B steps, so a fast one does more.
    longest_local_steps : int or None, default=None
        Where workers and master are apart, a worker lengthens its rounds up to this
        many steps per thread while communication takes more than a tenth of them.
        None: rounds stay at `local_steps`.
    master_batch_size : int or None, default=None
        Pushes per merge, M in the paper; None: the number of workers.
    max_time : float or None, default=None
        Seconds after which no step is started.
    max_staleness : int or None, default=None
        Pushes staler than this many versions are dropped; None: no bound.
    synchronous : bool, default=False
        A worker pulls again once its push has been merged. With M = n nothing is
        stale, and every merge has one push of each worker.
    admission : callable, default=accept_all
        From staleness to weight, see `dpsvi.engine.admission`.
    global_rate : callable, default=constant(1.0)
        From version to the rate of a merge, rho in the paper.
    aggregate : {"sum", "mean"}, default="sum"
        "mean" divides the global rate by M.
    boundaries : int or None, default=None
        A round never crosses a multiple of this many steps; None: no boundaries.
    steps_before : int, default=0
        Steps of an earlier run that this one goes on from: where the clock starts.
    furthest : callable or None, default=None
        From the step that a round begins with to the one that it must end before;
        None: rounds are as long as they are.
    keep_log : bool, default=False
        Note every push, so that the run can be repeated (`dpsvi.engine.Replay`).
    seed : int or None, default=None
        Of everything random; None: fresh.

    Raises
    ------
    TypeError, ValueError
        If a value is of the wrong kind or out of range.

    Examples
    --------
    >>> plan = Plan(total_steps=1000, n_workers=4, n_threads=2, local_steps=5)
    >>> plan.merge_size, plan.round_steps
    (4, 10)
    """

    total_steps: int
    n_workers: int = 1
    n_threads: int = 1
    local_steps: int = 1
    longest_local_steps: int | None = None
    master_batch_size: int | None = None
    max_time: float | None = None
    max_staleness: int | None = None
    synchronous: bool = False
    admission: Admission = accept_all
    global_rate: Schedule = constant(1.0)  # noqa: RUF009 (immutable)
    aggregate: Literal["sum", "mean"] = "sum"
    boundaries: int | None = None
    steps_before: int = 0
    furthest: Callable[[int], int] | None = None
    keep_log: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("n_workers", "n_threads", "local_steps"):
            check_integer(name, getattr(self, name), least=1)
        for name in ("longest_local_steps", "master_batch_size", "boundaries"):
            check_integer(name, getattr(self, name), least=1, optional=True)
        for name in ("max_staleness", "seed"):
            check_integer(name, getattr(self, name), least=0, optional=True)
        for name in ("total_steps", "steps_before"):
            check_integer(name, getattr(self, name), least=0)
        _check_time(self.max_time)
        _check_callable("admission", self.admission)
        _check_callable("global_rate", self.global_rate)
        if self.aggregate not in ("sum", "mean"):
            raise ValueError(
                f"aggregate is {self.aggregate!r}; it must be 'sum' or 'mean'"
            )
        if self.synchronous and self.merge_size > self.n_workers:
            raise ValueError(
                f"master_batch_size is {self.merge_size} with {self.n_workers} "
                "synchronous workers, who would wait for ever: give n_workers at most"
            )

    @property
    def merge_size(self) -> int:
        """Pushes per merge, M in the paper."""
        return self.master_batch_size or self.n_workers

    @property
    def round_steps(self) -> int:
        """Steps of a full round of one worker: p * B."""
        return self.n_threads * self.local_steps

    @property
    def longest_round(self) -> int:
        """Steps that a round may be lengthened to."""
        return self.n_threads * max(self.local_steps, self.longest_local_steps or 1)

    def seeds(self) -> tuple[np.random.SeedSequence, list[np.random.SeedSequence]]:
        """Return a seed for the initial parameters and one for each worker.

        The seed of a worker does not depend on the number of workers.
        """
        first, *others = np.random.SeedSequence(self.seed).spawn(1 + self.n_workers)
        return first, others


def check_integer(name: str, value: Any, *, least: int, optional: bool = False) -> None:
    """Raise TypeError unless a value is an integer, ValueError if it is too small."""
    if value is None and optional:
        return
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        either = "an integer or None" if optional else "an integer"
        raise TypeError(f"{name} is {value!r}; it must be {either}")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")


def _check_time(max_time: float | None) -> None:
    # `not >` also catches nan; infinity is as good as None.
    if max_time is not None and (not max_time > 0 or math.isnan(max_time)):
        raise ValueError(
            f"max_time is {max_time!r}; give seconds above 0, or None for no limit"
        )


def _check_callable(name: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(
            f"{name} is {value!r}; it must be a function of one integer, "
            f"from dpsvi.engine.schedules or dpsvi.engine.admission"
        )
