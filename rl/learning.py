"""The gradient of the loss on samples: for learning."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from dpsvi.rl.flat import Vector, bind_gradients
from dpsvi.rl.kernels.network import learn
from dpsvi.rl.looking import known_to_kernels
from dpsvi.rl.losses import LossConstants, loss_gradient
from dpsvi.rl.rollout import Samples
from dpsvi.rl.stepping import Floats

__all__ = ["Answers", "Learner"]


class Answers(NamedTuple):
    """What a network said to the samples that it learns from.

    Attributes
    ----------
    logits : ndarray of shape (n_samples, n_actions)
        Unnormalised log-probabilities of the actions.
    values : ndarray of shape (n_samples,)
        Of the observations.
    entropy : float
        Mean of the policy's entropy, in nats.
    """

    logits: Floats
    values: Floats
    entropy: float


class Learner:
    """One forward and one backward pass (paper Alg. 9 lines 20-24).

    By kernels where they know the network, else by torch's automatic differentiation;
    the results agree up to rounding. Either way all of it is computed anew with the
    parameters of the moment: one gradient belongs to one theta.

    Parameters
    ----------
    network, theta
        As in `dpsvi.rl.looking.Looker`.
    gradient : ndarray of float32 of shape (n_parameters,)
        Where gradients go; those of the network become views of it.
    """

    def __init__(self, network: nn.Module, theta: Vector, gradient: Vector) -> None:
        self._network, self._theta, self._gradient = network, theta, gradient
        bind_gradients(network, gradient)
        all_learn = all(weights.requires_grad for weights in network.parameters())
        self._by_kernels = all_learn and known_to_kernels(network)

    def __call__(self, samples: Samples, constants: LossConstants) -> Answers:
        """Overwrite the gradient with that of the mean loss of some samples."""
        if self._by_kernels and samples.observations.dtype == np.uint8:
            network: Any = self._network
            screens = network.screens(samples.observations)
            answers = network.room_for(len(screens))
            entropy = learn(
                *(screens, self._theta, samples[1:], constants),
                *(self._gradient, *answers),
            )
            return Answers(answers[0], answers[1][:, 0], entropy)
        self._gradient.fill(0.0)
        logits, values = self._network(torch.from_numpy(samples.observations))
        seen = logits.detach().numpy(), values.detach().numpy()
        slopes = loss_gradient(*seen, samples[1:], constants)
        ends = (logits, slopes.logits), (values, slopes.values)
        learned = [(to, torch.from_numpy(by)) for to, by in ends if to.requires_grad]
        torch.autograd.backward([to for to, _ in learned], [by for _, by in learned])
        return Answers(*seen, slopes.entropy)
