"""What must hold of a cluster before the first round."""

from __future__ import annotations

import socket
from importlib.metadata import version
from typing import Any

from distributed import Client

__all__ = ["check_size", "check_versions"]

# Seconds to wait for the first worker.
_PATIENCE = 60.0


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


def _workers(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    if found:
        return found
    # A task, so that a cluster that grows on demand starts its first worker.
    wanted = client.submit(_probe, pure=False)
    try:
        wanted.result(_PATIENCE)
    except TimeoutError:
        raise ValueError(
            f"the cluster has no worker, and got none in {_PATIENCE:.0f} seconds; "
            "start some"
        ) from None
    finally:
        wanted.release()
    return dict(client.scheduler_info(n_workers=-1)["workers"])


def check_versions(client: Client, workers: list[str] | None = None) -> set[str]:
    """Return the addresses of workers that have this version of `dpsvi`.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    workers : list of str or None, default=None
        Whom to ask; None: all.

    Raises
    ------
    RuntimeError
        If a worker lacks it, or has another one.
    """
    here = version("dpsvi")
    answers = client.run(_probe, workers=workers, on_error="return")
    for address, found in answers.items():
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
    return set(answers)


def _probe() -> tuple[str, Any]:
    import dpsvi.engine  # noqa: F401 (is it there?)

    return socket.gethostname(), version("dpsvi")
