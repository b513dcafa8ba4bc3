"""What must hold of a cluster before the first round."""

from __future__ import annotations

import socket
from importlib.metadata import version
from typing import Any

from distributed import Client

__all__ = ["check_cluster"]

# Seconds in which every worker must answer.
_PATIENCE = 30.0


def check_cluster(client: Client) -> tuple[int, int]:
    """Return how many workers there are, and how many threads each has.

    Raises
    ------
    ValueError
        If there is none, or their numbers of threads differ.
    RuntimeError
        If a worker lacks `dpsvi`, or has another version.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        client.wait_for_workers(1, timeout=_PATIENCE)
        workers = client.scheduler_info(n_workers=-1)["workers"]
    threads = {address: info["nthreads"] for address, info in workers.items()}
    if len(set(threads.values())) > 1:
        raise ValueError(
            f"the workers have different numbers of threads: {threads}; start them "
            "with one number (--nthreads), or give n_jobs"
        )
    _check_versions(client)
    return len(threads), next(iter(threads.values()))


def _check_versions(client: Client) -> None:
    here = version("dpsvi")
    for address, found in client.run(_probe, on_error="return").items():
        if isinstance(found, Exception):
            raise RuntimeError(
                f"the worker at {address} cannot load dpsvi ({found!r}): install "
                f"dpsvi=={here} there, in the environment that its worker runs in"
            )
        host, there = found
        if there != here:
            raise RuntimeError(
                f"the worker at {address} on host {host} has dpsvi {there}, this "
                f"process has {here}: install one version everywhere"
            )


def _probe() -> tuple[str, Any]:
    import dpsvi.engine  # noqa: F401 (is it there?)

    return socket.gethostname(), version("dpsvi")
