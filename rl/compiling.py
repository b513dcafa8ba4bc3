"""How the kernels of networks are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["kernel"]

# Algebra may be reordered, which vectorises sums; NaN and infinity keep their meaning.
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": {"nsz", "arcp", "contract", "afn", "reassoc"},
    "error_model": "numpy",
}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function without the GIL when it is first called.

    The result is kept on disk if possible; in some containers no folder can be
    written, and it is compiled in each process.
    """
    try:
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:
        return njit(**_OPTIONS)(function)
