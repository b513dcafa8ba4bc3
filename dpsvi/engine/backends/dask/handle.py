"""The client's proxy of a master that lives in the scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from distributed import Client

from dpsvi.engine.backends.dask.host import MasterHost
from dpsvi.engine.backends.dask.session import Member, News
from dpsvi.engine.backends.dask.wire import check_reply, operation, pack
from dpsvi.engine.master import Master
from dpsvi.engine.problem import Parameters

__all__ = ["MasterHandle", "RunStatus"]

# Seconds after which a scheduler that does not answer is given up, and for a goodbye.
_LONGEST_CALL, _GOODBYE = 300.0, 10.0


@dataclass(frozen=True)
class RunStatus:
    """How a run stands.

    Attributes
    ----------
    news : list of News
        Merges since the last question.
    members : dict of str to Member
        Loops that take part, by incarnation.
    pushes : dict of int to int
        Pushes that have come, by slot.
    exhausted : bool
        Whether all steps have been handed out.
    workers, running : list of str
        Addresses of all workers of the cluster, and of those that take tasks.
    error : BaseException or None
        What has gone wrong in the master.
    """

    news: list[News]
    members: dict[str, Member]
    pushes: dict[int, int]
    exhausted: bool
    workers: list[str]
    running: list[str]
    error: BaseException | None


class MasterHandle:
    """A master hosted in the scheduler, seen from the client.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    session : str or None, default=None
        The run; None: a new name.
    """

    def __init__(self, client: Client, session: str | None = None) -> None:
        self.client = client
        self.session = session or f"dpsvi-{uuid4().hex}"
        self._address = client.scheduler.address
        # Merges that have been told.
        self._known = 0

    def open(self, master: Master) -> None:
        """Install the host if need be, and hand the master over to it.

        Raises
        ------
        RuntimeError
            If the scheduler has no `dpsvi`, or another version of it.
        """
        here = version("dpsvi")
        try:
            self.client.register_plugin(MasterHost())
        except (ImportError, AttributeError) as error:
            raise RuntimeError(
                f"the scheduler at {self._address} cannot load dpsvi ({error}): "
                f"install dpsvi=={here} there, and restart it"
            ) from error
        reply = self._call("open", client=self.client.id, master=pack(master)[0])
        if reply["version"] != here:
            raise RuntimeError(
                f"the scheduler at {self._address} has dpsvi {reply['version']}, this "
                f"process has {here}: install one version everywhere, and restart it"
            )

    def status(self, seconds: float = 0.0) -> RunStatus:
        """Wait at most so many seconds for news, and return how the run stands."""
        reply = self._call("status", known=self._known, seconds=seconds)
        reply.pop("dpsvi")
        self._known += len(reply["news"])
        return RunStatus(**reply)

    def look(self) -> tuple[Parameters, int]:
        """Fetch the parameters, and their place on the clock."""
        parameters, clock = self._call("look")["look"]
        return parameters, clock

    def release(self, incarnation: str) -> None:
        """Ask a loop to end after its round."""
        self._call("release", incarnation=incarnation)

    def stop(self, reason: str, *, at_once: bool) -> None:
        """Hand out no more steps; and `at_once`, take no more pushes."""
        self._call("stop", reason=reason, at_once=at_once)

    def take(self) -> tuple[Master, list[News]]:
        """Fetch the master itself, and the last news; it takes no more pushes."""
        reply = self._call("take", known=self._known)
        self._known += len(reply["news"])
        return reply["master"], reply["news"]

    def drop(self) -> None:
        """Forget the run."""
        self._call("drop", _GOODBYE)

    def _call(
        self, name: str, timeout: float | None = None, **content: Any
    ) -> dict[str, Any]:
        """Call an operation of the host.

        Raises
        ------
        RuntimeError
            If the scheduler cannot be reached any more.
        """
        scheduler = self.client.scheduler
        if self.client.status != "running" or scheduler is None:
            raise RuntimeError(self._lost(f"the client is {self.client.status}"))
        call = getattr(scheduler, operation(name))
        try:
            reply = self.client.sync(
                call,
                session=self.session,
                callback_timeout=timeout or _LONGEST_CALL,
                **content,
            )
        except OSError as error:
            raise RuntimeError(self._lost(str(error) or repr(error))) from error
        return check_reply(reply, name)

    def _lost(self, why: str) -> str:
        return (
            f"the connection to the scheduler at {self._address} is lost, and with it "
            f"the run: {why}"
        )
