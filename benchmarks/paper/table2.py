"""Table 2: scores and minutes on the six games, beside those that were published."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from typing import Any

from dpsvi import rl
from dpsvi.experiments.agents import GAMES
from dpsvi.experiments.findings import COLOURS, Claim, Finding, tidy
from dpsvi.rl.environments import spec_of
from dpsvi.rl.scores import human_normalised, published

__all__ = ["find"]

# What is known of the table's other rows. The paper's own scores are lost.
_PUBLISHED: dict[str, dict[str, float]] = {
    "A3C FF, 1 day": {
        "Pong": 11.4,
        "Boxing": 33.7,
        "Seaquest": 2300.2,
        "SpaceInvaders": 2214.7,
        "Amidar": 283.9,
        "Qbert": 13752.3,
    },
    "A3C FF, 4 days": {
        "Pong": 5.6,
        "Boxing": 59.8,
        "Seaquest": 2355.4,
        "SpaceInvaders": 15730.5,
        "Amidar": 263.9,
        "Qbert": 15148.8,
    },
    "A3C LSTM, 4 days": {
        "Pong": 10.7,
        "Boxing": 37.3,
        "Seaquest": 1326.1,
        "SpaceInvaders": 23846.0,
        "Amidar": 173.0,
        "Qbert": 21307.5,
    },
    "GA3C, 1 day": {
        "Pong": 18.0,
        "Boxing": 92.0,
        "Seaquest": 1706.0,
        "Amidar": 218.0,
        "Qbert": 14966.0,
    },
    "DDRL A3C, 21 minutes on 768 cores": {
        "Pong": 20.0,
        "Boxing": 98.0,
        "Seaquest": 1832.0,
        "SpaceInvaders": 650.0,
    },
}
_MNIH = "Mnih et al. 2016, table S3"
_SOURCES = {
    "A3C FF, 1 day": _MNIH,
    "A3C FF, 4 days": _MNIH,
    "A3C LSTM, 4 days": _MNIH,
    "GA3C, 1 day": "Babaeizadeh et al. 2017",
    "DDRL A3C, 21 minutes on 768 cores": "Adamski et al. 2018",
    "random": "Wang et al. 2016",
    "human": "Wang et al. 2016",
}
# By the paper these two games are not in its row.
_MISSING = {"DDRL A3C, 21 minutes on 768 cores": "none"}
_NOTE = (
    "By the paper's text HSA2C takes 21.95 minutes on average and A3C 13.75 hours. Its "
    "scores are lost, and those of BA3C are not known here. The published scores were "
    "won on other hardware, and those of A3C from human starts."
)
_OURS = "HSA2C, this machine"
_UNTRAINED = "untrained"
# Minutes for each game, and games played to tell the score.
_SHORT, _LONG = (1.0, 5), (30.0, 30)


def find(*, full: bool = False) -> Finding:
    """Run; `full` learns each game for 30 minutes and plays 30 games, not 5."""
    minutes, episodes = _LONG if full else _SHORT
    rows: list[dict[str, Any]] = []
    for game in GAMES:
        rows += _learned(game, minutes, episodes)
    return _finding(rows, minutes)


def _finding(rows: Sequence[dict[str, Any]], minutes: float) -> Finding:
    """Put what was measured beside what was published."""
    rows = [
        *rows,
        *(
            _row(game, agent, "published", score, None)
            for agent, scores in _PUBLISHED.items()
            for game, score in scores.items()
        ),
    ]
    return Finding(
        "table2",
        f"Scores after {minutes:g} minutes on this machine, and published ones",
        rows,
        _claims(rows, minutes),
        lambda figure: _draw(figure, rows),
        note=_NOTE,
        table=_table(rows),
    )


def _table(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """Return a line for each agent, and a column for each game."""
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        agent = row["agent"]
        minutes = row["minutes"] if row["agent"] == _OURS else None
        took = "" if minutes is None else f" in {minutes:.0f} min"
        cells.setdefault(agent, {})[row["game"]] = _short(row["score"]) + took
    cells["BA3C"] = {}
    for who in ("random", "human"):
        cells[who] = {
            game: _short(getattr(published(_rom(game)), who)) for game in GAMES
        }
    return [
        {"agent": f"{agent} ({_SOURCES[agent]})" if agent in _SOURCES else agent}
        | {game: scores.get(game, _MISSING.get(agent, "unknown")) for game in GAMES}
        for agent, scores in cells.items()
    ]


def _environment(game: str) -> str:
    return f"ALE/{game}-v5"


def _short(score: float) -> str:
    return f"{score:,.1f}".removesuffix(".0")


def _learned(game: str, minutes: float, episodes: int) -> list[dict[str, Any]]:
    env = _environment(game)
    before = rl.evaluate(rl.Policy.untrained(spec_of(env)), env, episodes=episodes)
    with tempfile.TemporaryDirectory() as folder:
        result = rl.train(
            env,
            total_steps=10_000_000,
            max_time=60.0 * minutes,
            seed=0,
            backend="local",
            log_dir=folder,
            progress=False,
        )
    after = rl.evaluate(result.policy, env, episodes=episodes)
    return [
        _row(game, _UNTRAINED, "measured", before.mean, 0.0),
        _row(game, _OURS, "measured", after.mean, result.seconds / 60),
    ]


def _row(
    game: str, agent: str, kind: str, score: float, minutes: float | None
) -> dict[str, Any]:
    share = human_normalised(_rom(game), score)
    row = {"game": game, "agent": agent, "kind": kind, "score": score}
    return {**row, "human_normalised": share, "minutes": minutes}


def _rom(game: str) -> str:
    """Return the name of its ROM."""
    return "".join("_" + it.lower() if it.isupper() else it for it in game)[1:]


def _claims(rows: Sequence[dict[str, Any]], minutes: float) -> list[Claim]:
    score = {(row["game"], row["agent"]): row["score"] for row in rows}
    better = [g for g in GAMES if score[g, _OURS] > score[g, _UNTRAINED]]
    first = [
        g
        for g in GAMES
        if all(
            score[g, _OURS] > known.get(g, -math.inf) for known in _PUBLISHED.values()
        )
    ]
    beaten = [g for g in GAMES if score[g, _OURS] > score[g, "A3C FF, 1 day"]]
    return [
        Claim.judged(
            "Every game is played better than before",
            len(better) == len(GAMES),
            f"After {minutes:g} minutes: {', '.join(better) or 'none'}.",
        ),
        Claim.judged(
            "HSA2C scores higher than all others, in 22 minutes on average",
            len(first) == len(GAMES),
            "That took hundreds of cores for each game. Higher than A3C after a day, "
            f"here: {', '.join(beaten) or 'none'}.",
            possible=False,
        ),
    ]


def _draw(figure: Any, rows: Sequence[dict[str, Any]]) -> None:
    axes = figure.subplots()
    agents = list(dict.fromkeys(row["agent"] for row in rows))
    for number, (colour, agent) in enumerate(zip(COLOURS, agents, strict=False)):
        own = {row["game"]: row for row in rows if row["agent"] == agent}
        shift = (number - (len(agents) - 1) / 2) * 0.1
        measured = next(iter(own.values()))["kind"] == "measured"
        axes.plot(
            [GAMES.index(game) + shift for game in own],
            [row["human_normalised"] for row in own.values()],
            "s" if measured else "o",
            color=colour,
            mfc=colour if measured else "white",
            label=f"{'measured' if measured else 'published'}: {agent}",
        )
    axes.set_xticks(range(len(GAMES)), GAMES)
    axes.set_yscale("symlog", linthresh=0.1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.axhline(0, color="#999999", linestyle=":")
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    axes.set_ylim(-0.2, 20)
    tidy(axes, "", "", "0: random, 1: human")
