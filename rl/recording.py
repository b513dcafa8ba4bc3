"""An episode of an agent as a film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dpsvi.engine.files import PathLike
from dpsvi.rl.environments import Env
from dpsvi.rl.evaluation import (
    check_fit,
    played_by,
    refuse_another_kind,
    scoring_rules,
)
from dpsvi.rl.films import writer_for
from dpsvi.rl.frames import Frame, Stage, open_stage
from dpsvi.rl.policy import Policy
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.registry import name_of
from dpsvi.rl.torch_threads import one_torch_thread

__all__ = ["Recording", "record"]


@dataclass(frozen=True)
class Recording:
    """What is seen in a film.

    Attributes
    ----------
    path : Path
        The film.
    environment : str
        What is played.
    protocol : Protocol
        The rules.
    deterministic : bool
        Whether the most probable action was taken always.
    score : float
        Raw, of what is seen.
    length : int
        Agent steps.
    """

    path: Path
    environment: str
    protocol: Protocol
    deterministic: bool
    score: float
    length: int

    def __str__(self) -> str:
        """Score and rules, on two lines."""
        return (
            f"{self.path}: {self.environment}, score {self.score:g} in "
            f"{self.length:,} steps\n  "
            + ("most probable" if self.deterministic else "random")
            + f" actions, {self.protocol.describe()}"
        )


def record(
    policy: Policy,
    path: PathLike,
    env: Env | None = None,
    *,
    deterministic: bool = False,
    seed: int = 0,
    max_steps: int = 2_000,
    fps: float | None = None,
    protocol: Protocol | None = None,
) -> Recording:
    """Let an agent play an episode and film it.

    Parameters
    ----------
    policy : Policy
        The agent.
    path : path
        Where the film goes; ``.gif``, or ``.mp4`` with imageio-ffmpeg.
    env : str, callable or None, default=None
        What it plays; None: what it was trained on. Other than Atari it must draw
        itself (``render_mode="rgb_array"``).
    deterministic : bool, default=False
        Take the most probable action.
    seed : int, default=0
        Of the episode.
    max_steps : int, default=2000
        Agent steps after which the film ends, be the episode over or not.
    fps : float or None, default=None
        Frames per second, one per agent step; None: natural speed.
    protocol : Protocol or None, default=None
        As in `dpsvi.rl.evaluation.evaluate`.

    Returns
    -------
    Recording
        Score and length of what is seen, and the rules.

    Raises
    ------
    ValueError
        If the ending of the path is another, the environment cannot be drawn or does
        not fit the agent, or a number is out of range.
    FileNotFoundError
        If the folder does not exist.
    ImportError
        If a package is missing.
    """
    if max_steps < 1 or (fps is not None and fps <= 0):
        raise ValueError(
            f"max_steps is {max_steps} and fps {fps}; they must be positive."
        )
    write = writer_for(path)
    played = played_by(policy, env)
    if protocol is None:
        refuse_another_kind(policy, played)
    rules = scoring_rules(protocol or policy.protocol, noop_max=30)
    stage = open_stage(played, rules)
    try:
        check_fit(policy, stage.environments, name_of(played))
        film = _Film(policy, stage, deterministic, seed, max_steps)
        with one_torch_thread():
            write(Path(path), film.frames(), fps or stage.fps)
    finally:
        stage.close()
    return Recording(
        path=Path(path),
        environment=name_of(played),
        protocol=rules,
        deterministic=deterministic,
        score=film.score,
        length=film.length,
    )


class _Film:
    """Frames are made while they are written: a long game would not fit in memory."""

    def __init__(
        self,
        policy: Policy,
        stage: Stage,
        deterministic: bool,
        seed: int,
        max_steps: int,
    ) -> None:
        self._policy = policy
        self._stage = stage
        self._deterministic = deterministic
        self._seed = seed
        self._max_steps = max_steps
        self.score = 0.0
        self.length = 0

    def frames(self) -> Iterator[Frame]:
        """One frame for each observation that was acted on."""
        generator = np.random.default_rng([self._seed, 1])
        observations = self._stage.reset(self._seed)
        over = False
        while not over and self.length < self._max_steps:
            yield self._stage.frame()
            actions = self._policy.act(observations, self._deterministic, generator)
            step = self._stage.step(actions)
            observations, over = step.observations, bool(step.finished)
            self.score += float(step.rewards[0])
            self.length += 1
