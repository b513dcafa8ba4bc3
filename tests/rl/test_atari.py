"""Atari: what was measured of the emulator stays so, and our rules hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AutoresetMode

from dpsvi.rl import atari
from dpsvi.rl.atari import open_emulators
from dpsvi.rl.environments import Environments, make, spec_of
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.stepping import Step, copy_seeds

GAMES = {"Amidar": 10, "Boxing": 18, "Pong": 6, "Qbert": 6, "Seaquest": 18}
GAMES |= {"SpaceInvaders": 6}


def played(copies: Environments, n_steps: int, seed: int = 0) -> list[Step]:
    """Random actions from a fixed beginning."""
    rng = np.random.default_rng(seed)
    copies.reset(seed)
    return [
        copies.step(rng.integers(0, copies.n_actions, copies.n)) for _ in range(n_steps)
    ]


@pytest.mark.parametrize("game", GAMES)
def test_the_games_of_the_paper(game: str) -> None:
    copies = make(f"ALE/{game}-v5", 1)
    # Amidar stands still while it plays its tune.
    steps = played(copies, 80)
    copies.close()
    seen = np.array([step.observations for step in steps])
    assert copies.n_actions == GAMES[game]
    assert seen.dtype == np.uint8
    assert seen.shape[1:] == (1, *copies.observation_shape) == (1, 4, 84, 84)
    assert len(np.unique(seen[:, 0, -1], axis=0)) > 5
    assert np.isin([step.rewards for step in steps], [-1.0, 0.0, 1.0]).all()


def test_what_is_known_of_a_game() -> None:
    spec = spec_of("ALE/Pong-v5")
    assert spec.kind == "atari"
    assert spec.observation_shape == (4, 84, 84)
    assert spec.n_actions == len(spec.action_meanings) == 6
    assert spec.action_meanings[:2] == ("NOOP", "FIRE")
    assert "sticky actions 0," in spec.describe()


def test_all_names_of_a_game_are_played_by_the_same_rules() -> None:
    courses = []
    for name in ("ALE/Pong-v5", "PongNoFrameskip-v4"):
        copies = make(name, 1)
        courses.append(np.array([step.observations for step in played(copies, 30)]))
        copies.close()
    np.testing.assert_array_equal(*courses)


@pytest.fixture(scope="module")
def invaders() -> Any:
    """Steps of two copies under our rules, and of bare emulators beside them."""
    rules, n_steps = Protocol(), 480
    bare = AtariVectorEnv(
        "space_invaders",
        2,
        num_threads=1,
        autoreset_mode=AutoresetMode.SAME_STEP,
        reward_clipping=False,
        life_loss_info=True,
    )
    bare.reset(seed=np.array(copy_seeds(0, 2)))
    rng = np.random.default_rng(0)
    theirs = [bare.step(rng.integers(0, 6, 2)) for _ in range(n_steps)]
    bare.close()
    copies = make("ALE/SpaceInvaders-v5", 2, protocol=rules)
    ours = played(copies, n_steps)
    copies.close()
    return ours, theirs


def test_screens_are_those_of_the_emulator(invaders: Any) -> None:
    ours, theirs = invaders
    for mine, (seen, *_) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.observations, seen)


def test_a_lost_life_terminates_as_the_emulator_says(invaders: Any) -> None:
    ours, theirs = invaders
    for mine, (_, _, ended, cut, _) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.terminated, ended)
        np.testing.assert_array_equal(mine.truncated, cut)


def test_a_lost_life_does_not_end_the_game(invaders: Any) -> None:
    ours, _ = invaders
    lives = sum(int(step.terminated.sum()) for step in ours)
    games = [game for step in ours for game in step.finished]
    assert games
    # Three lives a game; the two games that are under way have lost some.
    assert 3 * len(games) <= lives <= 3 * len(games) + 4


def test_a_new_game_is_where_frames_are_counted_anew(invaders: Any) -> None:
    ours, theirs = invaders
    begun = np.array(
        [t[4]["frame_number"] - t[4]["episode_frame_number"] for t in theirs]
    )
    anew = np.argwhere(begun != np.roll(begun, 1, axis=0))
    finished = [(t, g.copy) for t, step in enumerate(ours) for g in step.finished]
    # The first row has none before it.
    assert [(t, i) for t, i in anew.tolist() if t > 0] == finished


def test_rewards_are_clipped_and_scores_are_not(invaders: Any) -> None:
    ours, theirs = invaders
    raw = np.array([rewards for _, rewards, *_ in theirs])
    assert raw.max() > 1
    np.testing.assert_array_equal([s.rewards for s in ours], np.clip(raw, -1, 1))
    first = [next(g for s in ours for g in s.finished if g.copy == i) for i in (0, 1)]
    for i, game in enumerate(first):
        assert game.score == raw[: game.length, i].sum()


def test_whole_games_end_when_they_are_over(invaders: Any) -> None:
    training, _ = invaders
    copies = make("ALE/SpaceInvaders-v5", 2, protocol=Protocol().evaluation())
    steps = played(copies, 470)
    copies.close()
    for mine, theirs in zip(steps, training, strict=False):
        assert mine.finished == theirs.finished
        over = [i in [game.copy for game in mine.finished] for i in range(2)]
        assert (mine.terminated | mine.truncated).tolist() == over


def test_their_episodic_life_is_not_ours() -> None:
    # The reason for counting lives ourselves: theirs begins a new game. Should this
    # fail, they have changed it, and `AtariEnvironments` can be simpler.
    env = AtariVectorEnv(
        "breakout",
        1,
        num_threads=1,
        autoreset_mode=AutoresetMode.SAME_STEP,
        episodic_life=True,
    )
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    lives = {int(env.step(rng.integers(0, 4, 1))[4]["lives"][0]) for _ in range(150)}
    env.close()
    assert lives == {5}


def test_a_game_that_is_cut_off_shows_its_last_screen() -> None:
    rules = Protocol(max_episode_frames=100)
    copies = make("ALE/Pong-v5", 1, protocol=rules)
    steps = played(copies, 51)
    copies.close()
    assert [t for t, step in enumerate(steps) if step.truncated[0]] == [24, 49]
    before, cut = steps[23], steps[24]
    assert not cut.terminated[0]
    assert [game.length for step in steps for game in step.finished] == [25, 25]
    assert cut.final_observations is not None
    # Three screens are known already, and one is new; a new game has begun since.
    np.testing.assert_array_equal(
        cut.final_observations[0, :3], before.observations[0, 1:]
    )
    assert (cut.final_observations[0] != cut.observations[0]).any()


class FakeEmulators:
    """One emulator that gives what is written: (reward, lives, ended, cut)."""

    def __init__(self, *course: tuple[int, int, bool, bool]) -> None:
        self.ale = SimpleNamespace(get_action_set=lambda: [0, 1])
        self.course = iter(course)

    def reset(self, **_: Any) -> Any:
        return np.zeros((1, 4, 84, 84), np.uint8), {"lives": np.array([3])}

    def step(self, _: Any) -> Any:
        reward, lives, ended, cut = next(self.course)
        screens = np.zeros((1, 4, 84, 84), np.uint8)
        info = {"lives": np.array([lives]), "final_obs": screens}
        flags = np.array([ended]), np.array([cut])
        return screens, np.array([reward], np.int32), *flags, info


def test_lives_of_the_next_game_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    course = [
        (5, 4, False, False),  # a life is won
        (5, 3, False, False),  # and lost
        (5, 4, False, False),
        (5, 3, False, True),  # cut off: three lives of the next game
        (7, 3, True, False),  # over at once
        (9, 3, False, True),
    ]
    fake = FakeEmulators(*course)
    monkeypatch.setattr(atari, "open_emulators", lambda *_, **__: fake)
    copies = make("ALE/Seaquest-v5", 1)
    steps = played(copies, len(course))
    assert [bool(s.terminated[0]) for s in steps] == [0, 1, 0, 0, 1, 0]
    assert [bool(s.truncated[0]) for s in steps] == [0, 0, 0, 1, 0, 1]
    games = [(game.score, game.length) for s in steps for game in s.finished]
    assert games == [(20.0, 4), (7.0, 1), (9.0, 1)]


def test_sticky_actions_are_asked_for() -> None:
    courses = []
    for sticky in (0.0, 0.5):
        copies = make("ALE/Boxing-v5", 1, protocol=Protocol(sticky=sticky))
        courses.append(np.array([step.observations for step in played(copies, 30)]))
        copies.close()
    assert (courses[0] != courses[1]).any()


def test_copies_in_threads_are_as_copies_alone() -> None:
    def course(seed: int) -> Any:
        copies = make("ALE/Boxing-v5", 1)
        seen = [step.observations for step in played(copies, 40, seed)]
        copies.close()
        return np.array(seen)

    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(course, [1, 2]))
    for seed, seen in zip([1, 2], beside, strict=True):
        np.testing.assert_array_equal(course(seed), seen)


def test_a_game_in_colour_is_the_same_game() -> None:
    rules, rng = Protocol(sticky=0.25), np.random.default_rng(0)
    seen = open_emulators("boxing", 1, rules)
    filmed = open_emulators("boxing", 1, rules, coloured=True)
    assert filmed.reset(seed=np.array([5]))[0].shape == (1, 1, 210, 160, 3)
    seen.reset(seed=np.array([5]))
    actions = rng.integers(0, 18, (200, 1))
    rewards = [(seen.step(a)[1][0], filmed.step(a)[1][0]) for a in actions]
    seen.close()
    filmed.close()
    assert all(mine == theirs for mine, theirs in rewards)
    assert any(mine for mine, _ in rewards)


def test_screens_have_a_size() -> None:
    with pytest.raises(ValueError, match="screen=84"):
        make("ALE/Pong-v5", 1, protocol=Protocol(screen=0))
