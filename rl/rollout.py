"""What an actor has seen and done since it last began to learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpsvi.rl.returns import generalised_advantages, normalised
from dpsvi.rl.settings import Settings
from dpsvi.rl.stepping import Step

__all__ = ["Rollout", "Samples"]


class Samples(NamedTuple):
    """A mini-batch to learn from.

    Attributes
    ----------
    observations : ndarray of shape (n_samples, ...)
        As the environments gave them.
    actions : ndarray of int64 of shape (n_samples,)
        Taken.
    advantages, returns : ndarray of float32 of shape (n_samples,)
        See `dpsvi.rl.returns`.
    log_probabilities : ndarray of float32 of shape (n_samples,)
        Of the actions when they were taken.
    """

    observations: NDArray[Any]
    actions: NDArray[np.int64]
    advantages: NDArray[np.float32]
    returns: NDArray[np.float32]
    log_probabilities: NDArray[np.float32]

    def chosen(self, places: NDArray[np.int64]) -> Samples:
        """A copy of some of them."""
        columns: Iterator[NDArray[Any]] = (column[places] for column in self)
        return Samples(*columns)


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
            order = rng.permutation(settings.samples)
            for begin in range(0, settings.samples, size):
                yield whole.chosen(order[begin : begin + size])

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
        advantages = targets.advantages
        if self._settings.normalise_advantages:
            advantages = normalised(advantages)
        shape = self.observations.shape
        return Samples(
            self.observations.reshape(-1, *shape[2:]),
            self.actions.reshape(-1),
            advantages.reshape(-1),
            targets.returns.reshape(-1),
            self.log_probabilities.reshape(-1),
        )
