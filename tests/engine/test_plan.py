"""Plans refuse what makes no sense, before any work."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from dpsvi.engine import Plan


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"total_steps": -1}, ValueError, "total_steps is -1"),
        ({"total_steps": 1.5}, TypeError, r"total_steps is 1\.5"),
        ({"n_workers": 0}, ValueError, "n_workers is 0"),
        ({"n_workers": None}, TypeError, "n_workers is None"),
        ({"n_threads": True}, TypeError, "n_threads is True"),
        ({"local_steps": "auto"}, TypeError, "local_steps is 'auto'"),
        ({"master_batch_size": 0}, ValueError, "master_batch_size is 0"),
        ({"max_staleness": -1}, ValueError, "max_staleness is -1"),
        (
            {"n_workers": 2, "synchronous": True, "master_batch_size": 3},
            ValueError,
            "3 with 2 synchronous workers",
        ),
        ({"boundaries": 0}, ValueError, "boundaries is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"max_time": 0}, ValueError, "max_time is 0"),
        ({"max_time": float("nan")}, ValueError, "max_time is nan"),
        ({"admission": 3}, TypeError, "admission is 3"),
        ({"global_rate": 0.1}, TypeError, r"global_rate is 0\.1"),
        ({"aggregate": "max"}, ValueError, "aggregate is 'max'"),
    ],
)
def test_bad_values_are_refused(
    values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Plan(**{"total_steps": 10, **values})


def test_numpy_integers_are_integers() -> None:
    assert Plan(total_steps=np.int64(5), n_workers=np.int32(2)).merge_size == 2  # type: ignore[arg-type]


def test_plans_survive_pickling() -> None:
    plan = Plan(total_steps=3, n_workers=2, max_staleness=4, seed=1)
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_the_seed_of_a_worker_does_not_depend_on_their_number() -> None:
    _, two = Plan(total_steps=1, n_workers=2, seed=7).seeds()
    _, three = Plan(total_steps=1, n_workers=3, seed=7).seeds()
    states = [tuple(seed.generate_state(4)) for seed in three]
    assert states[:2] == [tuple(seed.generate_state(4)) for seed in two]
    assert len(set(states)) == 3
