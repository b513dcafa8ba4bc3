"""Rules for late pushes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.engine import accept_all, damp_by_staleness, drop_older_than

rules = st.one_of(
    st.just(accept_all),
    st.builds(drop_older_than, st.integers(0, 20)),
    st.builds(damp_by_staleness, st.floats(0, 5)),
)


@given(rules, st.integers(0, 100))
def test_weights_start_at_one_and_never_rise(rule: object, staleness: int) -> None:
    assert callable(rule)
    assert rule(0) == 1.0
    assert 0 <= rule(staleness + 1) <= rule(staleness)


@given(rules)
def test_rules_survive_pickling(rule: object) -> None:
    assert pickle.loads(pickle.dumps(rule)) == rule


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="max_staleness is -1"):
        drop_older_than(-1)
    with pytest.raises(ValueError, match="power is nan"):
        damp_by_staleness(float("nan"))
