"""The long task that is one asynchronous worker (Alg. 2 on a cluster)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
from distributed import get_worker, secede

from dpsvi.engine.backends.dask.pace import Pace
from dpsvi.engine.backends.dask.wire import check_reply, operation, pack
from dpsvi.engine.interrupt import deadline
from dpsvi.engine.lockfree import ThreadTeam
from dpsvi.engine.plan import Plan
from dpsvi.engine.problem import Problem, Push, Receipt
from dpsvi.engine.relay import work_in_relay
from dpsvi.engine.worker import Worker

__all__ = ["Order", "work_loop"]

Reply = TypeVar("Reply")

# Seconds between two questions whether to break off a round.
_HEARTBEAT = 1.0
# Times that a call is tried when the connection fails, and seconds in between.
_TRIES, _PAUSE = 4, 0.5
# No call takes longer; a connection that is cut fails by itself after about 30 s.
_LONGEST_CALL = 300.0


@dataclass(frozen=True)
class Order:
    """What a loop is asked to do.

    Attributes
    ----------
    session : str
        The run.
    slot : int
        Number of the shard.
    seconds : float or None
        Time left.
    seed : numpy.random.SeedSequence
        The loop's own.
    """

    session: str
    slot: int
    seconds: float | None
    seed: np.random.SeedSequence


def work_loop(order: Order, shard: Any) -> int:
    """Work on a shard until the master has no more steps; return the pushes made."""
    secede()
    # Made here, not by the client: Dask may run a task again with the same arguments.
    exchange = RemoteExchange(order.session, uuid4().hex)
    asked = exchange.join(order.slot)
    if asked is None:
        return 0
    problem, plan = asked
    try:
        with (
            ThreadTeam(plan.n_threads, f"dpsvi-{order.slot}") as team,
            deadline(order.seconds, lambda: exchange.halt(team)),
            exchange.listening(team),
        ):
            local = problem.open_worker(shard, plan.n_threads, order.seed)
            worker = Worker(
                order.slot, local, team, plan.round_steps, exchange.incarnation
            )
            work_in_relay(worker, exchange, lambda: exchange.stopped, plan)
    finally:
        exchange.leave()
    return exchange.pushes


class RemoteExchange:
    """The way from a loop to the master in the scheduler.

    Parameters
    ----------
    session : str
        The run.
    incarnation : str
        The loop.
    """

    def __init__(self, session: str, incarnation: str) -> None:
        self.incarnation = incarnation
        self._pace = Pace(1, 1)
        # Seconds of the last pull, and when it was done.
        self._pulling, self._pulled = 0.0, 0.0
        self._pulls = 0
        self.pushes = 0
        self.stopped = False
        self._names = {"session": session, "incarnation": incarnation}
        self._worker = get_worker()
        self._loop = self._worker.loop.asyncio_loop

    def join(self, slot: int) -> tuple[Problem, Plan] | None:
        """Report for duty, and hear what is to be done; None if the run is over."""
        asked = self._call("join", slot=slot, address=self._worker.address)["work"]
        if asked is None:
            return None
        problem, plan = asked
        self._pace = Pace(plan.round_steps, plan.longest_round)
        return problem, plan

    def leave(self) -> None:
        """Say goodbye, if anybody is there to hear it."""
        try:
            self._call("leave")
        except (OSError, RuntimeError, TimeoutError):
            # The host finds out by itself that this worker is gone.
            return

    def pull(self, worker: Worker) -> bool:
        """Load a snapshot into the worker; False if nothing is left to do."""
        begun = time.perf_counter()
        worker.round_steps = self._pace.steps
        request, _ = pack(worker.request())
        # Numbered, so that a question asked twice is answered with the same steps.
        self._pulls += 1
        ask = {"number": self._pulls, "n_steps": worker.round_steps}
        while (reply := self._call("pull", **ask, request=request))["wait"]:
            if self.stopped:
                return False
        snapshot = reply["snapshot"]
        loaded = snapshot is not None and worker.load(snapshot)
        self._pulled = time.perf_counter()
        self._pulling = self._pulled - begun
        return loaded

    def push(self, push: Push) -> Receipt:
        """Deliver a push. Trying twice is harmless: the master knows duplicates."""
        begun = time.perf_counter()
        packed, size = pack(self._with_pace(push))
        session = self._names["session"]
        reply = self._try("push", session=session, push=packed, size=size)
        self.pushes += 1
        talking = self._pulling + time.perf_counter() - begun
        if self._pulls > 1:
            # The first pull has waited for the other workers, too.
            self._pace.learn(talking, begun - self._pulled)
        receipt: Receipt | None = reply["receipt"]
        return receipt or Receipt("stopped", push.based_on, 0)

    def halt(self, team: ThreadTeam) -> None:
        """End the round in progress, and the loop after it."""
        self.stopped = True
        team.stop()

    def _with_pace(self, push: Push) -> Push:
        """Add the length of the round, and what share of the last was communication."""
        pace = {
            "round_steps": float(len(push.steps)),
            "communication": self._pace.share,
        }
        statistics = {**push.update.statistics, **pace}
        return replace(push, update=replace(push.update, statistics=statistics))

    @contextmanager
    def listening(self, team: ThreadTeam) -> Iterator[None]:
        """Ask now and then whether to break off the round in progress."""

        async def listen() -> None:
            while not self.stopped:
                await asyncio.sleep(_HEARTBEAT)
                try:
                    reply = await self._send("beat", **self._names)
                except (OSError, RuntimeError):
                    # The next pull or push will say what is wrong, or get through.
                    continue
                if reply["stop"]:
                    self.halt(team)

        listener = self._start(listen())
        try:
            yield
        finally:
            listener.cancel()

    def _call(self, name: str, **content: Any) -> dict[str, Any]:
        return self._try(name, **self._names, **content)

    def _try(self, name: str, **content: Any) -> dict[str, Any]:
        """Call an operation of the host, again if the connection fails."""
        for tried in range(1, _TRIES + 1):
            call = self._start(self._send(name, **content))
            try:
                return call.result(_LONGEST_CALL)
            except OSError:
                call.cancel()
                if tried == _TRIES:
                    raise
            time.sleep(_PAUSE * tried)
        raise AssertionError("unreachable")

    def _start(self, coroutine: Coroutine[Any, Any, Reply]) -> Future[Reply]:
        """Run on the event loop of the Dask worker; RuntimeError if that is closed."""
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:
            coroutine.close()
            raise

    async def _send(self, name: str, **content: Any) -> dict[str, Any]:
        call = getattr(self._worker.scheduler, operation(name))
        return check_reply(await call(**content), name)
