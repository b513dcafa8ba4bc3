"""One run in the scheduler's process: its master, its members, its news."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from dpsvi.engine.backends.dask.wire import pack
from dpsvi.engine.master import Master
from dpsvi.engine.problem import Push, Receipt, Request, Snapshot
from dpsvi.engine.progress import Report

__all__ = ["Member", "News", "Session"]

T = TypeVar("T")


class Member(NamedTuple):
    """A loop that takes part: which shard it works on, and where."""

    slot: int
    address: str


class News(NamedTuple):
    """A merge, and the bytes that had travelled by then."""

    report: Report
    n_bytes: int


class Session:
    """A master and the one thread that may touch it.

    Everything that reads or writes the parameters runs on that thread, one call after
    another: a snapshot is a copy of one version, and the event loop of the scheduler
    stays free.

    Parameters
    ----------
    master : Master
        The run's master.
    client : str
        Id of the client that opened the session.

    Attributes
    ----------
    members : dict of str to Member
        By incarnation.
    released : set of str
        Incarnations that are to end after their round.
    news : list of News
        All merges, in order.
    error : BaseException or None
        What went wrong in a merge.
    heard : float
        When the client last asked, by ``time.monotonic``.
    """

    def __init__(self, master: Master, client: str) -> None:
        self.master = master
        self.client = client
        self.members: dict[str, Member] = {}
        self.released: set[str] = set()
        self.news: list[News] = []
        self.error: BaseException | None = None
        self.heard = time.monotonic()
        self._n_bytes = 0
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "dpsvi-master")

    async def do(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on the master's thread; an error of it ends the run."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, function, *args)
        except Exception as error:
            self.error = error
            self.master.stop("failed")
            raise
        finally:
            self.tell()

    def tell(self) -> None:
        """Wake up whoever waits for news."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, known: int, seconds: float) -> None:
        """Wait until there are more merges than are known, or anything else changes."""
        if len(self.news) > known or self.error is not None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def snapshot(self, incarnation: str, n_steps: int, request: Request) -> Any:
        """Pull, on the master's thread: the packed snapshot."""
        if incarnation in self.members and incarnation not in self.released:
            snapshot = self.master.snapshot(n_steps, request)
        else:
            snapshot = Snapshot(None, self.master.version, range(0))
        packed, size = pack(snapshot)
        self._n_bytes += size
        return packed

    def receive(self, push: Push, size: int) -> Receipt:
        """Push, on the master's thread."""
        self._n_bytes += size
        if push.incarnation not in self.members:
            self.master.dismiss(push.incarnation)
        before = self.master.version
        receipt = self.master.receive(push)
        if receipt.version > before and self.master.report is not None:
            self.news.append(News(self.master.report, self._n_bytes))
        return receipt

    def look(self) -> Any:
        """Copy all parameters, on the master's thread, with the steps merged."""
        steps = self.master.counters.steps_merged
        return pack((self.master.extract(), steps))[0]

    def dismiss(self, incarnation: str) -> None:
        """Give up a member: from now on its pushes are refused."""
        self.members.pop(incarnation, None)
        self.master.dismiss(incarnation)

    def close(self) -> None:
        """End the thread once its work in hand is done."""
        self.master.stop("closed")
        self._thread.shutdown(wait=False, cancel_futures=True)
