"""How every kernel is compiled."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit

# Algebra may be reordered, which vectorises sums; NaN and infinity keep their meaning.
FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}
# For kernels whose products would overflow in another order.
ORDERED = FASTMATH - {"reassoc"}

_IMPORTED = re.compile(r"^\s*from ([\w.]+) import", re.MULTILINE)


def kernel(
    *, fastmath: set[str] | bool, inline: str = "never"
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function without the GIL, and keep the result on disk if possible.

    What is kept holds as long as neither the function's own file has changed nor any
    of its package that it imports from.

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
            made = njit(cache=True, **options)(function)
        except RuntimeError:
            # No folder can be written, as in some containers: compile each time.
            return njit(**options)(function)
        _tie(made, function.__module__)
        return made

    return compile_later


def _tie(made: Any, module: str) -> None:
    """Have Numba look at all sources of a kernel; it looks at the first file alone.

    A kernel contains the machine code of those that it calls. Numba has no means for
    this, so its own are used as far as they are there.
    """
    kept: Any = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if hasattr(kept, "_source_stamp"):
        kept._source_stamp = kept._source_stamp, _digest(module)


@cache
def _digest(module: str) -> str:
    """Digest of a module's source and of those, of its package, that it imports."""
    package, found, waiting = module.partition(".")[0], {}, [module]
    while waiting:
        name = waiting.pop()
        path = getattr(sys.modules.get(name), "__file__", None)
        if name in found or path is None or Path(path).suffix != ".py":
            continue
        found[name] = source = Path(path).read_text(encoding="utf-8")
        imported = _IMPORTED.findall(source)
        waiting += [one for one in imported if one.partition(".")[0] == package]
    whole = "".join(found[name] for name in sorted(found))
    return hashlib.sha256(whole.encode()).hexdigest()
