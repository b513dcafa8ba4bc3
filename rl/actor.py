"""One actor: environments, a rollout, one gradient (paper Alg. 9 lines 7-24).

An actor belongs to one thread. It begins each local step by copying the shared
parameters, as A3C does: it then acts and differentiates with one and the same theta,
whatever the other threads write meanwhile.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsvi.rl.environments import Environments, Step
from dpsvi.rl.losses import actor_critic_loss, live_units, normalised
from dpsvi.rl.networks import bind
from dpsvi.rl.optimisers import Vector, clip_by_norm
from dpsvi.rl.returns import generalised_advantages
from dpsvi.rl.settings import Settings
from dpsvi.rl.tally import Tally

__all__ = ["Actor", "Rollout"]

# Local steps between two countings of live units, which cost a pass over all outputs.
_COUNT_EVERY = 50


class Rollout:
    """Buffers of one rollout, made once.

    Attributes
    ----------
    observations : ndarray of shape (n_steps, n_environments, ...)
        Those that the actions answered.
    actions : ndarray of int64 of shape (n_steps, n_environments)
        Taken.
    rewards, final_values : ndarray of float32 of shape (n_steps, n_environments)
        As `dpsvi.rl.returns` takes them.
    values : ndarray of float32 of shape (n_steps + 1, n_environments)
        Likewise.
    terminated, truncated : ndarray of bool of shape (n_steps, n_environments)
        Likewise.
    """

    def __init__(self, n_steps: int, first: NDArray[Any]) -> None:
        shape = (n_steps, len(first))
        self.observations = np.empty((n_steps, *first.shape), dtype=first.dtype)
        self.actions = np.zeros(shape, dtype=np.int64)
        self.rewards = np.zeros(shape, dtype=np.float32)
        self.final_values = np.zeros(shape, dtype=np.float32)
        self.values = np.zeros((n_steps + 1, len(first)), dtype=np.float32)
        self.terminated = np.zeros(shape, dtype=bool)
        self.truncated = np.zeros(shape, dtype=bool)

    def keep(self, step: int, result: Step) -> None:
        """Note what the environments answered."""
        self.rewards[step] = result.rewards
        self.terminated[step] = result.terminated
        self.truncated[step] = result.truncated


class Actor:
    """Acts in its own environments, and differentiates its own network.

    Parameters
    ----------
    environments : Environments
        Its own; their episodes live on from one local step to the next.
    network : torch.nn.Module
        Its own; from observations to logits and values.
    settings : Settings
        Of the method.
    seed : numpy.random.SeedSequence
        Of environments and actions.

    Attributes
    ----------
    gradient : ndarray of float32 of shape (n_parameters,)
        The last gradient, clipped.
    tally : Tally
        What happened since it was last cleared.
    """

    def __init__(
        self,
        environments: Environments,
        network: nn.Module,
        settings: Settings,
        seed: np.random.SeedSequence,
    ) -> None:
        self._environments = environments
        self._network = network
        self._settings = settings
        first, second = seed.generate_state(2, np.uint32)
        self._generator = torch.Generator().manual_seed(int(second))
        size = sum(parameter.numel() for parameter in network.parameters())
        self._theta = np.empty(size, dtype=np.float32)
        self.gradient = np.zeros(size, dtype=np.float32)
        bind(network, self._theta)
        _bind_gradients(network, self.gradient)
        self._now = environments.reset(int(first))
        self._rollout = Rollout(settings.n_steps, self._now)
        self._local_steps = 0
        self.tally = Tally()

    def differentiate(self, shared: Vector) -> Vector:
        """Do a rollout with the shared parameters and return its gradient.

        Parameters
        ----------
        shared : ndarray of float32 of shape (n_parameters,)
            Theta, which other threads may be writing: it is copied first.

        Returns
        -------
        ndarray of float32 of shape (n_parameters,)
            `gradient`, overwritten by the next call.
        """
        np.copyto(self._theta, shared)
        self._act()
        self.gradient.fill(0.0)
        if self._local_steps % _COUNT_EVERY == 0:
            with live_units(self._network) as units:
                self._backward()
            if not math.isnan(units.share):
                self.tally.add(live_units=units.share)
        else:
            self._backward()
        self._local_steps += 1
        norm = clip_by_norm(self.gradient, self._settings.optimiser.max_norm)
        self.tally.add(gradient_norm=norm)
        return self.gradient

    def _act(self) -> None:
        """Fill the rollout (Alg. 9 lines 7-14)."""
        rollout = self._rollout
        for step in range(self._settings.n_steps):
            np.copyto(rollout.observations[step], self._now)
            logits, values = self._look(rollout.observations[step])
            rollout.values[step] = values.numpy()
            rollout.actions[step] = self._choose(logits)
            result = self._environments.step(rollout.actions[step])
            rollout.keep(step, result)
            self._close_episodes(step, result)
            self._now = result.observations
        rollout.values[-1] = self._look(self._now)[1].numpy()

    @torch.no_grad()
    def _look(self, observations: NDArray[Any]) -> tuple[Tensor, Tensor]:
        logits, values = self._network(torch.from_numpy(observations))
        # A network may return views of its parameters, which want a gradient still.
        return logits.detach(), values.detach()

    def _choose(self, logits: Tensor) -> NDArray[np.int64]:
        """Draw an action for each environment, from the actor's own generator."""
        probabilities = torch.softmax(logits, dim=-1)
        drawn = torch.multinomial(probabilities, 1, generator=self._generator)
        return drawn.squeeze(1).numpy()

    def _close_episodes(self, step: int, result: Step) -> None:
        """Value the final observations of episodes cut short; count the finished."""
        cut = result.truncated
        if result.final_observations is not None and cut.any():
            final = np.ascontiguousarray(result.final_observations[cut])
            self._rollout.final_values[step, cut] = self._look(final)[1].numpy()
        for episode in result.finished:
            self.tally.add_episode(episode.score, episode.length)

    def _backward(self) -> None:
        """One forward and one backward pass over the rollout (lines 14-24)."""
        rollout, settings = self._rollout, self._settings
        targets = generalised_advantages(
            rollout.rewards,
            rollout.values,
            rollout.terminated,
            rollout.truncated,
            rollout.final_values,
            settings.discount,
            settings.trace_decay,
        )
        advantages = torch.from_numpy(targets.advantages).flatten()
        if settings.normalise_advantages:
            advantages = normalised(advantages)
        logits, values = self._network(
            torch.from_numpy(rollout.observations).flatten(0, 1)
        )
        loss = actor_critic_loss(
            logits,
            values,
            torch.from_numpy(rollout.actions).flatten(),
            advantages,
            torch.from_numpy(targets.returns).flatten(),
            entropy_coefficient=settings.entropy,
            value_coefficient=settings.value_coefficient,
        )
        loss.total.backward()  # type: ignore[no-untyped-call]
        self._note(loss.entropy, logits, values)

    def _note(self, entropy: Tensor, logits: Tensor, values: Tensor) -> None:
        spread, mean = torch.std_mean(values.detach(), correction=0)
        self.tally.add(
            entropy=entropy.item(), value=mean.item(), value_spread=spread.item()
        )
        seen = self._rollout.observations
        if (seen[0] != seen[-1]).any():
            spread = logits.detach().std(dim=0, correction=0).max()
            self.tally.add(logit_spread=spread.item())

    def close(self) -> None:
        """Close the environments."""
        self._environments.close()


def _bind_gradients(network: nn.Module, gradient: Vector) -> None:
    """Make the gradients of a network views of one flat vector.

    Differentiation then adds into them, and allocates nothing for the sum.
    """
    whole, start = torch.from_numpy(gradient), 0
    for parameter in network.parameters():
        stop = start + parameter.numel()
        parameter.grad = whole[start:stop].view_as(parameter)
        start = stop
