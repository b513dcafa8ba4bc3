"""A cluster that talks over TLS."""

from __future__ import annotations

from typing import Any

import pytest
from toy_problems import Counting

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.dask import Dask


def test_tls() -> None:
    pytest.importorskip("cryptography")
    from distributed import Client, LocalCluster, Security

    security: Any = Security.temporary()
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            dashboard_address=":0",
            protocol="tls",
            security=security,
        ) as cluster,
        Client(cluster, security=security, set_as_default=False) as client,
    ):
        assert client.scheduler.address.startswith("tls://")
        plan = Plan(total_steps=12)
        result = run(Counting(12), [None], plan, backend=Dask(client))
    assert result.parameters.tolist() == [1.0] * 12 + [12.0]
