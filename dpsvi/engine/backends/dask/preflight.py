"""What must hold of a cluster before the first round, and of workers that join it."""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future
from importlib.metadata import version
from typing import Any

from distributed import Client
from distributed import Future as Task

__all__ = ["Roll", "check_size", "summon"]

# Seconds to wait for the first worker.
_PATIENCE = 60.0
# Seconds for a worker to answer: it may be loading `dpsvi` from a slow disk.
_ANSWER = 60.0


def check_size(client: Client, n_threads: int | None = None) -> tuple[int, int]:
    """Return how many workers there are, and how many threads each is to use.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    n_threads : int or None, default=None
        As asked for; None: as many as each worker has.

    Raises
    ------
    ValueError
        If there is no worker, or their numbers of threads differ and none was given.
    """
    workers = _workers(client)
    threads = {address: info["nthreads"] for address, info in workers.items()}
    if n_threads is None and len(set(threads.values())) > 1:
        raise ValueError(
            f"the workers have different numbers of threads: {threads}; start them "
            "with one number (--nthreads), or say how many each is to use (n_jobs)"
        )
    return len(threads), n_threads or next(iter(threads.values()))


class Roll:
    """Which workers have this version of `dpsvi`; each is asked once.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        # By address, what is wrong with a worker; None: nothing.
        self._answers: dict[str, Future[str | None]] = {}
        self._warned: set[str] = set()

    def check(self) -> None:
        """Ask all workers of the cluster, and wait for their answers.

        Raises
        ------
        ValueError
            If there is no worker.
        RuntimeError
            If one lacks `dpsvi`, has another version, or cannot be asked.
        """
        found = self._ask(_workers(self._client))
        wrong = {address: why for address in found if (why := found[address].result())}
        # Who has gone meanwhile does not matter.
        for address in _listed(self._client) if wrong else ():
            if address in wrong:
                raise RuntimeError(wrong[address])

    def fit_for_work(
        self, running: Sequence[str], present: Collection[str]
    ) -> list[str]:
        """Return those who can take part, as far as they have answered.

        Parameters
        ----------
        running : sequence of str
            Addresses of the workers that take tasks; asked if they are new. One that
            cannot take part is warned about, once.
        present : collection of str
            Addresses of all workers; others are forgotten.
        """
        for address in set(self._answers) - set(present):
            # Another worker may come at the same address.
            self._answers.pop(address).cancel()
            self._warned.discard(address)
        answers = self._ask(running)
        return [address for address in running if self._is_fit(address, answers)]

    def close(self) -> None:
        """Wait for no more answers."""
        for answer in self._answers.values():
            answer.cancel()

    def _ask(self, addresses: Iterable[str]) -> dict[str, Future[str | None]]:
        loop = self._client.loop.asyncio_loop
        for address in addresses:
            if address not in self._answers:
                question = _examine(self._client, address)
                answer = asyncio.run_coroutine_threadsafe(question, loop)
                self._answers[address] = answer
        return self._answers

    def _is_fit(self, address: str, answers: dict[str, Future[str | None]]) -> bool:
        answer = answers[address]
        why = answer.result() if answer.done() else None
        if why is not None and address not in self._warned:
            self._warned.add(address)
            warnings.warn(f"not used: {why}", RuntimeWarning, stacklevel=2)
        return answer.done() and why is None


async def _examine(client: Client, address: str) -> str | None:
    """Say what is wrong with a worker, and what to do about it; None: nothing."""
    here = version("dpsvi")
    asked = client.run(_probe, workers=[address], on_error="return")
    try:
        found = (await asyncio.wait_for(asked, _ANSWER))[address]
    except OSError as error:
        found = error
    if isinstance(found, TimeoutError):
        return (
            f"the worker at {address} has not answered for {_ANSWER:.0f} seconds: "
            "look at its log and its host, or end it, and fit again"
        )
    if isinstance(found, OSError):
        return (
            f"the worker at {address} cannot be reached ({found}): look at its host "
            "and the network, or end it, and fit again"
        )
    if isinstance(found, Exception):
        return (
            f"the worker at {address} cannot load dpsvi ({found!r}): install "
            f"dpsvi=={here} there, in the environment that its worker runs in"
        )
    host, there = found
    if there != here:
        return (
            f"the worker at {address} on host {host} has dpsvi {there}, this process "
            f"has {here}: install one version everywhere"
        )
    return None


def summon(client: Client) -> Task:
    """Submit a task, for which a cluster that grows on demand starts a worker."""
    return client.submit(_probe, pure=False)


def _workers(client: Client) -> dict[str, Any]:
    if found := _listed(client):
        return found
    wanted = summon(client)
    try:
        # What is wrong with that worker is asked for later.
        wanted.exception(_PATIENCE)
    except TimeoutError:
        raise ValueError(
            f"the cluster has no worker, and got none in {_PATIENCE:.0f} seconds; "
            "start some"
        ) from None
    finally:
        wanted.release()
    return _listed(client)


def _listed(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return found


def _probe() -> tuple[str, Any]:
    import dpsvi.engine  # noqa: F401 (is it there?)

    return socket.gethostname(), version("dpsvi")
