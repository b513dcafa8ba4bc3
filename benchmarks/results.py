"""From curves to tables: seconds to reach a perplexity, and ratios against ours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median
from typing import NamedTuple

from run_one import Curve


class Reached(NamedTuple):
    """When a curve reached a level; `bound` if its first snapshot was already there."""

    seconds: float
    bound: bool


def seconds_to_reach(curve: Curve, level: float) -> Reached | None:
    """Training seconds until the perplexity first fell to a level; None if never.

    Between two snapshots the time is interpolated on a logarithmic axis. A level that
    the first snapshot has already passed gives that snapshot's time as a bound.

    Examples
    --------
    >>> curve = Curve("any", {}, 0, seconds=[1.0, 4.0], perplexity=[200.0, 100.0])
    >>> seconds_to_reach(curve, 150.0)
    Reached(seconds=2.0, bound=False)
    >>> seconds_to_reach(curve, 250.0).bound, seconds_to_reach(curve, 90.0)
    (True, None)
    """
    earlier: tuple[float, float] | None = None
    for seconds, value in zip(curve.seconds, curve.perplexity, strict=True):
        if value <= level:
            if earlier is None:
                return Reached(seconds, True)
            share = (earlier[1] - level) / (earlier[1] - value)
            return Reached(earlier[0] * (seconds / earlier[0]) ** share, False)
        earlier = (seconds, value)
    return None


def best(curve: Curve) -> float:
    """Lowest perplexity of a curve; infinite if it has none."""
    return min(curve.perplexity, default=math.inf)


def automatic_levels(curves: Iterable[Curve], number: int = 8) -> list[float]:
    """Levels from one that every system reached to the best that any did."""
    bests = [best(curve) for curve in curves if curve.perplexity]
    if not bests:
        return []
    high, low = 1.01 * max(bests), 1.005 * min(bests)
    steps = range(number)
    levels = [float(round(high * (low / high) ** (i / (number - 1)))) for i in steps]
    return list(dict.fromkeys(levels))


def levels_table(curves: list[Curve], levels: list[float]) -> str:
    """Markdown: one row per system, median over seeds of seconds to each level."""
    head = ["system", *(f"{level:.0f}" for level in levels), "best", "start-up s"]
    rows = []
    for system, runs in _by_system(curves).items():
        cells = [
            _cell([seconds_to_reach(run, level) for run in runs]) for level in levels
        ]
        startup = median(run.startup_s for run in runs)
        lowest = median(best(run) for run in runs)
        rows.append([system, *cells, f"{lowest:.0f}", f"{startup:.1f}"])
    return _markdown(head, rows)


def ratio_table(curves: list[Curve], levels: list[float], ours: str) -> str:
    """Markdown: seconds of each system over ours at the same level and seed.

    A ratio is the median over seeds. ``>=`` marks that our first snapshot had already
    passed the level, ``never`` that the system did not reach it, and ``ours never``
    that we did not. The last column takes the system's own best, plus 0.5 %.
    """
    own = {run.seed: run for run in curves if run.system == ours}
    head = ["system", *(f"{level:.0f}" for level in levels), "to its own best"]
    rows = []
    for system, runs in _by_system(curves).items():
        pairs = [(run, own[run.seed]) for run in runs if run.seed in own]
        if system == ours or not pairs:
            continue
        cells = [_ratio_cell([(*pair, level) for pair in pairs]) for level in levels]
        last = _ratio_cell([(run, mine, 1.005 * best(run)) for run, mine in pairs])
        rows.append([system, *cells, last])
    return _markdown(head, rows)


def failures(curves: Iterable[Curve]) -> list[str]:
    """One line for each run without a curve."""
    return [
        f"{run.system}, seed {run.seed}: {run.error}" for run in curves if run.error
    ]


def _by_system(curves: Iterable[Curve]) -> dict[str, list[Curve]]:
    groups: dict[str, list[Curve]] = {}
    for curve in curves:
        if curve.perplexity:
            groups.setdefault(curve.system, []).append(curve)
    return groups


def _cell(reached: list[Reached | None]) -> str:
    """Median seconds; a dash unless every seed reached the level."""
    times = [one for one in reached if one]
    if len(times) < len(reached):
        return "-"
    mark = "<=" if any(one.bound for one in times) else ""
    return f"{mark}{median(one.seconds for one in times):.3g}"


def _ratio_cell(runs: list[tuple[Curve, Curve, float]]) -> str:
    theirs = [seconds_to_reach(run, level) for run, _, level in runs]
    ours = [seconds_to_reach(mine, level) for _, mine, level in runs]
    if None in theirs:
        return "never"
    if None in ours:
        return "ours never"
    pairs = [(a, b) for a, b in zip(theirs, ours, strict=True) if a and b]
    if any(a.bound for a, _ in pairs):
        return "?"  # neither side's time is known well enough
    mark = ">=" if any(b.bound for _, b in pairs) else ""
    return f"{mark}{median(a.seconds / b.seconds for a, b in pairs):.3g}x"


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
