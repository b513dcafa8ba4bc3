"""Learn an Atari game from several seeds, beside another actor-critic.

Each run leaves a table in FOLDER: agent steps, seconds, and the mean raw score of the
last 100 games. Then the curves of all tables there are drawn, and the scores at equal
agent steps printed as Markdown.

    python benchmarks/rl_learning.py pong/ --system dpsvi --seeds 0,1,2
    python benchmarks/rl_learning.py pong/ --system stable-baselines3 --seeds 0,1,2
    python benchmarks/rl_learning.py pong/ --steps 0      # only draw

Needs ``stable-baselines3[extra]`` and OpenCV for the other system.
"""

from __future__ import annotations

import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

# Agent steps between two rows.
EVERY = 4000
COLOURS = {"dpsvi": "#0072b2", "stable-baselines3": "#d55e00"}

Write = Callable[[int, float, float], None]


def ours(env: str, seed: int, steps: int, threads: int, folder: Path) -> None:
    """Train with `dpsvi.rl`, whose table is that of the library."""
    from dpsvi import rl

    place = folder / f"log-dpsvi-{seed}"
    rl.train(
        env,
        # The rate of learning falls to 0 at the end of a run: not of this one.
        total_steps=4_000_000,
        callbacks=[lambda progress: progress.steps >= steps],
        n_threads=threads,
        seed=seed,
        log_dir=place,
        progress=False,
    )
    (place / "progress.csv").rename(folder / f"dpsvi-{seed}.csv")


def stable_baselines3(
    env: str, seed: int, steps: int, threads: int, folder: Path
) -> None:
    """A2C of Stable-Baselines3."""
    import torch
    from rl_peers import stable_baselines
    from stable_baselines3.common.callbacks import BaseCallback

    torch.set_num_threads(threads)
    with (folder / f"stable-baselines3-{seed}.csv").open("w", buffering=1) as file:
        writer = csv.writer(file)
        writer.writerow(["steps", "time", "score"])
        begun = time.perf_counter()

        class Table(BaseCallback):
            next = 0

            def _on_step(self) -> bool:
                games = self.model.ep_info_buffer
                if self.num_timesteps >= self.next and games:
                    self.next = self.num_timesteps + EVERY
                    score = statistics.mean(game["r"] for game in games)
                    seconds = time.perf_counter() - begun
                    writer.writerow([self.num_timesteps, f"{seconds:.1f}", score])
                return True

        stable_baselines(env, seed).learn(steps, callback=Table())


SYSTEMS = {"dpsvi": ours, "stable-baselines3": stable_baselines3}


def curves(folder: Path) -> dict[str, list[tuple[list[float], list[float]]]]:
    """Steps and scores of all runs of each system."""
    found: dict[str, list[tuple[list[float], list[float]]]] = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open() as file:
            rows = [row for row in csv.DictReader(file) if row["score"]]
        if not rows:
            continue
        runs = found.setdefault(path.stem.rpartition("-")[0], [])
        steps = [float(row["steps"]) for row in rows]
        runs.append((steps, [float(row["score"]) for row in rows]))
    return found


def score_at(run: tuple[list[float], list[float]], steps: float) -> float | None:
    """The last score that was known by then; None if the run ended before."""
    known = [score for at, score in zip(*run, strict=True) if at <= steps]
    return known[-1] if known and run[0][-1] >= 0.98 * steps else None


def show(found: dict[str, Any]) -> None:
    """Print scores at equal steps: the mean of the seeds, and each."""
    longest = max(run[0][-1] for runs in found.values() for run in runs)
    click.echo("| agent steps |" + "".join(f" {name} |" for name in found))
    click.echo("|---:|" + "---|" * len(found))
    for steps in range(200_000, int(longest) + 1, 200_000):
        cells = []
        for runs in found.values():
            scores = [score_at(run, steps) for run in runs]
            known = [score for score in scores if score is not None]
            each = ", ".join(f"{score:.1f}" for score in known)
            cells.append(f"{statistics.mean(known):.1f} ({each})" if known else "")
        click.echo(f"| {steps:,} | " + " | ".join(cells) + " |")


def draw(found: dict[str, Any], title: str, picture: Path) -> None:
    """All curves, a colour per system."""
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for name, runs in found.items():
        for number, (steps, scores) in enumerate(runs):
            axes.plot(
                [step / 1e6 for step in steps],
                scores,
                color=COLOURS.get(name, "#777777"),
                linewidth=1.3,
                label=_label(name, len(runs)) if number == 0 else None,
            )
    axes.set(title=title, xlabel="million agent steps", ylabel="mean of 100 games")
    axes.grid(True, color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(picture, dpi=130, facecolor="white")
    plt.close(figure)


def _label(name: str, n_seeds: int) -> str:
    return f"{name}, {n_seeds} seeds" if n_seeds > 1 else f"{name}, one seed"


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", default="ALE/Pong-v5", show_default=True)
@click.option("--system", type=click.Choice(list(SYSTEMS)), default="dpsvi")
@click.option("--seeds", default="0,1,2", show_default=True)
@click.option("--steps", default=1_200_000, show_default=True, help="0: only draw.")
@click.option("--threads", default=2, show_default=True)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path))
def main(
    folder: Path,
    env: str,
    system: str,
    seeds: str,
    steps: int,
    threads: int,
    picture: Path | None,
) -> None:
    """Train, then draw and print all that is in FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in map(int, seeds.split(",") if steps else ()):
        SYSTEMS[system](env, seed, steps, threads, folder)
    found = curves(folder)
    if found:
        draw(found, env, picture or folder / "curves.png")
        show(found)


if __name__ == "__main__":
    main()
