"""Learn an Atari game from several seeds, beside other actor-critics.

Each run leaves a table in FOLDER: agent steps, seconds, and the mean raw score of the
last 100 games. Then the curves of all tables there are drawn; the scores at equal agent
steps, and the minutes to scores, are printed as Markdown.

    python benchmarks/rl_learning.py pong/ --system dpsvi --seeds 0,1,2
    python benchmarks/rl_learning.py pong/ --system sb3-a2c --seeds 0,1,2
    python benchmarks/rl_learning.py pong/ --steps 0      # only draw

Needs ``stable-baselines3[extra]`` and OpenCV for the other systems.
"""

from __future__ import annotations

import csv
import math
import statistics
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

import click
import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt

# Agent steps between two rows.
EVERY = 4000
# Games of which a score is the mean; there is none before so many.
GAMES = 100
LOOKS = {
    "dpsvi": ("dpsvi", "#0072b2"),
    "sb3-a2c": ("Stable-Baselines3 A2C", "#d55e00"),
    "one-loop-ppo": ("PPO in one loop", "#009e73"),
}


class Budget(NamedTuple):
    """When a run ends: after so many agent steps, or minutes."""

    steps: int
    minutes: float

    def spent(self, steps: int, seconds: float) -> bool:
        """Whether it does."""
        return steps >= self.steps or seconds >= 60.0 * self.minutes


def ours(env: str, seed: int, budget: Budget, threads: int, folder: Path) -> None:
    """Train with `dpsvi.rl`, whose table is that of the library."""
    from dpsvi import rl

    place = folder / f"log-dpsvi-{seed}"
    rl.train(
        env,
        # The rate of learning falls to 0 at the end of a run: not of this one.
        total_steps=4_000_000,
        callbacks=[lambda progress: budget.spent(progress.steps, progress.time)],
        n_threads=threads,
        seed=seed,
        log_dir=place,
        progress=False,
    )
    (place / "progress.csv").rename(folder / f"dpsvi-{seed}.csv")


class Table:
    """The last 100 games of a run of another system, written now and then."""

    def __init__(self, path: Path, budget: Budget) -> None:
        self._file = path.open("w", buffering=1)
        self._writer = csv.writer(self._file)
        self._writer.writerow(["steps", "time", "score"])
        self._budget = budget
        self._games: deque[float] = deque(maxlen=GAMES)
        self._next = 0
        self._begun = time.perf_counter()

    def __call__(self, steps: int, scores: list[float]) -> bool:
        """Take in games that have ended; whether the run is over."""
        self._games.extend(scores)
        seconds = time.perf_counter() - self._begun
        if steps >= self._next and len(self._games) == GAMES:
            self._next = steps + EVERY
            score = statistics.mean(self._games)
            self._writer.writerow([steps, f"{seconds:.1f}", score])
        return self._budget.spent(steps, seconds)


def sb3_a2c(env: str, seed: int, budget: Budget, threads: int, folder: Path) -> None:
    """A2C of Stable-Baselines3."""
    import torch
    from rl_peers import stable_baselines
    from stable_baselines3.common.callbacks import BaseCallback

    torch.set_num_threads(threads)
    model = stable_baselines(env, seed)
    table = Table(folder / f"sb3-a2c-{seed}.csv", budget)

    class Watch(BaseCallback):
        def _on_step(self) -> bool:
            infos = self.locals["infos"]
            ended = [info["episode"]["r"] for info in infos if "episode" in info]
            return not table(self.num_timesteps, ended)

    model.learn(10**9, callback=Watch())


def ppo(env: str, seed: int, budget: Budget, threads: int, folder: Path) -> None:
    """PPO in one loop, with CleanRL's settings."""
    import torch
    from rl_ppo import train

    torch.set_num_threads(threads)
    train(env, seed, Table(folder / f"one-loop-ppo-{seed}.csv", budget))


SYSTEMS = {"dpsvi": ours, "sb3-a2c": sb3_a2c, "one-loop-ppo": ppo}


