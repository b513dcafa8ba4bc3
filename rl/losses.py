"""The loss of an actor-critic on one rollout (paper Eq. 54, Alg. 9 lines 20-24)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["LiveUnits", "Loss", "actor_critic_loss", "live_units", "normalised"]


class Loss(NamedTuple):
    """A loss, and what it is made of.

    Attributes
    ----------
    total : Tensor of shape ()
        To be differentiated: policy - entropy bonus + weighted value loss.
    policy, value, entropy : Tensor of shape ()
        Means over the rollout, without their coefficients.
    """

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor


def actor_critic_loss(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    advantages: Tensor,
    returns: Tensor,
    *,
    entropy_coefficient: float,
    value_coefficient: float,
    before: Tensor | None = None,
    clip: float = 0.2,
) -> Loss:
    """Return the loss whose negative gradient is the step of Alg. 9 lines 21-22.

    Advantages and returns count as constants: they come from the values that the
    actor saw, and nothing is differentiated through them.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, n_actions)
        Unnormalised log-probabilities of the actions.
    values : Tensor of shape (n_samples,)
        Of the observations.
    actions : Tensor of int64 of shape (n_samples,)
        Those taken.
    advantages, returns : Tensor of shape (n_samples,)
        See `dpsvi.rl.returns`.
    entropy_coefficient : float
        Of the bonus for undecided policies, beta in the paper.
    value_coefficient : float
        Of half the mean squared error of the values.
    before : Tensor of shape (n_samples,) or None, default=None
        Log-probabilities of the actions when they were taken, if the policy has learned
        since: each sample then counts by its ratio of probabilities now and then, and
        no more once that has moved by `clip` the way its advantage pulls (PPO, Schulman
        et al. 2017). None: the paper's loss, of the policy that has acted.
    clip : float, default=0.2
        See `before`.

    Examples
    --------
    >>> zeros = torch.zeros(3)
    >>> actions = torch.zeros(3, dtype=torch.int64)
    >>> loss = actor_critic_loss(
    ...     torch.zeros(3, 2), zeros, actions, zeros, torch.ones(3),
    ...     entropy_coefficient=0.0, value_coefficient=0.5,
    ... )
    >>> float(loss.total), round(float(loss.entropy), 4)
    (0.25, 0.6931)
    """
    log_probabilities = torch.log_softmax(logits, dim=-1)
    chosen = log_probabilities.gather(1, actions.unsqueeze(1)).squeeze(1)
    if before is None:
        policy = -(chosen * advantages).mean()
    else:
        ratios = (chosen - before).exp()
        limited = ratios.clamp(1.0 - clip, 1.0 + clip)
        policy = -torch.minimum(ratios * advantages, limited * advantages).mean()
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=-1).mean()
    value = 0.5 * (returns - values).square().mean()
    total = policy - entropy_coefficient * entropy + value_coefficient * value
    return Loss(total, policy, value, entropy)


def normalised(advantages: Tensor) -> Tensor:
    """Return advantages with mean 0 and standard deviation 1.

    Keeps the balance with the entropy bonus while rewards are rare and advantages
    tiny.
    """
    spread, mean = torch.std_mean(advantages, correction=0)
    return (advantages - mean) / (spread + 1e-8)


class LiveUnits:
    """Counts rectified units that were above 0 for at least one sample.

    Of a convolution a unit is a whole filter, wherever on the screen it reacts.
    """

    def __init__(self) -> None:
        self._shares: list[float] = []

    @property
    def share(self) -> float:
        """Share of live units in the layer with the fewest; nan without such layers.

        All layers together would hide that a small one has died.
        """
        return min(self._shares, default=float("nan"))

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        """Look at the output of a layer; a forward hook."""
        above = (output.detach() > 0).transpose(0, 1).flatten(1).any(dim=1)
        self._shares.append(float(above.float().mean()))


@contextmanager
def live_units(network: nn.Module) -> Iterator[LiveUnits]:
    """Count the live units of the forward passes inside the context.

    A network whose units have all died outputs the same for every observation and
    has no gradient: it cannot recover. Only `torch.nn.ReLU` modules are seen.
    """
    counter = LiveUnits()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.ReLU)]
    handles = [layer.register_forward_hook(counter) for layer in layers]
    try:
        yield counter
    finally:
        for handle in handles:
            handle.remove()
