"""From bytes to the outputs of both convolutions of `MnihNetwork`, for a batch.

Screen by screen: all that one screen needs stays in the second cache, where torch
writes and reads megabytes between layers. Backward, screens are folded once more,
which is faster than to keep them folded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.kernels.convolutions import (
    add_bias_gradient,
    add_first_gradient,
    add_second_gradient,
    first_convolution,
    grid_sizes,
    second_convolution,
    send_back,
    tiled,
)
from dpsvi.rl.kernels.packing import (
    pack_first,
    pack_second,
    pack_second_back,
    unpack_first,
    unpack_second,
)
from dpsvi.rl.kernels.screens import fold_screen
from dpsvi.rl.kernels.tiles import TILE

__all__ = ["fill_features", "fill_gradients"]


@kernel(fastmath=FASTMATH)
def fill_features(
    screens: Any, w1: Any, b1: Any, w2: Any, b2: Any, first: Any, keep: Any, out: Any
) -> None:
    """Rectified outputs: of the second convolution to `out`, of the first to `first`.

    With `keep` `first` holds all screens one after another, else the last one alone.
    """
    n, channels, height, width = screens.shape
    depth = 16 * channels
    if height < 20 or width < 20:
        raise ValueError("the screens are smaller than 20 pixels")
    sizes = grid_sizes(height, width)
    (rows, columns), (high, across), (left_rows, left_columns) = sizes
    packed_first, packed_second = np.empty_like(w1), np.empty_like(w2)
    pack_first(w1, channels, packed_first)
    pack_second(w2, packed_second)
    cells = np.empty((rows * columns + TILE) * depth, np.float32)
    second = np.empty(left_rows * tiled(left_columns) * 32, np.float32)
    step = high * tiled(across) * 16 if keep else 0
    for i in range(n):
        fold_screen(screens[i], cells)
        first_convolution(cells, sizes, depth, packed_first, b1, first, i * step)
        second_convolution(first, i * step, sizes, packed_second, b2, second)
        units = second.reshape(left_rows, -1, 32)
        to = out[i].reshape(32, left_rows, left_columns)
        for f in range(32):
            for y in range(left_rows):
                for x in range(left_columns):
                    to[f, y, x] = units[y, x, f]


@kernel(fastmath=FASTMATH)
def fill_gradients(
    screens: Any,
    w2: Any,
    first: Any,
    features: Any,
    given: Any,
    to_w1: Any,
    to_b1: Any,
    to_w2: Any,
    to_b2: Any,
) -> None:
    """Gradients of weights and biases, from that of the outputs.

    Parameters
    ----------
    screens, w2
        As in `fill_features`.
    first, features : float32 ndarray
        Rectified outputs of the first convolution, all of them kept, and of the second.
    given : float32 ndarray of the shape of `features`
        Gradient of the second's rectified outputs.
    to_w1, to_b1, to_w2, to_b2 : float32 ndarray
        Filled, flat.
    """
    n, channels, height, width = screens.shape
    depth = 16 * channels
    sizes = grid_sizes(height, width)
    (rows, columns), (high, across), left = sizes
    frame = (across + 1) // 2 + 1
    wide = 2 * tiled((across + 1) // 2)
    step = high * tiled(across) * 16
    back = np.empty_like(w2)
    pack_second_back(w2, back)
    cells = np.empty((rows * columns + TILE) * depth, np.float32)
    framed = np.zeros((((high + 1) // 2 + 1) * frame + TILE) * 32, np.float32)
    sent = np.empty(high * wide * 16, np.float32)
    total1 = np.zeros(2 * tiled(2 * depth) * 16, np.float32)
    total2 = np.zeros(8 * tiled(64) * 16, np.float32)
    to_b1.fill(0)
    to_b2.fill(0)
    for i in range(n):
        _frame(features[i], given[i], left, frame, framed)
        add_bias_gradient(framed, (frame + 1) * 32, frame * 32, left, to_b2)
        start = i * step
        add_second_gradient(first, start, sizes, framed, total2)
        send_back(framed, sizes, back, sent)
        _mask(first[start : start + step], sizes[1], sent)
        add_bias_gradient(sent, 0, wide * 16, sizes[1], to_b1)
        fold_screen(screens[i], cells)
        add_first_gradient(cells, sizes, depth, sent, wide, total1)
    unpack_first(total1, channels, to_w1)
    unpack_second(total2, to_w2)


@kernel(fastmath=FASTMATH)
def _frame(features: Any, given: Any, left: Any, frame: Any, framed: Any) -> None:
    """Pass the gradient of a screen on where a unit is on, into the frame."""
    rows, columns = left
    on = features.reshape(32, rows, columns)
    out = given.reshape(32, rows, columns)
    for y in range(rows):
        begin = ((y + 1) * frame + 1) * 32
        to = framed[begin : begin + columns * 32].reshape(columns, 32)
        for x in range(columns):
            for f in range(32):
                to[x, f] = np.float32(0) if on[f, y, x] <= 0 else out[f, y, x]


@kernel(fastmath=FASTMATH)
def _mask(first: Any, grid: Any, sent: Any) -> None:
    """Let a gradient through where a unit is on."""
    rows, columns = grid
    units, passing = first.reshape(rows, -1), sent.reshape(rows, -1)
    for y in range(rows):
        for k in range(columns * 16):
            value = passing[y, k]
            passing[y, k] = np.float32(0) if units[y, k] <= 0 else value
