"""A page of the scheduler's dashboard that shows the runs in progress."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tornado.web import Application, RequestHandler

from dpsvi.engine.backends.dask.session import Session

__all__ = ["Page", "describe"]

# Whatever the dashboard's own prefix is: ours is the last place that is asked.
_PAGE, _STATE = r"(?:/.*)?/dpsvi", r"(?:/.*)?/dpsvi\.json"


class Page:
    """Two routes of the scheduler's HTTP server: ``/dpsvi`` and ``/dpsvi.json``.

    The first is a page of its own that asks the second once a second.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Whose server is to show it. One without HTTP server shows nothing.
    sessions : mapping of str to Session
        The runs, looked at anew each time.
    """

    def __init__(self, scheduler: Any, sessions: Mapping[str, Session]) -> None:
        self._server = getattr(scheduler, "http_application", None)
        known = {"scheduler": scheduler, "sessions": sessions}
        self._routes = Application([(_PAGE, _Html), (_STATE, _Json, known)])
        if self._server is not None:
            self._server.add_application(self._routes)

    def remove(self) -> None:
        """Take the routes off the server."""
        if self._server is not None and self._routes in self._server.applications:
            self._server.applications.remove(self._routes)


class _Html(RequestHandler):
    def get(self) -> None:
        self.write(Path(__file__).with_name("page.html").read_bytes())


class _Json(RequestHandler):
    def initialize(self, scheduler: Any, sessions: Mapping[str, Session]) -> None:
        self._scheduler, self._sessions = scheduler, sessions

    def get(self) -> None:
        names = {
            address: str(worker.name)
            for address, worker in self._scheduler.workers.items()
        }
        runs = [describe(*item, names) for item in self._sessions.items()]
        self.set_header("Cache-Control", "no-store")
        self.write({"runs": runs, "workers": len(names)})


def describe(name: str, session: Session, names: Mapping[str, str]) -> dict[str, Any]:
    """Return how a run stands, in what JSON knows.

    Read while the master's thread may be at work: numbers of one moment or the next.

    Parameters
    ----------
    name : str
        Of the run.
    session : Session
        The run.
    names : mapping of str to str
        Of the cluster's workers, by address.
    """
    master = session.master
    counters, report, plan = master.counters, master.report, master.plan
    members = {member.slot: member.address for member in session.members.values()}
    return {
        "name": name,
        "seconds": session.seconds,
        "state": _state(session),
        "error": None if session.error is None else repr(session.error),
        # What data are counted in; a problem may say, as in `unit = "documents"`.
        "unit": getattr(master.problem, "unit", "units"),
        "amount": float(counters.merged),
        "dropped": float(counters.dropped),
        "share": _share(session),
        "version": master.version,
        "staleness": 0.0 if report is None else float(report.staleness_mean),
        "statistics": {} if report is None else _finite(report.statistics),
        "bytes": session.n_bytes,
        "shards": [
            {
                "slot": slot,
                "worker": members.get(slot),
                "worker_name": names.get(members.get(slot, "")),
                "pushes": session.pushes[slot],
            }
            for slot in range(plan.n_workers)
        ],
    }


def _share(session: Session) -> float:
    """Return what share of the steps or of the time is over."""
    master = session.master
    share = master.counters.steps_merged / max(1, master.plan.total_steps)
    if master.plan.max_time is not None:
        share = max(share, session.seconds / master.plan.max_time)
    return min(share, 1.0)


def _finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """Leave out what JSON has no word for."""
    return {name: float(x) for name, x in numbers.items() if math.isfinite(x)}


def _state(session: Session) -> str:
    if session.error is not None:
        return "failed"
    if session.ending or session.master.stopped is not None:
        return "ending"
    return "running" if session.members else "waiting for workers"
