"""The loss of an actor-critic on samples, and its gradient (paper Eq. 54).

Per sample, with the probabilities π of the actions, the action a taken, its advantage
A, the value V and the return R,

    -log(π_a) A  -  β H(π)  +  c (R - V)² / 2,

of which Alg. 9 lines 20-24 descend the mean. Advantages and returns count as constants:
they come from the values that the actor saw.

Where the policy has learned since it acted (several gradients of a rollout), the first
term is -min(r A, clip(r) A) instead, r the ratio of the action's probabilities now and
then, clipped to 1 ± clip (PPO, Schulman et al. 2017): a sample counts no more once its
probability has moved so far the way its advantage pulls.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dpsvi.rl.kernels.loss import differentiate
from dpsvi.rl.stepping import Floats

__all__ = ["LossConstants", "LossGradient", "loss_gradient"]


class LossConstants(NamedTuple):
    """Constants of the loss.

    Attributes
    ----------
    entropy : float
        Of the bonus for undecided policies, β.
    value : float
        Of half the mean squared error of the values, c.
    clip : float
        How far a ratio counts; below 0: the policy is the one that has acted, and
        probabilities of then are not looked at.
    """

    entropy: float
    value: float
    clip: float = -1.0


class LossGradient(NamedTuple):
    """What a network is to learn.

    Attributes
    ----------
    logits : ndarray of shape (n_samples, n_actions)
        Gradient of the loss with respect to them.
    values : ndarray of shape (n_samples,)
        Likewise.
    entropy : float
        Mean of the policy's entropy, in nats.
    """

    logits: Floats
    values: Floats
    entropy: float


def loss_gradient(
    logits: Floats, values: Floats, samples: tuple[Any, ...], constants: LossConstants
) -> LossGradient:
    """Return the gradient of the mean loss.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_actions)
        Unnormalised log-probabilities of the actions.
    values : ndarray of shape (n_samples,)
        Of the observations.
    samples : tuple of ndarray of shape (n_samples,)
        Actions taken, advantages, returns, log-probabilities of the actions when they
        were taken.
    constants : LossConstants
        Of the loss.

    Examples
    --------
    >>> nothing, one = np.zeros(1, np.float32), np.ones(1, np.float32)
    >>> samples = (np.zeros(1, np.int64), one, one, nothing)
    >>> found = loss_gradient(
    ...     np.zeros((1, 2), np.float32), nothing, samples, LossConstants(0.0, 0.5)
    ... )
    >>> found.logits, found.values, round(found.entropy, 4)
    (array([[-0.5,  0.5]], dtype=float32), array([-0.5], dtype=float32), 0.6931)
    """
    to_logits = np.empty(logits.shape, np.float32)
    to_values = np.empty((len(values), 1), np.float32)
    entropy = differentiate(
        np.ascontiguousarray(logits),
        np.ascontiguousarray(values[:, np.newaxis]),
        samples,
        constants,
        to_logits,
        to_values,
    )
    return LossGradient(to_logits, to_values[:, 0], entropy)
