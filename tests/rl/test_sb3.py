"""Our agents under Stable-Baselines3."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from test_networks import SCREENS, VECTOR

from dpsvi.rl.environments import spec_of
from dpsvi.rl.evaluation import evaluate
from dpsvi.rl.policy import Policy
from dpsvi.rl.sb3 import ForStableBaselines


def test_single_observations_and_batches() -> None:
    model = ForStableBaselines(Policy.untrained(VECTOR))
    batch, memory = model.predict(np.zeros((2, 3)), deterministic=True)
    single, _ = model.predict(np.zeros(3), state=("kept",), deterministic=True)
    assert (batch.shape, single.shape, memory) == ((2,), (), None)
    assert model.predict(np.zeros((1, 3)), ("kept",))[1] == ("kept",)
    assert single == batch[0]


def test_screens_with_channels_last() -> None:
    policy = Policy.untrained(SCREENS)
    screens = np.random.default_rng(0).integers(0, 256, (8, 4, 84, 84), dtype=np.uint8)
    turned = np.moveaxis(screens, 1, -1)
    wanted = policy.act(screens, deterministic=True)
    assert len(set(wanted.tolist())) > 1
    actions, _ = ForStableBaselines(policy).predict(turned, deterministic=True)
    np.testing.assert_array_equal(actions, wanted)


def test_random_actions_follow_the_seed() -> None:
    policy = Policy.untrained(VECTOR)
    drawn = [
        ForStableBaselines(policy, seed=s).predict(np.zeros((50, 3)))[0] for s in (1, 1)
    ]
    np.testing.assert_array_equal(*drawn)
    assert len(set(drawn[0].tolist())) == 2


def theirs() -> Any:
    pytest.importorskip("stable_baselines3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from stable_baselines3.common import env_util, evaluation, vec_env

        return env_util, evaluation, vec_env


def test_their_evaluation_agrees_with_ours() -> None:
    env_util, evaluation, _ = theirs()
    policy = Policy.untrained(spec_of("CartPole-v1"))
    copies = env_util.make_vec_env("CartPole-v1", n_envs=4, seed=0)
    mean, _ = evaluation.evaluate_policy(
        ForStableBaselines(policy, seed=0), copies, 200, deterministic=False
    )
    ours = evaluate(policy, episodes=200)
    assert abs(mean - ours.mean) < 5 * ours.std / np.sqrt(100)


def test_their_atari_recipe() -> None:
    env_util, evaluation, vec_env = theirs()
    policy = Policy.untrained(spec_of("ALE/Pong-v5"))
    copies = vec_env.VecFrameStack(
        env_util.make_atari_env("PongNoFrameskip-v4", n_envs=2, seed=0), n_stack=4
    )
    lengths: list[int] = []

    def stop_early(local: dict[str, Any], _: Any) -> None:
        lengths.append(len(local["actions"]))
        if len(lengths) > 40:
            raise StopIteration

    with pytest.raises(StopIteration):
        evaluation.evaluate_policy(
            ForStableBaselines(policy), copies, 2, callback=stop_early
        )
    copies.close()
    assert set(lengths) == {2}
