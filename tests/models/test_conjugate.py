"""The clock, the scale, and additions that commute."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.models.conjugate import Clock, NaturalParameters, Rows

Array = npt.NDArray[Any]


def make_parameters(
    seed: int = 0, log_base: float = 0.0, dtype: str = "float64"
) -> NaturalParameters:
    weights = np.zeros((6, 8), dtype)
    weights[:, :3] = np.random.default_rng(seed).gamma(2.0, size=(6, 3))
    parameters = NaturalParameters(weights, np.zeros((1, 3)), 0.25, log_base)
    parameters.sum_again()
    return parameters


def make_update(seed: int, log_base: float) -> Rows:
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(6) < 0.5).astype(np.int32)
    values = rng.gamma(1.0, size=(rows.size, 3))
    return Rows(rows, values, values.sum(axis=0), log_base)


def assert_consistent(parameters: NaturalParameters) -> None:
    sums = parameters.weights[:, :3].sum(axis=0)
    np.testing.assert_allclose(parameters.totals.sum(axis=0), sums, rtol=1e-12)
    assert not parameters.weights[:, 3:].any()


@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=6, unique=True),
    data=st.data(),
)
def test_the_order_of_merges_does_not_matter(seeds: list[int], data: Any) -> None:
    depths = st.sampled_from([0.0, -7.0, -19.0, -23.0, -45.0])
    updates = [make_update(seed, data.draw(depths)) for seed in seeds]
    rates = [data.draw(st.sampled_from([0.5, 1.0])) for _ in seeds]
    pairs = list(zip(updates, rates, strict=True))
    results = []
    for order in (pairs, data.draw(st.permutations(pairs))):
        parameters = make_parameters(log_base=-2.0)
        for update, rate in order:
            parameters.add(update, rate)
        assert_consistent(parameters)
        results.append(parameters.value(-45.0))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
    # Each addition by itself, without units.
    expected = 0.25 + np.exp(-45.0 + 2.0) * make_parameters().weights[:, :3]
    for update, rate in pairs:
        factor = rate * np.exp(-45.0 - update.log_base)
        expected[update.rows] += factor * update.values
    np.testing.assert_allclose(results[0], expected, rtol=1e-12)


def test_an_update_of_all_rows() -> None:
    parameters, more = make_parameters(), make_parameters(1)
    update = more.take(slice(None))
    parameters.add(update, 2.0)
    expected = make_parameters().value(0.0) + 2.0 * more.weights[:, :3]
    np.testing.assert_allclose(parameters.value(0.0), expected)
    assert_consistent(parameters)


@given(now=st.floats(-300.0, 0.0), base=st.sampled_from([0.0, -5.0, -30.0]))
def test_renewal_keeps_the_value(now: float, base: float) -> None:
    now = min(now, base)
    parameters, same = make_parameters(0, base), make_parameters(0, base)
    parameters.renew(now)
    np.testing.assert_allclose(parameters.value(now), same.value(now), rtol=1e-12)
    assert_consistent(parameters)
    # The unit says when it is, not when it was asked for.
    unit = 20.0 * np.ceil(now / 20.0)
    assert parameters.log_base == min(base, unit)
    assert -20.0 <= now - min(base, unit) <= 0.0 or base < unit


@given(now=st.floats(-1000.0, 0.0))
def test_the_value_is_never_below_the_prior(now: float) -> None:
    for dtype in ("float32", "float64"):
        value = make_parameters(dtype=dtype).value(now)
        assert value.shape == (6, 3)
        assert value.dtype == dtype
        assert value.min() >= 0.25


def test_totals_by_thread_sum_to_the_same() -> None:
    parameters = make_parameters()
    parameters.sum_again(3)
    assert parameters.totals.shape == (3, 3)
    assert_consistent(parameters)
    assert parameters.prior_mass == 6 * 0.25


@given(rates=st.lists(st.floats(0.0, 1.0), max_size=50))
def test_the_clock_multiplies_what_stays(rates: list[float]) -> None:
    clock = Clock(np.array(rates))
    assert clock.rates.max(initial=0.0) <= 0.9
    stays = np.cumprod(np.append(1.0, 1.0 - np.minimum(rates, 0.9)))
    np.testing.assert_allclose(np.exp(clock.log_scale), stays, rtol=1e-12)


def test_a_constant_rate_falls_in_a_straight_line() -> None:
    clock = Clock(np.full(1000, 0.3))
    line = np.arange(1001) * np.log(0.7)
    np.testing.assert_allclose(clock.log_scale, line, rtol=1e-12)


@given(rates=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=200))
def test_rounds_go_as_far_as_their_units_allow(rates: list[float]) -> None:
    clock = Clock(np.array(rates))
    start = 0
    while start < len(rates):
        end = clock.furthest(start)
        assert start < end <= len(rates)
        units = np.ceil(clock.log_scale[start : end + 1] / 20.0)
        assert (units[:-1] == units[0]).all()
        if end < len(rates):
            assert units[-1] < units[0]
        start = end


@pytest.mark.parametrize("wrong", [-0.1, np.nan])
def test_a_clock_refuses_rates_that_are_none(wrong: float) -> None:
    with pytest.raises(ValueError, match="the rate of step 1 is"):
        Clock(np.array([0.5, wrong]))
