"""Where master and workers live.

==============  ================================================================
"local"         this process: lock-free threads, and workers as further threads
"dask"          a Dask cluster: a master in the scheduler, a worker on each worker
"simulated"     this thread: asynchrony replayed exactly, for tests
==============  ================================================================
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np

from dpsvi.engine.master import Master
from dpsvi.engine.progress import Recorder

__all__ = ["BACKENDS", "Backend", "cluster", "cluster_at_hand", "resolve"]

#: Name of a backend -> module and class; imported when first asked for.
BACKENDS = {
    "dask": ("dpsvi.engine.backends.dask", "Dask"),
    "local": ("dpsvi.engine.backends.local", "Local"),
    "simulated": ("dpsvi.engine.backends.simulated", "Simulated"),
}


@runtime_checkable
class Backend(Protocol):
    """What carries out a run."""

    def clock(self) -> float:
        """Return seconds from any origin, for the history and ``max_time``."""

    def run(
        self,
        master: Master,
        shards: Sequence[Any],
        seeds: Sequence[np.random.SeedSequence],
        recorder: Recorder,
    ) -> Master:
        """Work until the run is over.

        Parameters
        ----------
        master : Master
            New, with its problem and plan.
        shards : sequence
            The data, one item per worker.
        seeds : sequence of numpy.random.SeedSequence
            One per worker.
        recorder : Recorder
            Told about each merge, in the calling thread; knows when to end.

        Returns
        -------
        Master
            With the final parameters: the one given, or a copy that has lived
            elsewhere.
        """


def cluster_at_hand() -> bool:
    """Say whether this process has a Dask client, without importing Dask.

    Not inside a task of Dask: a fit that waits there for other tasks of the same
    workers, as many at once do in a grid search, might wait for ever.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    with suppress(AttributeError, ValueError):
        distributed.get_worker()
        return False
    with suppress(AttributeError, ValueError):
        return bool(distributed.Client.current().status == "running")
    return False


def cluster(client: Any = None) -> Any:
    """Return the backend of a Dask client; None: the current one.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If there is no client, or it is closed.
    """
    module, name = BACKENDS["dask"]
    try:
        backend = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            'fitting on a cluster needs Dask: pip install "dpsvi[dask]"'
        ) from error
    return backend(client)


def resolve(backend: str | Backend) -> Backend:
    """Return the backend of a name, or the backend itself.

    Raises
    ------
    ValueError
        If there is no backend of this name.
    TypeError
        If it is neither a name nor a backend.

    Examples
    --------
    >>> resolve("local")
    Local()
    """
    if isinstance(backend, str):
        if backend not in BACKENDS:
            raise ValueError(
                f"no backend {backend!r}; choose one of {', '.join(sorted(BACKENDS))}"
            )
        if backend == "dask":
            return cast("Backend", cluster())
        module, name = BACKENDS[backend]
        return cast("Backend", getattr(import_module(module), name)())
    if isinstance(backend, type) or not isinstance(backend, Backend):
        raise TypeError(
            f"backend is {backend!r}; give a name ({', '.join(sorted(BACKENDS))}) "
            "or an instance with the methods clock and run"
        )
    return backend
