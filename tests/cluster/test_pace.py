"""How long rounds are chosen to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dpsvi.engine.backends.dask.pace import Pace


@given(
    talk=st.floats(0.0, 5.0),
    per_step=st.floats(1e-4, 1.0),
    longest=st.integers(1, 10_000),
)
def test_the_share_of_communication_is_kept_where_rounds_may_be_long_enough(
    talk: float, per_step: float, longest: int
) -> None:
    pace = Pace(1, longest)
    for _ in range(200):
        pace.learn(talk, per_step * pace.steps)
    assert 1 <= pace.steps <= longest
    enough = 9.0 * talk / per_step
    if enough < longest:
        assert pace.share <= 0.1 + 1e-9
    else:
        assert pace.steps == longest


def test_without_room_nothing_is_chosen() -> None:
    pace = Pace(8, 8)
    for talk in (0.0, 1.0, 100.0):
        pace.learn(talk, 1.0)
        assert pace.steps == 8
