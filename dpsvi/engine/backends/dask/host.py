"""The plugin that keeps masters in the scheduler's process (Alg. 1 on a cluster)."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from dpsvi.engine.backends.dask.page import Page
from dpsvi.engine.backends.dask.session import Member, Session
from dpsvi.engine.backends.dask.wire import PROTOCOL, operation, pack, unpack

__all__ = ["HOST_NAME", "MasterHost"]

HOST_NAME = f"dpsvi-master-{PROTOCOL}"
# Seconds after which a worker that waits for a merge asks again.
_PATIENCE = 10.0

Reply = dict[str, Any]


class MasterHost(SchedulerPlugin):
    """Masters of any number of runs, reached by remote procedure calls.

    The operations are coroutines of the scheduler's event loop and do nothing there
    but wait: what touches parameters runs on a thread of each session.
    """

    name = HOST_NAME
    idempotent = True

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._scheduler: Any = None
        self._page: Page | None = None

    def _operations(self) -> dict[str, Callable[..., Coroutine[Any, Any, Reply]]]:
        given = (
            *(self.open, self.join, self.beat, self.leave, self.release),
            *(self.pull, self.push, self.look, self.status, self.stop, self.take),
            *(self.drop, self.remove_host),
        )
        return {operation(method.__name__): method for method in given}

    async def start(self, scheduler: Any) -> None:
        """Called by Dask when the plugin is registered."""
        self._scheduler = scheduler
        scheduler.handlers.update(self._operations())
        self._page = Page(scheduler, self._sessions)

    async def close(self) -> None:
        """Called by Dask when the scheduler closes."""
        await self.remove_host()

    async def remove_host(self) -> Reply:
        """End all sessions and take the operations off the scheduler."""
        for session_id in list(self._sessions):
            self._drop(session_id)
        for name in self._operations():
            self._scheduler.handlers.pop(name, None)
        if self._page is not None:
            self._page.remove()
        self._scheduler.plugins.pop(HOST_NAME, None)
        return _reply()

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Called by Dask: fence off the loops of a worker that is gone."""
        for session_id, session in self._sessions.items():
            for incarnation, member in list(session.members.items()):
                if member.address == worker:
                    session.dismiss(incarnation)
                    self._log(session_id, "lost", slot=member.slot, worker=worker)
            session.tell()

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Called by Dask."""
        for session in self._sessions.values():
            session.tell()

    def remove_client(self, scheduler: Any, client: str) -> None:
        """Called by Dask: a run does not outlive its client."""
        for session_id, session in list(self._sessions.items()):
            if session.client == client:
                self._drop(session_id)

    # Operations ---------------------------------------------------------------------

    async def open(self, session: str, client: str, master: Any) -> Reply:
        """Start a session."""
        self._sessions[session] = Session(unpack(master), client)
        self._log(session, "open", client=client)
        return _reply(version=version("dpsvi"))

    async def join(
        self, session: str, incarnation: str, slot: int, address: str
    ) -> Reply:
        """Take in a loop; a later one on the same shard takes over."""
        found = self._sessions.get(session)
        if found is None or address not in self._scheduler.workers:
            return _reply(work=None)
        for other, member in list(found.members.items()):
            if member.slot == slot:
                found.dismiss(other)
        found.members[incarnation] = Member(slot, address)
        found.tell()
        self._log(session, "join", slot=slot, worker=address)
        # With the answer, and not with the task: the problem may be large.
        return _reply(work=pack((found.master.problem, found.master.plan))[0])

    async def leave(self, session: str, incarnation: str) -> Reply:
        """Let a loop go that has ended by itself."""
        found = self._sessions.get(session)
        member = None if found is None else found.members.pop(incarnation, None)
        if found is not None and member is not None:
            found.tell()
            self._log(session, "leave", slot=member.slot, worker=member.address)
        return _reply()

    async def release(self, session: str, incarnation: str) -> Reply:
        """Ask a loop to end after its round."""
        self._session(session).released.add(incarnation)
        return _reply()

    async def beat(self, session: str, incarnation: str) -> Reply:
        """Tell a loop whether to break off."""
        found = self._sessions.get(session)
        return _reply(stop=found is None or not found.listens_to(incarnation))

    async def pull(
        self, session: str, incarnation: str, number: int, n_steps: int, request: Any
    ) -> Reply:
        """Alg. 2 line 3; "wait" asks a synchronous worker to ask again."""
        found = self._sessions.get(session)
        if found is None:
            return _reply(snapshot=None, wait=False)
        await found.muster(incarnation)
        its_turn = await found.turn(incarnation, _PATIENCE)
        if session not in self._sessions:
            return _reply(snapshot=None, wait=False)
        if not its_turn:
            return _reply(snapshot=None, wait=True)
        snapshot = await found.do(found.snapshot, incarnation, number, n_steps, request)
        return _reply(snapshot=snapshot, wait=False)

    async def push(self, session: str, push: Any, size: int) -> Reply:
        """Alg. 1 line 3."""
        found = self._sessions.get(session)
        if found is None:
            return _reply(receipt=None)
        receipt = await found.do(found.receive, unpack(push), size)
        return _reply(receipt=pack(receipt)[0])

    async def status(self, session: str, known: int, seconds: float) -> Reply:
        """Wait a little for news, and tell how the run stands."""
        found = self._session(session)
        news = found.news(known)
        if not news:
            await found.wait(seconds)
            news = found.news(known)
        master, scheduler = found.master, self._scheduler
        return _reply(
            news=pack(news)[0],
            members=pack(dict(found.members))[0],
            pushes=pack(dict(found.pushes))[0],
            exhausted=master.counters.steps_reserved >= master.plan.total_steps,
            workers=sorted(scheduler.workers),
            running=sorted(worker.address for worker in scheduler.running),
            error=None if found.error is None else pack(_portable(found.error))[0],
        )

    async def look(self, session: str) -> Reply:
        """Copy the parameters."""
        found = self._session(session)
        return _reply(look=await found.do(found.look))

    async def stop(self, session: str, reason: str, at_once: bool) -> Reply:
        """Hand out no more steps; and `at_once`, take no more pushes."""
        found = self._session(session)
        found.end()
        self._log(session, "stop", reason=reason)
        if at_once:
            await found.do(found.master.stop, reason)
        return _reply()

    async def take(self, session: str, known: int) -> Reply:
        """Hand the master over, with the news that are not known yet."""
        found = self._session(session)
        # Late pushes would change what is under way to the client.
        await found.do(found.master.stop, "taken")
        packed, _ = await found.do(pack, found.master)
        return _reply(master=packed, news=pack(found.news(known))[0])

    async def drop(self, session: str) -> Reply:
        """Forget a session."""
        self._drop(session)
        return _reply()

    # --------------------------------------------------------------------------------

    def _session(self, session: str) -> Session:
        try:
            return self._sessions[session]
        except KeyError:
            raise RuntimeError(
                f"the scheduler knows no run {session!r}: it is over, or the scheduler "
                "has been restarted"
            ) from None

    def _drop(self, session: str) -> None:
        found = self._sessions.pop(session, None)
        if found is not None:
            found.close()
            counters = found.master.counters
            self._log(session, "close", pushes=counters.pushes, data=counters.merged)

    def _log(self, session: str, event: str, **details: Any) -> None:
        """Tell whoever looks: ``client.get_events("dpsvi")``."""
        message = {"event": event, "session": session, **details}
        self._scheduler.log_event("dpsvi", message)


def _reply(**content: Any) -> Reply:
    return {"dpsvi": PROTOCOL, **content}


def _portable(error: BaseException) -> BaseException:
    """Return the error, or a description of it if it cannot travel."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(repr(error))
    return error
