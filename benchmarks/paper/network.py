"""The network that figures are simulated on, with the master in a Dask scheduler."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from statistics import median

from dpsvi.theory.speedup.cluster_runs import measure_exchange
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.machine import local_cluster

__all__ = ["event_loop_seconds", "over_network"]

# The paper's network is not told; this is a common one.
_BANDWIDTH, _LATENCY = 1e9, 1e-4
_RUNS = 3


def over_network(costs: Costs) -> Costs:
    """Return costs of a machine as costs of such machines at 1 Gbit/s."""
    shared = replace(costs, handling_seconds=event_loop_seconds())
    return shared.over(bandwidth=_BANDWIDTH, latency=_LATENCY)


@cache
def event_loop_seconds() -> float:
    """Return what an exchange takes of a scheduler's event loop on this machine.

    Raises
    ------
    ImportError
        If `distributed` is not installed.
    """
    with local_cluster(2) as cluster:
        from distributed import Client

        with Client(cluster, set_as_default=False) as client:
            return median(measure_exchange(client).handling for _ in range(_RUNS))
