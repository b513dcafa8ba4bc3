"""Data that stay on a cluster: computed there, and waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from distributed import Client, Future

from dpsvi.engine.backends.dask.preflight import Roll

__all__ = ["keep"]

# Seconds between two looks at the workers, and that a cluster may be without any.
_SLICE, _PATIENCE = 5.0, 60.0


def keep(
    client: Client, data: Sequence[Any], facts: Sequence[Any]
) -> tuple[list[Future], list[Any]]:
    """Compute data that stay where they are made, and facts that come here.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    data, facts : sequence of dask.delayed.Delayed
        To compute, all at once, as facts are mostly about the data.

    Returns
    -------
    futures : list of Future
        Of the data.
    found : list
        The facts.

    Raises
    ------
    RuntimeError
        If a worker has no `dpsvi` of this version, or all workers are gone.
    Exception
        Whatever a computation has raised.
    """
    Roll(client).check()
    futures: list[Future] = client.compute([*data, *facts])
    about = futures[len(data) :]
    try:
        _wait(client, futures)
        return futures[: len(data)], client.gather(about)
    except BaseException:
        client.cancel(futures)
        raise


def _wait(client: Client, futures: list[Future]) -> None:
    """Wait until all are done; raise the first error as soon as it is there."""
    lonely_since: float | None = None
    for future in futures:
        while not future.done():
            with suppress(TimeoutError):
                future.exception(_SLICE)
            failed = [other for other in futures if other.status == "error"]
            if failed:
                failed[0].result()
            if client.scheduler_info(n_workers=-1)["workers"]:
                lonely_since = None
                continue
            lonely_since = lonely_since or time.monotonic()
            if time.monotonic() - lonely_since > _PATIENCE:
                raise RuntimeError(
                    f"the cluster has had no worker for {_PATIENCE:.0f} seconds, and "
                    "not all documents are read; start workers, and fit again"
                )
