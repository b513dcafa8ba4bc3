"""Figures 1 to 3: speed-up over serial SVI at equal held-out perplexity (Eq. 12)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from dpsvi.engine import Plan, run
from dpsvi.experiments.findings import COLOURS, counted, plain, tidy, unreached
from dpsvi.experiments.network import over_network
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
    "six_cores",
    "sooner",
]

RULES: tuple[Rule, ...] = ("samples", "corollary")

# The paper's cluster: six cores a node. What a second thread on a core adds is that of
# common machines.
_CORES, _SMT = 6, 0.25
_RUNS = 3
# Kernels of today take a millisecond for what took the paper's code, in Python, much
# longer. How long is not told; with this, communication weighs as little as there.
_SLOW_STEP = 0.3
HERE, SLOW = "this machine's steps", "steps of 0.3 s"
_NAMES: dict[Rule, str] = {"samples": "13b", "corollary": "13a"}
_WHERE = {
    "simulated": "simulated, nodes of six cores at 1 Gbit/s",
    "measured": "measured, threads of one process",
}


def network_costs(study: TopicStudy) -> dict[str, Costs]:
    """Return costs on nodes of six cores with 1 Gbit/s between them.

    With the steps of this machine, and with steps as slow as the paper's may have been:
    for these threads are measured on a model and mini-batches that make steps long.
    """
    long = TopicStudy(n_topics=100, batch_size=128, counts=study.train)
    slow = replace(study.costs, threads=_scaling(long), step_seconds=_SLOW_STEP)
    return {HERE: over_network(six_cores(study)), SLOW: over_network(slow)}


def six_cores(study: TopicStudy) -> Costs:
    """Return costs on one node of six cores.

    How well threads scale is measured on the cores at hand and carried on to six.
    """
    return replace(study.costs, threads=_scaling(study))


def _scaling(study: TopicStudy) -> ThreadScaling:
    problem = study.problem(0.01, MANY)
    found, _ = measure_threads(problem, study.train, local_steps=40, rounds=12)
    return replace(found, cores=_CORES, smt=_SMT)


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

    Seconds are those of runs that do not look at the held-out documents, in turns with
    one thread alone; the median of three.
    """
    # One thread alone needs no rounds: long ones cost it nothing.
    pace = median(
        _seconds_per_document(study, 1, 1, 64, rule)
        / _seconds_per_document(study, n, p, B, rule)
        for _ in range(_RUNS)
    )
    row = {"n": n, "p": p, "B": B, "rule": rule, "kind": "measured"}
    share = study.efficiency(rule, n, p, B)
    return {**row, "steps": HERE, "pace": pace, "TSP": pace * share}


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


def sooner(*times: float) -> str:
    """Speed-ups in words; zero says that the perplexity was not reached."""
    return ", ".join(
        f"{speed:.1f} times as soon" if speed else "never" for speed in times
    )


def draw(figure: Any, rows: Sequence[dict[str, Any]], x: str, title: str) -> None:
    """Pace, and TSP under both rules; measured points are filled, others are not.

    One line of panels; with several B one for each kind of steps, as curves would lie
    on top of each other.
    """
    groups = _groups(rows)
    figure.set_size_inches(9, 1.4 + 2.8 * len(groups))
    panels = figure.subplots(len(groups), 3, sharey=True, squeeze=False)
    for line, (group, own) in zip(panels, groups.items(), strict=True):
        for axes, rule in zip(line, (None, *RULES), strict=True):
            _panel(axes, own, x, rule)
            name = "TSP, rule " + _NAMES[rule] if rule else "pace (documents a second)"
            tidy(axes, name, title, "times serial SVI" if rule is None else "")
        if group:
            line[1].set_title(f"{group}\n{line[1].get_title()}")
    _legend(figure, panels)


def _groups(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each line of panels, with the labels of their curves."""
    several = len({row["B"] for row in rows}) > 1
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        what = f"B = {row['B']}" + ("" if several else f", {row['steps']}")
        label = f"{_WHERE[row['kind']]}: {what}"
        groups.setdefault(row["steps"] if several else "", []).append(
            {**row, "label": label}
        )
    return groups


def _panel(
    axes: Any, rows: Sequence[dict[str, Any]], x: str, rule: Rule | None
) -> None:
    """Draw all curves on logarithmic axes, with a dotted line for linear speed-up."""
    numbers = sorted({row[x] for row in rows})
    power = 2 if all(row["n"] == row["p"] for row in rows) else 1
    ideal = [n**power for n in numbers]
    axes.plot(numbers, ideal, ":", color="#999999", label="as many times as threads")
    axes.set(xscale="log", yscale="log")
    labels = dict.fromkeys(row["label"] for row in rows)
    for colour, label in zip(COLOURS, labels, strict=False):
        own = [
            row
            for row in rows
            if row["label"] == label and row["rule"] == (rule or RULES[0])
        ]
        values = {row[x]: row["TSP" if rule else "pace"] for row in own}
        _line(axes, values, own[0], colour)
    counted(axes.xaxis, numbers)
    plain(axes.yaxis, 1.0, 2.0, 5.0)


def _line(
    axes: Any, values: dict[int, float], row: dict[str, Any], colour: str
) -> None:
    """Draw a curve; what has not come to the perplexity has no value, but a cross."""
    simulated = row["kind"] == "simulated"
    reached = {place: value for place, value in values.items() if value > 0}
    axes.plot(
        [*reached],
        [*reached.values()],
        "o--" if simulated else "s",
        color=colour,
        mfc="white" if simulated else colour,
        label=row["label"],
    )
    unreached(axes, [place for place in values if place not in reached], colour)


def _legend(figure: Any, panels: Any) -> None:
    """Name each kind of curve once, and crosses where there are any."""
    known: dict[str, Any] = {}
    for axes in panels.flat:
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, line)
    lines = [line for axes in panels.flat for line in axes.lines]
    if any(line.get_marker() == "x" for line in lines):
        known["perplexity not reached"] = _cross()
    figure.legend(
        known.values(),
        known.keys(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=8,
    )


def _cross() -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color="#666666", marker="x", linestyle="none")
