"""Environments whose course is written down, so that results can be told exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

END, CUT, BOTH = "end", "cut", "both"


class Scripted(gymnasium.Env[Any, Any]):
    """Episodes of given lengths and ends; shows (episode, step), pays 1 + action."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        script: Sequence[tuple[int, str]],
        render_mode: str | None = "rgb_array",
        actions: Discrete | None = None,
    ) -> None:
        self.observation_space = Box(-np.inf, np.inf, (2,), np.float64)
        self.action_space = actions or Discrete(2)
        self.render_mode = render_mode
        self.script = script
        self.episode = -1
        self.closed = False
        self.acted: list[int] = []

    def reset(self, **_: Any) -> Any:
        self.episode += 1
        self.steps = 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self.acted.append(int(action))
        self.steps += 1
        length, how = self.script[self.episode % len(self.script)]
        over = self.steps == length
        ended, cut = over and how in (END, BOTH), over and how in (CUT, BOTH)
        return self._seen(), 1.0 + float(action), ended, cut, {}

    def render(self) -> Any:
        return np.full((40, 30, 3), 5 * self.steps, dtype=np.uint8)

    def close(self) -> None:
        self.closed = True

    def _seen(self) -> Any:
        return np.array([self.episode, self.steps], dtype=np.float64)


def one_after_another(
    *scripts: Sequence[tuple[int, str]],
) -> tuple[Callable[[], Scripted], list[Scripted]]:
    """A function that makes the copies in turn, and the list of what it made."""
    numbers: Iterator[int] = count()
    made: list[Scripted] = []

    def make_scripted() -> Scripted:
        made.append(Scripted(scripts[next(numbers) % len(scripts)]))
        return made[-1]

    return make_scripted, made


class Screens(Scripted):
    """Noise as small pictures."""

    def __init__(self, shape: tuple[int, ...] = (24, 20, 3)) -> None:
        super().__init__([(5, END)])
        self.observation_space = Box(0, 255, shape, np.uint8)

    def _seen(self) -> Any:
        rng = np.random.default_rng([self.episode, self.steps])
        shape = self.observation_space.shape
        return rng.integers(0, 256, shape, dtype=np.uint8)
