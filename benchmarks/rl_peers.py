"""Actor-critics of others, set up for Atari as their authors do it."""

from __future__ import annotations

from collections.abc import Callable
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


def one_loop_ppo(
    env: str, seed: int, watch: Callable[[int, list[float]], bool], n_steps: int = 128
) -> None:
    """PPO in one loop with the published settings of CleanRL for Atari.

    8 environments, rollouts of 128, four passes over four mini-batches, ratios clipped
    at 0.1, Adam at 2.5e-4 falling to 0 over ten million steps, lambda 0.95; the network
    of Mnih et al. (2013) instead of its own, which is twice as large. `watch` gets
    agent steps and the raw scores of games that have ended, and says when to stop.
    """
    import numpy as np
    import torch
    from torch import nn

    torch.manual_seed(seed)
    shuffle = np.random.default_rng(seed)
    envs = copies_of(env, 8, seed)
    core, value = body(), nn.Linear(256, 1)
    policy = nn.Linear(256, int(envs.action_space.n))
    for layers, gain in ((core, 2.0**0.5), ([policy], 0.01), ([value], 1.0)):
        for layer in layers:
            if hasattr(layer, "weight"):
                nn.init.orthogonal_(layer.weight, gain)
                nn.init.zeros_(layer.bias)
    weights = [*core.parameters(), *policy.parameters(), *value.parameters()]
    optimiser = torch.optim.Adam(weights, lr=2.5e-4, eps=1e-5)

    def look(screens: Any) -> tuple[Any, Any]:
        """Policy and values at screens of shape (n, 84, 84, 4), bytes."""
        hidden = core(screens.permute(0, 3, 1, 2).float() / 255.0)
        logits = policy(hidden)
        return torch.distributions.Categorical(logits=logits), value(hidden).squeeze(-1)

    shape = (n_steps, 8)
    screens = torch.zeros((*shape, *envs.observation_space.shape), dtype=torch.uint8)
    actions = torch.zeros(shape, dtype=torch.long)
    logs, rewards, values, ends, advantages = torch.zeros((5, *shape))
    seen, done, steps, over = torch.as_tensor(envs.reset()), torch.zeros(8), 0, False
    while not over:
        optimiser.param_groups[0]["lr"] = 2.5e-4 * max(0.0, 1.0 - steps / 1e7)
        scores = []
        for t in range(n_steps):
            screens[t], ends[t] = seen, done
            with torch.no_grad():
                chosen, values[t] = look(seen)
                actions[t] = chosen.sample()
                logs[t] = chosen.log_prob(actions[t])
            following, reward, ended, infos = envs.step(actions[t].numpy())
            rewards[t] = torch.as_tensor(reward)
            seen = torch.as_tensor(following)
            done = torch.as_tensor(ended, dtype=torch.float32)
            scores += [info["episode"]["r"] for info in infos if "episode" in info]
            steps += 8
        with torch.no_grad():
            after = look(seen)[1]
        ended_after, gone = done, torch.zeros(8)
        for t in reversed(range(n_steps)):
            goes_on = 1.0 - ended_after
            surprise = rewards[t] + 0.99 * after * goes_on - values[t]
            gone = surprise + 0.99 * 0.95 * goes_on * gone
            advantages[t] = gone
            after, ended_after = values[t], ends[t]
        returns = advantages + values
        tables = (screens, actions, logs, values, advantages, returns)
        flat = [table.flatten(0, 1) for table in tables]
        for _ in range(4):
            for rows in np.split(shuffle.permutation(n_steps * 8), 4):
                some, taken, old, before, gain, target = (x[rows] for x in flat)
                now, worth = look(some)
                ratio = (now.log_prob(taken) - old).exp()
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                clipped = ratio.clamp(0.9, 1.1)
                near = before + (worth - before).clamp(-0.1, 0.1)
                wrong = torch.max((worth - target) ** 2, (near - target) ** 2)
                loss = -torch.min(gain * ratio, gain * clipped).mean()
                loss = loss + 0.25 * wrong.mean() - 0.01 * now.entropy().mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(weights, 0.5)
                optimiser.step()
        over = watch(steps, scores)
