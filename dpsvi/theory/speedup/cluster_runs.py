"""Runs on a Dask cluster: what an exchange costs there, and whether forecasts hold.

On our backend a round makes two calls, a push and then a pull, and each waits for the
master's only thread. The scheduler's event loop handles messages beside that thread;
its time per exchange is what workers that do nothing but exchange have to wait for each
other. On `LocalCluster` the scheduler shares its process with the client, which hears
of every merge, and the cores with the workers, so that is in it. What remains of a
round of one worker that only rests is the way of the messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsvi.engine import History, Plan, Problem, Result, run
from dpsvi.theory.setting import check_count
from dpsvi.theory.speedup.calibration import measure_rounds
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.queueing import mean_values
from dpsvi.theory.speedup.simulation import simulate
from dpsvi.theory.speedup.sleeping import Sleeping

__all__ = [
    "Comparison",
    "Exchange",
    "compare",
    "measure_exchange",
    "steady_rate",
]


@dataclass(frozen=True)
class Exchange:
    """What an exchange costs on a cluster, whatever is exchanged.

    Attributes
    ----------
    latency : float
        Seconds of a message, one way, with what the worker does for it.
    handling : float
        Seconds of the scheduler's process per exchange.
    """

    latency: float
    handling: float


def measure_exchange(
    client: Any, *, rounds: int = 60, pause: float = 0.02, size: int = 1
) -> Exchange:
    """Measure exchanges of workers that do nothing else.

    Parameters
    ----------
    client : distributed.Client
        Connected, with two workers or more. The more there are, the surer it is that
        they keep the scheduler busy.
    rounds : int, default=60
        Of each worker.
    pause : float, default=0.02
        Seconds between exchanges of one worker, to measure the way of messages: after
        a rest they take longer than in a tight loop.
    size : int, default=1
        Numbers of eight bytes that are pulled, and pushed.

    Returns
    -------
    Exchange

    Raises
    ------
    ImportError
        If `distributed` is not installed.
    ValueError
        If `rounds` is below 10, or there are fewer than two workers.
    """
    check_count("rounds", rounds, least=10)
    n = len(client.scheduler_info(n_workers=-1)["workers"])
    if n < 2:
        raise ValueError(
            f"the cluster has {n} workers; give it two or more, or they cannot keep "
            "the scheduler busy"
        )
    apply = _own_seconds(Sleeping(size=size))
    # Connections are made, and modules loaded.
    _run(client, Sleeping(size=size), n, 10 * n)
    busy = _run(client, Sleeping(size=size), n, rounds * n).history
    handling = max(0.0, 1 / steady_rate(busy, n) - apply)
    resting = Sleeping(step_seconds=pause, size=size)
    work = measure_rounds(resting, None, rounds=rounds).working
    round_trip = 1 / steady_rate(_run(client, resting, 1, rounds).history, 1)
    latency = (round_trip - work - handling - apply) / 4
    return Exchange(max(0.0, latency), handling)


def _own_seconds(problem: Problem) -> float:
    """What the master needs for an exchange."""
    own = measure_rounds(problem, None, rounds=100)
    return own.pulling + own.pushing


def steady_rate(history: History, n_workers: int) -> float:
    """Return the steps per second of a run on a cluster, without its start and end.

    Counted are merges while all workers took part, after two rounds of each and before
    the last of each.

    Raises
    ------
    ValueError
        If the run was too short for that.
    """
    rows = np.flatnonzero(history["workers"] == n_workers)
    rows = rows[2 * n_workers : len(rows) - n_workers]
    if rows.size < 2:
        raise ValueError(
            f"{len(history)} merges are too few for a rate of {n_workers} workers; "
            "ask for more rounds"
        )
    steps, seconds = history["steps"][rows], history["time"][rows]
    return float((steps[-1] - steps[0]) / (seconds[-1] - seconds[0]))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A run beside its forecasts, in rounds per second.

    Attributes
    ----------
    n_workers : int
        n.
    service : float
        s: seconds of the master per exchange, as calibrated.
    measured : float
        Of the run.
    expected : float
        By mean value analysis, as `forecast` has it.
    simulated : float
        By discrete-event simulation.
    staleness, simulated_staleness : float
        Mean, of the run and of the simulation.
    """

    n_workers: int
    service: float
    measured: float
    expected: float
    simulated: float
    staleness: float
    simulated_staleness: float

    @property
    def error(self) -> float:
        """Of the simulation: how much faster it is than the run, as a share of it."""
        return self.simulated / self.measured - 1


def compare(
    client: Any,
    problem: Problem,
    shards: Sequence[Any],
    costs: Costs,
    *,
    local_steps: int = 1,
    rounds: int = 200,
    spread: float = 0.3,
    one_host: bool = False,
) -> Comparison:
    """Run a problem with one worker per shard, and the model of it.

    Parameters
    ----------
    client : distributed.Client
        Connected, with enough workers.
    problem : Problem
        With enough steps for the rounds.
    shards : sequence
        One per worker.
    costs : Costs
        Calibrated without this run, for rounds of so many steps.
    local_steps : int, default=1
        B.
    rounds : int, default=200
        Of all workers together.
    spread : float, default=0.3
        Coefficient of variation of a round's steps.
    one_host : bool, default=False
        Whether the cluster is one host, for steps that work; see `simulate`. Mean
        values do not know of it.

    Returns
    -------
    Comparison
    """
    n = len(shards)
    # Each process loads its kernels in its first round, others on its cores meanwhile.
    _run(client, problem, n, 3 * n, local_steps, shards)
    history = _run(client, problem, n, rounds, local_steps, shards).history
    expected = mean_values(n, costs.think(1, local_steps), costs.visits)
    simulated = simulate(
        costs, n, local_steps=local_steps, spread=spread, one_host=one_host
    )
    return Comparison(
        n_workers=n,
        service=costs.service,
        measured=steady_rate(history, n) / local_steps,
        expected=float(expected.throughput[-1]),
        simulated=simulated.throughput,
        staleness=float(history["staleness_mean"][2 * n :].mean()),
        simulated_staleness=float(simulated.staleness.mean()),
    )


def _run(
    client: Any,
    problem: Problem,
    n_workers: int,
    rounds: int,
    local_steps: int = 1,
    shards: Sequence[Any] | None = None,
) -> Result:
    from dpsvi.engine.backends.dask import Dask

    plan = Plan(
        total_steps=rounds * local_steps,
        n_workers=n_workers,
        local_steps=local_steps,
        master_batch_size=1,
        seed=0,
    )
    given = [None] * n_workers if shards is None else shards
    return run(problem, given, plan, backend=Dask(client))
