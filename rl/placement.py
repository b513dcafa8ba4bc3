"""Where a training runs: in this process, or on a cluster; with how many threads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from dpsvi.engine.backends import BACKENDS, Backend, cluster, cluster_at_hand

__all__ = ["Placement", "placement_for"]


@dataclass(frozen=True)
class Placement:
    """Where a training runs.

    Attributes
    ----------
    backend : str or Backend
        Of the engine.
    n_workers, n_threads : int
        n and p in the paper.
    """

    backend: str | Backend
    n_workers: int
    n_threads: int

    @property
    def apart(self) -> bool:
        """Whether parameters travel between workers and master."""
        return not isinstance(self.backend, str)


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
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(
            f"no backend {backend!r}; choose one of auto, {', '.join(sorted(BACKENDS))}"
        )
    if client is not None and backend not in ("auto", "dask"):
        raise ValueError(
            f'a client was given, and backend is {backend!r}; give backend="dask" or '
            '"auto" to train on its cluster'
        )
    wanted = client is not None or backend == "dask"
    if wanted or (backend == "auto" and cluster_at_hand()):
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
