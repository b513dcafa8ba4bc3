"""PPO as one loop of PyTorch, with the settings that CleanRL publishes for Atari.

8 environments, rollouts of 128 steps, four passes over four mini-batches, ratios
clipped at 0.1, Adam at 2.5e-4 falling to 0 over ten million steps, lambda 0.95. The
network is that of Mnih et al. (2013), as of all systems here, and not its own, which is
twice as wide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from rl_peers import body, copies_of
from torch import nn

COPIES, STEPS, PASSES, BATCHES = 8, 128, 4, 4
RATE, RATE_STEPS, CLIP = 2.5e-4, 1e7, 0.1
DISCOUNT, LAMBDA = 0.99, 0.95


class Agent(nn.Module):
    """Policy and value on one body, with orthogonal weights."""

    def __init__(self, n_actions: int) -> None:
        super().__init__()
        self.body = body()
        self.policy, self.value = nn.Linear(256, n_actions), nn.Linear(256, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                gain = {self.policy: 0.01, self.value: 1.0}.get(layer, 2.0**0.5)
                nn.init.orthogonal_(layer.weight, gain)
                nn.init.zeros_(layer.bias)

    def forward(self, screens: Any) -> tuple[Any, Any]:
        """Distribution of actions, and values, at screens of bytes (n, 84, 84, 4)."""
        hidden = self.body(screens.permute(0, 3, 1, 2).float() / 255.0)
        chosen = torch.distributions.Categorical(logits=self.policy(hidden))
        return chosen, self.value(hidden).squeeze(-1)


class Player:
    """Environments, and the tables of a rollout: a row per step, a column per copy."""

    def __init__(self, env: str, seed: int) -> None:
        self.envs = copies_of(env, COPIES, seed)
        self.n_actions = int(self.envs.action_space.n)
        shape, screen = (STEPS, COPIES), self.envs.observation_space.shape
        self.screens = torch.zeros((*shape, *screen), dtype=torch.uint8)
        self.actions = torch.zeros(shape, dtype=torch.long)
        self.logs, self.rewards, self.values, self.ends = torch.zeros((4, *shape))
        self.seen = torch.as_tensor(self.envs.reset())

    @torch.no_grad()
    def play(self, agent: Agent) -> list[float]:
        """Fill the tables; return the raw scores of games that have ended."""
        scores = []
        for t in range(STEPS):
            self.screens[t] = self.seen
            chosen, self.values[t] = agent(self.seen)
            self.actions[t] = chosen.sample()
            self.logs[t] = chosen.log_prob(self.actions[t])
            seen, rewards, ends, infos = self.envs.step(self.actions[t].numpy())
            self.seen, self.rewards[t] = torch.as_tensor(seen), torch.as_tensor(rewards)
            self.ends[t] = torch.as_tensor(ends, dtype=torch.float32)
            scores += [info["episode"]["r"] for info in infos if "episode" in info]
        return scores

    @torch.no_grad()
    def advantages(self, agent: Agent) -> Any:
        """Generalised advantages of the rollout."""
        found = torch.zeros_like(self.rewards)
        following, gone = agent(self.seen)[1], torch.zeros(COPIES)
        for t in reversed(range(STEPS)):
            goes_on = 1.0 - self.ends[t]
            surprise = self.rewards[t] + DISCOUNT * goes_on * following - self.values[t]
            gone = surprise + DISCOUNT * LAMBDA * goes_on * gone
            found[t], following = gone, self.values[t]
        return found


def loss_of(agent: Agent, batch: list[Any]) -> Any:
    """Clipped surrogate, clipped error of the values, and entropy, of some samples."""
    screens, actions, old, before, gain, target = batch
    chosen, values = agent(screens)
    ratio = (chosen.log_prob(actions) - old).exp()
    gain = (gain - gain.mean()) / (gain.std() + 1e-8)
    won = torch.min(gain * ratio, gain * ratio.clamp(1 - CLIP, 1 + CLIP))
    near = before + (values - before).clamp(-CLIP, CLIP)
    wrong = torch.max((values - target) ** 2, (near - target) ** 2)
    return 0.25 * wrong.mean() - won.mean() - 0.01 * chosen.entropy().mean()


def train(env: str, seed: int, watch: Callable[[int, list[float]], bool]) -> None:
    """Learn until `watch`, given agent steps and scores of games, says to stop."""
    torch.manual_seed(seed)
    shuffle = np.random.default_rng(seed)
    player = Player(env, seed)
    agent = Agent(player.n_actions)
    optimiser = torch.optim.Adam(agent.parameters(), lr=RATE, eps=1e-5)
    steps, over = 0, False
    while not over:
        optimiser.param_groups[0]["lr"] = RATE * max(0.0, 1.0 - steps / RATE_STEPS)
        scores = player.play(agent)
        gains = player.advantages(agent)
        tables = [
            *(player.screens, player.actions, player.logs, player.values),
            *(gains, gains + player.values),
        ]
        flat = [table.flatten(0, 1) for table in tables]
        for _ in range(PASSES):
            for rows in np.split(shuffle.permutation(STEPS * COPIES), BATCHES):
                optimiser.zero_grad()
                loss_of(agent, [table[rows] for table in flat]).backward()
                nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
                optimiser.step()
        steps += STEPS * COPIES
        over = watch(steps, scores)
