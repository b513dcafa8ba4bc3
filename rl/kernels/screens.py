"""Screens as the kernels want them: standardised, and folded for the first convolution.

A convolution of 8x8 with stride 4 over c channels is one of 2x2 with stride 1 over 16 c
channels: the pixels of each 4x4 cell become channels. With 64 channels instead of 4 it
fills the registers, and its gradient takes a third of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.kernels.tiles import four_bytes

__all__ = ["fold_screen"]

# Width and height of a cell.
_CELL = 4
# Bytes whose squares are added up in 32 bits.
_RUN = 4096
_EPSILON = 1e-5


@kernel(fastmath=FASTMATH)
def fold_screen(screen: Any, cells: Any) -> None:
    """Bring a screen to mean 0 and deviation 1, and write it cell by cell.

    Pixels right of and below the last whole cell are left out, though they count for
    the mean.

    Parameters
    ----------
    screen : uint8 ndarray of shape (channels, height, width)
    cells : float32 ndarray
        Receives, flat, for each of (height // 4, width // 4) cells: channel, row in the
        cell, column in the cell, in this order.
    """
    mean, variance = _moments(screen.reshape(-1))
    factor = 1.0 / np.sqrt(variance + _EPSILON)
    _write(screen, np.float32(mean), np.float32(factor), cells)


@kernel(fastmath=FASTMATH)
def _write(screen: Any, shift: Any, factor: Any, cells: Any) -> None:
    channels, height, width = screen.shape
    pixels = screen.reshape(-1)
    to = 0
    for y in range(0, _CELL * (height // _CELL), _CELL):
        for x in range(0, _CELL * (width // _CELL), _CELL):
            for c in range(channels):
                for inside in range(_CELL):
                    begin = (c * height + y + inside) * width + x
                    four_bytes(cells, to, pixels, begin, shift, factor)
                    to += _CELL


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
