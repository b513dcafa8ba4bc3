"""The master (Alg. 1): counts versions, admits pushes and merges them.

No clock, no thread, no I/O and no lock: a backend calls it from one place at a time,
and may pickle it to wherever it is to live.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dpsvi.engine.plan import Plan
from dpsvi.engine.problem import (
    Parameters,
    Problem,
    Push,
    Receipt,
    Request,
    Snapshot,
    Status,
)
from dpsvi.engine.progress import Report
from dpsvi.engine.schedules import constant

__all__ = ["Arrival", "Counters", "Master"]


class Arrival(NamedTuple):
    """A push that came to the master, in time and for the first time.

    Attributes
    ----------
    worker : int or str
        Who pushed.
    based_on : int
        Version of the snapshot it worked on.
    steps : range
        What it did.
    """

    worker: Any
    based_on: int
    steps: range


@dataclass
class Counters:
    """What became of the data that was pushed.

    ``accepted == merged + pending`` at all times.

    Attributes
    ----------
    accepted, merged, pending, dropped : float
        Units of data: taken in, merged into the parameters, waiting for the batch
        to fill, and refused: too stale, after the end, or of a worker given up.
    steps_reserved, steps_merged : int
        Local steps handed out, with those of an earlier run, and those merged.
    clock : int
        Place on the clock of the latest step merged. Steps that were lost or dropped
        have passed on it too.
    pushes, duplicates, too_stale : int
        Pushes accepted, repeated ones, and those dropped for their staleness.
    """

    accepted: float = 0.0
    merged: float = 0.0
    pending: float = 0.0
    dropped: float = 0.0
    steps_reserved: int = 0
    steps_merged: int = 0
    clock: int = 0
    pushes: int = 0
    duplicates: int = 0
    too_stale: int = 0


@dataclass
class _Seen:
    """Sequence numbers that have come; compact as long as few are missing."""

    below: int = 0
    early: set[int] = field(default_factory=set)

    def add(self, sequence: int) -> bool:
        """Note a number; False if it had come before."""
        if sequence < self.below or sequence in self.early:
            return False
        self.early.add(sequence)
        while self.below in self.early:
            self.early.remove(self.below)
            self.below += 1
        return True


class Master:
    """Keeps the parameters of a run and merges what workers push.

    Parameters
    ----------
    problem : Problem
        Merges payloads into parameters.
    parameters : Parameters
        What the run starts from; merged into in place.
    plan : Plan
        Rates, sizes and bounds.

    Attributes
    ----------
    parameters : Parameters
        v in the paper.
    version : int
        Merges done, t - 1 in the paper.
    counters : Counters
        What became of the data.
    log : list of Arrival
        The pushes in the order of their arrival: enough to repeat the run. Empty
        unless the plan says `keep_log`.
    report : Report or None
        About the last merge.
    stopped : str or None
        Why the run ended, once it has.
    """

    def __init__(self, problem: Problem, parameters: Parameters, plan: Plan) -> None:
        self.problem = problem
        self.parameters = parameters
        self.plan = plan
        self.version = 0
        self.counters = Counters(
            steps_reserved=plan.steps_before, clock=plan.steps_before
        )
        self.log: list[Arrival] = []
        self.report: Report | None = None
        self.stopped: str | None = None
        # Pushes with the weight of their staleness, until there are M of them.
        self._pending: list[tuple[Push, float]] = []
        self._seen: dict[Hashable, _Seen] = {}
        self._dismissed: set[str] = set()

    @property
    def can_share(self) -> bool:
        """Whether a lone in-process worker may write into the parameters.

        Needs sums as updates, every push merged at once, and no factor on it.
        """
        return (
            self.problem.additive
            and self.plan.merge_size == 1
            and self.plan.global_rate == constant(1.0)
            and self.plan.admission(0) == 1.0
        )

    def snapshot(
        self, n_steps: int, request: Request = None, *, shared: bool = False
    ) -> Snapshot:
        """Hand out the parameters and reserve steps of the clock (Alg. 2 line 3).

        Parameters
        ----------
        n_steps : int
            How many steps the worker would do. It gets fewer at the end of the run
            and before a boundary of the plan, none after the end.
        request : Request, default=None
            Which part of the parameters to copy; None: all.
        shared : bool, default=False
            The worker will write into the parameters themselves.

        Raises
        ------
        ValueError
            If `n_steps` is below 1, or `shared` is asked for without `can_share`.
        """
        if n_steps < 1:
            raise ValueError(f"n_steps is {n_steps}; ask for at least one step")
        if shared and not self.can_share:
            raise ValueError(
                "a shared snapshot needs an additive problem, one push per merge, "
                "global rate constant(1.0) and full weight for fresh pushes"
            )
        start = self.counters.steps_reserved
        steps = range(start, self._round_end(start, n_steps, shared))
        self.counters.steps_reserved = steps.stop
        parameters = self.parameters if shared else None
        if steps and not shared:
            parameters = self.extract(request)
        return Snapshot(parameters, self.version, steps, shared)

    def may_pull(self, worker: int | str) -> bool:
        """Whether a worker is to go on; one of a synchronous plan waits for its merge.

        Nobody waits for steps that are not there.
        """
        if not self.plan.synchronous or self.stopped is not None:
            return True
        if self.counters.steps_reserved >= self.plan.total_steps:
            return True
        return all(push.worker != worker for push, _ in self._pending)

    def extract(self, request: Request = None) -> Parameters:
        """Copy a part of the parameters, or all of them."""
        select = getattr(self.problem, "extract", None)
        if select is None:
            return copy.deepcopy(self.parameters)
        return select(self.parameters, request)

    def receive(self, push: Push) -> Receipt:
        """Take a push in, and merge when the batch is full (Alg. 1 lines 3-4).

        Raises
        ------
        ValueError
            If the push is based on a version that does not exist yet, or a rule of
            the plan gives a weight or rate out of range.
        """
        staleness = self.version - push.based_on
        if staleness < 0:
            raise ValueError(
                f"the push of worker {push.worker!r} is based on version "
                f"{push.based_on}, the master is at {self.version}: "
                "it belongs to another run"
            )
        status = self._admit(push, staleness)
        if len(self._pending) == self.plan.merge_size:
            self._merge()
        return Receipt(status, self.version, staleness)

    def flush(self) -> bool:
        """Merge what is pending, at the end of a run; say whether there was any."""
        if not self._pending:
            return False
        self._merge()
        return True

    def stop(self, reason: str) -> None:
        """Hand out no more steps and refuse pushes; the first reason stands."""
        if self.stopped is None:
            self.stopped = reason

    def dismiss(self, incarnation: str) -> None:
        """Give up a worker: what it may still push is refused.

        A connection that was cut may deliver a push long after another worker has
        taken over.
        """
        self._dismissed.add(incarnation)

    def _round_end(self, start: int, n_steps: int, shared: bool) -> int:
        if self.stopped is not None or start >= self.plan.total_steps:
            return start
        size = self.plan.boundaries or self.plan.total_steps
        end = start + n_steps
        if shared:
            # A round that an earlier run has broken off ends where it was to end.
            end -= start % size % n_steps
        end = min(end, (start // size + 1) * size, self.plan.total_steps)
        if self.plan.furthest is not None:
            end = min(end, self.plan.furthest(start))
        return end

    def _admit(self, push: Push, staleness: int) -> Status:
        """Decide about a push, and keep it if it is accepted."""
        seen = self._seen.setdefault((push.worker, push.incarnation), _Seen())
        if not seen.add(push.sequence):
            self.counters.duplicates += 1
            return "duplicate"
        amount = push.update.amount
        if self.stopped is not None or push.incarnation in self._dismissed:
            self.counters.dropped += amount
            return "stopped"
        if self.plan.keep_log:
            self.log.append(Arrival(push.worker, push.based_on, push.steps))
        weight = self._weight(staleness)
        if weight == 0:
            self.counters.dropped += amount
            self.counters.too_stale += 1
            return "too_stale"
        self.counters.accepted += amount
        self.counters.pending += amount
        self.counters.pushes += 1
        self._pending.append((push, weight))
        return "accepted"

    def _weight(self, staleness: int) -> float:
        bound = self.plan.max_staleness
        if bound is not None and staleness > bound:
            return 0.0
        weight = self.plan.admission(staleness)
        if not 0 <= weight <= 1:
            raise ValueError(
                f"the admission rule gives {weight!r} for staleness {staleness}; "
                "weights must be between 0 and 1"
            )
        return weight

    def _rate(self) -> float:
        rate = self.plan.global_rate(self.version)
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(
                f"the global rate is {rate!r} at version {self.version}; "
                "rates must be finite and above 0"
            )
        return rate / self.plan.merge_size if self.plan.aggregate == "mean" else rate

    def _merge(self) -> None:
        """Alg. 1 line 4, and the report about it."""
        batch, self._pending = self._pending, []
        rate = self._rate()
        # Without a payload the worker wrote into the parameters itself.
        news = [
            (push.update.payload, rate * weight)
            for push, weight in batch
            if push.update.payload is not None
        ]
        if news:
            payloads, rates = zip(*news, strict=True)
            self.parameters = self.problem.merge(self.parameters, payloads, rates)
        amount = sum(push.update.amount for push, _ in batch)
        self.counters.merged += amount
        self.counters.pending -= amount
        self.counters.steps_merged += sum(len(push.steps) for push, _ in batch)
        latest = max(push.steps.stop for push, _ in batch)
        self.counters.clock = max(self.counters.clock, latest)
        staleness = [self.version - push.based_on for push, _ in batch]
        self.version += 1
        self.report = Report(
            version=self.version,
            steps=self.counters.steps_merged,
            clock=self.counters.clock,
            amount=self.counters.merged,
            staleness_mean=sum(staleness) / len(staleness),
            staleness_max=max(staleness),
            statistics=self._statistics([push for push, _ in batch]),
        )

    def _statistics(self, pushes: Sequence[Push]) -> Mapping[str, float]:
        """What is told about a batch: of its last push, unless the problem combines."""
        told = [push.update.statistics for push in pushes]
        combine = getattr(self.problem, "combine", None)
        return told[-1] if combine is None else combine(told)
