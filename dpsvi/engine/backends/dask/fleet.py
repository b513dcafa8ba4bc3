"""The loops of a run: started, watched, and started again when they are lost."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from distributed import Client, Future
from distributed.comm import CommClosedError

from dpsvi.engine.backends.dask.handle import MasterHandle, RunStatus
from dpsvi.engine.backends.dask.loop import Order, work_loop
from dpsvi.engine.backends.dask.preflight import check_versions
from dpsvi.engine.plan import Plan

__all__ = ["Fleet"]

# Seconds to wait for a worker when the cluster has none left.
_PATIENCE = 60.0
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
    checked : collection of str, default=()
        Addresses of workers that are known to have this version of `dpsvi`.
    """

    def __init__(
        self,
        handle: MasterHandle,
        plan: Plan,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        checked: Collection[str] = (),
    ) -> None:
        self._handle = handle
        self._client: Client = handle.client
        self._plan = plan
        # Workers whose version is known, and those that have another.
        self._checked = set(checked)
        self._unfit: set[str] = set()
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
        workers = self._fit_for_work(status.running)
        if not workers:
            self._wait_for_workers()
            return
        self._lonely_since = time.monotonic()
        for slot in self._slots:
            if self._needs_loop(slot, status):
                self._check_attempts(slot, status)
                # Workers go at any moment; the next status will tell.
                with suppress(KeyError, OSError):
                    self._begin(slot, self._choose(slot, workers))
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

    def disband(self) -> None:
        """Let go of all futures; loops end when the master tells them so."""
        for slot in self._slots:
            self._let_go(slot)

    def _needs_loop(self, slot: _Slot, status: RunStatus) -> bool:
        loop = slot.loop
        if loop is None:
            return True
        if loop.status == "error":
            error = loop.exception()
            if isinstance(error, CommClosedError):
                return True
            raise error
        if loop.status == "finished":
            # If it was not sent away, there was nothing left to do.
            return slot.released
        return (
            loop.status in ("lost", "cancelled") or slot.address not in status.workers
        )

    def _check_attempts(self, slot: _Slot, status: RunStatus) -> None:
        """Give up on a shard without data, or that loses one worker after another."""
        shard = slot.shard
        if isinstance(shard, Future) and shard.status in ("cancelled", "lost", "error"):
            raise RuntimeError(
                f"the data of shard {slot.number} are {shard.status}; keep them, or "
                "give shards that can be computed again"
            ) from (shard.exception() if shard.status == "error" else None)
        pushes = status.pushes.get(slot.number, 0)
        if pushes > slot.pushes_seen:
            slot.pushes_seen, slot.fruitless = pushes, 0
        if slot.fruitless > _FRUITLESS:
            raise RuntimeError(
                f"{slot.fruitless} workers in a row were lost with shard {slot.number} "
                "before a single push; look at their memory and their logs"
            )
        slot.fruitless += 1

    def _fit_for_work(self, running: Sequence[str]) -> list[str]:
        """Leave out workers that have joined with another version of `dpsvi`."""
        for address in set(running) - self._checked:
            self._checked.add(address)
            try:
                check_versions(self._client, [address])
            except (OSError, RuntimeError) as error:
                self._unfit.add(address)
                warnings.warn(f"not used: {error}", RuntimeWarning, stacklevel=2)
        return [address for address in running if address not in self._unfit]

    def _begin(self, slot: _Slot, address: str) -> None:
        self._let_go(slot)
        seed = slot.seed
        if slot.attempts:
            # The same documents in the same order again would count twice.
            keys = (*seed.spawn_key, slot.attempts)
            seed = np.random.SeedSequence(seed.entropy, spawn_key=keys)
        slot.attempts += 1
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
        [data] = self._client.scatter([slot.shard], workers=[slot.address], hash=False)
        slot.data = [data]
        return data

    def _let_go(self, slot: _Slot) -> None:
        if slot.loop is not None and not slot.loop.done():
            # A task pinned to a worker that is gone would wait for ever.
            self._client.cancel([slot.loop], force=True)
        slot.loop, slot.data = None, []

    def _spread(self, status: RunStatus, workers: Sequence[str]) -> None:
        """Give a worker without a loop one of a worker with several."""
        load = Counter(slot.address for slot in self._slots)
        idle = sum(1 for address in workers if not load[address])
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
            holders = self._client.who_has([slot.shard]).get(slot.shard.key, ())
        return min(
            workers,
            key=lambda address: (load[address], address not in holders, address),
        )

    def _seconds_left(self) -> float | None:
        if self._plan.max_time is None:
            return None
        return max(0.01, self._plan.max_time - (time.monotonic() - self._start))

    def _wait_for_workers(self) -> None:
        if time.monotonic() - self._lonely_since > _PATIENCE:
            raise RuntimeError(
                f"the cluster has had no worker for {_PATIENCE:.0f} seconds; "
                "start some and fit again"
            )
