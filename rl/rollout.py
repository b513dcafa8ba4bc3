"""What an actor has seen and done since it last began to learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dpsvi.rl.environments import Step
from dpsvi.rl.losses import normalised
from dpsvi.rl.returns import generalised_advantages
from dpsvi.rl.settings import Settings

__all__ = ["Rollout", "Samples"]


class Samples(NamedTuple):
    """A mini-batch to learn from.

    Attributes
    ----------
    observations : Tensor of shape (n_samples, ...)
        As the environments gave them.
    actions : Tensor of int64 of shape (n_samples,)
        Taken.
    advantages, returns : Tensor of shape (n_samples,)
        See `dpsvi.rl.returns`.
    log_probabilities : Tensor of shape (n_samples,)
        Of the actions when they were taken.
    """

    observations: Tensor
    actions: Tensor
    advantages: Tensor
    returns: Tensor
    log_probabilities: Tensor


class Rollout:
    """Buffers of one rollout, made once (paper Alg. 9 lines 10 and 18).

    Parameters
    ----------
    settings : Settings
        Of the method.
    first : ndarray of shape (n_environments, ...)
        Observations, for their shape and kind.

    Attributes
    ----------
    observations : ndarray of shape (n_steps, n_environments, ...)
        Those that the actions answered.
    actions : ndarray of int64 of shape (n_steps, n_environments)
        Taken.
    log_probabilities : ndarray of float32 of shape (n_steps, n_environments)
        Of these actions.
    rewards, final_values : ndarray of float32 of shape (n_steps, n_environments)
        As `dpsvi.rl.returns` takes them.
    values : ndarray of float32 of shape (n_steps + 1, n_environments)
        Likewise.
    terminated, truncated : ndarray of bool of shape (n_steps, n_environments)
        Likewise.
    """

    def __init__(self, settings: Settings, first: NDArray[Any]) -> None:
        self._settings = settings
        shape = (settings.n_steps, len(first))
        self.observations = np.empty((shape[0], *first.shape), dtype=first.dtype)
        self.actions = np.zeros(shape, dtype=np.int64)
        self.log_probabilities = np.zeros(shape, dtype=np.float32)
        self.rewards = np.zeros(shape, dtype=np.float32)
        self.final_values = np.zeros(shape, dtype=np.float32)
        self.values = np.zeros((shape[0] + 1, shape[1]), dtype=np.float32)
        self.terminated = np.zeros(shape, dtype=bool)
        self.truncated = np.zeros(shape, dtype=bool)

    def keep(self, step: int, result: Step) -> None:
        """Note what the environments answered."""
        self.rewards[step] = result.rewards
        self.terminated[step] = result.terminated
        self.truncated[step] = result.truncated

    def batches(self, rng: np.random.Generator) -> Iterator[Samples]:
        """Yield the mini-batches of all passes, each time dealt anew."""
        whole, settings = self._samples(), self._settings
        size = settings.batch_size or settings.samples
        if size >= settings.samples:
            for _ in range(settings.n_passes):
                yield whole
            return
        for _ in range(settings.n_passes):
            order = torch.from_numpy(rng.permutation(settings.samples))
            for begin in range(0, settings.samples, size):
                chosen = order[begin : begin + size]
                yield Samples(*(column[chosen] for column in whole))

    def _samples(self) -> Samples:
        """All of it, with what it teaches (lines 14-19)."""
        targets = generalised_advantages(
            self.rewards,
            self.values,
            self.terminated,
            self.truncated,
            self.final_values,
            self._settings.discount,
            self._settings.trace_decay,
        )
        advantages = torch.from_numpy(targets.advantages).flatten()
        if self._settings.normalise_advantages:
            advantages = normalised(advantages)
        return Samples(
            torch.from_numpy(self.observations).flatten(0, 1),
            torch.from_numpy(self.actions).flatten(),
            advantages,
            torch.from_numpy(targets.returns).flatten(),
            torch.from_numpy(self.log_probabilities).flatten(),
        )
