"""Agent steps a second while learning an Atari game, beside other actor-critics.

Every system learns in a process of its own, in turn, several times over; its first
seconds do not count. All have the network of Mnih et al. (2013) and the same rules:
no-op starts, frame skip 4, clipped rewards, a lost life ends an episode. Prints
Markdown: medians, the span, and the ratio to Stable-Baselines3 in the same minutes.

    python benchmarks/rl_speed.py --seconds 60 --rounds 3

Needs ``stable-baselines3[extra]`` and OpenCV for the rows of others.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
from rl_peers import body, stable_baselines

# Seconds that do not count: environments are being made, caches filled.
WARM_UP = 10.0


class Speedometer:
    """Counts agent steps after the warm-up."""

    def __init__(self, seconds: float) -> None:
        self.end = WARM_UP + seconds
        self.begun: float | None = None
        self.first: tuple[float, int] | None = None
        self.last = (0.0, 0)

    def over(self, steps: int) -> bool:
        """Look at the clock; whether it is time to stop."""
        if self.begun is None:
            self.begun = time.perf_counter()
        now = time.perf_counter() - self.begun
        if now >= WARM_UP and self.first is None:
            self.first = (now, steps)
        self.last = (now, steps)
        return now >= self.end

    @property
    def rate(self) -> float:
        """Steps a second."""
        if self.first is None:
            raise RuntimeError("the run has ended while it was warming up")
        return (self.last[1] - self.first[1]) / (self.last[0] - self.first[0])


def ours(meter: Speedometer, env: str, **options: Any) -> None:
    """Train with `dpsvi.rl`."""
    from dpsvi import rl

    with tempfile.TemporaryDirectory() as folder:
        rl.train(
            env,
            total_steps=10**9,
            callbacks=[lambda progress: meter.over(progress.steps)],
            log_dir=folder,
            progress=False,
            seed=0,
            **options,
        )


def on_dask(meter: Speedometer, env: str) -> None:
    """Two workers of one thread each."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made,
        Client(made) as client,
    ):
        ours(meter, env, client=client)


def emulation(meter: Speedometer, env: str) -> None:
    """Random actions in two threads, nothing learned: what is left at best."""
    import threading

    from dpsvi.rl.environments import make, spec_of

    n_actions = spec_of(env).n_actions
    done = [0, 0]
    stop = threading.Event()

    def play(thread: int) -> None:
        environments = make(env, 8)
        rng = np.random.default_rng(thread)
        environments.reset(thread)
        while not stop.is_set():
            environments.step(rng.integers(n_actions, size=8))
            done[thread] += 8
        environments.close()

    threads = [threading.Thread(target=play, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    while not meter.over(sum(done)):
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()


def on_stable_baselines(meter: Speedometer, env: str) -> None:
    """A2C of Stable-Baselines3."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Clock(BaseCallback):
        def _on_step(self) -> bool:
            return not meter.over(self.num_timesteps)

    stable_baselines(env, seed=0).learn(10**9, callback=Clock())


def single_file(meter: Speedometer, env: str) -> None:
    """A2C in one loop, in the style of CleanRL: Gymnasium's wrappers, 16 copies."""
    import ale_py
    import gymnasium as gym
    import torch
    from gymnasium import wrappers
    from torch import nn

    gym.register_envs(ale_py)

    def make() -> Any:
        made = gym.make(env, frameskip=1, repeat_action_probability=0.0)
        made = wrappers.AtariPreprocessing(made, terminal_on_life_loss=True)
        made = wrappers.TransformReward(made, np.sign)
        return wrappers.FrameStackObservation(made, 4)

    envs = gym.vector.SyncVectorEnv([make] * 16)
    n_actions = int(envs.single_action_space.n)
    core, policy, value = body(), nn.Linear(256, n_actions), nn.Linear(256, 1)
    weights = [*core.parameters(), *policy.parameters(), *value.parameters()]
    optimiser = torch.optim.RMSprop(weights, lr=7e-4, eps=1e-5)
    seen, _ = envs.reset(seed=0)
    steps, over = 0, False
    while not over:
        logs, values, entropies, rewards, ends = [], [], [], [], []
        for _ in range(5):
            hidden = core(torch.as_tensor(seen, dtype=torch.float32) / 255.0)
            chosen = torch.distributions.Categorical(logits=policy(hidden))
            actions = chosen.sample()
            seen, reward, terminated, truncated, _ = envs.step(actions.numpy())
            logs.append(chosen.log_prob(actions))
            entropies.append(chosen.entropy())
            values.append(value(hidden).squeeze(-1))
            rewards.append(torch.as_tensor(reward, dtype=torch.float32))
            ends.append(torch.as_tensor(terminated | truncated, dtype=torch.float32))
            steps += 16
        with torch.no_grad():
            hidden = core(torch.as_tensor(seen, dtype=torch.float32) / 255.0)
            following = value(hidden).squeeze(-1)
        returns = []
        for reward, end in zip(reversed(rewards), reversed(ends), strict=True):
            following = reward + 0.99 * (1.0 - end) * following
            returns.append(following)
        advantages = torch.stack(returns[::-1]) - torch.stack(values)
        loss = -(torch.stack(logs) * advantages.detach()).mean()
        loss = loss + 0.25 * advantages.square().mean()
        loss = loss - 0.01 * torch.stack(entropies).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 0.5)
        optimiser.step()
        over = meter.over(steps)


SYSTEMS: dict[str, Callable[[Speedometer, str], None]] = {
    "dpsvi, two threads": lambda meter, env: ours(meter, env, n_threads=2),
    "dpsvi, one thread": lambda meter, env: ours(meter, env, n_threads=1),
    "dpsvi, two Dask workers": on_dask,
    "Stable-Baselines3 A2C": on_stable_baselines,
    "A2C in one file": single_file,
    "emulation alone": emulation,
}
BASELINE = "Stable-Baselines3 A2C"


@click.command()
@click.option("--env", default="ALE/Pong-v5", show_default=True)
@click.option("--seconds", default=60.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(list(SYSTEMS)))
@click.option("--measure", type=click.Choice(list(SYSTEMS)), hidden=True)
def main(
    env: str, seconds: float, rounds: int, only: tuple[str, ...], measure: str | None
) -> None:
    """Race in turns; print a table."""
    if measure is not None:
        meter = Speedometer(seconds)
        SYSTEMS[measure](meter, env)
        click.echo(json.dumps(meter.rate))
        return
    found: dict[str, list[float]] = {name: [] for name in only or SYSTEMS}
    for _ in range(rounds):
        for name, rates in found.items():
            command = [sys.executable, __file__, "--env", env, "--measure", name]
            done = subprocess.run(
                [*command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True
            )
            if done.returncode == 0:
                rates.append(json.loads(done.stdout.splitlines()[-1]))
    show(found)


def show(found: dict[str, list[float]]) -> None:
    """Print medians, spans, and ratios to the baseline of the same round."""
    click.echo("| system | agent steps/s | from-to | ratio |\n|---|---|---|---|")
    base = found.get(BASELINE, [])
    for name, rates in found.items():
        if not rates:
            click.echo(f"| {name} | failed | | |")
            continue
        pairs = zip(rates, base, strict=False)
        ratios = [rate / other for rate, other in pairs]
        ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
        middle = statistics.median(rates)
        span = f"{min(rates):,.0f}-{max(rates):,.0f}"
        click.echo(f"| {name} | {middle:,.0f} | {span} | {ratio} |")


if __name__ == "__main__":
    main()
