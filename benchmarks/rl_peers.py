"""Actor-critics of others, set up for Atari as their authors do it."""

from __future__ import annotations

from typing import Any


def copies_of(env: str, n_copies: int, seed: int) -> Any:
    """Environments of Stable-Baselines3, which CleanRL takes too: four screens each."""
    import ale_py
    import gymnasium
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    # Its wrapper skips frames itself, and expects games that do not.
    plain = {"frameskip": 1, "repeat_action_probability": 0.0}
    copies = make_atari_env(env, n_envs=n_copies, seed=seed, env_kwargs=plain)
    return VecFrameStack(copies, n_stack=4)


def body() -> Any:
    """The network of Mnih et al. (2013), without its heads."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(4, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(2592, 256), nn.ReLU()),
    )


def stable_baselines(env: str, seed: int) -> Any:
    """A2C of Stable-Baselines3 with its published settings for Atari.

    16 environments, rollouts of 5, RMSProp as in TensorFlow at 7e-4; the network of
    Mnih et al. (2013) instead of its own, which is twice as large.
    """
    from stable_baselines3 import A2C
    from stable_baselines3.common.sb2_compat.rmsprop_tf_like import RMSpropTFLike
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class Body(BaseFeaturesExtractor):
        def __init__(self, space: Any) -> None:
            super().__init__(space, 256)
            self.body = body()

        def forward(self, seen: Any) -> Any:
            return self.body(seen)

    policy = {
        "features_extractor_class": Body,
        "optimizer_class": RMSpropTFLike,
        "optimizer_kwargs": {"eps": 1e-5},
    }
    return A2C(
        "CnnPolicy",
        copies_of(env, 16, seed),
        ent_coef=0.01,
        vf_coef=0.25,
        policy_kwargs=policy,
        seed=seed,
    )
