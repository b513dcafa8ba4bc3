"""Screens as a network wants them: standardised, and folded for the first convolution.

A convolution of 8x8 with stride 4 over c channels is one of 2x2 with stride 1 over 16 c
channels: the pixels of each 4x4 cell become channels. With 64 channels instead of 4 it
fills the registers, and its gradient takes a third of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.nn import functional

__all__ = ["CELL", "fold_kernel", "folded"]

#: Width and height of a cell.
CELL = 4
# Bytes whose squares are added up in 32 bits.
_RUN = 4096
_EPSILON = 1e-5


def folded(screens: Tensor) -> Tensor:
    """Bring each screen to mean 0 and deviation 1, and fold its cells into channels.

    Parameters
    ----------
    screens : Tensor of shape (n, channels, height, width)
        Bytes or floats. Pixels right of and below the last whole cell are left out.

    Returns
    -------
    Tensor of float32 of shape (n, 16 * channels, height // 4, width // 4)
        In memory channels come last.

    Examples
    --------
    >>> screens = torch.arange(64, dtype=torch.uint8).reshape(1, 1, 8, 8)
    >>> folded(screens).shape, round(float(folded(screens).std(correction=0)), 4)
    (torch.Size([1, 16, 2, 2]), 1.0)
    """
    if screens.dtype != torch.uint8:
        rows = functional.layer_norm(
            screens.to(torch.float32), screens.shape[1:], eps=_EPSILON
        )
        height, width = (CELL * (size // CELL) for size in screens.shape[2:])
        cells = functional.pixel_unshuffle(rows[:, :, :height, :width], CELL)
        return cells.contiguous(memory_format=torch.channels_last)
    n, channels, height, width = screens.shape
    cells = torch.empty((n, height // CELL, width // CELL, CELL * CELL * channels))
    _fold(np.ascontiguousarray(screens.numpy()), np.float64(_EPSILON), cells.numpy())
    return cells.permute(0, 3, 1, 2)


def fold_kernel(weight: Tensor) -> Tensor:
    """Fold the weights of a convolution of 8x8 with stride 4 in the same way.

    Parameters
    ----------
    weight : Tensor of shape (filters, channels, 8, 8)

    Returns
    -------
    Tensor of shape (filters, 16 * channels, 2, 2)
    """
    filters, channels = weight.shape[:2]
    cells = weight.view(filters, channels, 2, CELL, 2, CELL)
    return cells.permute(0, 1, 3, 5, 2, 4).reshape(filters, -1, 2, 2)


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc"})
def _fold(screens: Any, epsilon: Any, cells: Any) -> None:
    """Standardise bytes, and write them cell by cell.

    Parameters
    ----------
    screens : uint8 ndarray of shape (n, channels, height, width)
    epsilon : float64
        Added to variances.
    cells : float32 ndarray of shape (n, height // 4, width // 4, 16 * channels)
        Receives channel, row in the cell, column in the cell, in this order.
    """
    n, channels, _, _ = screens.shape
    for i in range(n):
        pixels = screens[i].reshape(-1)
        total = np.int64(0)
        squares = np.int64(0)
        for begin in range(0, pixels.size, _RUN):
            some = np.uint32(0)
            some_squares = np.uint32(0)
            for j in range(begin, min(begin + _RUN, pixels.size)):
                pixel = np.uint32(pixels[j])
                some += pixel
                some_squares += pixel * pixel
            total += some
            squares += some_squares
        mean = total / pixels.size
        variance = squares / pixels.size - mean * mean
        shift = np.float32(mean)
        factor = np.float32(1.0 / np.sqrt(variance + epsilon))
        for c in range(channels):
            for y in range(cells.shape[1]):
                for dy in range(CELL):
                    row = screens[i, c, CELL * y + dy]
                    first = CELL * (CELL * c + dy)
                    for x in range(cells.shape[2]):
                        for dx in range(CELL):
                            value = np.float32(row[CELL * x + dx])
                            cells[i, y, x, first + dx] = (value - shift) * factor
