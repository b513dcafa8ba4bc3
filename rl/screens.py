"""Screens as a network wants them: standardised, and folded for the first convolution.

A convolution of 8x8 with stride 4 over c channels is one of 2x2 with stride 1 over 16 c
channels: the pixels of each 4x4 cell become channels. With 64 channels instead of 4 it
fills the registers, and its gradient takes a third of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.tiles import four_bytes

__all__ = ["CELL", "fold_kernel", "fold_screen", "folded"]

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
    _fold(np.ascontiguousarray(screens.numpy()), cells.numpy())
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


@kernel(fastmath=FASTMATH)
def _fold(screens: Any, cells: Any) -> None:
    """Standardise bytes, and write them cell by cell.

    Parameters
    ----------
    screens : uint8 ndarray of shape (n, channels, height, width)
    cells : float32 ndarray of shape (n, height // 4, width // 4, 16 * channels)
        Receives channel, row in the cell, column in the cell, in this order.
    """
    for i in range(len(screens)):
        fold_screen(screens[i], cells[i].reshape(-1))


@kernel(fastmath=FASTMATH)
def fold_screen(screen: Any, cells: Any) -> None:
    """Do so for one screen, into a flat array."""
    mean, variance = _moments(screen.reshape(-1))
    factor = 1.0 / np.sqrt(variance + _EPSILON)
    _write(screen, np.float32(mean), np.float32(factor), cells)


@kernel(fastmath=FASTMATH)
def _write(screen: Any, shift: Any, factor: Any, cells: Any) -> None:
    channels, height, width = screen.shape
    pixels = screen.reshape(-1)
    to = 0
    for y in range(0, CELL * (height // CELL), CELL):
        for x in range(0, CELL * (width // CELL), CELL):
            for c in range(channels):
                for inside in range(CELL):
                    begin = (c * height + y + inside) * width + x
                    four_bytes(cells, to, pixels, begin, shift, factor)
                    to += CELL


@kernel(fastmath=FASTMATH)
def _moments(pixels: Any) -> Any:
    """Mean and variance, exact but for one rounding."""
    total = np.int64(0)
    squares = np.int64(0)
    for begin in range(0, pixels.size, _RUN):
        some = np.uint32(0)
        some_squares = np.uint32(0)
        # Not by an index, which might be negative for all Numba knows.
        for byte in pixels[begin : begin + _RUN]:
            pixel = np.uint32(byte)
            # Numba would add in 64 bits, on half as many lanes.
            some = np.uint32(some + pixel)
            some_squares = np.uint32(some_squares + np.uint32(pixel * pixel))
        total += some
        squares += some_squares
    mean = total / pixels.size
    return mean, squares / pixels.size - mean * mean
