"""One run in the scheduler's process: its master, its members, its news."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from dpsvi.engine.backends.dask.wire import pack, unpack
from dpsvi.engine.master import Master
from dpsvi.engine.problem import Push, Receipt, Request, Snapshot
from dpsvi.engine.progress import Report

__all__ = ["Member", "News", "Session"]

T = TypeVar("T")

# Seconds that the first loop waits for the others before its first step, at most; and
# what share of the time that a run has.
_MUSTER, _MUSTER_SHARE = 5.0, 0.1


class Member(NamedTuple):
    """A loop that takes part: which shard it works on, and where."""

    slot: int
    address: str


class News(NamedTuple):
    """A merge, when it was, and the bytes that had travelled by then."""

    report: Report
    seconds: float
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
    pushes : Counter
        Pushes that have come, by slot.
    ending : bool
        No steps are handed out any more; what is under way is still welcome.
    error : BaseException or None
        What went wrong in a merge.
    n_bytes : int
        Sent by and to the workers so far.
    """

    def __init__(self, master: Master, client: str) -> None:
        self.master = master
        self.client = client
        self.members: dict[str, Member] = {}
        self.released: set[str] = set()
        self.pushes: Counter[int] = Counter()
        self.ending = False
        self.error: BaseException | None = None
        self._opened = time.monotonic()
        self.n_bytes = 0
        # Merges that the client has not been told of, after those that it has.
        self._news: list[News] = []
        self._told = 0
        # Shards whose loops have asked for their first steps.
        self._ready: set[int] = set()
        self._begun = asyncio.Event()
        # Number and steps of each loop's last pull.
        self._pulls: dict[str, tuple[int, range]] = {}
        self._changed = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "dpsvi-master")

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._opened

    async def do(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function on the master's thread; an error of it ends the run."""
        before = self.master.version
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, function, *args)
        except Exception as error:
            self.error = error
            self.master.stop("failed")
            raise
        finally:
            if self.error is not None or self.master.version > before:
                self.tell()

    def tell(self) -> None:
        """Wake up whoever waits for news."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Wait until there are merges to tell, or anything else has changed."""
        if self._news or self.error is not None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    async def muster(self, incarnation: str) -> None:
        """Wait, for a while, until all loops are ready for their first steps.

        Else a short run may be over before the last has loaded its code, and never
        sees the documents of that one.
        """
        if incarnation in self.members:
            self._ready.add(self.members[incarnation].slot)
        if len(self._ready) < self.master.plan.n_workers:
            limit = self.master.plan.max_time or math.inf
            seconds = min(_MUSTER, _MUSTER_SHARE * limit)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._begun.wait(), seconds)
        self._begun.set()

    def end(self) -> None:
        """Hand out no more steps."""
        self.ending = True
        self._begun.set()
        self.tell()

    async def turn(self, incarnation: str, seconds: float) -> bool:
        """Wait until a loop may pull; False if it may not after so many seconds."""
        if not self.master.plan.synchronous:
            return True
        end = time.monotonic() + seconds
        # Taken before the question, so that no merge in between is missed.
        changed = self._changed
        while not await self.do(self._may_pull, incarnation):
            left = end - time.monotonic()
            if left <= 0:
                return False
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)
            changed = self._changed
        return True

    def news(self, known: int) -> list[News]:
        """Return the merges after the first so many; forget what is known."""
        del self._news[: known - self._told]
        self._told = known
        return list(self._news)

    def listens_to(self, incarnation: str) -> bool:
        """Say whether a loop is to go on."""
        return (
            incarnation in self.members
            and not self.ending
            and self.master.stopped is None
        )

    def snapshot(
        self, incarnation: str, number: int, n_steps: int, request: Any
    ) -> Any:
        """Pull, on the master's thread: the packed snapshot."""
        if self.listens_to(incarnation) and incarnation not in self.released:
            snapshot = self._take_snapshot(incarnation, number, n_steps, request)
        else:
            snapshot = Snapshot(None, self.master.version, range(0))
        packed, size = pack(snapshot)
        self.n_bytes += size
        return packed

    def receive(self, push: Push, size: int) -> Receipt:
        """Push, on the master's thread."""
        self.n_bytes += size
        if push.incarnation in self.members:
            self.pushes[self.members[push.incarnation].slot] += 1
        else:
            self.master.dismiss(push.incarnation)
        before = self.master.version
        receipt = self.master.receive(push)
        report = self.master.report
        if receipt.version > before and report is not None:
            workers = {"workers": float(len(self.members))}
            report = replace(report, statistics={**report.statistics, **workers})
            self._news.append(News(report, self.seconds, self.n_bytes))
        return receipt

    def look(self) -> Any:
        """Copy all parameters, and their place on the clock; on the master's thread."""
        return pack((self.master.extract(), self.master.counters.clock))[0]

    def dismiss(self, incarnation: str) -> None:
        """Give up a member: from now on its pushes are refused."""
        self.members.pop(incarnation, None)
        self.master.dismiss(incarnation)

    def close(self) -> None:
        """End the thread once its work in hand is done."""
        self.end()
        self.master.stop("closed")
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _may_pull(self, incarnation: str) -> bool:
        if not self.listens_to(incarnation):
            return True
        return self.master.may_pull(self.members[incarnation].slot)

    def _take_snapshot(
        self, incarnation: str, number: int, n_steps: int, request: Request
    ) -> Snapshot:
        last, steps = self._pulls.get(incarnation, (-1, range(0)))
        if number == last:
            # The reply to the first question was lost: the same steps again.
            parameters = self.master.extract(unpack(request))
            return Snapshot(parameters, self.master.version, steps)
        snapshot = self.master.snapshot(n_steps, unpack(request))
        self._pulls[incarnation] = (number, snapshot.steps)
        return snapshot
