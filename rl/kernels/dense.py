"""Dense layers by kernels: forward, and the gradients of weights and inputs.

A batch is an array of rows, more of them than samples (see `padded_rows`); what the
others hold is of no account.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.kernels.tiles import (
    DOTS,
    TILE,
    TILE_WIDTH,
    add_dots,
    add_few_dots,
    add_products,
)

__all__ = ["dense", "fill_dense_gradient", "padded_rows", "send_dense_back"]

# Inputs worked on at a time: those of all samples stay in the first cache.
_COLUMNS = 10 * TILE_WIDTH


@kernel(fastmath=FASTMATH)
def padded_rows(n: Any) -> Any:
    """Rows to set aside for `n` samples: whole tiles of `dense`, one of others."""
    return max((n + DOTS[1] - 1) // DOTS[1] * DOTS[1], 2 * DOTS[1])


@kernel(fastmath=FASTMATH)
def dense(given: Any, layer: Any) -> Any:
    """Outputs of a layer, given padded rows and a pair of weights and biases."""
    weight, bias = layer
    n, length = given.shape
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


@kernel(fastmath=FASTMATH)
def fill_dense_gradient(
    given: Any, sent: Any, n: Any, to_weight: Any, to_bias: Any
) -> None:
    """Gradients of the weights and biases of a layer, from `n` samples.

    Parameters
    ----------
    given : float32 ndarray of shape (n_rows, length)
        What the layer was given; `length` is a multiple of `TILE_WIDTH`.
    sent : float32 ndarray of shape (n_rows, n_units)
        Gradient of its outputs.
    to_weight, to_bias : float32 ndarray
        Filled, flat.
    """
    length, n_units = given.shape[1], sent.shape[1]
    zeros = np.zeros(TILE_WIDTH, np.float32)
    rows, gradients = given.reshape(-1), sent.reshape(-1)
    whole = n_units // TILE * TILE
    for begin in range(0, length, _COLUMNS):
        end = min(length, begin + _COLUMNS)
        for u in range(0, whole, TILE):
            for j in range(begin, end, TILE_WIDTH):
                add_products(
                    *(to_weight, u * length + j, length, zeros, 0, 0),
                    *(gradients, u, 1, 0, n_units, rows, j, 0, length, 1, n),
                )
    for u in range(whole, n_units):
        to = to_weight[u * length : (u + 1) * length]
        to.fill(0)
        for i in range(n):
            by = sent[i, u]
            for j in range(length):
                to[j] += by * given[i, j]
    to_bias.fill(0)
    for i in range(n):
        for u in range(n_units):
            to_bias[u] += sent[i, u]


@kernel(fastmath=FASTMATH)
def send_dense_back(sent: Any, weight: Any, out: Any) -> None:
    """Gradient of what a layer was given, from that of its outputs.

    Parameters
    ----------
    sent : float32 ndarray of shape (n_rows, n_units)
    weight : float32 ndarray
        Flat.
    out : float32 ndarray of shape (n_rows, length)
        Filled; `length` is a multiple of `TILE_WIDTH`.
    """
    (n_rows, n_units), length = sent.shape, out.shape[1]
    zeros = np.zeros(TILE_WIDTH, np.float32)
    gradients, to = sent.reshape(-1), out.reshape(-1)
    for j in range(0, length, TILE_WIDTH):
        for i in range(0, n_rows, TILE):
            # The last tile may do some rows once more.
            row = min(i, n_rows - TILE)
            add_products(
                *(to, row * length + j, length, zeros, 0, 0),
                *(gradients, row * n_units, n_units, 0, 1),
                *(weight, j, 0, length, 1, n_units),
            )
