"""Numbers of two bytes: the upper half of a float32 (bfloat16).

They have its range and eight significant bits, so nothing overflows and no small number
is lost; the relative error is at most 2^-8. NumPy has no such type: they stand as
uint16 here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["narrow", "widen"]

_NAN = 0x7FC0


def narrow(values: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Round to the nearest, and to the even one of two that are as near.

    Parameters
    ----------
    values : ndarray of floats
        Wider ones than float32 are made float32 first.

    Returns
    -------
    ndarray of uint16, of the same shape

    Examples
    --------
    >>> import numpy as np
    >>> widen(narrow(np.array([1.0, 3.14159, 100.3]))).tolist()
    [1.0, 3.140625, 100.5]
    """
    bits: NDArray[Any] = np.ascontiguousarray(values, np.float32).view(np.uint32)
    # Half of what is cut off, less one where that keeps an even number.
    rounded = bits >> 16
    rounded &= 1
    rounded += 0x7FFF
    rounded += bits
    rounded >>= 16
    narrowed = rounded.astype(np.uint16)
    # With all bits set they would be carried over to zero.
    narrowed[np.isnan(values)] = _NAN
    return narrowed


def widen(narrowed: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the same numbers as float32.

    Examples
    --------
    >>> import numpy as np
    >>> widen(np.array([0x3F80], np.uint16)).tolist()
    [1.0]
    """
    bits = narrowed.astype(np.uint32)
    bits <<= 16
    return bits.view(np.float32)
