"""Vectorisable exp and exp(psi): the two transcendental functions of the kernels.

Numba ships no vector library, so a call of ``math.exp`` in a loop stops LLVM from
vectorising it. These are straight-line arithmetic and bit moves instead, one version
per precision; kernels call :func:`exp` and :func:`exp_psi` and the type of the
argument decides.

Measured on every decade of the stated ranges (``tests/models/test_special.py``):

=================  ====================  ====================
relative error     float32               float64
=================  ====================  ====================
``exp(x)``         5e-6 on [-80, 80]     1e-13 on [-700, 700]
``exp_psi(x)``     5e-6 on [0.05, 1e6]   1e-13 on [0.01, 1e9]
=================  ====================  ====================

Outside the range of normal floats both stay at its ends: about 1e-38 and 1e38 in
float32, 1e-308 and 1e308 in float64, never zero and never infinite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from dpsvi.compiling import FASTMATH, kernel

_LOG2_E = 1.4426950408889634
# Taylor coefficients of 2**r, ln(2)**n / n!.
_POWERS = tuple(
    float(np.log(2.0) ** n / np.prod(np.arange(1.0, n + 1))) for n in range(14)
)
(_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7, _P8, _P9, _P10, _P11, _P12, _P13) = _POWERS
_F = np.float32
(_Q1, _Q2, _Q3, _Q4, _Q5, _Q6, _Q7) = (_F(p) for p in _POWERS[1:8])
_LOG2_E32 = _F(_LOG2_E)
_ONE, _HALF = _F(1.0), _F(0.5)
_LOWEST32, _HIGHEST32 = _F(-126.0), _F(126.5)
_LOWEST64, _HIGHEST64 = -1022.0, 1023.0


@register_jitable
def _exp32(x: Any) -> Any:
    y = min(max(x * _LOG2_E32, _LOWEST32), _HIGHEST32)
    k = np.floor(y + _HALF)
    r = y - k
    p = _Q5 + r * (_Q6 + r * _Q7)
    p = _ONE + r * (_Q1 + r * (_Q2 + r * (_Q3 + r * (_Q4 + r * p))))
    power = np.int32((np.int32(k) + np.int32(127)) << np.int32(23))
    return p * power.view(np.float32)


@register_jitable
def _exp64(x: Any) -> Any:
    y = min(max(x * _LOG2_E, _LOWEST64), _HIGHEST64)
    k = np.floor(y + 0.5)
    r = y - k
    p = _P9 + r * (_P10 + r * (_P11 + r * (_P12 + r * _P13)))
    p = _P5 + r * (_P6 + r * (_P7 + r * (_P8 + r * p)))
    p = _P0 + r * (_P1 + r * (_P2 + r * (_P3 + r * (_P4 + r * p))))
    # Through int32, whose conversion has a vector instruction everywhere.
    power = np.int64((np.int64(np.int32(k)) + np.int64(1023)) << np.int64(52))
    return p * power.view(np.float64)


_A, _B, _C = _F(1.0 / 24.0), _F(-0.00625035), _F(0.00215408)


@register_jitable
def _exp_psi32(x: Any, shift: Any) -> Any:
    # psi(x) = psi(x + 2) - 1/x - 1/(x + 1), and exp(psi(z + 1/2)) is z + 1/(24 z) + ...
    z = x + _F(1.5)
    inverse = _ONE / z
    square = inverse * inverse
    shifted = z + inverse * (_A + square * (_B + square * _C))
    return shifted * _exp32(shift - (x + x + _ONE) / (x * (x + _ONE)))


@register_jitable
def _exp_psi64(x: Any, shift: Any) -> Any:
    # Shift by eight: 1/(x + i) + 1/(x + 7 - i) = (2 x + 7) / (x (x + 7) + i (7 - i)).
    y = x * (x + 7.0)
    falls = (2.0 * x + 7.0) * (
        (y + y + 6.0) / (y * (y + 6.0)) + (y + y + 22.0) / ((y + 10.0) * (y + 12.0))
    )
    z = x + 8.0
    s = 1.0 / (z * z)
    tail = 1.0 / 240.0 - s * (1.0 / 132.0 - s * (691.0 / 32760.0 - s / 12.0))
    series = s * (1.0 / 12.0 - s * (1.0 / 120.0 - s * (1.0 / 252.0 - s * tail)))
    return z * _exp64(shift - falls - series - 0.5 / z)


def exp(x: Any) -> Any:
    """Equivalent to ``np.exp(x)`` for a float32 or float64 scalar inside a kernel."""
    return np.exp(x)


def exp_psi(x: Any, shift: Any) -> Any:
    """Equivalent to ``np.exp(scipy.special.psi(x) + shift)``, for scalars ``x > 0``.

    Both of one float type. The shift keeps the result of a tiny x in range.
    """
    return _exp_psi64(x, shift)


@overload(exp, inline="never")
def _overload_exp(x: Any) -> Any:
    return _exp32 if x == types.float32 else _exp64


@overload(exp_psi, inline="never")
def _overload_exp_psi(x: Any, shift: Any) -> Any:
    return _exp_psi32 if x == types.float32 else _exp_psi64


@kernel(fastmath=FASTMATH)
def exp_each(x: Any, out: Any) -> None:
    """Equivalent to ``out[:] = np.exp(x)``, for 1-d arrays of one float type."""
    for i in range(x.size):
        out[i] = exp(x[i])


@kernel(fastmath=FASTMATH)
def exp_psi_each(x: Any, out: Any) -> None:
    """Equivalent to ``out[:] = np.exp(psi(x))``, for 1-d arrays of one float type."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = exp_psi(x[i], zero)
