"""All of `MnihNetwork` from bytes to logits and values, in one call without the GIL.

For acting, where nothing is differentiated. The convolutions go screen by screen, the
hidden layer by all screens at once: of its weights, the most of the network, every row
is read once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.convolutions import grid_sizes, tiled
from dpsvi.rl.convolved import fill_features, flat
from dpsvi.rl.networks import MnihNetwork
from dpsvi.rl.tiles import DOTS, TILE, add_dots, add_few_dots

__all__ = ["Looker"]


class Looker:
    """What a network thinks of observations, without gradients.

    The same as the network's `forward`, up to rounding; of bytes that `MnihNetwork`
    sees it takes half the time.

    Parameters
    ----------
    network : torch.nn.Module
        From observations to logits and values. Its parameters may change, but not the
        memory they lie in, nor its layers.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._layers: tuple[Any, ...] = ()
        # Others are copied when they are made flat, and would not follow the network.
        whole = all(weights.is_contiguous() for weights in network.parameters())
        if whole and type(network) is MnihNetwork and network.is_plain():
            self._layers = tuple(
                (flat(layer.weight), flat(layer.bias)) for layer in network.layers()
            )

    @torch.no_grad()
    def __call__(self, observations: NDArray[Any]) -> tuple[Tensor, Tensor]:
        """Logits of shape (n, n_actions) and values of shape (n,)."""
        given = torch.from_numpy(observations)
        if self._layers and observations.dtype == np.uint8:
            network: Any = self._network
            return self._by_kernels(network.channels_first(given).numpy())
        logits, values = self._network(given)
        # A network may return views of its parameters, which want a gradient still.
        return logits.detach(), values.detach()

    def _by_kernels(self, screens: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        n, n_actions = len(screens), self._layers[3][1].size
        logits = np.empty((n, n_actions), dtype=np.float32)
        values = np.empty((n, 1), dtype=np.float32)
        _look(np.ascontiguousarray(screens), *self._layers, logits, values)
        return torch.from_numpy(logits), torch.from_numpy(values[:, 0])


@kernel(fastmath=FASTMATH)
def _look(
    screens: Any,
    first: Any,
    second: Any,
    hidden: Any,
    policy: Any,
    value: Any,
    logits: Any,
    values: Any,
) -> None:
    """Fill logits and values.

    Parameters
    ----------
    screens : uint8 ndarray of shape (n, channels, height, width)
    first, second, hidden, policy, value : pair of float32 ndarray
        Weights and biases of the layers, flat.
    logits : float32 ndarray of shape (n, n_actions)
    values : float32 ndarray of shape (n, 1)
    """
    n, _, height, width = screens.shape
    _, (high, across), (rows, columns) = grid_sizes(height, width)
    seen = np.empty((high * tiled(across) + 2 * TILE) * 16, np.float32)
    # Whole tiles: what is behind the last screen is looked at too.
    n_rows = (n + DOTS[1] - 1) // DOTS[1] * DOTS[1]
    features = np.zeros((n_rows, 32 * rows * columns), np.float32)
    fill_features(screens, *first, *second, seen, False, features)
    units = _dense(features, hidden)
    for i in range(n_rows):
        for u in range(units.shape[1]):
            units[i, u] = np.float32(0) if units[i, u] <= 0 else units[i, u]
    _copy(_dense(units, policy), logits)
    _copy(_dense(units, value), values)


@kernel(fastmath=FASTMATH)
def _copy(given: Any, to: Any) -> None:
    # By elements: a slice takes seconds to compile, for the message of its error.
    for i in range(to.shape[0]):
        for j in range(to.shape[1]):
            to[i, j] = given[i, j]


@kernel(fastmath=FASTMATH)
def _dense(given: Any, layer: Any) -> Any:
    """A dense layer, of a number of rows that is a multiple of `DOTS[1]`."""
    weight, bias = layer
    n, length = given.shape
    if weight.size != bias.size * length:
        raise ValueError("the weights of a dense layer have another shape")
    out = np.empty((n, bias.size), np.float32)
    for i in range(n):
        for u in range(bias.size):
            out[i, u] = bias[u]
    sums, rows = out.reshape(-1), given.reshape(-1)
    whole = bias.size // DOTS[0] * DOTS[0]
    for u in range(0, whole, DOTS[0]):
        for i in range(0, n, DOTS[1]):
            add_dots(
                *(sums, i * bias.size + u, 1, bias.size),
                *(weight, u * length, length, rows, i * length, length, length),
            )
    for u in range(whole, bias.size):
        for i in range(0, n, DOTS[1]):
            add_few_dots(
                *(sums, i * bias.size + u, 1, bias.size),
                *(weight, u * length, length, rows, i * length, length, length),
            )
    return out
