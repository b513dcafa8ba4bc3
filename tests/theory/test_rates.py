"""Theorem 3.1 and Corollary 1: each formula against another way of writing it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.theory import (
    Constants,
    Layout,
    check_step_sizes,
    communication_time,
    corollary_bound,
    corollary_rates,
    expected_staleness,
    fewest_merges,
    largest_read_delay,
    largest_staleness,
    lemma_factor,
    local_steps_to_break_even,
    most_threads,
    most_workers,
    scaled_rates,
    theorem_bound,
    theorem_condition,
)

positive = st.floats(1e-2, 1e2)
sizes = st.integers(1, 12)
constants = st.builds(
    Constants, smoothness=positive, gradient_bound=positive, gap=positive
)
layouts = st.builds(
    Layout,
    merges=st.integers(1, 40),
    master_batch_size=sizes,
    n_threads=st.integers(1, 4),
    local_steps=st.integers(1, 4),
    staleness=st.integers(0, 6),
    read_delay=st.integers(0, 3),
    kept=st.floats(0.1, 1.0),
)


def slow_bound(given: Constants, layout: Layout, rho: Any, eta: Any) -> float:
    """Eq. 29, sum by sum."""
    L, V = given.smoothness, given.gradient_bound
    M, D = layout.master_batch_size, layout.staleness
    H, S = sum(eta), sum(rate**2 for rate in eta)
    noise = 0.0
    for t in range(len(rho)):
        noise += 2 * L * M * S * rho[t] ** 2
        late = sum(rho[j] ** 2 for j in range(max(0, t - D), t))
        noise += 6 * L**2 * M**2 * H * S * rho[t] * late
        for b, rate in enumerate(eta):
            missed = sum(eta[max(0, b - layout.read_delay) : b])
            strayed = sum(eta[:b]) ** 2 + missed**2
            noise += 3 * L**2 * M * rho[t] * rate * strayed
    return (2 * given.gap + V**2 * noise) / (layout.kept * M * sum(rho) * H)


def slow_condition(given: Constants, layout: Layout, rho: Any, eta: Any) -> float:
    """The left side of (7), sum by sum."""
    x, D = given.smoothness * layout.master_batch_size * sum(eta), layout.staleness
    return max(
        2 * x * rho[t] + 6 * x**2 * D * rho[t] * sum(rho[t + 1 : t + D + 1])
        for t in range(len(rho))
    )


@given(constants, layouts, st.integers(0, 2**32 - 1))
def test_the_theorem_with_rates_that_change(
    given: Constants, layout: Layout, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rho = rng.uniform(0.01, 1, layout.merges)
    eta = rng.uniform(0.01, 1, layout.round_steps)
    bound = slow_bound(given, layout, rho.tolist(), eta.tolist())
    assert theorem_bound(given, layout, rho, eta) == pytest.approx(bound)
    left = slow_condition(given, layout, rho.tolist(), eta.tolist())
    assert theorem_condition(given, layout, rho, eta) == pytest.approx(left)


@given(constants, layouts, st.floats(1e-3, 1.0), st.floats(1e-3, 1.0))
def test_one_rate_is_as_many_equal_ones(
    given: Constants, layout: Layout, rho: float, eta: float
) -> None:
    many = np.full(layout.merges, rho), np.full(layout.round_steps, eta)
    for formula in (theorem_bound, theorem_condition):
        one = formula(given, layout, rho, eta)
        assert one == pytest.approx(formula(given, layout, *many))


def test_a_long_run_takes_no_memory() -> None:
    given = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    long = Layout(merges=10**15, staleness=3)
    assert theorem_bound(given, long, 1.0, 1e-6) == pytest.approx(4e-6, rel=0.6)
    assert theorem_condition(given, long, 1.0, 1e-6) == pytest.approx(2e-6, rel=1e-4)


def slow_fewest(given: Constants, layout: Layout, rho: float) -> float:
    """Eq. 10: (7) and the noise of the samples, written out."""
    L, V, gap = given.smoothness, given.gradient_bound, given.gap
    steps = layout.n_threads * layout.local_steps
    merged = layout.master_batch_size * steps
    stale = 16 * L * gap * merged * (layout.staleness + 1) ** 2
    strayed = (steps - 1) * (2 * steps - 1) / 2 + 3 * layout.read_delay**2
    local = L * gap * strayed**2
    return max(
        stale / (layout.kept * V) ** 2,
        local / (4 * rho**4 * V**2 * merged),
    )


@given(constants, layouts, st.floats(0.1, 1.0))
def test_fewest_merges_are_those_of_equation_10(
    given: Constants, layout: Layout, rho: float
) -> None:
    found = fewest_merges(given, layout, rho=rho)
    assert found == pytest.approx(slow_fewest(given, layout, rho))


@given(constants, layouts, st.floats(0.1, 1.0))
def test_the_corollary_is_the_theorem_after_enough_merges(
    given: Constants, layout: Layout, rho: float
) -> None:
    enough = math.ceil(fewest_merges(given, layout, rho=rho))
    if enough > 100_000:
        return
    longer = Layout(**{**vars(layout), "merges": max(enough, 1)})
    rates = corollary_rates(given, longer, rho=rho)
    check_step_sizes(given, longer, *rates)
    bound = theorem_bound(given, longer, *rates)
    assert bound <= corollary_bound(given, longer) * (1 + 1e-9)


def test_the_bound_counts_what_a_round_strays() -> None:
    # The example of the module: without the drift all three would be equal.
    given = Constants(smoothness=1.0, gradient_bound=1.0, gap=1 - math.cos(2.5))
    layout = Layout(merges=1000, local_steps=50)
    measured = {rho: cosine_norm(rho, 1e-3 / rho, layout) for rho in (1, 1e-2, 1e-3)}
    for rho, norm in measured.items():
        assert theorem_bound(given, layout, rho, 1e-3 / rho) > norm
    assert [round(norm, 2) for norm in measured.values()] == [0.04, 0.12, 0.82]
    # What the theorem would promise without it, for every split alike.
    product = Layout(merges=layout.steps)
    assert measured[1e-3] > 10 * theorem_bound(given, product, 1.0, 1e-3)


def cosine_norm(rho: float, eta: float, layout: Layout) -> float:
    """G of f(x) = 1 - cos x from 2.5, without noise."""
    squares, v = 0.0, 2.5
    for _ in range(layout.merges):
        squares += math.sin(v) ** 2
        u = v
        for _ in range(layout.round_steps):
            u -= eta * math.sin(u)
        v += rho * (u - v)
    return squares / layout.merges


@given(constants, layouts)
def test_corollary_fixes_the_product_of_the_rates(
    given: Constants, layout: Layout
) -> None:
    A = given.gap / given.smoothness / given.gradient_bound**2
    expected = math.sqrt(A / layout.steps)
    assert math.prod(corollary_rates(given, layout, rho=0.3)) == pytest.approx(expected)
    equal = corollary_rates(given, layout, "equal")
    assert equal[0] == equal[1] == pytest.approx(math.sqrt(expected))


@given(constants, layouts)
def test_the_largest_staleness_is_the_largest(given: Constants, layout: Layout) -> None:
    most = largest_staleness(given, layout)
    fresh = 16 * given.smoothness * given.gap * layout.merge_steps
    fresh /= (layout.kept * given.gradient_bound) ** 2
    if most >= 0:
        assert fresh * (most + 1) ** 2 <= layout.merges * (1 + 1e-9)
    assert fresh * (most + 2) ** 2 > layout.merges * (1 - 1e-9)
    workers = most_workers(given, layout)
    M = layout.master_batch_size
    if workers:
        assert expected_staleness(workers, M) <= most
    assert expected_staleness(workers + 1, M) > most


@given(constants, layouts, st.floats(0.1, 1.0))
def test_the_largest_read_delay_is_the_largest(
    given: Constants, layout: Layout, rho: float
) -> None:
    most = largest_read_delay(given, layout, rho=rho)
    merged, steps = layout.merge_steps, layout.round_steps

    def needed(late: int) -> float:
        strayed = (steps - 1) * (2 * steps - 1) / 2 + 3 * late**2
        gain = given.smoothness * given.gap / given.gradient_bound**2
        return gain * strayed**2 / (4 * rho**4 * merged)

    if most >= 0:
        assert needed(most) <= layout.merges * (1 + 1e-9)
    assert needed(most + 1) > layout.merges * (1 - 1e-9)


@given(constants, layouts, st.floats(0.1, 1.0), st.integers(1, 40))
def test_the_most_threads_are_the_most(
    given: Constants, layout: Layout, rho: float, limit: int
) -> None:
    most = most_threads(given, layout, rho=rho, limit=limit)

    def enough(p: int) -> bool:
        made = Layout(**{**vars(layout), "n_threads": p, "read_delay": p - 1})
        return layout.merges >= fewest_merges(given, made, rho=rho)

    assert 0 <= most <= limit
    assert most == 0 or enough(most)
    assert most == limit or not enough(most + 1)


@pytest.mark.parametrize(
    ("count", "slope"),
    [(most_workers, 0.5), (most_threads, 1 / 3), (largest_read_delay, 0.25)],
)
def test_how_asynchrony_may_grow_with_the_run(count: Any, slope: float) -> None:
    given = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    merges = 10 ** np.arange(8, 14)
    found = [count(given, Layout(merges=int(T))) for T in merges]
    measured = np.polyfit(np.log(merges), np.log(found), 1)[0]
    # A round of p steps per thread strays: p may grow as T^(1/3). The paper's T^(1/4)
    # is what reads that miss writes leave alone, and the slower of both.
    assert measured == pytest.approx(slope, abs=0.01)


def test_lemma_allows_small_steps_only() -> None:
    factors = [lemma_factor(eta, 2.0, 2, 1.3) for eta in (1e-4, 1e-3, 1e-2, 1.0)]
    assert factors == sorted(factors)
    assert 1 < factors[0] < 1.3 < factors[2] <= math.inf
    assert factors[-1] == math.inf
    # 1 - L η - 9 L η (D' + 1) (1 + μ + μ²), term by term.
    left = 1 - 2e-3 - 9 * 2e-3 * 3 * (1 + 1.3 + 1.3**2)
    assert lemma_factor(1e-3, 2.0, 2, 1.3) == pytest.approx(1 / left)
    with pytest.raises(ValueError, match="growth is 1"):
        lemma_factor(0.1, 1.0, 1, 1.0)


@given(positive, sizes, sizes, sizes)
def test_rules_of_scaling(base: float, M: int, p: int, B: int) -> None:
    def product(rule: Any) -> float:
        return math.prod(scaled_rates(base, M, p, B, rule))

    size = M * p * B
    assert product("samples") == pytest.approx(base**2)
    assert product("corollary") == pytest.approx(base**2 / math.sqrt(size))
    assert product("sqrt") == pytest.approx(base / math.sqrt(size))
    assert scaled_rates(base, M, p, B, "sqrt")[0] == 1.0


def test_communication_alone_can_be_slower_than_one_thread() -> None:
    steps, step, exchange = 1000, 0.01, 0.05
    assert communication_time(steps, 1, exchange) > steps * step
    even = local_steps_to_break_even(step, exchange)
    assert communication_time(steps, int(even), exchange) == pytest.approx(steps * step)


def test_rates_has_every_formula_about_rates() -> None:
    from dpsvi import theory
    from dpsvi.theory import rates

    others = {"Recommendation", "estimate_constants", "recommend"}
    assert set(rates.__all__) == set(theory.__all__) - others
    for name in rates.__all__:
        assert getattr(rates, name) is getattr(theory, name)


def test_values_out_of_range_are_refused() -> None:
    good = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    layout = Layout(merges=10)
    with pytest.raises(ValueError, match="gap is -1"):
        Constants(smoothness=1.0, gradient_bound=1.0, gap=-1.0)
    with pytest.raises(ValueError, match="merges is 0"):
        Layout(merges=0)
    with pytest.raises(ValueError, match="merges is inf"):
        Layout(merges=math.inf)  # type: ignore[arg-type]
    assert type(Layout(merges=1e4).merges) is int  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kept is 0"):
        Layout(merges=1, kept=0.0)
    with pytest.raises(ValueError, match=r"shape \(3,\); give one or 10 rates"):
        theorem_bound(good, layout, [1.0, 1.0, 1.0], 0.1)
    with pytest.raises(ValueError, match=r"local_rates has 0\.0; rates must be finite"):
        theorem_bound(good, layout, 1.0, 0.0)
    with pytest.raises(ValueError, match="at most 1 and these rates give 20"):
        check_step_sizes(good, layout, 1.0, 10.0)
    with pytest.raises(ValueError, match="rho is 0"):
        fewest_merges(good, layout, rho=0.0)
    with pytest.raises(ValueError, match="split is 'half'"):
        corollary_rates(good, layout, "half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rule is 'none'"):
        scaled_rates(1, 1, 1, 1, "none")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="M is 0"):
        scaled_rates(1, 0, 1, 1)
