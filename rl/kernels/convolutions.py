"""Both convolutions of `MnihNetwork` for one screen, forward and backward.

All of it is tiles: at each position of a grid some rows of numbers, times one and
the same matrix. Channels come last, so what a filter sees of a row lies together;
the matrices are packed for it (`dpsvi.rl.kernels.packing`). Arrays are flat. A tile
may run over the right end of a row: what it writes there is never used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.rl.kernels.tiles import TILE, TILE_WIDTH, add_products, rectified_products

__all__ = [
    "add_bias_gradient",
    "add_first_gradient",
    "add_second_gradient",
    "first_convolution",
    "grid_sizes",
    "second_convolution",
    "send_back",
    "tiled",
]

# Rows of a screen whose gradient is added up in registers at a time: few enough to
# stay in the first cache, enough to make fetching the sums cheap.
_ROWS = 4


@kernel(fastmath=FASTMATH)
def tiled(n: Any) -> Any:
    """`n`, rounded up to whole tiles."""
    return (n + TILE - 1) // TILE * TILE


@kernel(fastmath=FASTMATH)
def grid_sizes(height: Any, width: Any) -> Any:
    """Rows and columns: of cells, and of what either convolution leaves."""
    rows, columns = height // 4, width // 4
    left = (rows - 5) // 2 + 1, (columns - 5) // 2 + 1
    return (rows, columns), (rows - 1, columns - 1), left


@kernel(fastmath=FASTMATH)
def first_convolution(
    cells: Any, sizes: Any, depth: Any, packed: Any, bias: Any, out: Any, start: Any
) -> None:
    """Rectified, into rows of ``tiled(columns)`` positions of 16 numbers.

    Parameters
    ----------
    cells : float32 ndarray
        Folded, of `depth` numbers each; with room for `TILE` cells behind the last.
    sizes : triple of pairs of int
        See `grid_sizes`.
    packed, bias : float32 ndarray
        Weights, by `pack_first`.
    out : float32 ndarray
        Written from `start` on.
    """
    (_, across), (rows, columns), _ = sizes
    to = start, tiled(columns) * TILE_WIDTH, TILE_WIDTH
    seen = 0, across * depth, depth
    for y in range(rows):
        for x in range(0, columns, TILE):
            rectified_products(
                *(out, to[0] + y * to[1] + x * to[2], to[2], bias, 0, 0),
                *(cells, y * seen[1] + x * seen[2], seen[2], seen[1], 1),
                *(packed, 0, 2 * depth * TILE_WIDTH, TILE_WIDTH, 2, 2 * depth),
            )


@kernel(fastmath=FASTMATH)
def second_convolution(
    first: Any, start: Any, sizes: Any, packed: Any, bias: Any, out: Any
) -> None:
    """Rectified, into rows of ``tiled(columns)`` positions of 32 numbers.

    As `first_convolution`, of whose output it reads from `start` on; there must be
    room for ``2 * TILE`` positions behind it. Weights by `pack_second`.
    """
    _, (_, across), (rows, columns) = sizes
    row, wide = tiled(across) * 16, tiled(columns)
    for f in range(0, 32, TILE_WIDTH):
        for y in range(rows):
            for x in range(0, columns, TILE):
                rectified_products(
                    *(out, (y * wide + x) * 32 + f, 32, bias, f, 0),
                    *(first, start + 2 * y * row + x * 32, 32, row, 1),
                    *(packed, f * 256, 64 * TILE_WIDTH, TILE_WIDTH, 4, 64),
                )


@kernel(fastmath=FASTMATH)
def send_back(framed: Any, sizes: Any, packed: Any, out: Any) -> None:
    """Gradient of the input of the second convolution.

    Parameters
    ----------
    framed : float32 ndarray
        Gradient of its output, 32 numbers a position, in a frame of zeros: one
        position on the left and above, and as many on the right and below as make
        (rows + 1) // 2 + 1 rows, of the input's rows, and columns likewise. With room
        for `TILE` positions behind.
    packed : float32 ndarray
        Weights, by `pack_second_back`.
    out : float32 ndarray
        Written: rows of ``2 * tiled((columns + 1) // 2)`` positions of 16 numbers.
    """
    _, (rows, columns), _ = sizes
    zeros = np.zeros(TILE_WIDTH, np.float32)
    wide = 2 * tiled((columns + 1) // 2)
    across = ((columns + 1) // 2 + 1) * 32
    for y in range(rows):
        for odd in range(2):
            kind = 2 * (y % 2) + odd
            for x in range(0, (columns - odd + 1) // 2, TILE):
                add_products(
                    *(out, (y * wide + 2 * x + odd) * 16, 32, zeros, 0, 0),
                    *(framed, y // 2 * across + x * 32, 32, across, 1),
                    *(packed, kind * 2048, 64 * TILE_WIDTH, TILE_WIDTH, 2, 64),
                )


@kernel(fastmath=FASTMATH)
def add_first_gradient(
    cells: Any, sizes: Any, depth: Any, gradient: Any, wide: Any, total: Any
) -> None:
    """Add the gradient of packed weights, rows of cells ``tiled(2 * depth)`` apart.

    `gradient` is that of the output, in rows of `wide` positions of 16 numbers.
    """
    (_, across), (rows, columns), _ = sizes
    for top in range(0, rows, _ROWS):
        grid = min(_ROWS, rows - top), columns
        given = top * wide * TILE_WIDTH, wide * TILE_WIDTH, TILE_WIDTH
        for y in range(2):
            seen = (top + y) * across * depth, across * depth, depth
            to = y * tiled(2 * depth) * TILE_WIDTH
            _add_over(grid, cells, seen, gradient, given, 2 * depth, total, to)


@kernel(fastmath=FASTMATH)
def add_second_gradient(
    first: Any, start: Any, sizes: Any, framed: Any, total: Any
) -> None:
    """Add the gradient of packed weights, rows ``tiled(64)`` apart.

    `first` and `start` are as in `second_convolution`, `framed` as in `send_back`.
    """
    _, (_, across), (rows, columns) = sizes
    row = tiled(across) * 16
    frame = ((across + 1) // 2 + 1) * 32
    for top in range(0, rows, _ROWS):
        grid = min(_ROWS, rows - top), columns
        for half in range(2):
            given = (top + 1) * frame + 32 + half * TILE_WIDTH, frame, 32
            for y in range(4):
                seen = start + (2 * top + y) * row, 2 * row, 32
                to = (half * 4 + y) * tiled(64) * TILE_WIDTH
                _add_over(grid, first, seen, framed, given, 64, total, to)


@kernel(fastmath=FASTMATH)
def _add_over(
    grid: Any, a: Any, seen: Any, b: Any, given: Any, n: Any, total: Any, to: Any
) -> None:
    """Add, for `n` weights, what each saw times a gradient, over a grid.

    `seen` and `given` say where the grid lies in `a` and `b`: the start, and the
    steps from row to row and from position to position.
    """
    for k in range(0, n, TILE):
        place = to + k * TILE_WIDTH
        add_products(
            *(total, place, TILE_WIDTH, total, place, TILE_WIDTH),
            *(a, seen[0] + k, 1, seen[1], seen[2]),
            *(b, given[0], given[1], given[2], grid[0], grid[1]),
        )


@kernel(fastmath=FASTMATH)
def add_bias_gradient(
    gradient: Any, start: Any, row: Any, grid: Any, total: Any
) -> None:
    """Add up a gradient over the positions of a grid, whose rows are `row` apart."""
    one = np.ones(1, np.float32)
    n = total.size
    sums = np.empty(TILE * TILE_WIDTH, np.float32)
    for f in range(0, n, TILE_WIDTH):
        # All rows of the tile are the same.
        add_products(
            *(sums, 0, TILE_WIDTH, total, f, 0, one, 0, 0, 0, 0),
            *(gradient, start + f, row, n, grid[0], grid[1]),
        )
        for i in range(TILE_WIDTH):
            total[f + i] = sums[i]
