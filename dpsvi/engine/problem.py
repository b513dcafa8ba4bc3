"""What a model must provide, and the messages that travel.

A `Problem` owns all arithmetic; the engine counts versions, hands out steps, runs
threads and records. The engine never looks inside `Parameters` or a payload.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

__all__ = [
    "Combining",
    "LocalProblem",
    "Parameters",
    "Payload",
    "Problem",
    "Push",
    "Receipt",
    "Request",
    "Selective",
    "SelectiveLocal",
    "Snapshot",
    "Status",
    "Update",
]

#: A problem's own picklable arrays or object; opaque to the engine.
Parameters: TypeAlias = Any

#: What a problem's workers push and its `merge` reads; opaque to the engine.
Payload: TypeAlias = Any

#: Which part of the parameters a worker asks for; opaque to the engine.
Request: TypeAlias = Any

#: What the master answers to a push.
Status: TypeAlias = Literal["accepted", "duplicate", "too_stale", "stopped"]


@dataclass(frozen=True)
class Snapshot:
    """What a worker pulls: the parameters of one version and the steps to do on them.

    Attributes
    ----------
    parameters : Parameters
        The master's parameters, v in the paper: a copy, or the part that the worker
        asked for. The live object itself if `shared`.
    version : int
        Number of merges done when the snapshot was taken.
    steps : range
        Indices of the local steps reserved for this round on the clock that all
        workers share. Empty: nothing is left to do.
    shared : bool, default=False
        The round may write straight into `parameters` instead of a copy.
    """

    parameters: Parameters
    version: int
    steps: range
    shared: bool = False


@dataclass(frozen=True)
class Update:
    """What one round has to give (Alg. 2 line 10).

    Attributes
    ----------
    payload : Payload
        The update vector; None after a shared snapshot, when it is already in the
        parameters.
    amount : float
        Units of data used (documents, frames), not steps.
    statistics : mapping of str to float
        Extra columns for the history.
    """

    payload: Payload
    amount: float
    statistics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Push:
    """An update on its way to the master.

    Attributes
    ----------
    worker : int or str
        Name of the worker.
    incarnation : str
        Changes when the worker is started again, so that numbers may restart.
    sequence : int
        Number of this push within the incarnation; a repeated one is a duplicate.
    update : Update
        What the round produced.
    based_on : int
        Version of the snapshot that the round started from.
    steps : range
        The steps of that snapshot, as far as they were done.
    """

    worker: int | str
    incarnation: str
    sequence: int
    update: Update
    based_on: int
    steps: range


@dataclass(frozen=True)
class Receipt:
    """The master's answer to a push.

    Attributes
    ----------
    status : {"accepted", "duplicate", "too_stale", "stopped"}
        What became of the push.
    version : int
        The master's version after the push.
    staleness : int
        Versions merged between the snapshot and the arrival of the push.
    """

    status: Status
    version: int
    staleness: int


@runtime_checkable
class LocalProblem(Protocol):
    """A problem opened on one worker, next to its shard. Never travels."""

    def load(self, snapshot: Snapshot) -> None:
        """Take the snapshot into the arrays that all threads share (Alg. 2 line 3).

        Arrays that have come over a network may be read-only. If ``snapshot.shared``,
        the round works on the master's arrays themselves.
        """

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Do local steps on one thread until none are left (Alg. 2 lines 4-9).

        Called for all threads of the worker at once, all with the same iterator:
        each ``next(steps)`` is the global index t of the local step to do now, for
        the learning rate. Must release the GIL in the heavy part. A thread may be
        called with no step left to take.

        Parameters
        ----------
        thread : int
            Number of the thread, from 0 to n_threads - 1.
        steps : iterator of int
            The steps of the round, shared by the threads.
        """

    def update(self) -> Update:
        """Return what was done since `load` (Alg. 2 line 10).

        The payload must not be written again by later rounds: the master may hold
        it until its batch is full.
        """


class SelectiveLocal(LocalProblem, Protocol):
    """What a `LocalProblem` may have besides, to pull a part of the parameters."""

    def request(self, n_steps: int) -> Request:
        """Say what the next round needs if it is of at most so many steps."""


@runtime_checkable
class Continuous(LocalProblem, Protocol):
    """What a `LocalProblem` may have besides, so that its threads need not stop.

    Its `update` may then be called while threads run, and tells what was done since the
    last `update`, or `load`.
    """

    def catch_up(self, snapshot: Snapshot) -> None:
        """Take a snapshot, and keep what threads have written since `update`.

        Called while threads run: the shared array becomes snapshot + (array - what it
        was at the last `update`), written without a lock.
        """


@runtime_checkable
class Problem(Protocol):
    """A model as the engine sees it. Picklable: it travels to the workers."""

    @property
    def additive(self) -> bool:
        """True if updates are plain sums.

        A lone worker in the master's process with M = 1 may then write straight
        into the master's parameters, without a copy or a merge.
        """

    def initial_parameters(self, rng: np.random.Generator) -> Parameters:
        """Return the parameters that a run starts from."""

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalProblem:
        """Open the problem on a worker, once, where the data live.

        Parameters
        ----------
        shard : object
            The worker's part of the data, as given to `dpsvi.engine.run`.
        n_threads : int
            Number of lock-free threads, p in the paper.
        seed : numpy.random.SeedSequence
            The worker's own; spawn one per thread.
        """

    def merge(
        self,
        parameters: Parameters,
        payloads: Sequence[Payload],
        rates: Sequence[float],
    ) -> Parameters:
        """Merge the updates of one master batch (Alg. 1 line 4).

        Works in place and returns the same object. Calls are serialised, and no
        snapshot is loaded meanwhile, so in-process readers see whole versions.

        Parameters
        ----------
        parameters : Parameters
            The current parameters.
        payloads : sequence of Payload
            The M update vectors, fewer in the last merge of a run.
        rates : sequence of float
            One factor per payload: the global rate, weighted by the staleness
            rule. Never 0.

        Returns
        -------
        Parameters
            The object that was given, merged.
        """


class Combining(Problem, Protocol):
    """What a `Problem` may have besides, so that the history counts every push.

    Without this, it holds the statistics of the last push of a merge.
    """

    def combine(self, statistics: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
        """Return one set of statistics for the pushes of a merge.

        Backends may have added columns of their own; their last values stand.
        """


class Selective(Problem, Protocol):
    """What a `Problem` may have besides, so that only a part of it travels.

    Without this, snapshots hold a deep copy of all parameters.
    """

    def extract(self, parameters: Parameters, request: Request) -> Any:
        """Copy what a worker asked for; everything if the request is None.

        Calls are serialised with those of `merge`, so the copy is of one version.
        """
