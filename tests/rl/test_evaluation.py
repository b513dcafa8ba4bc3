"""Scores: of whole games, of those that begin first, against published ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scripted_games import END, Scripted, one_after_another

from dpsvi.rl.environments import make, spec_of
from dpsvi.rl.evaluation import Evaluation, evaluate
from dpsvi.rl.policy import Policy
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.scores import human_normalised, published


@pytest.fixture(scope="module")
def cart() -> Policy:
    return Policy.untrained(spec_of("CartPole-v1"))


def scripted_policy() -> Policy:
    return Policy.untrained(spec_of(lambda: Scripted([(1, END)])))


def long_and_short() -> Callable[[], Scripted]:
    # The first copy plays long games, the others short ones.
    maker, _ = one_after_another([(50, END)], *[[(n, END)] for n in (1, 2, 3)])
    return maker


@pytest.mark.parametrize(
    ("episodes", "lengths"),
    [(1, (50,)), (4, (50, 1, 2, 3)), (6, (50, 1, 2, 3, 1, 1))],
)
def test_the_episodes_that_begin_first_count(
    episodes: int, lengths: tuple[int, ...]
) -> None:
    # Those that end first would all be short.
    result = evaluate(
        scripted_policy(), long_and_short(), episodes=episodes, n_environments=4
    )
    assert result.lengths == lengths


def test_copies_beyond_the_episodes_are_not_opened() -> None:
    maker, made = one_after_another([(2, END)])
    evaluate(scripted_policy(), maker, episodes=3, n_environments=8)
    assert len(made) == 3
    assert all(copy.closed for copy in made)


def test_scores_are_raw() -> None:
    policy = scripted_policy()
    maker, _ = one_after_another([(3, END)])
    rules = Protocol.plain(clip_rewards=True)
    result = evaluate(policy, maker, episodes=20, protocol=rules)
    assert set(result.scores) <= {3.0, 4.0, 5.0, 6.0}
    assert max(result.scores) > 3.0
    assert not result.protocol.clip_rewards


def test_the_same_seed_gives_the_same_scores(cart: Policy) -> None:
    results = [evaluate(cart, episodes=8, seed=s, n_environments=4) for s in (1, 1, 2)]
    assert results[0] == results[1]
    assert results[0].scores != results[2].scores


def test_the_most_probable_action_is_taken_always() -> None:
    # These environments know no chance: all that could differ are the actions.
    def acted(deterministic: bool, seed: int) -> list[list[int]]:
        maker, made = one_after_another([(9, END)])
        evaluate(
            scripted_policy(),
            maker,
            episodes=4,
            deterministic=deterministic,
            seed=seed,
        )
        return [copy.acted for copy in made]

    assert acted(True, 1) == acted(True, 2)
    assert acted(False, 1) != acted(False, 2)


def test_mean_deviation_and_text() -> None:
    result = Evaluation("ALE/Pong-v5", Protocol(), False, (10.0, 14.0), (5, 7), 0.93)
    assert result.mean == 12.0
    assert result.std == pytest.approx(np.sqrt(8.0))
    text = str(result)
    assert text.startswith("ALE/Pong-v5: 12.0 \u00b1 2.8 (2 episodes, 10 to 14")
    assert "93% of human" in text
    assert "sticky actions 0" in text
    assert Evaluation("x", Protocol(), False, (1.0,), (1,), None).std == 0.0


def test_a_short_game_of_atari() -> None:
    policy = Policy.untrained(spec_of("ALE/Pong-v5"))
    rules = Protocol(max_episode_frames=400)
    result = evaluate(policy, episodes=2, noop_max=5, protocol=rules)
    assert result.lengths == (100, 100)
    assert result.protocol == Protocol(
        max_episode_frames=400, noop_max=5, episodic_life=False, clip_rewards=False
    )
    assert result.human_normalised == human_normalised("pong", result.mean)


def test_published_scores() -> None:
    games = [
        "amidar",
        "boxing",
        "breakout",
        "pong",
        "qbert",
        "seaquest",
        "space_invaders",
    ]
    for game in games:
        known = published(game)
        assert known is not None
        assert human_normalised(game, known.random) == 0.0
        assert human_normalised(game, known.human) == 1.0
    assert human_normalised("pong", -3.05) == pytest.approx(0.5)
    assert human_normalised("chess", 1.0) is None
    assert human_normalised(None, 1.0) is None


def test_wrong_arguments(cart: Policy) -> None:
    with pytest.raises(ValueError, match="episodes is 0"):
        evaluate(cart, episodes=0)
    with pytest.raises(ValueError, match=r"has 3 actions.*trained on CartPole-v1"):
        evaluate(cart, "Acrobot-v1")
    with pytest.raises(ValueError, match=r"Pong-v5 is an Atari game.*another kind"):
        evaluate(cart, "ALE/Pong-v5")
    pong = Policy.untrained(spec_of("ALE/Pong-v5"))
    with pytest.raises(ValueError, match=r"CartPole-v1 is no Atari.*ALE/Pong-v5"):
        evaluate(pong, "CartPole-v1")
    with pytest.raises(ValueError, match=r"<lambda>\(\) made; give env="):
        evaluate(scripted_policy())


def test_copies_are_closed_after_an_error(
    cart: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    maker, made = one_after_another([(1, END)])
    policy = scripted_policy()
    monkeypatch.setattr(policy, "act", broken)
    with pytest.raises(RuntimeError, match="broken"):
        evaluate(policy, maker)
    assert made
    assert all(copy.closed for copy in made)


def test_an_evaluation_agrees_with_a_plain_loop(cart: Policy) -> None:
    result = evaluate(cart, episodes=3, n_environments=3, deterministic=True, seed=7)
    copies = make("CartPole-v1", 3)
    seen, scores = copies.reset(7), dict.fromkeys(range(3), 0.0)
    over: set[int] = set()
    while len(over) < 3:
        step = copies.step(cart.act(seen, deterministic=True))
        for i in set(range(3)) - over:
            scores[i] += 1.0
        over |= {game.copy for game in step.finished}
        seen = step.observations
    copies.close()
    assert result.scores == tuple(scores.values())
