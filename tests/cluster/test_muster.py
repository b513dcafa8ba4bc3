"""How workers wait for one another before the first step, without a cluster."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toy_problems import Counting

from dpsvi.engine import Plan
from dpsvi.engine.backends.dask import session as sessions
from dpsvi.engine.backends.dask.host import MasterHost
from dpsvi.engine.backends.dask.session import Member, Session
from dpsvi.engine.master import Master


@pytest.fixture(autouse=True)
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_MUSTER", 1e6)


def host_of(**more: Any) -> tuple[MasterHost, Session]:
    """A host with one run of two workers, of which both have joined."""
    plan = Plan(total_steps=9, n_workers=2, **more)
    session = Session(Master(Counting(9), np.zeros(10), plan), "me")
    session.members = {"a": Member(0, "tcp://a"), "b": Member(1, "tcp://b")}
    host = MasterHost()
    host._scheduler = SimpleNamespace(log_event=lambda *_: None)
    host._sessions["run"] = session
    return host, session


async def pull(host: MasterHost, incarnation: str) -> Any:
    """Ask for the first steps; None: there are none."""
    ask = {"number": 1, "n_steps": 1, "request": None}
    reply = await host.pull("run", incarnation, **ask)
    assert not reply["wait"]
    return reply["snapshot"]


async def waiting(host: MasterHost) -> asyncio.Task[Any]:
    """The pull of the first loop, once it waits for the second."""
    first = asyncio.create_task(pull(host, "a"))
    await asyncio.sleep(0.01)
    assert not first.done()
    return first


def in_time(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def test_the_last_one_sets_all_off() -> None:
    async def work() -> list[Any]:
        host, session = host_of()
        first = await waiting(host)
        try:
            return [await pull(host, "b"), await first]
        finally:
            session.close()

    assert all(snapshot is not None for snapshot in in_time(work()))


def test_a_run_that_ends_lets_them_go() -> None:
    async def work() -> Any:
        host, session = host_of()
        first = await waiting(host)
        await host.stop("run", "interrupted", at_once=False)
        try:
            return await first
        finally:
            session.close()

    assert in_time(work()) is not None  # a snapshot without steps


def test_a_run_that_is_dropped_sends_them_home() -> None:
    async def work() -> Any:
        host, _ = host_of()
        first = await waiting(host)
        await host.drop("run")
        return await first

    assert in_time(work()) is None


def test_a_short_run_waits_a_part_of_its_time() -> None:
    async def work() -> Any:
        host, session = host_of(max_time=0.5)
        try:
            return await pull(host, "a")
        finally:
            session.close()

    assert in_time(work()) is not None
