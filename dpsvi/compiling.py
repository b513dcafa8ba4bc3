"""How every kernel is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# Algebra may be reordered, which vectorises sums; NaN and infinity keep their meaning.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
# For kernels whose products would overflow in another order.
ORDERED = FASTMATH - {"reassoc"}


def kernel(
    *, fastmath: set[str] | bool, inline: str = "never"
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function without the GIL, and keep the result on disk if possible.

    Parameters
    ----------
    fastmath : set of str or False
        `FASTMATH`, `ORDERED`, or False for a kernel on integers.
    inline : {"never", "always"}, default="never"
        "always" for a part of one larger kernel: it is compiled there only.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": fastmath,
        "error_model": "numpy",
        "inline": inline,
    }

    def compile_later(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            # No folder can be written, as in some containers: compile each time.
            return njit(**options)(function)

    return compile_later
