"""Settings of all tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# The first example of a kernel pays for its compilation. The same examples in every
# run: a change is not to fail for what it did not touch.
settings.register_profile("dpsvi", deadline=None, derandomize=True)
settings.load_profile("dpsvi")


@pytest.fixture(scope="session")
def cluster_client() -> Iterator[Any]:
    """A Dask client of two worker processes; never the current client."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client
