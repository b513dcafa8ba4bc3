"""One actor: environments, a rollout, one gradient (paper Alg. 9 lines 7-24).

An actor belongs to one thread. It begins each local step by copying the shared
parameters, as A3C does: it then acts and differentiates with one and the same theta,
whatever the other threads write meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from dpsvi.rl.drawing import draw
from dpsvi.rl.environments import Environments, Step
from dpsvi.rl.learning import Answers, Learner
from dpsvi.rl.liveness import live_units
from dpsvi.rl.looking import Looker
from dpsvi.rl.losses import LossConstants
from dpsvi.rl.networks import bind
from dpsvi.rl.optimisers import Vector, clip_by_norm
from dpsvi.rl.rollout import Rollout, Samples
from dpsvi.rl.settings import Settings
from dpsvi.rl.stepping import Floats
from dpsvi.rl.tally import Tally

__all__ = ["Actor"]

# Local steps between two countings of live units, which cost a pass forward.
_COUNT_EVERY = 200


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
    n_acted : int
        Agent steps so far.
    """

    def __init__(
        self,
        environments: Environments,
        network: nn.Module,
        settings: Settings,
        seed: np.random.SeedSequence,
    ) -> None:
        self._environments = environments
        # The policy that learns is the one that has acted: nothing is dropped out.
        self._network = network.eval()
        self._settings = settings
        first, second, third = seed.generate_state(3, np.uint32)
        self._generator = np.random.default_rng(int(second))
        self._dealer = np.random.default_rng(int(third))
        size = sum(parameter.numel() for parameter in network.parameters())
        self._theta = np.empty(size, dtype=np.float32)
        self.gradient = np.zeros(size, dtype=np.float32)
        bind(network, self._theta)
        self._look = Looker(network, self._theta)
        self._learn = Learner(network, self._theta, self.gradient)
        self._constants = LossConstants(
            settings.entropy,
            settings.value_coefficient,
            # The first gradient of a rollout is that of the policy which has acted.
            settings.clip if settings.updates > 1 else -1.0,
        )
        self._now = environments.reset(int(first))
        self._rollout = Rollout(settings, self._now)
        self._batches: Iterator[Samples] = iter(())
        self._local_steps = 0
        # Whether anything could be told apart in the rollout.
        self._moving = False
        self.n_acted = 0
        self.tally = Tally()

    def differentiate(self, shared: Vector) -> Vector:
        """Return a gradient at the shared parameters, after a rollout if one is due.

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
        samples = next(self._batches, None)
        if samples is None:
            self._act()
            self._batches = self._rollout.batches(self._dealer)
            samples = next(self._batches)
        answers = self._learn(samples, self._constants)
        if self._local_steps % _COUNT_EVERY == 0:
            self._count_live_units(samples)
        self._local_steps += 1
        norm = clip_by_norm(self.gradient, self._settings.optimiser.max_norm)
        if not math.isfinite(norm):
            # Before it is written into what all threads share.
            raise _diverged(f"a gradient has the norm {norm}")
        self.tally.add(gradient_norm=norm)
        self._note(answers)
        return self.gradient

    def _act(self) -> None:
        """Fill the rollout (Alg. 9 lines 7-14)."""
        rollout = self._rollout
        for step in range(self._settings.n_steps):
            np.copyto(rollout.observations[step], self._now)
            logits, values = self._look(rollout.observations[step])
            rollout.values[step] = values
            if not np.isfinite(rollout.values[step]).all():
                raise _diverged("the network's values are not finite")
            rollout.actions[step], rollout.log_probabilities[step] = self._draw(logits)
            result = self._environments.step(rollout.actions[step])
            rollout.keep(step, result)
            self._close_episodes(step, result)
            self._now = result.observations
        rollout.values[-1] = self._look(self._now)[1]
        first, last = rollout.observations[0], rollout.observations[-1]
        self._moving = bool((first != last).any())
        self.n_acted += self._settings.samples

    def _draw(self, logits: Floats) -> tuple[Any, Floats]:
        """Draw an action for each environment, from the actor's own generator."""
        actions, logs = draw(logits, self._generator.random(len(logits)))
        if (actions < 0).any():
            raise _diverged("the network's logits are not finite")
        return actions, logs

    def _close_episodes(self, step: int, result: Step) -> None:
        """Value the final observations of episodes cut short; count the finished."""
        cut = result.truncated
        if result.final_observations is not None and cut.any():
            final = np.ascontiguousarray(result.final_observations[cut])
            self._rollout.final_values[step, cut] = self._look(final)[1]
        for episode in result.finished:
            self.tally.add_episode(episode.score, episode.length)

    def _note(self, answers: Answers) -> None:
        """Keep what tells how the learning goes."""
        values = answers.values
        self.tally.add(
            entropy=answers.entropy,
            value=float(values.mean()),
            value_spread=float(values.std()),
        )
        if self._moving:
            spread = answers.logits.std(axis=0).max()
            self.tally.add(logit_spread=float(spread))

    def _count_live_units(self, samples: Samples) -> None:
        with torch.no_grad(), live_units(self._network) as units:
            self._network(torch.from_numpy(samples.observations))
        if not math.isnan(units.share):
            self.tally.add(live_units=units.share)

    def close(self) -> None:
        """Close the environments."""
        self._environments.close()


def _diverged(what: str) -> FloatingPointError:
    return FloatingPointError(
        f"the training has diverged: {what}. Lower learning_rate or max_gradient_norm; "
        "rewards far above 1 want Protocol.plain(clip_rewards=True)."
    )
