"""The weights of both convolutions as `dpsvi.rl.kernels.convolutions` has them.

What a parameter looks like stays as torch has it, so saved agents stay as they are;
repacking takes a fiftieth of a pass over eight screens. Arrays are flat.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.kernels.tiles import TILE_WIDTH

__all__ = [
    "pack_first",
    "pack_second",
    "pack_second_back",
    "unpack_first",
    "unpack_second",
]


@kernel(fastmath=FASTMATH)
def pack_first(weight: Any, channels: Any, packed: Any) -> None:
    """(16, channels, 8, 8) to (2 rows of cells, 2 cells, numbers of a cell, 16)."""
    # Of each side first the cell, then the place in it.
    given = weight.reshape(TILE_WIDTH, channels, 2, 4, 2, 4)
    to = packed.reshape(2, 2, channels, 4, 4, TILE_WIDTH)
    for c in range(channels):
        for y, x in np.ndindex(2, 2):
            for dy, dx in np.ndindex(4, 4):
                for f in range(TILE_WIDTH):
                    to[y, x, c, dy, dx, f] = given[f, c, y, dy, x, dx]


@kernel(fastmath=FASTMATH)
def unpack_first(packed: Any, channels: Any, weight: Any) -> None:
    """The other way, from whole tiles for each row of cells."""
    to = weight.reshape(TILE_WIDTH, channels, 2, 4, 2, 4)
    rows = packed.reshape(2, -1)
    for y in range(2):
        given = rows[y, : weight.size // 2].reshape(2, channels, 4, 4, TILE_WIDTH)
        for c in range(channels):
            for x in range(2):
                for dy, dx in np.ndindex(4, 4):
                    for f in range(TILE_WIDTH):
                        to[f, c, y, dy, x, dx] = given[x, c, dy, dx, f]


@kernel(fastmath=FASTMATH)
def pack_second(weight: Any, packed: Any) -> None:
    """(32, 16, 4, 4) to (2 halves of the filters, 4 rows, 4 columns, 16, 16)."""
    given = weight.reshape(2, TILE_WIDTH, 16, 16)
    to = packed.reshape(2, 16, 16, TILE_WIDTH)
    for half in range(2):
        for place in range(16):
            for c in range(16):
                for f in range(TILE_WIDTH):
                    to[half, place, c, f] = given[half, f, c, place]


@kernel(fastmath=FASTMATH)
def unpack_second(packed: Any, weight: Any) -> None:
    """The other way, from whole tiles for each row."""
    to = weight.reshape(2, TILE_WIDTH, 16, 4, 4)
    rows = packed.reshape(2, 4, -1)
    for half in range(2):
        for y in range(4):
            given = rows[half, y, : 64 * TILE_WIDTH].reshape(4, 16, TILE_WIDTH)
            for x in range(4):
                for c in range(16):
                    for f in range(TILE_WIDTH):
                        to[half, f, c, y, x] = given[x, c, f]


@kernel(fastmath=FASTMATH)
def pack_second_back(weight: Any, packed: Any) -> None:
    """(32, 16, 4, 4) to (2, 2 kinds of inputs, 2 rows, 2 columns, 32, 16).

    With a stride of 2, whether the row and the column of an input are even or odd
    decides which four weights it goes through, to which 2x2 outputs.
    """
    given = weight.reshape(32, 16, 2, 2, 2, 2)
    to = packed.reshape(2, 2, 2, 2, 32, 16)
    for odd_y, odd_x in np.ndindex(2, 2):
        for y, x in np.ndindex(2, 2):
            for f in range(32):
                for c in range(16):
                    to[odd_y, odd_x, 1 - y, 1 - x, f, c] = given[
                        f, c, y, odd_y, x, odd_x
                    ]
