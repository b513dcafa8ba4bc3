"""Copies of any environment, stepped together."""

from __future__ import annotations

import pickle
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete
from hypothesis import given
from hypothesis import strategies as st
from scripted_games import BOTH, CUT, END, Screens, Scripted, one_after_another

from dpsvi.rl.environments import EnvironmentSpec, make, spec_of
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.stepping import copy_seeds


def zeros(n: int) -> Any:
    return np.zeros(n, dtype=np.int64)


def test_shapes_and_types() -> None:
    copies = make("CartPole-v1", 3)
    seen = copies.reset(seed=1)
    step = copies.step(np.array([0, 1, 0]))
    copies.close()
    assert copies.n == 3
    assert copies.n_actions == 2
    assert seen.shape == step.observations.shape == (3, *copies.observation_shape)
    assert seen.dtype == step.observations.dtype == copies.observation_dtype
    assert step.rewards.dtype == np.float32
    assert step.terminated.dtype == step.truncated.dtype == np.bool_
    assert step.final_observations is None
    assert step.finished == []


def test_the_seed_decides_everything() -> None:
    def course(seed: int) -> Any:
        copies = make("CartPole-v1", 2)
        seen = [copies.reset(seed)]
        seen += [copies.step(zeros(2)).observations for _ in range(40)]
        copies.close()
        return np.array(seen)

    first = course(3)
    np.testing.assert_array_equal(first, course(3))
    # Copies differ from one another and from those of the next seed.
    starts = np.concatenate([first[0], course(4)[0]])
    assert len(np.unique(starts, axis=0)) == 4


def test_seeds_of_copies_are_31_bits_and_differ() -> None:
    seeds = [word for seed in range(50) for word in copy_seeds(seed, 20)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert max(seeds) < 2**31


def test_an_end_begins_the_next_episode_in_the_same_step() -> None:
    maker, _ = one_after_another([(2, END)])
    copies = make(maker, 1)
    copies.reset(seed=0)
    copies.step(zeros(1))
    step = copies.step(zeros(1))
    np.testing.assert_array_equal(step.observations, [[1, 0]])
    assert step.terminated[0]
    assert not step.truncated[0]
    assert step.final_observations is None


@pytest.mark.parametrize("how", [END, CUT, BOTH])
def test_an_episode_that_ends_and_is_cut_off_has_ended(how: str) -> None:
    maker, _ = one_after_another([(1, how)])
    copies = make(maker, 1)
    copies.reset(seed=0)
    step = copies.step(zeros(1))
    assert step.terminated[0] == (how != CUT)
    assert step.truncated[0] == (how == CUT)


def test_what_was_cut_off_is_shown() -> None:
    maker, _ = one_after_another([(3, CUT)], [(5, END)])
    copies = make(maker, 2)
    copies.reset(seed=0)
    for _ in range(2):
        assert copies.step(zeros(2)).final_observations is None
    step = copies.step(zeros(2))
    assert step.final_observations is not None
    np.testing.assert_array_equal(step.final_observations[0], [0, 3])
    np.testing.assert_array_equal(step.observations, [[1, 0], [0, 3]])


def test_every_action_reaches_its_copy() -> None:
    # No step is swallowed by the beginning of an episode.
    maker, made = one_after_another([(1, END), (2, CUT)], [(3, END)])
    copies = make(maker, 2)
    copies.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 2, (30, 2))
    for pair in actions:
        copies.step(pair)
    assert [copy.acted for copy in made] == actions.T.tolist()


def test_scores_are_raw_and_rewards_clipped() -> None:
    maker, _ = one_after_another([(4, END)])
    copies = make(maker, 1, protocol=Protocol.plain(clip_rewards=True))
    copies.reset(seed=0)
    steps = [copies.step(np.ones(1, dtype=np.int64)) for _ in range(4)]
    assert [float(step.rewards[0]) for step in steps] == [1.0] * 4
    assert steps[-1].finished == [(8.0, 4, 0)]


def test_arrays_are_not_written_again() -> None:
    maker, _ = one_after_another([(3, CUT)])
    copies = make(maker, 1)
    seen = [copies.reset(seed=0)]
    seen += [copies.step(zeros(1)).observations for _ in range(3)]
    np.testing.assert_array_equal(np.array(seen)[:, 0, 1], [0, 1, 2, 0])


def test_a_reset_forgets_unfinished_scores() -> None:
    maker, _ = one_after_another([(3, END)])
    copies = make(maker, 1)
    for _ in range(2):
        copies.reset(seed=0)
        steps = [copies.step(zeros(1)) for _ in range(2)]
        assert not any(step.finished for step in steps)
    assert copies.step(zeros(1)).finished == [(3.0, 3, 0)]


Scripts = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from([END, CUT, BOTH])), min_size=1
)


