"""The loops of a run: started, watched, and started again when they are lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from distributed import Client, Future
from distributed.comm import CommClosedError

from dpsvi.engine.backends.dask.handle import MasterHandle, RunStatus
from dpsvi.engine.backends.dask.loop import Order, work_loop
from dpsvi.engine.backends.dask.preflight import Roll, summon
from dpsvi.engine.plan import Plan

__all__ = ["Fleet"]

# Seconds to wait for a worker when the cluster has none left that can be used.
_PATIENCE = 60.0
# Seconds in which a shard must have come to its worker, and for which a worker that
# could not be reached is then left alone.
_DELIVERY, _REST = 300.0, 15.0
# Seconds for the scheduler to take back a task.
_CANCEL = 10.0
# Workers that a shard may lose in a row without a push.
_FRUITLESS = 5


@dataclass
class _Slot:
    """A shard, and the loop that works on it now."""

    number: int
    shard: Any
    seed: np.random.SeedSequence
    address: str = ""
    loop: Future | None = None
    attempts: int = 0
    released: bool = False
    # Attempts since the last push, and the pushes that had come by then.
    fruitless: int = 0
    pushes_seen: int = 0
    data: list[Future] = field(default_factory=list)


class Fleet:
    """One loop for each shard, on whatever workers there are.

    Parameters
    ----------
    handle : MasterHandle
        The master.
    plan : Plan
        Of the run.
    shards : sequence
        The data: objects, or futures of the cluster, which stay where they are.
    seeds : sequence of numpy.random.SeedSequence
        One per shard.
    roll : Roll
        Of workers that have this version of `dpsvi`.
    """

    def __init__(
        self,
        handle: MasterHandle,
        plan: Plan,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        roll: Roll,
    ) -> None:
        self._handle = handle
        self._client: Client = handle.client
        self._plan = plan
        self._roll = roll
        # By address, until when a worker is left alone, and why the last one is. Who
        # has ever been is the last choice from then on.
        self._resting: dict[str, float] = {}
        self._unreliable: set[str] = set()
        self._trouble = "none is there"
        # Keeps a cluster that grows on demand from staying empty.
        self._summons: Future | None = None
        self._start = self._lonely_since = time.monotonic()
        self._slots = [
            _Slot(number, shard, seed)
            for number, (shard, seed) in enumerate(zip(shards, seeds, strict=True))
        ]

    def mend(self, status: RunStatus) -> None:
        """Start loops that have not begun, or were lost; spread them over workers.

        Raises
        ------
        RuntimeError
            If there has been no worker for a minute, or a shard keeps losing workers.
        Exception
            Whatever a loop has raised.
        """
        workers = self._usable(status)
        needy = [slot for slot in self._slots if self._needs_loop(slot, status)]
        for slot in needy:
            self._check_data(slot)
            self._check_attempts(slot, status)
        placed = [slot for slot in needy if self._place(slot, workers)]
        if placed or not needy or status.members:
            self._lonely_since = time.monotonic()
        if needy and not status.workers:
            self._summon()
        self._check_patience()
        self._spread(status, workers)

    def done(self, status: RunStatus, *, ending: bool) -> bool:
        """Say whether all loops have come to an end that will not be mended."""
        if status.exhausted and not status.members:
            return True
        if ending:
            return all(
                slot.loop is None
                or slot.loop.done()
                or slot.address not in status.workers
                for slot in self._slots
            )
        return all(
            slot.loop is not None
            and slot.loop.status == "finished"
            and not slot.released
            for slot in self._slots
        )

    def errors(self, status: RunStatus, seconds: float) -> list[BaseException]:
        """Wait so long at most for loops to end, and return what they have raised."""
        end = time.monotonic() + seconds
        found: list[BaseException] = []
        for slot in self._slots:
            # Those of workers that are gone never end.
            if slot.loop is None or slot.address not in status.workers:
                continue
            with suppress(CancelledError, TimeoutError):
                error = slot.loop.exception(max(0.05, end - time.monotonic()))
                if error is not None and not isinstance(error, CommClosedError):
                    found.append(error)
        return found

    def disband(self) -> None:
        """Let go of all futures; loops end when the master tells them so."""
        self._roll.close()
        loops = [slot.loop for slot in self._slots]
        for slot in self._slots:
            slot.loop, slot.data = None, []
        self._cancel([self._summons, *loops])

    def _needs_loop(self, slot: _Slot, status: RunStatus) -> bool:
        loop = slot.loop
        if loop is None:
            return True
        if loop.status == "error":
            error = loop.exception()
            if not isinstance(error, CommClosedError):
                raise error
            self._rest(slot.address, error)
            return True
        if loop.status == "finished":
            # If it was not sent away, there was nothing left to do.
            return slot.released
        return (
            loop.status in ("lost", "cancelled") or slot.address not in status.workers
        )

    def _check_data(self, slot: _Slot) -> None:
        shard = slot.shard
        if isinstance(shard, Future) and shard.status in ("cancelled", "lost", "error"):
            raise RuntimeError(
                f"the data of shard {slot.number} are {shard.status}; keep them, or "
                "give shards that can be computed again"
            ) from (shard.exception() if shard.status == "error" else None)

    def _check_attempts(self, slot: _Slot, status: RunStatus) -> None:
        """Give up on a shard that loses one worker after another."""
        pushes = status.pushes.get(slot.number, 0)
        if pushes > slot.pushes_seen:
            slot.pushes_seen, slot.fruitless = pushes, 0
        if slot.fruitless > _FRUITLESS:
            raise RuntimeError(
                f"{slot.fruitless} workers in a row were lost with shard {slot.number} "
                "before a single push; look at their memory and their logs"
            )

    def _usable(self, status: RunStatus) -> list[str]:
        """Return the workers that can take part; wake up who has rested."""
        self._unreliable &= set(status.workers)
        now = time.monotonic()
        for address, until in list(self._resting.items()):
            if until <= now:
                del self._resting[address]
        return self._roll.fit_for_work(status.running, status.workers)

    def _summon(self) -> None:
        if self._summons is None or self._summons.done():
            self._summons = summon(self._client)

    def _rest(self, address: str, error: BaseException) -> None:
        self._resting[address] = time.monotonic() + _REST
        self._unreliable.add(address)
        self._trouble = f"{address} could not be reached: {error!r}"

    def _place(self, slot: _Slot, workers: Sequence[str]) -> bool:
        """Start a loop for a shard; False if no worker can take it now."""
        awake = [address for address in workers if address not in self._resting]
        if not awake:
            return False
        address = self._choose(slot, awake)
        try:
            self._begin(slot, address)
        except (KeyError, OSError) as error:
            # Workers go at any moment; the next status will tell.
            self._rest(address, error)
            return False
        slot.attempts += 1
        slot.fruitless += 1
        return True

    def _begin(self, slot: _Slot, address: str) -> None:
        self._let_go(slot)
        seed = slot.seed
        if slot.attempts:
            # The same documents in the same order again would count twice.
            keys = (*seed.spawn_key, slot.attempts)
            seed = np.random.SeedSequence(seed.entropy, spawn_key=keys)
        slot.released = False
        slot.address = address
        order = Order(
            session=self._handle.session,
            slot=slot.number,
            seconds=self._seconds_left(),
            seed=seed,
        )
        slot.loop = self._client.submit(
            work_loop,
            order,
            self._data(slot),
            key=f"dpsvi-worker-{slot.number}-{uuid4().hex}",
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )

    def _data(self, slot: _Slot) -> Any:
        """Data that are on the cluster stay there; others are sent to the worker."""
        if isinstance(slot.shard, Future):
            return slot.shard
        # In a list: a dict would be taken for the names of several things.
        [data] = self._client.sync(
            *(self._client.scatter, [slot.shard]),
            workers=[slot.address],
            hash=False,
            callback_timeout=_DELIVERY,
        )
        slot.data = [data]
        return data

    def _let_go(self, slot: _Slot) -> None:
        loop, slot.loop, slot.data = slot.loop, None, []
        self._cancel([loop])

    def _cancel(self, tasks: Sequence[Future | None]) -> None:
        """Take back tasks: one pinned to a worker that is gone would wait for ever."""
        waiting = [task for task in tasks if task is not None and not task.done()]
        if waiting:
            self._client.sync(
                *(self._client.cancel, waiting), force=True, callback_timeout=_CANCEL
            )

    def _spread(self, status: RunStatus, workers: Sequence[str]) -> None:
        """Give a worker without a loop one of a worker with several."""
        load = Counter(slot.address for slot in self._slots)
        wanting = set(workers) - self._unreliable
        idle = sum(1 for address in wanting if not load[address])
        for incarnation, member in status.members.items():
            if not idle:
                return
            slot = self._slots[member.slot]
            if load[member.address] > 1 and not slot.released:
                slot.released = True
                load[member.address] -= 1
                idle -= 1
                self._handle.release(incarnation)

    def _choose(self, slot: _Slot, workers: Sequence[str]) -> str:
        """Return the worker with the fewest loops; of these, one that has the data."""
        load = Counter(slot.address for slot in self._slots if slot.loop is not None)
        holders: Sequence[str] = ()
        if isinstance(slot.shard, Future):
            with suppress(OSError):
                holders = self._client.who_has([slot.shard]).get(slot.shard.key, ())
        return min(
            workers,
            key=lambda address: (
                address in self._unreliable,
                load[address],
                address not in holders,
                address,
            ),
        )

    def _seconds_left(self) -> float | None:
        if self._plan.max_time is None:
            return None
        return max(0.01, self._plan.max_time - (time.monotonic() - self._start))

    def _check_patience(self) -> None:
        if time.monotonic() - self._lonely_since > _PATIENCE:
            raise RuntimeError(
                "the cluster has had no worker that can be used for "
                f"{_PATIENCE:.0f} seconds ({self._trouble}); start some and fit again"
            )
