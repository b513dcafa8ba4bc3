"""The client's proxy of a master that lives in the scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from distributed import Client

from dpsvi.engine.backends.dask.host import MasterHost
from dpsvi.engine.backends.dask.session import Member, News
from dpsvi.engine.backends.dask.wire import check_reply, operation, pack
from dpsvi.engine.master import Counters, Master
from dpsvi.engine.problem import Parameters

__all__ = ["MasterHandle", "RunStatus"]


@dataclass(frozen=True)
class RunStatus:
    """How a run stands.

    Attributes
    ----------
    news : list of News
        Merges since the last question.
    members : dict of str to Member
        Loops that take part, by incarnation.
    counters : Counters
        What became of the data.
    workers : list of str
        Addresses of all workers of the cluster.
    error : BaseException or None
        What has gone wrong in the master.
    """

    news: list[News]
    members: dict[str, Member]
    counters: Counters
    workers: list[str]
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
        # Merges that have been told.
        self._known = 0

    def open(self, master: Master) -> None:
        """Install the host if need be, and hand the master over to it.

        Raises
        ------
        RuntimeError
            If the scheduler has no `dpsvi`, or another version of it.
        """
        try:
            self.client.register_plugin(MasterHost())
        except (ImportError, AttributeError) as error:
            raise RuntimeError(
                f"the scheduler at {self.client.scheduler.address} cannot load dpsvi "
                f"({error}): install the same version of dpsvi there, and restart it"
            ) from error
        self._call("open", client=self.client.id, master=pack(master)[0])

    def status(self, seconds: float = 0.0) -> RunStatus:
        """Wait at most so many seconds for news, and return how the run stands."""
        reply = self._call("status", known=self._known, seconds=seconds)
        reply.pop("dpsvi")
        self._known += len(reply["news"])
        return RunStatus(**reply)

    def look(self) -> tuple[Parameters, int]:
        """Fetch the parameters, and the local steps merged into them."""
        parameters, steps = self._call("look")["look"]
        return parameters, steps

    def release(self, incarnation: str) -> None:
        """Ask a loop to end after its round."""
        self._call("release", incarnation=incarnation)

    def stop(self, reason: str) -> None:
        """Hand out no more steps."""
        self._call("stop", reason=reason)

    def take(self) -> tuple[Master, list[News]]:
        """Fetch the master itself, and the last news."""
        reply = self._call("take", known=self._known)
        self._known += len(reply["news"])
        return reply["master"], reply["news"]

    def drop(self) -> None:
        """Forget the run."""
        self._call("drop")

    def _call(self, name: str, **content: Any) -> dict[str, Any]:
        call = getattr(self.client.scheduler, operation(name))
        reply = self.client.sync(call, session=self.session, **content)
        return check_reply(reply, name)
