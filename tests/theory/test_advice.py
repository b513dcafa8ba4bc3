"""Constants from a pilot run, and what is recommended with them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.engine.problems import FunctionObjective, RedescendingLocation
from dpsvi.theory import (
    Constants,
    Layout,
    Recommendation,
    estimate_constants,
    expected_staleness,
    fewest_merges,
    recommend,
)
from dpsvi.theory.speedup import Costs, simulate


def test_a_pilot_run_finds_the_constants() -> None:
    objective = RedescendingLocation()
    found = estimate_constants(objective, 0.02, seed=1)
    assert 0.5 * 2.0 < found.smoothness <= 2.0 * (1 + 1e-9)
    assert 0.5 < found.gradient_bound / objective.gradient_bound <= 1.0
    assert 0.9 < found.gap / objective.gap <= 1.0


def test_a_pilot_run_that_does_not_come_down_says_so() -> None:
    class Rising(FunctionObjective):
        def value(self, v: np.ndarray) -> float:
            return -float(v[0])

    # Its steps go where its value is larger.
    rising = Rising([0.0], 5, lambda v, samples: np.ones(1))
    with pytest.raises(ValueError, match="choose a rate with which it falls"):
        estimate_constants(rising, 0.1, steps=100)


def advise(**changes: Any) -> Recommendation:
    given: dict[str, Any] = {"n_workers": 8, "n_threads": 2, "step_seconds": 1e-2}
    constants = Constants(smoothness=2.0, gradient_bound=2.0, gap=2.0)
    steps = int(changes.pop("steps", 10**7))
    return recommend(constants, steps, **{**given, "exchange_seconds": 2e-3, **changes})


def test_what_is_recommended_is_within_the_theory() -> None:
    advice = advise()
    assert advice.proven
    assert advice.n_workers == 8
    # The master keeps up: n exchanges take no longer than the steps of a round.
    assert advice.layout.local_steps * 1e-2 >= 8 * 2e-3
    assert advice.workers_that_help >= 8


def test_slow_exchanges_and_short_runs_bear_fewer_workers() -> None:
    base = advise().workers_that_help
    slower = advise(exchange_seconds=2e-1)
    assert slower.workers_that_help < base
    assert slower.layout.local_steps > advise().layout.local_steps
    shorter = advise(steps=10**4)
    assert shorter.workers_that_help < base
    assert shorter.n_workers == min(8, shorter.workers_that_help)
    alone = {"n_workers": 1, "n_threads": 1}
    fewer = advise(steps=10**4, **alone).threads_that_help
    assert fewer < advise(**alone).threads_that_help
    assert "workers" in str(shorter)


positive = st.floats(0.1, 10.0)


@given(
    st.builds(Constants, smoothness=positive, gradient_bound=positive, gap=positive),
    st.integers(1, 10**7),
    st.integers(1, 64),
    st.integers(1, 16),
    st.floats(1e-3, 30.0),
    st.floats(0.1, 1.0),
    st.none() | st.integers(0, 100),
    st.none() | st.integers(0, 30),
)
def test_what_is_proven_is_what_the_corollary_says(
    constants: Constants,
    steps: int,
    n_workers: int,
    n_threads: int,
    busy: float,
    kept: float,
    staleness: int | None,
    read_delay: int | None,
) -> None:
    if n_workers == 1:
        staleness = None
    if n_threads == 1:
        read_delay = None
    advice = recommend(
        constants,
        steps,
        n_workers=n_workers,
        n_threads=n_threads,
        step_seconds=1.0,
        exchange_seconds=busy,
        kept=kept,
        staleness=staleness,
        read_delay=read_delay,
    )

    def layout(n: int, p: int) -> Layout:
        B = max(1, math.ceil(n * busy - 1e-9))
        D, late = 3 * (n - 1), p - 1
        if staleness is not None:
            D = -(-staleness * (n - 1) // (n_workers - 1))
        if read_delay is not None:
            late = -(-read_delay * (p - 1) // (n_threads - 1))
        return Layout(
            merges=max(1, steps // (p * B)),
            n_threads=p,
            local_steps=B,
            staleness=D,
            read_delay=late,
            kept=kept,
        )

    def proven(n: int, p: int) -> bool:
        made = layout(n, p)
        enough = made.merges >= fewest_merges(constants, made)
        return enough and made.steps <= steps

    n, p = advice.n_workers, advice.layout.n_threads
    assert n <= n_workers
    assert p <= n_threads
    made = layout(n, p)
    if not advice.proven:
        made = replace(made, local_steps=min(made.local_steps, steps))
    assert advice.layout == made
    assert advice.proven == proven(n, p)
    # Both limits are where the proof ends.
    assert advice.proven == proven(advice.workers_that_help, p)
    assert advice.proven == proven(n, advice.threads_that_help)
    assert not proven(advice.workers_that_help + 1, p)
    assert not proven(n, advice.threads_that_help + 1)


def test_delays_that_were_measured_count() -> None:
    offered = {"n_workers": 4, "n_threads": 4, "steps": 10**6}
    base = advise(**offered)
    assert (base.layout.staleness, base.layout.read_delay) == (9, 3)
    late = advise(**offered, staleness=30, read_delay=60)
    assert late.workers_that_help < base.workers_that_help
    assert late.threads_that_help < base.threads_that_help
    fresh = advise(**offered, staleness=3, read_delay=0)
    assert (fresh.layout.staleness, fresh.layout.read_delay) == (3, 0)
    assert fresh.workers_that_help > base.workers_that_help
    # As they stand in a history.
    floats = {name: float(number) for name, number in offered.items()}
    assert advise(**floats, staleness=30.0, read_delay=np.float64(60)) == late


def test_more_threads_than_anybody_has_are_offered() -> None:
    assert advise(n_threads=10**9) == advise(n_threads=10**6, read_delay=10**6 - 1)


def test_a_run_too_short_for_anything_is_not_proven() -> None:
    advice = advise(steps=1)
    assert not advice.proven
    assert (advice.n_workers, advice.layout.n_threads) == (1, 1)
    assert (advice.workers_that_help, advice.threads_that_help) == (1, 1)
    slow = advise(steps=100, exchange_seconds=1e9)
    assert not slow.proven
    assert slow.layout.steps == 100


@pytest.mark.parametrize(("n", "M"), [(2, 1), (8, 1), (8, 3), (20, 20)])
def test_nearly_no_push_is_staler_than_expected(n: int, M: int) -> None:
    costs = Costs(step_seconds=1.0, push_seconds=0.01)
    found = simulate(costs, n, master_batch_size=M, rounds=4000).staleness
    expected = expected_staleness(n, M)
    assert np.mean(found > expected) < 1e-3
    # And the rule does not exaggerate.
    assert found.max() > expected / 2


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="staleness is 3, and there is only one"):
        advise(n_workers=1, staleness=3)
    with pytest.raises(ValueError, match="read_delay is 1, and there is only one"):
        advise(n_threads=1, read_delay=1)
    with pytest.raises(ValueError, match="read_delay is -1"):
        advise(read_delay=-1)
    with pytest.raises(ValueError, match="n_workers is 0"):
        advise(n_workers=0)
    with pytest.raises(ValueError, match="exchange_seconds is -1"):
        advise(exchange_seconds=-1.0)
