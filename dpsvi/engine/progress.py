"""What is seen of a run while it goes on, and who decides that it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from dpsvi.engine.history import History
from dpsvi.engine.problem import Parameters

__all__ = ["Look", "Monitor", "Progress", "Reason", "Recorder", "Report"]

#: Why a run ended.
Reason: TypeAlias = Literal["completed", "max_time", "stopped", "interrupted"]


@dataclass(frozen=True)
class Report:
    """What the master tells about its last merge.

    Attributes
    ----------
    version : int
        Merges done.
    steps : int
        Local steps merged so far.
    clock : int
        Place on the clock of the latest of them.
    amount : float
        Units of data merged so far.
    staleness_mean, staleness_max : float
        Of the pushes of this merge, in versions.
    statistics : mapping of str to float
        Of the push that came last, or of all if the problem combines them.
    """

    version: int
    steps: int
    clock: int
    amount: float
    staleness_mean: float
    staleness_max: int
    statistics: Mapping[str, float]


#: Returns the parameters as they are now, and their place on the clock.
Look: TypeAlias = Callable[[], tuple[Parameters, int]]


@dataclass(frozen=True)
class Progress:
    """What a monitor sees after each merge.

    Attributes
    ----------
    time : float
        Seconds since the start of the run.
    version : int
        Merges done.
    steps : int
        Local steps merged so far.
    clock : int
        Place on the clock of the latest of them: the same, unless pushes were lost,
        dropped, or are still under way.
    amount : float
        Units of data merged so far.
    staleness : float
        Mean staleness of the pushes of this merge, in versions.
    parameters : Parameters
        The master's, to be read only. In one process the live object, which nobody
        writes until the monitor returns; else fetched when first asked for.
    parameters_clock : int
        Place of `parameters` on the clock: later than `clock` if the master lives
        elsewhere and has gone on meanwhile.
    statistics : mapping of str to float
        What the problem reported with its last update.
    monitor_time : float
        Seconds of `time` that were spent in the monitor before this call.
    history : History
        Of the run, its last row that of this moment.
    """

    time: float
    version: int
    steps: int
    clock: int
    amount: float
    staleness: float
    statistics: Mapping[str, float]
    monitor_time: float
    history: History
    _look: Look = field(repr=False)

    @property
    def parameters(self) -> Parameters:
        return self._seen[0]

    @property
    def parameters_clock(self) -> int:
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[Parameters, int]:
        return self._look()

    def record(self, **values: float) -> None:
        """Add columns to the history row of this moment."""
        self.history.amend(**values)


#: Called after each merge; returning True stops the run.
Monitor: TypeAlias = Callable[[Progress], bool | None]


class Recorder:
    """Fills the history, asks the monitor and remembers why the run is to end.

    Parameters
    ----------
    clock : callable
        Returns seconds from any origin.
    monitor : callable or None
        Called with a `Progress` after each merge.
    max_time : float or None
        Seconds after which `finished` says so.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        monitor: Monitor | None = None,
        max_time: float | None = None,
    ) -> None:
        self.history = History()
        self.reason: Reason | None = None
        self._clock = clock
        self._monitor = monitor
        self._max_time = max_time
        self._start = clock()
        self._monitor_time = 0.0
        self._n_bytes = 0.0

    @property
    def time(self) -> float:
        """Seconds since the start of the run."""
        return self._clock() - self._start

    def record(
        self,
        report: Report,
        look: Look,
        n_bytes: float | None = None,
        time: float | None = None,
    ) -> None:
        """Ask the monitor about one merge and add its row to the history.

        Parameters
        ----------
        report : Report
            About the merge.
        look : callable
            Gives the parameters, if the monitor wants them.
        n_bytes : float or None, default=None
            Sent over the network so far; None: no more than last time.
        time : float or None, default=None
            When the merge was, if elsewhere: workers there have gone on while the
            monitor was busy. None: now.
        """
        begun, monitor_time = self.time, self._monitor_time
        now = begun if time is None else time
        if n_bytes is not None:
            self._n_bytes = n_bytes
        row: dict[str, float] = {
            "time": now,
            "version": report.version,
            "steps": report.steps,
            "amount": report.amount,
            "staleness_mean": report.staleness_mean,
            "staleness_max": report.staleness_max,
            "bytes": self._n_bytes,
            "monitor_time": monitor_time,
        }
        self.history.append(**{**row, **report.statistics})
        if self._monitor is None:
            return
        progress = Progress(
            time=now,
            version=report.version,
            steps=report.steps,
            clock=report.clock,
            amount=report.amount,
            staleness=report.staleness_mean,
            statistics=report.statistics,
            monitor_time=monitor_time,
            history=self.history,
            _look=look,
        )
        if self._monitor(progress):
            self.stop("stopped")
        if time is None:
            self._monitor_time += self.time - begun

    def stop(self, reason: Reason) -> None:
        """Ask for the end of the run; the first reason stands."""
        # A plain assignment: a signal handler may call this at any moment.
        if self.reason is None:
            self.reason = reason

    def finished(self) -> bool:
        """Say whether no further round is to be started."""
        if self._max_time is not None and self.time >= self._max_time:
            self.stop("max_time")
        return self.reason is not None