class Run(NamedTuple):
    """The table of one seed."""

    steps: list[float]
    minutes: list[float]
    scores: list[float]

    def score_at(self, steps: float) -> float | None:
        """The last score that was known by then; None if the run ended before."""
        pairs = zip(self.steps, self.scores, strict=True)
        known = [score for at, score in pairs if at <= steps]
        return known[-1] if known and self.steps[-1] >= 0.98 * steps else None

    def minutes_to(self, score: float) -> float:
        """When it first had this score; infinite if never."""
        pairs = zip(self.minutes, self.scores, strict=True)
        return next((at for at, reached in pairs if reached >= score), math.inf)


def curves(folder: Path) -> dict[str, list[Run]]:
    """All runs of each system."""
    found: dict[str, list[Run]] = {}
    for path in sorted(folder.glob("*.csv")):
        if path.stem.rpartition("-")[0] not in LOOKS:
            continue
        with path.open() as file:
            rows = [row for row in csv.DictReader(file) if _counts(row)]
        if not rows:
            continue
        runs = found.setdefault(path.stem.rpartition("-")[0], [])
        steps, seconds, scores = (
            [float(row[name]) for row in rows] for name in ("steps", "time", "score")
        )
        runs.append(Run(steps, [second / 60.0 for second in seconds], scores))
    return found


def _counts(row: dict[str, str]) -> bool:
    return bool(row["score"]) and int(row.get("episodes", GAMES)) >= GAMES


def show(found: dict[str, list[Run]], levels: list[float]) -> None:
    """Print scores at equal steps, the mean of the seeds and each, and minutes."""
    longest = max(run.steps[-1] for runs in found.values() for run in runs)
    _heading("agent steps", found)
    for steps in range(200_000, int(longest / 0.98) + 1, 200_000):
        cells = []
        for runs in found.values():
            scores = [run.score_at(steps) for run in runs]
            known = [score for score in scores if score is not None]
            each = ", ".join(f"{score:.1f}" for score in known)
            cells.append(f"{statistics.mean(known):.1f} ({each})" if known else "")
        click.echo(f"| {steps:,} | " + " | ".join(cells) + " |")
    if levels:
        click.echo()
        _heading("minutes to a score of", found)
    for level in levels:
        each = [[run.minutes_to(level) for run in runs] for runs in found.values()]
        cells = [", ".join(map(_told, one)) for one in each]
        click.echo(f"| {level:g} | " + " | ".join(cells) + " |")


def _told(minutes: float) -> str:
    return f"{minutes:.1f}" if math.isfinite(minutes) else "never"


def _heading(first: str, found: dict[str, list[Run]]) -> None:
    click.echo(f"| {first} |" + "".join(f" {LOOKS[name][0]} |" for name in found))
    click.echo("|---:|" + "---|" * len(found))


def draw(found: dict[str, list[Run]], title: str, picture: Path) -> None:
    """All curves against steps and against time, a colour per system."""
    figure, both = plt.subplots(
        1, 2, figsize=(8.4, 3.6), sharey=True, layout="constrained"
    )
    for name, runs in found.items():
        label, colour = LOOKS[name]
        for number, run in enumerate(runs):
            millions = [step / 1e6 for step in run.steps]
            for axes, x in zip(both, (millions, run.minutes), strict=True):
                axes.plot(
                    *(x, run.scores),
                    color=colour,
                    linewidth=1.3,
                    label=_label(label, len(runs)) if number == 0 else None,
                )
    for axes, label in zip(both, ("million agent steps", "minutes"), strict=True):
        axes.set(xlabel=label)
        axes.grid(True, color="#e4e4e4", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set(ylabel="mean of 100 games")
    both[1].legend(frameon=False)
    figure.suptitle(title)
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
@click.option("--minutes", default=math.inf, help="At most, of a run.")
@click.option("--scores", default="", help="Whose minutes are told: 200,300.")
@click.option("--threads", default=2, show_default=True)
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path))
def main(
    folder: Path,
    env: str,
    system: str,
    seeds: str,
    steps: int,
    minutes: float,
    scores: str,
    threads: int,
    picture: Path | None,
) -> None:
    """Train, then draw and print all that is in FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in map(int, seeds.split(",") if steps else ()):
        SYSTEMS[system](env, seed, Budget(steps, minutes), threads, folder)
    found = curves(folder)
    if found:
        draw(found, env, picture or folder / "curves.png")
        show(found, [float(score) for score in scores.split(",") if score])


if __name__ == "__main__":
    main()
