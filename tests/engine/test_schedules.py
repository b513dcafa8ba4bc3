"""Learning rates as functions of the step."""

from __future__ import annotations

import math
import pickle

import pytest

from dpsvi.engine import constant, robbins_monro


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
