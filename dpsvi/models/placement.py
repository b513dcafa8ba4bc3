"""Where a fit runs: in this process, or on a cluster; with how many threads."""

from __future__ import annotations

import sys
from typing import Any

from joblib import effective_n_jobs

from dpsvi.engine import Placement, goes_to_cluster
from dpsvi.engine.backends import cluster

__all__ = ["n_threads_for", "placement_for"]

# Documents that make a thread worth while.
_WORTH_A_THREAD = 500


def placement_for(
    model: Any,
    n_documents: int | None,
    learning: str,
    client: Any = None,
    *,
    automatic: bool = True,
) -> Placement:
    """Decide where to fit.

    Parameters
    ----------
    model : estimator
        Its `backend` and `n_jobs` count.
    n_documents : int or None
        To fit to. Workers and threads without enough to do are left out, unless it
        is not known yet.
    learning : {"online", "batch"}
        Batch learning runs in one process.
    client : distributed.Client or None, default=None
        As given to `fit`.
    automatic : bool, default=True
        Whether ``backend="auto"`` takes a client that happens to be there.

    Raises
    ------
    ValueError
        If a client is given together with another backend, if there is none but
        `backend` is "dask", or if its cluster cannot do this fit.
    """
    if n_documents is None:
        n_documents = sys.maxsize
    # Batch learning stays here, unless the cluster was asked for.
    automatic = automatic and learning == "online"
    if not goes_to_cluster(model.backend, client, purpose="fit", automatic=automatic):
        backend = "local" if model.backend == "auto" else model.backend
        return Placement(backend, 1, n_threads_for(model.n_jobs, n_documents))
    if learning == "batch":
        raise ValueError(
            'learning_method="batch" runs in one process; give backend="local", or '
            'learning_method="online" for the cluster'
        )
    backend = cluster(client)
    # All cores (-1) are those of the workers, and not of this machine.
    counted = model.n_jobs is not None and model.n_jobs > 0
    asked = n_threads_for(model.n_jobs, n_documents) if counted else None
    n_workers, n_threads = backend.size(asked)
    n_workers = max(1, min(n_workers, n_documents // _WORTH_A_THREAD))
    return Placement(backend, n_workers, n_threads)


def n_threads_for(n_jobs: int | None, n_documents: int) -> int:
    """Return the number of threads: at most as scikit-learn counts; None: all cores.

    A thread must have documents enough to be worth the hand-over, so small fits stay
    on one thread, and with that repeatable bit for bit.

    >>> n_threads_for(3, n_documents=10_000), n_threads_for(3, n_documents=10)
    (3, 1)
    """
    most = int(effective_n_jobs(-1 if n_jobs is None else n_jobs))
    return max(1, min(most, n_documents // _WORTH_A_THREAD))
