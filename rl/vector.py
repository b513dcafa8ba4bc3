"""Any other Gymnasium environment with discrete actions, several copies in a loop.

A loop of our own, not Gymnasium's: an episode that ends begins anew within the same
step, whatever autoreset mode a vector environment of Gymnasium's would have, and
nothing has to be masked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from dpsvi.rl.protocol import Protocol
from dpsvi.rl.spaces import kind_of, n_actions_of
from dpsvi.rl.stepping import (
    Actions,
    EnvironmentSpec,
    Episode,
    Observations,
    Step,
    clipped,
    copy_seeds,
)

__all__ = ["AnyEnv", "GymnasiumEnvironments", "gymnasium_spec"]

AnyEnv = gymnasium.Env[Any, Any]


class GymnasiumEnvironments:
    """Copies of one environment; see `dpsvi.rl.stepping.Environments`.

    Parameters
    ----------
    make : callable
        Makes one copy.
    n : int
        Copies.
    protocol : Protocol
        A plain one; says whether rewards are clipped.

    Raises
    ------
    ValueError
        If actions are not discrete, or observations neither vectors nor images.
    """

    def __init__(self, make: Callable[[], AnyEnv], n: int, protocol: Protocol) -> None:
        self._protocol = protocol
        self._copies: list[AnyEnv] = []
        try:
            for _ in range(n):
                self._copies.append(make())
            self._look_at(self._copies[0])
        except BaseException:
            self.close()
            raise
        self.n = n
        self._begin()

    def reset(self, seed: int) -> Observations:
        """Begin new episodes in all copies."""
        self._begin()
        observations = self._empty()
        for i, (copy, word) in enumerate(
            zip(self._copies, copy_seeds(seed, self.n), strict=True)
        ):
            observations[i] = copy.reset(seed=word)[0]
        return observations

    def step(self, actions: Actions) -> Step:
        """One step of each copy, one after the other."""
        observations = self._empty()
        rewards = np.empty(self.n, dtype=np.float64)
        terminated = np.empty(self.n, dtype=np.bool_)
        truncated = np.empty(self.n, dtype=np.bool_)
        ends: dict[int, Any] = {}
        for i, copy in enumerate(self._copies):
            seen, rewards[i], ended, cut, _ = copy.step(self._first + int(actions[i]))
            terminated[i], truncated[i] = ended, cut and not ended
            if ended or cut:
                ends[i] = seen
                seen = copy.reset()[0]
            observations[i] = seen
        self._scores += rewards
        self._lengths += 1
        return Step(
            observations=observations,
            rewards=clipped(rewards, self._protocol.clip_rewards),
            terminated=terminated,
            truncated=truncated,
            final_observations=self._finals(ends) if truncated.any() else None,
            finished=[self._finish(i) for i in ends],
        )

    def close(self) -> None:
        """Close all copies."""
        while self._copies:
            self._copies.pop().close()

    def _look_at(self, copy: AnyEnv) -> None:
        _, shape, dtype = kind_of(copy.observation_space)
        self.n_actions = n_actions_of(copy.action_space)
        self.observation_shape = shape
        self.observation_dtype: np.dtype[Any] = np.dtype(dtype)
        # A Discrete space may begin elsewhere than at zero.
        self._first = int(getattr(copy.action_space, "start", 0))

    def _begin(self) -> None:
        self._scores = np.zeros(self.n, dtype=np.float64)
        self._lengths = np.zeros(self.n, dtype=np.int64)

    def _empty(self) -> Observations:
        return np.empty((self.n, *self.observation_shape), self.observation_dtype)

    def _finals(self, ends: dict[int, Any]) -> Observations:
        finals = np.zeros((self.n, *self.observation_shape), self.observation_dtype)
        for i, seen in ends.items():
            finals[i] = seen
        return finals

    def _finish(self, i: int) -> Episode:
        episode = Episode(float(self._scores[i]), int(self._lengths[i]), i)
        self._scores[i] = 0.0
        self._lengths[i] = 0
        return episode


def gymnasium_spec(
    name: str, make: Callable[[], AnyEnv], protocol: Protocol
) -> EnvironmentSpec:
    """What is known of an environment; makes one for a moment."""
    copy = make()
    try:
        kind, shape, dtype = kind_of(copy.observation_space)
        n_actions = n_actions_of(copy.action_space)
    finally:
        copy.close()
    return EnvironmentSpec(
        name=name,
        kind=kind,
        observation_shape=shape,
        observation_dtype=dtype,
        n_actions=n_actions,
        protocol=protocol,
    )
