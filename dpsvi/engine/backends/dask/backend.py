"""The backend "dask": the client's side of a run on a cluster."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from distributed import Client

from dpsvi.engine.backends.dask.data import keep
from dpsvi.engine.backends.dask.fleet import Fleet
from dpsvi.engine.backends.dask.handle import MasterHandle
from dpsvi.engine.backends.dask.preflight import Roll, check_size
from dpsvi.engine.backends.dask.session import News
from dpsvi.engine.interrupt import CtrlC
from dpsvi.engine.master import Master
from dpsvi.engine.progress import Look, Recorder
from dpsvi.engine.worker import finish

__all__ = ["Dask"]

# Seconds of a question for news, and so the longest until Ctrl-C is seen.
_SLICE = 0.2
# Seconds to wait for the loops after the end; they hear of it once a second. And for
# those that have nothing left to do to say how they ended.
_GRACE, _FAREWELL = 30.0, 2.0


class Dask:
    """The backend "dask": a master in the scheduler, a worker on each Dask worker.

    Shards are objects, which are sent to the workers, or futures of the cluster,
    whose results stay where they are. A loop that is lost with its worker is started
    again elsewhere, and loops move to workers that join.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        Connected and not asynchronous; None: the current one.

    Raises
    ------
    ValueError
        If there is no client, or it is closed, or asynchronous.
    TypeError
        If it is no client at all.

    Examples
    --------
    >>> from distributed import Client
    >>> from dpsvi.engine.backends.dask import Dask
    >>> options = dict(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    >>> with Client(**options, processes=False) as client:
    ...     Dask(client).size()
    (2, 1)
    """

    def __init__(self, client: Client | None = None) -> None:
        self.client = _connected(client)

    def __repr__(self) -> str:
        return f"Dask({self.client!r})"

    def clock(self) -> float:
        """Return seconds of wall-clock time."""
        return time.perf_counter()

    def size(self, n_threads: int | None = None) -> tuple[int, int]:
        """Return the number of workers, and of threads that each is to use.

        Raises
        ------
        ValueError
            If there is no worker, or they have different numbers of threads and none
            is given.
        """
        return check_size(self.client, n_threads)

    def keep(
        self, data: Sequence[Any], facts: Sequence[Any]
    ) -> tuple[list[Any], list[Any]]:
        """Compute data that stay on the cluster, and facts about them that do not.

        Parameters
        ----------
        data, facts : sequence of dask.delayed.Delayed
            Computed in one go.

        Returns
        -------
        futures : list of distributed.Future
            Of the data: shards for `run`.
        found : list
            The facts.
        """
        return keep(self.client, data, facts)

    def run(
        self,
        master: Master,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        recorder: Recorder,
    ) -> Master:
        """Work until the run is over; see `dpsvi.engine.backends.Backend`."""
        roll = Roll(self.client)
        roll.check()
        handle = MasterHandle(self.client)
        fleet = Fleet(handle, master.plan, shards, seeds, roll)
        try:
            with CtrlC(lambda: recorder.stop("interrupted")):
                opened = recorder.time
                handle.open(master)
                self._watch(handle, fleet, recorder, opened)
                final, news = handle.take()
                _record(news, recorder, lambda: _live(final), opened)
                finish(final, recorder)
        finally:
            # Whatever has happened to the cluster, the first error is the one to see.
            with suppress(Exception):
                fleet.disband()
            with suppress(Exception):
                handle.drop()
        return final

    def _watch(
        self, handle: MasterHandle, fleet: Fleet, recorder: Recorder, opened: float
    ) -> None:
        """Record what happens, and mend, until all loops have ended."""
        status = handle.status()
        fleet.mend(status)
        deadline: float | None = None
        while not fleet.done(status, ending=deadline is not None):
            status = handle.status(_SLICE)
            if status.error is not None:
                raise status.error
            _record(status.news, recorder, handle.look, opened)
            if deadline is None and recorder.finished():
                # The parameters are to stay as the monitor saw them; else what is
                # under way is welcome.
                reason = recorder.reason or "stopped"
                handle.stop(reason, at_once=reason == "stopped")
                deadline = time.monotonic() + _GRACE
            if deadline is None:
                fleet.mend(status)
            elif time.monotonic() > deadline:
                # What a loop that does not answer may still push is refused.
                break
        _raise_late(fleet.errors(status, _FAREWELL), recorder)
        recorder.finished()


def _connected(client: Client | None) -> Client:
    if client is None:
        try:
            client = Client.current()
        except ValueError:
            raise ValueError(
                'backend "dask" needs a client: make one, as in '
                'client = Client("tcp://scheduler:8786"), or give client='
            ) from None
    if not isinstance(client, Client):
        raise TypeError(f"client is {client!r}; give a distributed.Client, or None")
    if client.asynchronous:
        raise ValueError(
            "the Dask client is asynchronous, and a fit waits; fit in a thread "
            "(await asyncio.to_thread(...)) with a client that is not"
        )
    if client.status != "running":
        raise ValueError(f"the Dask client is {client.status}; connect a new one")
    return client


def _raise_late(errors: Sequence[BaseException], recorder: Recorder) -> None:
    """Tell of loops that failed while the run was ending."""
    if errors and recorder.reason is None:
        raise errors[0]
    for error in errors:
        # Who has asked for the end is to have the model so far.
        warnings.warn(
            f"a worker failed while the run was ending, its last round is lost: "
            f"{error!r}",
            RuntimeWarning,
            stacklevel=3,
        )


def _live(master: Master) -> tuple[Any, int]:
    return master.parameters, master.counters.clock


def _record(
    news: Sequence[News], recorder: Recorder, look: Look, opened: float
) -> None:
    for report, seconds, n_bytes in news:
        # What was merged after the monitor said stop is no part of the story.
        if recorder.reason != "stopped":
            recorder.record(report, look, n_bytes, time=opened + seconds)
