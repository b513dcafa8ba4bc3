"""Figure 5: frames per second of HSA2C against the number of nodes, for several B."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi import rl
from dpsvi.experiments.agents import node_costs, step_seconds
from dpsvi.experiments.findings import COLOURS, Claim, Finding, counted, tidy
from dpsvi.theory.speedup import (
    Costs,
    forecast,
    local_cluster,
    measure_exchange,
    simulate,
)

__all__ = ["find", "steady_pace"]

_GAME = "ALE/SpaceInvaders-v5"
_LENGTHS, _MEASURED = (1, 2, 5, 10, 20), (1, 5, 20)
# Seconds of each measurement.
_SHORT, _LONG = 20.0, 60.0
_THREADS = 12
# Further off, and rates past this machine would be guesses.
_CLOSE = 0.1
_HERE = "here: workers of one thread"
_THERE = f"nodes of {_THREADS} threads, 1 Gbit/s"


def find(*, full: bool = False) -> Finding:
    """Run; `full` measures longer, and as many workers as there are cores."""
    from distributed import Client

    from dpsvi.theory.speedup import cores_at_hand

    here, there = node_costs(_GAME, rounds=20 if full else 6)
    seconds, most = (_LONG, cores_at_hand()[0]) if full else (_SHORT, 2)
    rows: list[dict[str, Any]] = []
    with local_cluster(most) as cluster, Client(cluster, set_as_default=False) as of:
        found = measure_exchange(of)
        latency = here.latency + found.latency
        here = replace(here, latency=latency, handling_seconds=found.handling)
        sizes = sorted({1, 2, most})
        for n in sizes:
            for B in _MEASURED:
                rate, costs = _beside_calibrations(of, n, B, seconds, here)
                rows.append(_row(_HERE, "measured", n, B, rate))
                rows.append(_shared(costs, n, B))
    rows += [_shared(here, 4, B) for B in _MEASURED if 4 not in sizes]
    rows += _simulated(_THERE, there, (1, 5, 10, 20, 30, 40, 60), _THREADS, _LENGTHS)
    return Finding(
        "fig5",
        "Agent steps per second on Space Invaders",
        rows,
        _claims(rows),
        lambda figure: _draw(figure, rows),
    )


def _measured(client: Any, n: int, B: int, seconds: float) -> float:
    """Agent steps per second of a training on the cluster, once it is under way."""
    with tempfile.TemporaryDirectory() as folder:
        result = rl.train(
            _GAME,
            total_steps=10**8,
            n_workers=n,
            n_threads=1,
            local_steps=B,
            client=client,
            max_time=seconds,
            seed=0,
            log_dir=folder,
            progress=False,
        )
    return steady_pace(result.history["steps"], result.history["time"])


def steady_pace(steps: NDArray[Any], time: NDArray[Any]) -> float:
    """Return steps per second between the first merges and the last one.

    The first rounds open the games and load kernels; after the last merge, nothing
    was merged until time was up.

    Raises
    ------
    RuntimeError
        If there were too few merges to tell.
    """
    _, merges = np.unique(steps, return_index=True)
    if len(merges) < 2:
        raise RuntimeError(
            "there were fewer than two merges in the time given; run with --full, or "
            "on a machine with nothing else to do"
        )
    first, last = merges[len(merges) // 3 if len(merges) > 3 else 0], merges[-1]
    return float((steps[last] - steps[first]) / (time[last] - time[first]))


def _beside_calibrations(
    client: Any, n: int, B: int, seconds: float, costs: Costs
) -> tuple[float, Costs]:
    """Measure a training, and a step just before and after it: machines have moods."""
    steps = [step_seconds(_GAME)]
    rate = _measured(client, n, B, seconds)
    steps.append(step_seconds(_GAME))
    return rate, replace(costs, step_seconds=sum(steps) / 2)


def _shared(costs: Costs, n: int, B: int) -> dict[str, Any]:
    """Workers that share the cores of this machine with each other and the master."""
    found = simulate(costs, n, local_steps=B, one_host=True)
    rate = found.throughput * B * costs.samples_per_step
    return _row(_HERE, "simulated", n, B, rate)


def _simulated(
    where: str, costs: Costs, numbers: Sequence[int], p: int, lengths: Sequence[int]
) -> list[dict[str, Any]]:
    return [
        _row(where, "simulated", it.n_workers, B, it.samples_per_second)
        for B in lengths
        for it in forecast(costs, numbers, n_threads=p, local_steps=B)
    ]


def _row(where: str, kind: str, n: int, B: int, rate: float) -> dict[str, Any]:
    return {"where": where, "kind": kind, "nodes": n, "B": B, "steps_per_second": rate}


def _claims(rows: Sequence[dict[str, Any]]) -> list[Claim]:
    rate = {
        (row["nodes"], row["B"]): row["steps_per_second"]
        for row in rows
        if row["where"] == _THERE
    }
    errors = [
        abs(row["steps_per_second"] / other["steps_per_second"] - 1)
        for row in rows
        for other in rows
        if (row["kind"], other["kind"]) == ("simulated", "measured")
        and all(row[key] == other[key] for key in ("where", "nodes", "B"))
    ]
    return [
        Claim.judged(
            "With B = 1 the rate does not grow with the nodes, from ten on",
            rate[60, 1] < 1.5 * rate[10, 1],
            f"Simulated: {rate[1, 1]:,.0f} agent steps per second with one node, "
            f"{rate[10, 1]:,.0f} with 10 and {rate[60, 1]:,.0f} with 60.",
        ),
        Claim.judged(
            "With larger B it grows",
            rate[60, 20] > 3 * rate[10, 1] and rate[60, 20] > 2 * rate[10, 20],
            f"Simulated, B = 20: {rate[1, 20]:,.0f} with one node, {rate[10, 20]:,.0f} "
            f"with 10 and {rate[60, 20]:,.0f} with 60.",
        ),
        Claim.judged(
            "The simulation stands for what is measured here",
            max(errors) < _CLOSE,
            f"It is off by {max(errors):.0%} at most, {sum(errors) / len(errors):.0%} "
            f"on average; {_CLOSE:.0%} at most would do. Workers share the cores of "
            "this machine, in the simulation too.",
        ),
    ]


def _draw(figure: Any, rows: Sequence[dict[str, Any]]) -> None:
    panels = figure.subplots(1, 2)
    colours = dict(zip(_LENGTHS, COLOURS, strict=False))
    for axes, where in zip(panels, (_HERE, _THERE), strict=True):
        own = [row for row in rows if row["where"] == where]
        for kind, style in {"simulated": "o--", "measured": "s"}.items():
            for B in _LENGTHS:
                points = sorted(
                    (row["nodes"], row["steps_per_second"])
                    for row in own
                    if (row["kind"], row["B"]) == (kind, B)
                )
                if points:
                    axes.plot(
                        *zip(*points, strict=True),
                        style,
                        color=colours[B],
                        mfc="white" if kind == "simulated" else colours[B],
                        label=f"{kind}, B = {B}",
                    )
        axes.legend(frameon=False, fontsize=8)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        counted(axes.xaxis, sorted({row["nodes"] for row in own}))
        tidy(axes, where, "nodes", "agent steps per second")
