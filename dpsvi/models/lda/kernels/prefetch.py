"""A hint to the processor: this row will be wanted soon.

The rows of a large global array come from main memory in random order. Asking for a
row some words ahead hides most of the wait; on an array that fits the cache it costs
next to nothing.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dpsvi.compiling import kernel
from dpsvi.models.arrays import CACHE_LINE


@intrinsic
def _prefetch(typing_context: Any, array: Any, row: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = signature.args[0]
        struct = context.make_array(kind)(context, builder, args[0])
        stride = cgutils.unpack_tuple(builder, struct.strides)[0]
        start = builder.bitcast(struct.data, ir.IntType(8).as_pointer())
        index = context.cast(builder, args[1], signature.args[1], types.intp)
        byte = builder.add(builder.mul(index, stride), args[2])
        address = builder.gep(start, [byte])
        flag = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [start.type, flag, flag, flag]),
            "llvm.prefetch.p0",
        )
        # Read, of high locality, data.
        builder.call(function, [address, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, row, types.intp), generate


@kernel(fastmath=False)
def prefetch_row(array: Any, row: Any) -> None:
    """Ask for all cache lines of ``array[row]``."""
    for offset in range(0, array.shape[1] * array.itemsize, CACHE_LINE):
        _prefetch(array, row, offset)
