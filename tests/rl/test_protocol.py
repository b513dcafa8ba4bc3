"""The rules that are printed beside every score."""

from __future__ import annotations

from typing import Any

import pytest

from dpsvi.rl.protocol import Protocol


def test_the_defaults_are_those_of_the_paper() -> None:
    assert Protocol().describe() == (
        "frame skip 4, sticky actions 0, up to 30 no-ops, 4 grey screens of 84x84, "
        "minimal actions, at most 108,000 frames, fire to start, a lost life ends a "
        "training episode, rewards clipped to [-1, 1]"
    )


def test_scoring_plays_whole_games_for_raw_rewards() -> None:
    rules = Protocol(sticky=0.25).evaluation(noop_max=7)
    assert not rules.episodic_life
    assert not rules.clip_rewards
    assert (rules.sticky, rules.noop_max) == (0.25, 7)
    assert "life" not in rules.describe()
    assert "sticky actions 0.25" in rules.describe()


def test_plain_environments_have_no_rules_but_clipping() -> None:
    clipping = Protocol.plain(clip_rewards=True)
    assert clipping.is_plain
    assert clipping.describe() == "rewards clipped to [-1, 1]"
    assert clipping.evaluation() == Protocol.plain()
    assert not Protocol().is_plain


def test_there_and_back() -> None:
    rules = Protocol(screen=42, fire_reset=False)
    assert Protocol(**rules.to_dict()) == rules


@pytest.mark.parametrize(
    "wrong",
    [{"sticky": 1.0}, {"sticky": -0.1}, {"frame_skip": 0}, {"noop_max": -1}],
)
def test_numbers_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        Protocol(**wrong)
