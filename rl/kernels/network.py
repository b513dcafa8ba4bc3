"""All of `MnihNetwork`, from bytes to outputs and back, in one call without the GIL.

The convolutions go screen by screen, the hidden layer by all screens at once: of its
weights, the most of the network, every row is read once. All parameters are one flat
array, as torch lays them out and `dpsvi.rl.flat` puts them one after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.kernels.convolutions import grid_sizes, tiled
from dpsvi.rl.kernels.convolved import fill_features, fill_gradients
from dpsvi.rl.kernels.dense import (
    dense,
    fill_dense_gradient,
    padded_rows,
    send_dense_back,
)
from dpsvi.rl.kernels.loss import differentiate
from dpsvi.rl.kernels.tiles import TILE

__all__ = ["learn", "look"]


@kernel(fastmath=FASTMATH)
def look(screens: Any, theta: Any, logits: Any, values: Any) -> None:
    """Fill logits and values.

    Parameters
    ----------
    screens : uint8 ndarray of shape (n, channels, height, width)
    theta : float32 ndarray of shape (n_parameters,)
    logits : float32 ndarray of shape (n, n_actions)
    values : float32 ndarray of shape (n, 1)
    """
    _forward(screens, _layers(theta, screens, logits), False, logits, values)


@kernel(fastmath=FASTMATH)
def learn(
    screens: Any,
    theta: Any,
    samples: Any,
    constants: Any,
    gradient: Any,
    logits: Any,
    values: Any,
) -> Any:
    """Fill the gradient of the loss, logits and values; return the mean entropy.

    Parameters
    ----------
    screens, theta, logits, values
        As in `look`.
    samples, constants : tuple
        As in `dpsvi.rl.kernels.loss.differentiate`.
    gradient : float32 ndarray of shape (n_parameters,)
        Filled.
    """
    layers = _layers(theta, screens, logits)
    kept, features, units = _forward(screens, layers, True, logits, values)
    _, second, hidden, policy, value = layers
    to_first, to_second, to_hidden, to_policy, to_value = _layers(
        gradient, screens, logits
    )
    n = len(screens)
    to_logits = np.zeros((len(units), logits.shape[1]), np.float32)
    to_values = np.zeros((len(units), 1), np.float32)
    entropy = differentiate(logits, values, samples, constants, to_logits, to_values)
    fill_dense_gradient(units, to_logits, n, *to_policy)
    fill_dense_gradient(units, to_values, n, *to_value)
    to_units, more = np.empty_like(units), np.empty_like(units)
    send_dense_back(to_logits, policy[0], to_units)
    send_dense_back(to_values, value[0], more)
    for i in range(units.shape[0]):
        for u in range(units.shape[1]):
            both = to_units[i, u] + more[i, u]
            to_units[i, u] = np.float32(0) if units[i, u] <= 0 else both
    fill_dense_gradient(features, to_units, n, *to_hidden)
    to_features = np.empty_like(features)
    send_dense_back(to_units, hidden[0], to_features)
    fill_gradients(
        screens, second[0], kept, features, to_features, *to_first, *to_second
    )
    return entropy


@kernel(fastmath=FASTMATH)
def _layers(flat: Any, screens: Any, logits: Any) -> Any:
    """Pairs of weights and biases: two convolutions, hidden layer, policy, value."""
    _, channels, height, width = screens.shape
    _, _, (rows, columns) = grid_sizes(height, width)
    n_actions = logits.shape[1]
    one = 16 * channels * 64
    two = one + 16
    three = two + 32 * 16 * 16
    four = three + 32
    five = four + 256 * 32 * rows * columns
    six = five + 256
    seven = six + n_actions * 256
    eight = seven + n_actions
    if flat.size != eight + 257:
        raise ValueError("the network was made for screens of another size")
    return (
        (flat[:one], flat[one:two]),
        (flat[two:three], flat[three:four]),
        (flat[four:five], flat[five:six]),
        (flat[six:seven], flat[seven:eight]),
        (flat[eight:-1], flat[-1:]),
    )


@kernel(fastmath=FASTMATH)
def _forward(screens: Any, layers: Any, keep: Any, logits: Any, values: Any) -> Any:
    """Fill logits and values; return the outputs of the three layers before.

    Those of the first convolution are kept of all screens, or of the last one alone.
    """
    first, second, hidden, policy, value = layers
    n, _, height, width = screens.shape
    _, (high, across), (rows, columns) = grid_sizes(height, width)
    n_kept = n if keep else 1
    kept = np.empty((n_kept * high * tiled(across) + 2 * TILE) * 16, np.float32)
    features = np.zeros((padded_rows(n), 32 * rows * columns), np.float32)
    fill_features(screens, *first, *second, kept, keep, features)
    units = dense(features, hidden)
    for i in range(units.shape[0]):
        for u in range(units.shape[1]):
            # So that NaN stays NaN.
            units[i, u] = np.float32(0) if units[i, u] <= 0 else units[i, u]
    _copy(dense(units, policy), logits)
    _copy(dense(units, value), values)
    return kept, features, units


@kernel(fastmath=FASTMATH)
def _copy(given: Any, to: Any) -> None:
    # By elements: a slice takes seconds to compile, for the message of its error.
    for i in range(to.shape[0]):
        for j in range(to.shape[1]):
            to[i, j] = given[i, j]
