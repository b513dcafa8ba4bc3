"""Clusters of real processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed")

# Where workers, started with this path, find the problems too.
for folder in ("engine", "models", "cluster"):
    sys.path.insert(0, str(Path(__file__).parent.parent / folder))


@pytest.fixture
def small_cluster() -> Iterator[Callable[..., Any]]:
    """Make a client of a new cluster, which the test may damage."""
    from distributed import Client, LocalCluster

    made: list[Any] = []

    def make(n_workers: int) -> Any:
        cluster = LocalCluster(
            n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
        )
        client = Client(cluster, set_as_default=False)
        made[:] = [client, cluster]
        return client

    yield make
    for thing in made:
        thing.close()


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    """Run a function beside the test."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit
