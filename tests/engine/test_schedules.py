"""Rates: the identities of the theory."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.engine import constant, corollary_rates, robbins_monro, scaled_rates

positive = st.floats(1e-3, 1e3)
sizes = st.integers(1, 50)


@given(positive, positive, positive, sizes, sizes, sizes, sizes, positive)
def test_corollary_fixes_the_product_of_the_rates(
    gap: float, L: float, V: float, M: int, p: int, B: int, T: int, rho: float
) -> None:
    expected = math.sqrt(gap / (L * V**2) / (M * p * B * T))
    by_rho = corollary_rates(gap, L, V, M, p, B, T, rho=rho)
    equal = corollary_rates(gap, L, V, M, p, B, T, "equal")
    assert by_rho[0] == rho
    assert equal[0] == equal[1]
    assert math.prod(by_rho) == pytest.approx(expected)
    assert math.prod(equal) == pytest.approx(expected)


@given(positive, positive, positive, sizes, sizes, sizes, st.integers(1, 10**6))
def test_the_main_terms_of_the_bound_fall_with_all_samples(
    gap: float, L: float, V: float, M: int, p: int, B: int, T: int
) -> None:
    # The two leading terms of the bound, each 2 sqrt(L V^2 gap / (M p B T)): Eq. 11.
    gamma = math.prod(corollary_rates(gap, L, V, M, p, B, T))
    unit = 2 * math.sqrt(L * V**2 * gap / (M * p * B * T))
    assert 2 * gap / (gamma * M * p * B * T) == pytest.approx(unit)
    assert V**2 * 2 * L * gamma == pytest.approx(unit)


@given(positive, sizes, sizes, sizes)
def test_rules_of_scaling(base: float, M: int, p: int, B: int) -> None:
    def product(rule: str) -> float:
        return math.prod(scaled_rates(base, M, p, B, rule))  # type: ignore[arg-type]

    size = M * p * B
    assert product("samples") == pytest.approx(base**2)
    assert product("corollary") == pytest.approx(base**2 / math.sqrt(size))
    assert product("sqrt") == pytest.approx(base / math.sqrt(size))
    assert scaled_rates(base, M, p, B, "sqrt")[0] == 1.0
    for rule in ("samples", "corollary"):
        rates = scaled_rates(base, M, p, B, rule)  # type: ignore[arg-type]
        assert rates[0] == rates[1]
        assert scaled_rates(base, 1, 1, 1, rule) == (base, base)  # type: ignore[arg-type]


def test_robbins_monro_follows_its_formula() -> None:
    schedule = robbins_monro(3.0, 0.7)
    assert [schedule(t) for t in range(3)] == [(3.0 + t) ** -0.7 for t in range(3)]


@pytest.mark.parametrize("schedule", [constant(0.3), robbins_monro(2.0, 0.9)])
def test_schedules_survive_pickling(schedule: object) -> None:
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="rate is 0"):
        constant(0)
    with pytest.raises(ValueError, match="rate is inf"):
        constant(math.inf)
    with pytest.raises(ValueError, match="offset is -1"):
        robbins_monro(-1, 0.7)
    with pytest.raises(ValueError, match=r"decay is 1\.5"):
        robbins_monro(1, 1.5)
    with pytest.raises(ValueError, match="T is 0"):
        corollary_rates(1, 1, 1, 1, 1, 1, 0)
    with pytest.raises(ValueError, match="split is 'half'"):
        corollary_rates(1, 1, 1, 1, 1, 1, 1, "half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rule is 'none'"):
        scaled_rates(1, 1, 1, 1, "none")  # type: ignore[arg-type]
