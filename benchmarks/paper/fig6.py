"""Figure 6: time to a score, for several B and numbers of nodes.

Agent steps to the score are replayed with as many stale workers as there are nodes, and
so are real; the seconds that they take follow from the costs of a step and an exchange.
CartPole is learned in a minute and stands for the six games, which take days; the costs
are those of the games in any case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dpsvi.experiments.agents import GAMES, node_costs, samples_to
from dpsvi.experiments.findings import COLOURS, Claim, Finding, tidy
from dpsvi.theory.speedup import forecast

__all__ = ["find"]

_NODES, _LENGTHS = (1, 2, 4, 8), (1, 5, 20)
# Score 195 is where CartPole-v0 counted as solved.
_CARTPOLE = 195.0
_CARTPOLE_STEPS, _GAME_STEPS = 300_000, 5_000_000


def find(*, full: bool = False) -> Finding:
    """Run; `full` learns the six games, at each size: days."""
    _, costs = node_costs("ALE/SpaceInvaders-v5")
    rows: list[dict[str, Any]] = []
    names = [f"ALE/{game}-v5" for game in GAMES] if full else ["CartPole-v1"]
    for name in names:
        target = _CARTPOLE
        most = _CARTPOLE_STEPS
        if full:
            # As in the paper: what B = 1 comes to in half an hour.
            (alone,) = forecast(costs, [1])
            half_an_hour = int(1800 * alone.samples_per_second)
            target = samples_to(name, None, 1, 1, most=half_an_hour).score
            most = _GAME_STEPS
        rows += [
            _row(name, n, B, samples_to(name, target, n, B, most=most).samples, costs)
            for n in _NODES
            for B in _LENGTHS
        ]
    return Finding(
        "fig6",
        "Time to a score, workers of one thread at 1 Gbit/s",
        rows,
        [claim for name in names for claim in _claims(rows, name)],
        lambda figure: _draw(figure, rows, names),
    )


def _row(game: str, n: int, B: int, samples: float, costs: Any) -> dict[str, Any]:
    (expected,) = forecast(costs, [n], local_steps=B)
    pace = expected.samples_per_second
    row = {"game": game, "kind": "simulated", "nodes": n, "B": B}
    return {**row, "agent_steps": samples, "pace": pace, "seconds": samples / pace}


def _claims(rows: Sequence[dict[str, Any]], game: str) -> list[Claim]:
    seconds = {
        (row["nodes"], row["B"]): row["seconds"] for row in rows if row["game"] == game
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


def _draw(figure: Any, rows: Sequence[dict[str, Any]], games: Sequence[str]) -> None:
    n_rows = 1 if len(games) == 1 else 2
    panels = figure.subplots(n_rows, -(-len(games) // n_rows), squeeze=False)
    for axes, game in zip(panels.flat, games, strict=False):
        for colour, B in zip(COLOURS, _LENGTHS, strict=False):
            own = [row for row in rows if (row["game"], row["B"]) == (game, B)]
            points = [(r["nodes"], r["seconds"]) for r in own]
            reached = [it for it in points if math.isfinite(it[1])]
            if reached:
                axes.plot(
                    *zip(*reached, strict=True),
                    "o--",
                    color=colour,
                    mfc="white",
                    label=f"simulated, B = {B}",
                )
        axes.set_xticks(_NODES)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, fontsize=8)
        tidy(axes, game, "nodes", "seconds to the score")
