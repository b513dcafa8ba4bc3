"""Constants from a pilot run, and what is recommended with them."""

from __future__ import annotations

import numpy as np
import pytest

from dpsvi.engine.problems import FunctionObjective, RedescendingLocation
from dpsvi.theory import Constants, estimate_constants, recommend


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


def advise(**changes: float) -> object:
    given = {"n_workers": 8, "n_threads": 2, "step_seconds": 1e-2}
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
    assert shorter.threads_that_help < advise().threads_that_help
    assert "workers" in str(shorter)


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="n_workers is 0"):
        advise(n_workers=0)
    with pytest.raises(ValueError, match="exchange_seconds is -1"):
        advise(exchange_seconds=-1.0)