@given(st.lists(Scripts, min_size=1, max_size=3), st.integers(0, 100))
def test_several_copies_are_as_one_after_another(scripts: Any, seed: int) -> None:
    maker, _ = one_after_another(*scripts)
    copies = make(maker, len(scripts))
    copies.reset(seed)
    actions = np.random.default_rng(seed).integers(0, 2, (12, len(scripts)))
    steps = [copies.step(row) for row in actions]
    for i, script in enumerate(scripts):
        alone, score, length = Scripted(script), 0.0, 0
        alone.reset()
        for step, action in zip(steps, actions[:, i], strict=True):
            seen, reward, ended, cut, _ = alone.step(action)
            score, length = score + reward, length + 1
            mine = [game[:2] for game in step.finished if game.copy == i]
            assert mine == ([(score, length)] if ended or cut else [])
            assert (step.terminated[i], step.truncated[i]) == (ended, cut > ended)
            if cut and not ended:
                assert step.final_observations is not None
                np.testing.assert_array_equal(step.final_observations[i], seen)
            if ended or cut:
                seen, score, length = alone.reset()[0], 0.0, 0
            np.testing.assert_array_equal(step.observations[i], seen)
            assert step.rewards[i] == reward


def test_actions_may_begin_elsewhere() -> None:
    made: list[Scripted] = []

    def shifted() -> Scripted:
        made.append(Scripted([(9, END)], actions=Discrete(3, start=-1)))
        return made[-1]

    copies = make(shifted, 1)
    copies.reset(seed=0)
    for action in range(copies.n_actions):
        copies.step(np.array([action]))
    assert made[0].acted == [-1, 0, 1]


def test_pictures_stay_bytes() -> None:
    spec = spec_of(Screens)
    copies = make(Screens, 2)
    assert (spec.kind, spec.observation_dtype) == ("image", "uint8")
    assert copies.reset(seed=0).shape == (2, 24, 20, 3)
    assert copies.step(zeros(2)).observations.dtype == np.uint8


def test_a_spec_travels_as_json_and_as_pickle() -> None:
    spec = spec_of("CartPole-v1")
    assert EnvironmentSpec.from_dict(spec.to_dict()) == spec
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert spec.describe() == "CartPole-v1: environment as it is"


def test_a_function_is_named_as_such() -> None:
    maker, made = one_after_another([(1, END)])
    assert spec_of(maker).name == "make_scripted()"
    assert all(copy.closed for copy in made)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CartPole", "'CartPole-v1'"),
        ("Cartpole-v9", "'CartPole-v1'"),
        ("Pong", "'ALE/Pong-v5'"),
        ("Pong-v5", "'ALE/Pong-v5'"),
        ("ALE/SpaceInvader-v5", "'ALE/SpaceInvaders-v5'"),
        ("BreakoutNoFrameskip-v5", "'ALE/Breakout-v5'"),
        ("xyzzy", "pprint_registry"),
        ("", "pprint_registry"),
    ],
)
def test_an_unknown_name_has_a_suggestion(name: str, advice: str) -> None:
    with pytest.raises(ValueError, match="there is no environment") as caught:
        spec_of(name)
    assert advice in str(caught.value)


def with_spaces(seen: Any, done: Any) -> Any:
    def maker() -> Any:
        env = Scripted([(1, END)])
        env.observation_space, env.action_space = seen, done
        return env

    return maker


LINE = Box(0.0, 1.0, (3,))


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ("Pendulum-v1", "actions of this environment are continuous"),
        (with_spaces(LINE, MultiDiscrete([2, 2])), "actions .* are of several parts"),
        (with_spaces(Discrete(4), Discrete(2)), "FlattenObservation"),
        (with_spaces(Dict({"x": LINE}), Discrete(2)), "FlattenObservation"),
        (with_spaces(Box(0, 1, (3, 3)), Discrete(2)), "neither|see vectors"),
        (with_spaces(Box(0, 1, (9, 9, 3)), Discrete(2)), "type uint8"),
    ],
)
def test_what_an_agent_cannot_play(env: Any, message: str) -> None:
    for look in (spec_of, lambda env: make(env, 1)):
        with pytest.raises(ValueError, match=message):
            look(env)


def test_refused_copies_are_closed() -> None:
    made: list[Scripted] = []

    def failing() -> Scripted:
        if len(made) == 2:
            raise OSError("no more")
        made.append(Scripted([(1, END)]))
        return made[-1]

    with pytest.raises(OSError, match="no more"):
        make(failing, 3)
    assert [copy.closed for copy in made] == [True, True]


def test_wrong_arguments() -> None:
    wrong: Any = 3
    with pytest.raises(TypeError, match="env is 3"):
        make(wrong, 1)
    with pytest.raises(TypeError, match=r"list\(\) made list"):
        make(list, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one copy"):
        make("CartPole-v1", 0)
    with pytest.raises(ValueError, match="only clip_rewards applies"):
        make("CartPole-v1", 1, protocol=Protocol())


def test_a_name_with_a_module_imports_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_small_games.py").write_text(
        "import gymnasium\n"
        "from scripted_games import Scripted\n"
        "gymnasium.register('Mine-v0', lambda **_: Scripted([(2, 'end')]))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert spec_of("my_small_games:Mine-v0").observation_shape == (2,)
    finally:
        gymnasium.registry.pop("Mine-v0", None)


@pytest.mark.parametrize("name", ["nomod:Foo-v0", "no.mod:Foo-v0", ".mod:Foo-v0"])
def test_a_module_that_is_not_there(name: str) -> None:
    module = name.partition(":")[0]
    with pytest.raises(ImportError, match=rf"'{name}' asks for the module '{module}'"):
        spec_of(name)
