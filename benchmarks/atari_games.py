"""Learn Atari games, one after the other, for so many minutes each.

Scores an agent that has learned nothing, trains, scores again (30 whole games by the
rules of Mnih et al. 2015), and keeps agent, table and a line of results. Draws the
learning curves of all games that are in the folder.

    python benchmarks/atari_games.py games/ --minutes 30
    python benchmarks/atari_games.py games/ --minutes 0      # only draw

Prints Markdown.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import click
import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

GAMES = ("Pong", "Boxing", "Seaquest", "SpaceInvaders", "Amidar", "Qbert")
EPISODES = 30


def learn(game: str, folder: Path, minutes: float, options: dict[str, Any]) -> None:
    """Train on a game; leave what was found in a folder of its own."""
    from dpsvi import rl
    from dpsvi.rl.environments import spec_of

    env, place = f"ALE/{game}-v5", folder / game
    place.mkdir(parents=True, exist_ok=True)
    untrained = rl.Policy.untrained(spec_of(env))
    before = rl.evaluate(untrained, env, episodes=EPISODES)
    result = rl.train(
        env,
        max_time=60.0 * minutes,
        log_dir=place,
        checkpoint=place / "run.npz",
        progress=False,
        **options,
    )
    result.policy.save(place / "agent.safetensors")
    after = rl.evaluate(result.policy, env, episodes=EPISODES)
    found = {
        "game": game,
        "untrained": [before.mean, before.std],
        "trained": [after.mean, after.std],
        "human_normalised": after.human_normalised,
        "steps": result.steps,
        "seconds": result.seconds,
        "steps_per_second": result.throughput,
        "protocol": str(result.protocol),
    }
    (place / "result.json").write_text(json.dumps(found, indent=1) + "\n")


def curve(place: Path) -> tuple[list[float], list[float]]:
    """Millions of agent steps, and training scores."""
    with (place / "progress.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["score"]]
    return (
        [float(row["steps"]) / 1e6 for row in rows],
        [float(row["score"]) for row in rows],
    )


def draw(found: list[dict[str, Any]], folder: Path, picture: Path) -> None:
    """One panel a game: the training score, and what chance gives."""
    rows, columns = (1, 1) if len(found) == 1 else (2, 3)
    size = (5.4, 3.4) if len(found) == 1 else (10, 5.4)
    figure, panels = plt.subplots(
        rows, columns, figsize=size, layout="constrained", squeeze=False
    )
    for axes, one in zip(panels.flat, found, strict=False):
        steps, scores = curve(folder / one["game"])
        axes.plot(steps, scores, color="#0072b2", label="training, last 100 games")
        axes.axhline(
            one["untrained"][0], color="#777777", linestyle=":", label="untrained"
        )
        axes.plot(steps[-1], one["trained"][0], "o", color="#d55e00", label="30 games")
        axes.set(title=one["game"], xlabel="million agent steps", ylabel="score")
        axes.grid(True, color="#e4e4e4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in list(panels.flat)[len(found) :]:
        axes.set_visible(False)
    panels.flat[0].legend(frameon=False, fontsize=8)
    figure.savefig(picture, dpi=130, facecolor="white")
    plt.close(figure)


def show(found: list[dict[str, Any]]) -> None:
    """Print the table."""
    click.echo("| game | untrained | after | minutes | agent steps | steps/s |")
    click.echo("|---|---|---|---|---|---|")
    for one in found:
        before, after = (
            f"{mean:,.1f} ± {std:,.1f}"
            for mean, std in (one["untrained"], one["trained"])
        )
        click.echo(
            f"| {one['game']} | {before} | {after} | {one['seconds'] / 60:.0f} "
            f"| {one['steps']:,} | {one['steps_per_second']:,.0f} |"
        )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--minutes", default=30.0, show_default=True, help="For each game.")
@click.option("--game", "games", multiple=True, type=click.Choice(GAMES))
@click.option("--threads", type=click.IntRange(min=1))
@click.option("--total-steps", default=10_000_000, show_default=True)
@click.option("--target-score", type=float)
@click.option("--seed", default=0, show_default=True)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path))
def main(
    folder: Path,
    minutes: float,
    games: tuple[str, ...],
    threads: int | None,
    total_steps: int,
    target_score: float | None,
    seed: int,
    picture: Path | None,
) -> None:
    """Train on the games, then draw and print what is in FOLDER."""
    for game in (games or GAMES) if minutes > 0 else ():
        options = {
            "n_threads": threads,
            "total_steps": total_steps,
            "target_score": target_score,
            "seed": seed,
        }
        learn(game, folder, minutes, options)
    places = [folder / game / "result.json" for game in GAMES]
    found = [json.loads(place.read_text()) for place in places if place.exists()]
    if found:
        draw(found, folder, picture or folder / "curves.png")
        show(found)


if __name__ == "__main__":
    main()
