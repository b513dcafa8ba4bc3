"""What a training gives: an agent, how it got there, and by which rules it played."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dpsvi.engine import History
from dpsvi.engine.progress import Reason
from dpsvi.rl.policy import Policy
from dpsvi.rl.protocol import Protocol

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """The result of `dpsvi.rl.train`.

    Attributes
    ----------
    policy : Policy
        The agent.
    history : History
        One row per half a second or so, with the columns time (training seconds),
        steps, steps_per_second, score (mean of the last hundred training episodes,
        raw), episodes, length, entropy, value, value_spread, gradient_norm, live_units
        (share of units that react, in the layer with the fewest), staleness, and
        evaluation. Those before a checkpoint are there if their table still is.
    reason : {"completed", "max_time", "stopped", "interrupted"}
        Why it ended.
    steps, episodes : int
        Agent steps and finished training episodes, with those before a checkpoint.
    seconds : float
        Time spent training, in this run.
    throughput : float
        Agent steps per second, in this run.
    log_dir : Path
        Folder of ``progress.csv``.
    """

    policy: Policy
    history: History = field(repr=False)
    reason: Reason
    steps: int
    episodes: int
    seconds: float
    throughput: float
    log_dir: Path

    @property
    def protocol(self) -> Protocol:
        """The rules of training."""
        return self.policy.protocol

    @property
    def score(self) -> float:
        """Mean raw score of the last hundred training episodes; nan without any."""
        return float(self.history["score"][-1]) if len(self.history) else math.nan

    def __str__(self) -> str:
        """Score, effort and rules, on a few lines."""
        score = f"{self.score:.1f}" if self.episodes else "unknown"
        ending = {
            "completed": "",
            "max_time": ", time was up",
            "stopped": ", stopped early",
            "interrupted": ", interrupted",
        }[self.reason]
        return (
            f"{self.policy.spec.describe()}\n"
            f"  training score {score} (mean of the last 100 of "
            f"{self.episodes:,} episodes)\n"
            f"  {self.steps:,} steps, {self.throughput:,.0f} steps/s, "
            f"{self.seconds:.1f} s{ending}\n"
            f"  table in {self.log_dir / 'progress.csv'}"
        )

    def plot(self, ax: Any = None, *, x: str = "steps") -> Any:
        """Draw the learning curve.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Where to draw; None: a new figure.
        x : {"steps", "time"}, default="steps"
            What to draw against.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If `x` is something else.
        """
        if x not in ("steps", "time"):
            raise ValueError(f"x is {x!r}; it must be 'steps' or 'time'")
        if ax is None:
            from matplotlib.figure import Figure

            ax = Figure(layout="constrained").add_subplot()
        if len(self.history):
            ax.plot(self.history[x], self.history["score"], label="training")
        if "evaluation" in self.history.columns:
            seen = ~np.isnan(self.history["evaluation"])
            ax.plot(
                self.history[x][seen],
                self.history["evaluation"][seen],
                "o-",
                label="evaluation",
            )
            ax.legend()
        ax.set_xlabel("agent steps" if x == "steps" else "seconds")
        ax.set_ylabel("score per episode")
        ax.set_title(self.policy.spec.name)
        return ax
