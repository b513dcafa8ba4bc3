"""Where a training runs: in this process, or on a cluster; with how many threads."""

from __future__ import annotations

import os
from typing import Any

from dpsvi.engine import Placement, goes_to_cluster
from dpsvi.engine.backends import cluster

__all__ = ["placement_for"]


def placement_for(
    backend: str,
    n_workers: int | None = None,
    n_threads: int | None = None,
    client: Any = None,
) -> Placement:
    """Decide where to train.

    Parameters
    ----------
    backend : {"auto", "local", "dask", "simulated"}
        "auto": on the cluster of the current Dask client, if there is one.
    n_workers, n_threads : int or None, default=None
        Those asked for. None: one worker with a thread for each core of this
        process; on a cluster, every worker with its own number of threads.
    client : distributed.Client or None, default=None
        Whose cluster to train on.

    Raises
    ------
    ValueError
        If there is no such backend, a client is given together with another one, there
        is none but `backend` is "dask", or a number is below 1.

    Examples
    --------
    >>> placement_for("local", n_threads=2)
    Placement(backend='local', n_workers=1, n_threads=2)
    """
    for name, value in (("n_workers", n_workers), ("n_threads", n_threads)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    if goes_to_cluster(backend, client, purpose="train"):
        found = cluster(client)
        there, threads = found.size(n_threads)
        return Placement(found, n_workers or there, threads)
    name = "local" if backend == "auto" else backend
    return Placement(name, n_workers or 1, n_threads or _cores())


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
