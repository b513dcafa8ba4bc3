"""Small matrix products that stay in registers.

A compiler given three nested loops adds up in memory: each product then waits for a
load and a store. Here a tile of sums lives in vector registers while the inner loop
runs, which reaches nine tenths of what the processor can multiply. Written as LLVM,
because Numba has no vectors; LLVM splits them where registers are narrower.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as untyped
from numba.extending import intrinsic

__all__ = [
    "DOTS",
    "LANES",
    "TILE",
    "TILE_WIDTH",
    "add_dots",
    "add_few_dots",
    "add_products",
    "four_bytes",
    "rectified_products",
]

#: Floats of a vector.
LANES = 8
#: Rows of a tile of `add_products`, and its columns.
TILE, TILE_WIDTH = 5, 2 * LANES
#: Rows of `a`, and of `b`, of which `add_dots` adds up all products.
DOTS = 3, 4

# Type checkers are told nothing of what Numba leaves untyped.
cgutils: Any = untyped

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_ZEROS = ir.Constant(_VECTOR, [0.0] * LANES)
_FOUR = ir.VectorType(_FLOAT, 4)
_AT = types.intp


def _products(rectified: bool) -> Any:
    @intrinsic
    def add_products(  # type: ignore[no-untyped-def]
        typing, c, c0, cm, s, s0, sm, a, a0, am, ar, ak, b, b0, br, bk, rows, columns
    ):
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _generate_products(context, builder, signature, args, rectified)

        given = (a, _AT, _AT, _AT, _AT, b, _AT, _AT, _AT, _AT, _AT)
        return types.void(c, _AT, _AT, s, _AT, _AT, *given), generate

    return add_products


def _generate_products(
    context: Any, builder: Any, signature: Any, args: Any, rectified: bool
) -> Any:
    _, c0, cm, _, s0, sm, _, a0, am, ar, ak, _, b0, br, bk, rows, columns = args
    c, s, a, b = (_data(context, builder, signature, args, i) for i in (0, 3, 6, 11))
    lanes = c0.type(LANES)
    vectors = range(TILE_WIDTH // LANES)
    tile = [(i, j) for i in range(TILE) for j in vectors]
    sums = {place: cgutils.alloca_once(builder, _VECTOR) for place in tile}
    for i, j in tile:
        begin = _load(builder, _at(builder, s, s0, (sm, i), (lanes, j)))
        builder.store(begin, sums[i, j])
    with cgutils.for_range(builder, rows) as row:
        starts = [_at(builder, a, a0, (ar, row.index), (am, i)) for i in range(TILE)]
        start = _at(builder, b, b0, (br, row.index))
        with cgutils.for_range(builder, columns) as column:
            step, other = (builder.mul(column.index, by) for by in (ak, bk))
            right = [
                _load(builder, _at(builder, start, other, (lanes, j))) for j in vectors
            ]
            for i in range(TILE):
                number = builder.load(_at(builder, starts[i], step))
                left = _spread(builder, number, _VECTOR)
                for j in vectors:
                    _multiply_add(builder, left, right[j], sums[i, j])
    for i, j in tile:
        total = builder.load(sums[i, j])
        if rectified:
            # Ordered: NaN stays NaN, so that what diverges is noticed.
            off = builder.fcmp_ordered("<=", total, _ZEROS)
            total = builder.select(off, _ZEROS, total)
        _store(builder, total, _at(builder, c, c0, (cm, i), (lanes, j)))
    return context.get_dummy_value()


def _dots(m: int, n: int) -> Any:
    @intrinsic
    def add_dots(  # type: ignore[no-untyped-def]
        typing, c, c0, cm, cn, a, a0, am, b, b0, bn, length
    ):
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _generate_dots(context, builder, signature, args, m, n)

        kinds = (c, _AT, _AT, _AT, a, _AT, _AT, b, _AT, _AT, _AT)
        return types.void(*kinds), generate

    return add_dots


def _generate_dots(
    context: Any, builder: Any, signature: Any, args: Any, m: int, n: int
) -> Any:
    _, c0, cm, cn, _, a0, am, _, b0, bn, length = args
    c, a, b = (_data(context, builder, signature, args, i) for i in (0, 4, 7))
    lanes = c0.type(LANES)
    tile = [(i, j) for j in range(n) for i in range(m)]
    sums = {place: cgutils.alloca_once(builder, _VECTOR) for place in tile}
    for place in tile:
        builder.store(_ZEROS, sums[place])
    lefts = [_at(builder, a, a0, (am, i)) for i in range(m)]
    rights = [_at(builder, b, b0, (bn, j)) for j in range(n)]
    with cgutils.for_range(builder, builder.sdiv(length, lanes)) as block:
        step = builder.mul(block.index, lanes)
        left = [_load(builder, _at(builder, start, step)) for start in lefts]
        for j, start in enumerate(rights):
            right = _load(builder, _at(builder, start, step))
            for i in range(m):
                _multiply_add(builder, left[i], right, sums[i, j])
    kind = ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR])
    name = f"llvm.vector.reduce.fadd.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    for i, j in tile:
        to = _at(builder, c, c0, (cm, i), (cn, j))
        before = builder.load(to)
        whole = [before, builder.load(sums[i, j])]
        builder.store(builder.call(function, whole, fastmath=("reassoc",)), to)
    return context.get_dummy_value()


def _four_bytes() -> Any:
    @intrinsic
    def four_bytes(typing, c, c0, a, a0, shift, factor):  # type: ignore[no-untyped-def]
        kinds = (c, _AT, a, _AT, types.float32, types.float32)
        return types.void(*kinds), _generate_four_bytes

    return four_bytes


def _generate_four_bytes(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    _, c0, _, a0, shift, factor = args
    c, a = (_data(context, builder, signature, args, i) for i in (0, 2))
    narrow = ir.VectorType(ir.IntType(8), 4)
    pixels = _load(builder, _at(builder, a, a0), narrow, 1)
    values = builder.sitofp(builder.zext(pixels, ir.VectorType(_INT, 4)), _FOUR)
    moved = builder.fsub(values, _spread(builder, shift, _FOUR))
    scaled = builder.fmul(moved, _spread(builder, factor, _FOUR))
    _store(builder, scaled, _at(builder, c, c0))
    return context.get_dummy_value()


def _data(context: Any, builder: Any, signature: Any, args: Any, i: int) -> Any:
    """First element of argument `i`, an array of one dimension without gaps."""
    kind = signature.args[i]
    if kind.ndim != 1 or kind.layout != "C" or kind.dtype.bitwidth not in (8, 32):
        raise TypeError(f"tiles are made of flat arrays of float32, not of {kind}")
    return context.make_array(signature.args[i])(context, builder, args[i]).data


def _at(builder: Any, start: Any, first: Any, *steps: tuple[Any, Any]) -> Any:
    """Address of an element: `first`, and so many steps of each length."""
    place = first
    for length, times in steps:
        times = length.type(times) if isinstance(times, int) else times
        place = builder.add(place, builder.mul(length, times))
    return builder.gep(start, [place])


def _load(builder: Any, address: Any, kind: Any = _VECTOR, align: int = 4) -> Any:
    loaded = builder.load(builder.bitcast(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def _store(builder: Any, vector: Any, address: Any) -> None:
    to = builder.bitcast(address, vector.type.as_pointer())
    builder.store(vector, to).align = 4


def _spread(builder: Any, number: Any, kind: Any) -> Any:
    """A vector of the same number everywhere."""
    unknown = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(unknown, number, _INT(0))
    places = ir.Constant(ir.VectorType(_INT, kind.count), [_INT(0)] * kind.count)
    return builder.shuffle_vector(first, unknown, places)


def _multiply_add(builder: Any, a: Any, b: Any, total: Any) -> None:
    """Add a product to a sum: in one instruction where the processor has it."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    name = f"llvm.fmuladd.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    builder.store(builder.call(function, [a, b, builder.load(total)]), total)


#: ``c[c0 + i cm + j] = s[s0 + i sm + j] + the sum of
#: a[a0 + i am + r ar + k ak] * b[b0 + r br + k bk + j]`` over r < rows and k < columns,
#: for i < TILE and j < TILE_WIDTH. Arguments: c, c0, cm, s, s0, sm, a, a0, am, ar, ak,
#: b, b0, br, bk, rows, columns. Arrays are float32, of one dimension without gaps.
add_products = _products(rectified=False)
#: The same, and negative results become 0.
rectified_products = _products(rectified=True)
#: ``c[c0 + i cm + j cn] += the sum of a[a0 + i am + k] * b[b0 + j bn + k]`` over
#: k < length, a multiple of LANES, for i < DOTS[0] and j < DOTS[1]. Arguments: c, c0,
#: cm, cn, a, a0, am, b, b0, bn, length.
add_dots = _dots(*DOTS)
#: The same for i < 1.
add_few_dots = _dots(1, DOTS[1])
#: ``c[c0 + i] = (a[a0 + i] - shift) * factor`` for i < 4, of bytes a. Arguments: c, c0,
#: a, a0, shift, factor.
four_bytes = _four_bytes()
