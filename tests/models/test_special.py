"""exp and exp(psi): the stated error bounds, decade by decade, and the edges."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from dpsvi.models.lda.kernels.special import exp_each, exp_psi, exp_psi_each

Array = npt.NDArray[Any]

# As in the docstring of the module.
BOUND = {"float32": 5e-6, "float64": 1e-13}
EXP_RANGE = {"float32": 80.0, "float64": 700.0}
PSI_RANGE = {"float32": (0.05, 1e6), "float64": (0.01, 1e9)}

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def each(kernel: Any, x: Array) -> Array:
    out = np.empty_like(x)
    kernel(x, out)
    return out


def within(values: Array, low: float, high: float, dtype: str) -> Array:
    values = np.asarray(values).astype(dtype)
    return np.clip(values, np.dtype(dtype).type(low), np.dtype(dtype).type(high))


def decades(low: float, high: float) -> list[tuple[float, float]]:
    edges = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    edges = np.clip(edges, low, high)
    return [(a, b) for a, b in pairwise(edges) if b > a]


def check(x: Array, result: Array, exact: Array) -> None:
    error = np.abs(result / exact - 1.0)
    worst = error.argmax()
    assert error[worst] < BOUND[x.dtype.name], f"at {x[worst]!r}"


@dtypes
def test_exp_is_as_close_as_stated(dtype: str) -> None:
    high = EXP_RANGE[dtype]
    tiny = np.concatenate([np.geomspace(1e-30, 1, 1000), [0.0]])
    x = np.concatenate([np.linspace(-high, high, 50_001), tiny, -tiny])
    x = within(x, -high, high, dtype)
    check(x, each(exp_each, x), np.exp(x.astype(float)))


@pytest.mark.parametrize(
    ("dtype", "decade"),
    [(dtype, decade) for dtype in PSI_RANGE for decade in decades(*PSI_RANGE[dtype])],
    ids=str,
)
def test_exp_psi_is_as_close_as_stated(dtype: str, decade: tuple[float, float]) -> None:
    x = within(np.geomspace(*decade, 20_001), *PSI_RANGE[dtype], dtype)
    check(x, each(exp_psi_each, x), reference.exp_psi(x))


@dtypes
@given(data=st.data())
def test_any_numbers_are_as_close_as_stated(dtype: str, data: st.DataObject) -> None:
    width = int(dtype[-2:])
    high = EXP_RANGE[dtype]
    x = np.array([data.draw(st.floats(-high, high, width=width))], dtype)
    check(x, each(exp_each, x), np.exp(x.astype(float)))
    low, high = within(np.array(PSI_RANGE[dtype]), *PSI_RANGE[dtype], dtype).tolist()
    x = np.array([data.draw(st.floats(low, high, width=width))], dtype)
    check(x, each(exp_psi_each, x), reference.exp_psi(x))


@dtypes
def test_both_rise_as_far_as_their_error_lets_them(dtype: str) -> None:
    high = EXP_RANGE[dtype]
    slack = 1.0 - 2.0 * BOUND[dtype]
    for kernel, x in (
        (exp_each, np.linspace(-2 * high, high, 100_001)),
        (exp_psi_each, np.geomspace(1e-30, 1e9, 100_001)),
    ):
        y = each(kernel, x.astype(dtype))
        assert np.all(y[1:] >= slack * np.maximum.accumulate(y)[:-1])


@dtypes
def test_below_the_normal_range_both_stay_tiny_and_positive(dtype: str) -> None:
    smallest = float(np.finfo(dtype).tiny)
    x = -np.geomspace(-np.log(smallest) + 1, 1e30, 2001).astype(dtype)
    y = each(exp_each, np.append(x, np.dtype(dtype).type(-np.inf)))
    assert np.all((y > 0) & (y <= 2 * smallest))
    x = np.geomspace(1e-30, 1e-3, 2001).astype(dtype)
    y = each(exp_psi_each, np.append(np.dtype(dtype).type(0), x))
    assert np.all((y > 0) & (y <= 10 * smallest))


@dtypes
def test_above_the_range_exp_is_huge_and_finite(dtype: str) -> None:
    x = np.array([1e3, 1e30, np.inf], dtype)
    y = each(exp_each, x)
    assert np.all(np.isfinite(y) & (y > np.finfo(dtype).max / 4))


@dtypes
def test_nan_stays_nan(dtype: str) -> None:
    x = np.array([np.nan, 1.0], dtype)
    for kernel in (exp_each, exp_psi_each):
        assert np.isnan(each(kernel, x)).tolist() == [True, False]


@njit
def _shifted_each(x: Any, shift: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = exp_psi(x[i], shift[i])


@dtypes
def test_a_shift_keeps_tiny_numbers_in_range(dtype: str) -> None:
    x = np.geomspace(1e-4, 1e3, 5001).astype(dtype)
    # As expected_topics shifts them: relative to a number that is a little larger.
    shift = (1.0 / x - 20.0).astype(dtype)
    out = np.empty_like(x)
    _shifted_each(x, shift, out)
    # psi and shift nearly cancel: what is left carries the rounding of both.
    error = np.abs(out / reference.exp_psi(x, shift.astype(float)) - 1.0)
    assert np.all(error < BOUND[dtype] + 3 * np.finfo(dtype).eps / x)
