"""Environments that are learned in seconds, and whose best score is known."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Identity(gymnasium.Env[Any, Any]):
    """Pays 1 for naming the state that is shown; ten steps an episode."""

    n_states = 3

    def __init__(self) -> None:
        self.observation_space = Box(0.0, 1.0, (self.n_states,), np.float32)
        self.action_space = Discrete(self.n_states)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps = 0
        return self._show(), {}

    def step(self, action: Any) -> Any:
        reward = float(action == self.state)
        self.steps += 1
        return self._show(), reward, self.steps == 10, False, {}

    def _show(self) -> Any:
        self.state = int(self.np_random.integers(self.n_states))
        return np.eye(self.n_states, dtype=np.float32)[self.state]


class Bandit(gymnasium.Env[Any, Any]):
    """Four arms that always show the same; the third pays most. One pull an episode."""

    chances = (0.1, 0.3, 0.9, 0.2)

    def __init__(self) -> None:
        self.observation_space = Box(0.0, 1.0, (1,), np.float32)
        self.action_space = Discrete(len(self.chances))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.ones(1, dtype=np.float32), {}

    def step(self, action: Any) -> Any:
        reward = float(self.np_random.random() < self.chances[action])
        return np.ones(1, dtype=np.float32), reward, True, False, {}


class Endless(Identity):
    """Pays 1 a step for ever, but is cut off after five: its value is known."""

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self._show(), 1.0, False, self.steps == 5, {}
