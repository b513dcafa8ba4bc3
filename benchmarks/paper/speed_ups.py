"""Figures 1 to 3: speed-up over serial SVI at equal held-out perplexity (Eq. 12)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dpsvi.engine import Plan, run
from dpsvi.experiments.findings import COLOURS, tidy
from dpsvi.experiments.topics import MANY, Rule, TopicStudy
from dpsvi.theory.speedup.calibration import measure_threads
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.forecast import forecast
from dpsvi.theory.speedup.threads import ThreadScaling

__all__ = [
    "HERE",
    "RULES",
    "SLOW",
    "draw",
    "measured_row",
    "network_costs",
    "simulated_rows",
]

RULES: tuple[Rule, ...] = ("samples", "corollary")

# The paper's cluster: six cores a node. Its network is not told; this is a common one.
_CORES = 6
_BANDWIDTH, _LATENCY = 1e9, 1e-4
# Kernels of today take a millisecond for what took the paper's code, in Python, much
# longer. How long is not told; with this, communication weighs as little as there.
_SLOW_STEP = 0.3
HERE, SLOW = "this machine's steps", "steps of 0.3 s"


def network_costs(study: TopicStudy) -> dict[str, Costs]:
    """Return costs on nodes of six cores with 1 Gbit/s between them.

    With the steps of this machine, and with steps as slow as the paper's may have been.
    How well threads scale is measured on the cores at hand and carried on to six; for
    slow steps on a model and mini-batches that make them long.
    """
    long = TopicStudy(n_topics=100, batch_size=128, counts=study.train)
    here, slow = (
        replace(study.costs, threads=_scaling(made)).over(
            bandwidth=_BANDWIDTH, latency=_LATENCY
        )
        for made in (study, long)
    )
    return {HERE: here, SLOW: replace(slow, step_seconds=_SLOW_STEP)}


def _scaling(study: TopicStudy) -> ThreadScaling:
    problem = study.problem(0.01, MANY)
    found, _ = measure_threads(problem, study.train, local_steps=40, rounds=12)
    return replace(found, cores=_CORES)


def simulated_rows(
    study: TopicStudy,
    costs: Mapping[str, Costs],
    layouts: Iterable[tuple[int, int, int]],
) -> list[dict[str, Any]]:
    """Return speed-ups of (n, p, B): documents by replay, seconds by forecast.

    With one worker there is no network, and no master to wait for.
    """
    rows = []
    for n, p, B in layouts:
        shares = {rule: study.efficiency(rule, n, p, B) for rule in RULES}
        for steps, each in costs.items():
            (expected,) = forecast(each, [n], n_threads=p, local_steps=B)
            gained = each.threads(p) if n == 1 else expected.speed_up
            for rule, share in shares.items():
                row = {"n": n, "p": p, "B": B, "rule": rule, "kind": "simulated"}
                found = {"steps": steps, "pace": gained, "TSP": gained * share}
                rows.append({**row, **found})
    return rows


def measured_row(study: TopicStudy, n: int, p: int, B: int, rule: Rule) -> Any:
    """Return the speed-up of a run in this process, n workers with p threads each.

    Seconds are those of the run without looking at the held-out documents.
    """
    target = study.target
    # One thread alone needs no rounds: long ones cost it nothing.
    serial = _seconds_per_document(study, 1, 1, 64, rule) * study.documents_needed
    found = study.replay(n, p, B, step=study.step(rule, n, p, B), until=target)
    own = _seconds_per_document(study, n, p, B, rule) * found.documents_to(target)
    pace = serial / study.documents_needed * found.documents_to(target) / own
    row = {"n": n, "p": p, "B": B, "rule": rule, "kind": "measured"}
    return {**row, "steps": HERE, "pace": pace, "TSP": serial / own}


def _seconds_per_document(
    study: TopicStudy, n: int, p: int, B: int, rule: Rule
) -> float:
    """Time a whole run of real threads, without a monitor."""
    problem = study.problem(study.step(rule, n, p, B))
    plan = Plan(
        total_steps=study.n_steps,
        n_workers=n,
        n_threads=p,
        local_steps=B,
        furthest=problem.clock.furthest,
        seed=0,
    )
    shards = [study.train[worker::n] for worker in range(n)]
    begun = time.perf_counter()
    done = run(problem, shards, plan)
    return (time.perf_counter() - begun) / done.counters.merged


def draw(figure: Any, rows: Sequence[dict[str, Any]], x: str, title: str) -> None:
    """Pace, and TSP under both rules; measured points are filled, others are not."""
    panels = figure.subplots(1, 3, sharey=True)
    names = ["pace (documents per second)", "TSP, rule 13b", "TSP, rule 13a"]
    curves = list(dict.fromkeys((row["steps"], row["B"]) for row in rows))
    most = max(row[x] for row in rows)
    whole = max(row["n"] * row["p"] for row in rows)
    for axes, name, rule in zip(panels, names, (None, *RULES), strict=True):
        key = "pace" if rule is None else "TSP"
        chosen = [row for row in rows if row["rule"] == (rule or RULES[0])]
        for colour, (steps, B) in zip(COLOURS, curves, strict=False):
            own = [row for row in chosen if (row["steps"], row["B"]) == (steps, B)]
            _lines(axes, own, x, key, colour, f"B = {B}, {steps}")
        numbers = sorted({row[x] for row in rows})
        power = 2 if whole > most else 1
        axes.plot(numbers, [n**power for n in numbers], ":", color="#999999")
        tidy(axes, name, title, "times serial SVI")
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=8,
    )


def _lines(
    axes: Any, rows: Sequence[dict[str, Any]], x: str, key: str, colour: str, name: str
) -> None:
    for kind, style in {"simulated": "o--", "measured": "s"}.items():
        points = sorted((row[x], row[key]) for row in rows if row["kind"] == kind)
        if points:
            face = "white" if kind == "simulated" else colour
            label = f"{kind}: {name}"
            axes.plot(
                *zip(*points, strict=True), style, color=colour, mfc=face, label=label
            )
