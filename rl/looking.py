"""What a network thinks of observations, without gradients: for acting."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dpsvi.rl.flat import Vector
from dpsvi.rl.kernels.network import look
from dpsvi.rl.networks import MnihNetwork
from dpsvi.rl.stepping import Floats

__all__ = ["Looker", "known_to_kernels"]


class Looker:
    """A forward pass, by kernels where they know the network.

    The same as the network's `forward`, up to rounding; bytes that `MnihNetwork` sees
    take half the time.

    Parameters
    ----------
    network : torch.nn.Module
        From observations to logits and values, bound to `theta`.
    theta : ndarray of float32 of shape (n_parameters,)
        Its parameters.
    """

    def __init__(self, network: nn.Module, theta: Vector) -> None:
        self._network, self._theta = network, theta
        self._by_kernels = known_to_kernels(network)

    def __call__(self, observations: NDArray[Any]) -> tuple[Floats, Floats]:
        """Logits of shape (n, n_actions) and values of shape (n,)."""
        if self._by_kernels and observations.dtype == np.uint8:
            network: Any = self._network
            screens = network.screens(observations)
            answers = network.room_for(len(screens))
            look(screens, self._theta, *answers)
            return answers[0], answers[1][:, 0]
        with torch.no_grad():
            logits, values = self._network(torch.from_numpy(observations))
        # A network may return views of its parameters, which want a gradient still.
        return logits.detach().numpy(), values.detach().numpy()


def known_to_kernels(network: nn.Module) -> bool:
    """Whether `dpsvi.rl.kernels.network` does what the network does."""
    return isinstance(network, MnihNetwork) and network.is_plain()
