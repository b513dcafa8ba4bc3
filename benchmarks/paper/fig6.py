"""Figure 6: time to a score, for several B and numbers of nodes.

Agent steps to the score are replayed with as many stale workers as there are nodes, and
so are real; the seconds that they take follow from the costs of a step and an exchange.
CartPole is learned in a minute and stands for the six games, which take days; the costs
are those of the games in any case. Three seeds each: single runs differ a lot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from dpsvi.experiments.agents import GAMES, node_costs, samples_to
from dpsvi.experiments.findings import COLOURS, Claim, Finding, counted, tidy, unreached
from dpsvi.theory.speedup import Costs, forecast

__all__ = ["find"]

_NODES, _LENGTHS, _SEEDS = (1, 2, 4, 8), (1, 5, 20), (0, 1, 2)
# Score 195 is where CartPole-v0 counted as solved.
_CARTPOLE = 195.0
_CARTPOLE_STEPS, _GAME_STEPS = 300_000, 5_000_000


def find(*, full: bool = False) -> Finding:
    """Run; `full` learns the six games, at each size: days."""
    _, costs = node_costs("ALE/SpaceInvaders-v5")
    rows: list[dict[str, Any]] = []
    names = [f"ALE/{game}-v5" for game in GAMES] if full else ["CartPole-v1"]
    for name in names:
        target, most = _benchmark(name, costs) if full else (_CARTPOLE, _CARTPOLE_STEPS)
        rows += [
            _learned(name, n, B, seed, target, most, costs)
            for n in _NODES
            for B in _LENGTHS
            for seed in _SEEDS
        ]
    return Finding(
        "fig6",
        "Time to a score, workers of one thread at 1 Gbit/s",
        rows,
        [claim for name in names for claim in _claims(rows, name)],
        lambda figure: _draw(figure, rows, names),
        note=_note(full),
    )


def _benchmark(name: str, costs: Costs) -> tuple[float, int]:
    """Return the highest score of B = 1 within half an hour, and the most steps.

    As in the paper, but of one node alone: of eight it would take hours more.
    """
    (alone,) = forecast(costs, [1])
    half_an_hour = int(1800 * alone.samples_per_second)
    return samples_to(name, None, 1, 1, most=half_an_hour).score, _GAME_STEPS


def _note(full: bool) -> str:
    games = "" if full else "A toy game, CartPole, stands for the six of the paper. "
    return (
        f"{games}Medians of {len(_SEEDS)} seeds, with bars from the least to the most "
        "of those that came to the score. A cross: most did not, within the steps "
        "given. Updates of n nodes are averaged, at a global rate of √n: with their "
        "sum CartPole is not learned with four nodes. Seconds are simulated, with the "
        "costs of Space Invaders."
    )


def _learned(
    game: str, n: int, B: int, seed: int, target: float, most: int, costs: Costs
) -> dict[str, Any]:
    samples = samples_to(game, target, n, B, most=most, seed=seed).samples
    (expected,) = forecast(costs, [n], local_steps=B)
    pace = expected.samples_per_second
    row = {"game": game, "kind": "simulated", "nodes": n, "B": B, "seed": seed}
    return {**row, "agent_steps": samples, "pace": pace, "seconds": samples / pace}


def _claims(rows: Sequence[dict[str, Any]], game: str) -> list[Claim]:
    seconds = {
        (n, B): median(_seconds_of(rows, game, n, B)) for n in _NODES for B in _LENGTHS
    }
    few, _, middle, many = _NODES
    best = {n: min(seconds[n, B] for B in _LENGTHS) for n in _NODES}
    return [
        Claim.judged(
            f"{game}: larger B is needed with several nodes",
            min(seconds[middle, B] for B in _LENGTHS[1:]) < seconds[middle, 1],
            f"{middle} nodes: {_told(seconds, middle)}.",
        ),
        Claim.judged(
            f"{game}: it is neutral or harmful with few",
            min(seconds[few, B] for B in _LENGTHS[1:]) > 0.8 * seconds[few, 1],
            f"One node: {_told(seconds, few)}.",
        ),
        Claim.judged(
            f"{game}: beyond some number of nodes nothing is gained",
            best[many] > 0.8 * best[middle],
            f"At the best B: {_seconds(best[few])} with one node, "
            f"{_seconds(best[middle])} with {middle}, {_seconds(best[many])} with "
            f"{many}.",
        ),
    ]


def _told(seconds: dict[tuple[int, int], float], n: int) -> str:
    return ", ".join(f"{_seconds(seconds[n, B])} with B = {B}" for B in _LENGTHS)


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if math.isfinite(value) else "not within the steps given"


def _seconds_of(
    rows: Sequence[dict[str, Any]], game: str, n: int, B: int
) -> list[float]:
    """Return the seconds of all seeds."""
    where = {"game": game, "nodes": n, "B": B}
    return [row["seconds"] for row in rows if where.items() <= row.items()]


def _draw(figure: Any, rows: Sequence[dict[str, Any]], games: Sequence[str]) -> None:
    n_rows = 1 if len(games) == 1 else 2
    panels = figure.subplots(n_rows, -(-len(games) // n_rows), squeeze=False)
    for axes, game in zip(panels.flat, games, strict=False):
        for place, (colour, B) in enumerate(zip(COLOURS, _LENGTHS, strict=False)):
            # Side by side, or bars would cover each other.
            shift = 1.04 ** (place - 1)
            seconds = {n * shift: _seconds_of(rows, game, n, B) for n in _NODES}
            _line(axes, seconds, colour, f"simulated, B = {B}")
        axes.set_xscale("log")
        counted(axes.xaxis, _NODES)
        axes.set_ylim(bottom=0)
        axes.plot([], [], "x", color="#999999", label="not within the steps given")
        axes.legend(frameon=False, fontsize=8)
        tidy(axes, game, "nodes", "seconds to the score")


def _line(
    axes: Any, seconds: dict[float, list[float]], colour: str, label: str
) -> None:
    """Draw medians and ranges; where a median is infinite, a cross at the top."""
    reached = {
        n: sorted(each) for n, each in seconds.items() if math.isfinite(median(each))
    }
    middle = [median(each) for each in reached.values()]
    low = [mid - each[0] for mid, each in zip(middle, reached.values(), strict=True)]
    # A seed that did not get there has no upper end.
    high = [
        max(filter(math.isfinite, each)) - mid
        for mid, each in zip(middle, reached.values(), strict=True)
    ]
    axes.errorbar(
        [*reached],
        middle,
        (low, high),
        fmt="o--",
        color=colour,
        mfc="white",
        capsize=3,
        label=label,
    )
    unreached(axes, [n for n in seconds if n not in reached], colour, at=0.97)
