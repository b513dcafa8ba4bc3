"""The loops of a run: started, watched, and started again when they are lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
from distributed import Client, Future

from dpsvi.engine.backends.dask.handle import MasterHandle, RunStatus
from dpsvi.engine.backends.dask.loop import Order, work_loop
from dpsvi.engine.plan import Plan
from dpsvi.engine.problem import Problem

__all__ = ["Fleet"]

# Seconds to wait for a worker when the cluster has none left.
_PATIENCE = 60.0


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
    data: list[Future] = field(default_factory=list)


class Fleet:
    """One loop for each shard, on whatever workers there are.

    Parameters
    ----------
    handle : MasterHandle
        The master.
    problem, plan : Problem, Plan
        What the loops are to do.
    shards : sequence
        The data: objects, or futures of the cluster, which stay where they are.
    seeds : sequence of numpy.random.SeedSequence
        One per shard.
    """

    def __init__(
        self,
        handle: MasterHandle,
        problem: Problem,
        plan: Plan,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        self._handle = handle
        self._client: Client = handle.client
        self._problem = problem
        self._plan = plan
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
            If there has been no worker for a minute.
        Exception
            Whatever a loop has raised.
        """
        if not status.workers:
            self._wait_for_workers()
            return
        self._lonely_since = time.monotonic()
        for slot in self._slots:
            if self._needs_loop(slot, status.workers):
                self._begin(slot, self._emptiest(status.workers))
        self._spread(status)

    def done(self, *, ending: bool) -> bool:
        """Say whether all loops have come to an end that will not be mended.

        Before the end of a run that means: they were told that nothing is left to do.
        """
        if ending:
            return all(slot.loop is None or slot.loop.done() for slot in self._slots)
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

    def _needs_loop(self, slot: _Slot, workers: Sequence[str]) -> bool:
        loop = slot.loop
        if loop is None:
            return True
        if loop.status == "error":
            raise loop.exception()
        if loop.status == "finished":
            # If it was not sent away, there was nothing left to do.
            return slot.released
        return loop.status in ("lost", "cancelled") or slot.address not in workers

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
            problem=self._problem,
            n_threads=self._plan.n_threads,
            round_steps=self._plan.round_steps,
            longest_round=self._plan.longest_round,
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
        data = self._client.scatter(slot.shard, workers=[slot.address], hash=False)
        slot.data = [data]
        return data

    def _let_go(self, slot: _Slot) -> None:
        if slot.loop is not None and not slot.loop.done():
            # A task pinned to a worker that is gone would wait for ever.
            self._client.cancel([slot.loop], force=True)
        slot.loop, slot.data = None, []

    def _spread(self, status: RunStatus) -> None:
        """Give a worker without a loop one of a worker with several."""
        load = Counter(slot.address for slot in self._slots)
        idle = sum(1 for address in status.workers if not load[address])
        for incarnation, member in status.members.items():
            if not idle:
                return
            slot = self._slots[member.slot]
            if load[member.address] > 1 and not slot.released:
                slot.released = True
                load[member.address] -= 1
                idle -= 1
                self._handle.release(incarnation)

    def _emptiest(self, workers: Sequence[str]) -> str:
        load = Counter(slot.address for slot in self._slots if slot.loop is not None)
        return min(workers, key=lambda address: (load[address], address))

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
