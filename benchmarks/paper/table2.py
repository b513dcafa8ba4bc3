"""Table 2: scores and minutes on the six games, beside those that were published."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from dpsvi import rl
from dpsvi.experiments.agents import GAMES
from dpsvi.experiments.findings import COLOURS, Claim, Finding, tidy
from dpsvi.rl.environments import spec_of
from dpsvi.rl.scores import human_normalised

__all__ = ["find"]

# What is known of the table's other rows: DDRL A3C as the paper gives it, A3C after a
# day on 16 cores by Mnih et al. (2016, table S3, human starts), GA3C by Babaeizadeh et
# al. (2017). The paper's own scores are lost.
_PUBLISHED: dict[str, dict[str, float]] = {
    "A3C, 1 day": {
        "Pong": 11.4,
        "Boxing": 33.7,
        "Seaquest": 2300.2,
        "SpaceInvaders": 2214.7,
        "Amidar": 283.9,
        "Qbert": 13752.3,
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
_OURS = "HSA2C, this machine"


def find(*, full: bool = False) -> Finding:
    """Run; `full` learns each game for 30 minutes and plays 30 games, not 5."""
    minutes, episodes = (30.0, 30) if full else (1.0, 5)
    rows: list[dict[str, Any]] = []
    for game in GAMES:
        rows += _learned(game, minutes, episodes)
    rows += [
        _row(game, agent, "published", score, None)
        for agent, scores in _PUBLISHED.items()
        for game, score in scores.items()
    ]
    return Finding(
        "table2",
        f"Scores after {minutes:g} minutes on this machine, and published ones",
        rows,
        _claims(rows, minutes),
        lambda figure: _draw(figure, rows),
    )


def _learned(game: str, minutes: float, episodes: int) -> list[dict[str, Any]]:
    env = f"ALE/{game}-v5"
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
        _row(game, "untrained", "measured", before.mean, 0.0),
        _row(game, _OURS, "measured", after.mean, result.seconds / 60),
    ]


def _row(
    game: str, agent: str, kind: str, score: float, minutes: float | None
) -> dict[str, Any]:
    # The name of its ROM.
    rom = "".join("_" + it.lower() if it.isupper() else it for it in game)[1:]
    share = human_normalised(rom, score)
    row = {"game": game, "agent": agent, "kind": kind, "score": score}
    return {**row, "human_normalised": share, "minutes": minutes}


def _claims(rows: Sequence[dict[str, Any]], minutes: float) -> list[Claim]:
    score = {(row["game"], row["agent"]): row["score"] for row in rows}
    better = [g for g in GAMES if score[g, _OURS] > score[g, "untrained"]]
    beaten = [g for g in GAMES if score[g, _OURS] > score[g, "A3C, 1 day"]]
    return [
        Claim.judged(
            "Every game is played better than before",
            len(better) == len(GAMES),
            f"After {minutes:g} minutes: {', '.join(better) or 'none'}.",
        ),
        Claim(
            "HSA2C scores higher than all others, in 22 minutes on average",
            "out of reach",
            "That took hundreds of cores for each game. Higher than A3C after a day, "
            f"here: {', '.join(beaten) or 'none'}.",
        ),
    ]


def _draw(figure: Any, rows: Sequence[dict[str, Any]]) -> None:
    axes = figure.subplots()
    agents = list(dict.fromkeys(row["agent"] for row in rows))
    for number, (colour, agent) in enumerate(zip(COLOURS, agents, strict=False)):
        own = {row["game"]: row for row in rows if row["agent"] == agent}
        shift = (number - len(agents) / 2) * 0.12
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
    axes.axhline(0, color="#999999", linestyle=":")
    figure.legend(frameon=False, fontsize=8, loc="outside lower center", ncols=3)
    axes.set_ylim(-0.2, 20)
    tidy(axes, "", "", "0: random, 1: human")
