"""Policy and value from an observation, as one network with two heads.

Screens go through the network of Mnih et al. (2013), which the paper uses (section
8.2); vectors through two layers of tanh. A network of your own is any module whose
`forward` returns (logits, values).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsvi.rl.flat import Layout, bind, flatten, vector_of
from dpsvi.rl.stepping import EnvironmentSpec

__all__ = [
    "Layout",
    "MnihNetwork",
    "Network",
    "VectorNetwork",
    "bind",
    "flatten",
    "network_for",
    "vector_of",
]

# A module to copy, or a function that makes one for an environment.
Network: TypeAlias = nn.Module | Callable[[EnvironmentSpec], nn.Module]

_SMALLEST_SCREEN = 20


class _ActorCritic(nn.Module):
    """A body and two heads; `features` is what the heads see."""

    body: nn.Module
    policy: nn.Linear
    value: nn.Linear

    def features(self, observations: Tensor) -> Tensor:
        """Last hidden layer, of shape (n, units)."""
        raise NotImplementedError

    def heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of shape (n, n_actions) and values of shape (n,)."""
        return self.policy(features), self.value(features).squeeze(-1)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values of a batch of observations."""
        return self.heads(self.features(observations))


class MnihNetwork(_ActorCritic):
    """Two convolutions and a hidden layer: Mnih et al. (2013), with a value head.

    16 filters 8x8 with stride 4, 32 filters 4x4 with stride 2, 256 units, ReLU:
    677,943 parameters for four screens of 84x84 and six actions. Actors do the same by
    kernels (`dpsvi.rl.kernels.network`).

    Parameters
    ----------
    shape : tuple of int
        Channels, height, width; or height, width, channels (the smaller end counts
        the channels).
    n_actions : int
        Width of the policy head.

    Raises
    ------
    ValueError
        If the screen is smaller than 20 pixels either way.
    """

    def __init__(self, shape: tuple[int, ...], n_actions: int) -> None:
        super().__init__()
        self._channels_last = shape[2] < shape[0]
        channels, height, width = (
            (shape[2], *shape[:2]) if self._channels_last else shape
        )
        self.body: nn.Sequential = nn.Sequential(
            nn.Conv2d(channels, 16, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * _cells(height) * _cells(width), 256),
            nn.ReLU(),
        )
        self.policy = nn.Linear(256, n_actions)
        self.value = nn.Linear(256, 1)
        _initialise(self, gain=math.sqrt(2.0))
        self._made = (*self.body, self.policy, self.value)

    def features(self, observations: Tensor) -> Tensor:
        """Last hidden layer; screens are brought to mean 0 and deviation 1 here.

        A screen is mostly background. With bytes divided by 255, as is usual, all
        filters of the first layer were pushed the same way in Pong, and 13 of 16 died
        within 80,000 steps; with a mean of 0 alone the ball was too faint to be noticed
        in a million.
        """
        screens = self.channels_first(observations)
        plain = nn.functional.layer_norm(
            screens.to(self.value.weight.dtype), screens.shape[1:]
        )
        features: Tensor = self.body(plain)
        return features

    def is_plain(self) -> bool:
        """Whether kernels may stand in for the layers: all are as they were made.

        What somebody has added, exchanged, converted, or looks at by a hook is left to
        torch.
        """
        layers = (*self.body, self.policy, self.value)
        weight = self.value.weight
        return (
            layers == self._made
            and not any(map(_is_changed, (*layers, self.body, self)))
            and not any(weights._backward_hooks for weights in self.parameters())
            and (weight.dtype, weight.device.type) == (torch.float32, "cpu")
        )

    def screens(self, observations: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bytes of shape (n, channels, height, width), as the kernels take them."""
        if self._channels_last:
            observations = observations.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(observations)

    def room_for(self, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where kernels put logits, (n, n_actions), and values, (n, 1)."""
        n_actions = self.policy.out_features
        return np.empty((n, n_actions), np.float32), np.empty((n, 1), np.float32)

    def channels_first(self, observations: Tensor) -> Tensor:
        """A view of shape (n, channels, height, width)."""
        return observations.permute(0, 3, 1, 2) if self._channels_last else observations


# Parametrised layers have other classes.
_PLAIN = {MnihNetwork, nn.Sequential, nn.Conv2d, nn.ReLU, nn.Flatten, nn.Linear}


class VectorNetwork(_ActorCritic):
    """Two layers of 64 tanh units.

    Parameters
    ----------
    shape : tuple of int
        Length of the observation, one number.
    n_actions : int
        Width of the policy head.
    """

    def __init__(self, shape: tuple[int, ...], n_actions: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(shape[0], 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh()
        )
        self.policy = nn.Linear(64, n_actions)
        self.value = nn.Linear(64, 1)
        _initialise(self, gain=math.sqrt(2.0))

    def features(self, observations: Tensor) -> Tensor:
        """Last hidden layer."""
        features: Tensor = self.body(observations)
        return features


def network_for(
    spec: EnvironmentSpec, network: Network | None = None, *, seed: int = 0
) -> nn.Module:
    """A network for an environment, initialised from a seed.

    Parameters
    ----------
    spec : EnvironmentSpec
        What the network sees and how many actions there are.
    network : torch.nn.Module, callable or None, default=None
        A module, which is copied; a function that makes one from the spec, such as a
        module class; None: `MnihNetwork` for images, `VectorNetwork` for vectors.
    seed : int, default=0
        Of the initial weights; a copied module keeps its own.

    Returns
    -------
    torch.nn.Module
        `forward` takes observations of shape (n, \\*observation_shape) and returns
        logits of shape (n, n_actions) and values of shape (n,).

    Raises
    ------
    TypeError
        If `network` is neither, or its forward returns something else.
    ValueError
        If the shapes do not fit the environment.

    Examples
    --------
    >>> from dpsvi.rl.environments import spec_of
    >>> from dpsvi.rl.networks import network_for
    >>> network = network_for(spec_of("CartPole-v1"))
    >>> sum(weights.numel() for weights in network.parameters())
    4675
    """
    if isinstance(network, nn.Module):
        made = copy.deepcopy(network)
    else:
        # The caller's random numbers go on as if nothing had happened.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = _made(spec, network)
    _try(made, spec)
    return made


def _made(
    spec: EnvironmentSpec, network: Callable[[EnvironmentSpec], nn.Module] | None
) -> nn.Module:
    if network is None:
        kind = VectorNetwork if spec.kind == "vector" else MnihNetwork
        return kind(spec.observation_shape, spec.n_actions)
    if not callable(network):
        raise TypeError(
            f"network is {network!r}; give a torch.nn.Module, or a function that makes "
            "one from an EnvironmentSpec."
        )
    made = network(spec)
    if not isinstance(made, nn.Module):
        raise TypeError(
            f"network made {type(made).__name__}; it must return a torch.nn.Module."
        )
    return made


def _try(network: nn.Module, spec: EnvironmentSpec) -> None:
    """One forward pass tells more, and earlier, than a failing round."""
    kind = torch.uint8 if spec.observation_dtype == "uint8" else torch.float32
    with torch.no_grad():
        given = network(torch.zeros((2, *spec.observation_shape), dtype=kind))
    if not (isinstance(given, tuple) and len(given) == 2):
        raise TypeError(
            f"the network's forward returned {type(given).__name__}; it must return "
            "the two tensors (logits, values)."
        )
    shapes = tuple(given[0].shape), tuple(given[1].shape)
    if shapes != ((2, spec.n_actions), (2,)):
        raise ValueError(
            f"for two observations of {spec.name} the network returned logits and "
            f"values of shapes {shapes[0]} and {shapes[1]}; it must be "
            f"{(2, spec.n_actions)} and (2,) (values.squeeze(-1) drops a dimension)."
        )


def _is_changed(module: nn.Module) -> bool:
    """Whether a module is watched by hooks, or is no more of the class it was."""
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks) or type(module) not in _PLAIN


def _cells(pixels: int) -> int:
    """Height or width of what the two convolutions leave of a screen."""
    if pixels < _SMALLEST_SCREEN:
        raise ValueError(
            f"images are {pixels} pixels high or wide, and the default network needs "
            f"{_SMALLEST_SCREEN}; give network=, a module of your own."
        )
    return ((pixels - 8) // 4 + 1 - 4) // 2 + 1


def _initialise(network: _ActorCritic, gain: float) -> None:
    """Orthogonal weights; a nearly uniform policy and zero biases to begin with."""
    gains: dict[nn.Module, float] = {network.policy: 0.01, network.value: 1.0}
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(layer.weight, gains.get(layer, gain))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
