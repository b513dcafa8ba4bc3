"""Why a gradient must belong to one theta: three ways to learn from what was acted.

Two lock-free threads learn Pong with rollouts of five and RMSProp. They differ in what
their gradients are made of:

copy
    As `dpsvi.rl` does: act and differentiate on a copy of the shared weights, and do
    the forward pass anew.
reuse-copy
    Act on a copy as well, but differentiate through the activations that were saved
    while acting. Everything belongs to one theta still.
reuse-shared
    Act on the shared weights themselves and differentiate through the activations that
    were saved: those were computed with weights that the other thread has changed
    since, and the chain rule multiplies them with the new ones.

    python benchmarks/one_theta.py --steps 80000 --seeds 2

Prints Markdown: share of live units, entropy and value at the end. Needs the extra
``rl``.
"""

from __future__ import annotations

import threading
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from dpsvi.rl.environments import make, spec_of
from dpsvi.rl.liveness import live_units
from dpsvi.rl.losses import LossConstants, loss_gradient
from dpsvi.rl.networks import bind, network_for, vector_of
from dpsvi.rl.optimisers import (
    OptimiserSettings,
    clip_by_norm,
    make_optimiser,
    new_state,
)
from dpsvi.rl.returns import generalised_advantages

KINDS = ("copy", "reuse-copy", "reuse-shared")
COPIES, LENGTH, RATE = 8, 5, 7e-4


class PlainNetwork(nn.Module):
    """The network of Mnih et al. (2013) on bytes divided by 255, as is usual."""

    def __init__(self, n_actions: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(4, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(2592, 256), nn.ReLU()),
        )
        self.policy, self.value = nn.Linear(256, n_actions), nn.Linear(256, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                nn.init.orthogonal_(layer.weight, 2.0**0.5)
                nn.init.zeros_(layer.bias)
        nn.init.orthogonal_(self.policy.weight, 0.01)

    def forward(self, screens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and values."""
        features = self.body(screens.float() / 255)
        return self.policy(features), self.value(features).squeeze(-1)


class Shared:
    """Weights and statistics of all threads, and how far they are."""

    def __init__(self, env: str, seed: int, *, plain: bool) -> None:
        self.env, self.spec = env, spec_of(env)
        torch.manual_seed(seed)
        self.made = PlainNetwork if plain else None
        self.weights = vector_of(self.network(seed))
        # As Stable-Baselines3 and TensorFlow start it.
        self.statistics = new_state(OptimiserSettings(), self.weights.size)
        self.steps = 0

    def network(self, seed: int = 0) -> nn.Module:
        """A network like that of all others."""
        made = self.made
        if made is None:
            return network_for(self.spec, seed=seed)
        return network_for(self.spec, lambda spec: made(spec.n_actions), seed=seed)


class Actor:
    """One thread: acts, differentiates, writes."""

    def __init__(self, shared: Shared, kind: str, seed: int) -> None:
        self.shared, self.kind = shared, kind
        self.environments = make(shared.env, COPIES)
        self.now = self.environments.reset(seed)
        self.network = shared.network()
        self.theta = shared.weights
        if kind != "reuse-shared":
            self.theta = np.empty_like(shared.weights)
        bind(self.network, self.theta)
        self.optimiser = make_optimiser(OptimiserSettings(), shared.statistics)
        self.generator = torch.Generator().manual_seed(seed)
        self.seen = (float("nan"),) * 3

    def update(self, count: int) -> None:
        """One rollout, one gradient, one write."""
        shared = self.shared
        if self.kind != "reuse-shared":
            np.copyto(self.theta, shared.weights)
        reused = self.kind != "copy"
        screens: list[Tensor] = []
        outputs: list[tuple[Tensor, Tensor]] = []
        actions: list[Tensor] = []
        rewards, ends = np.zeros((2, LENGTH, COPIES), np.float32)
        with torch.set_grad_enabled(reused):
            for step in range(LENGTH):
                screens.append(torch.from_numpy(self.now.copy()))
                outputs.append(self.network(screens[-1]))
                probabilities = outputs[-1][0].detach().softmax(-1)
                chosen = torch.multinomial(probabilities, 1, generator=self.generator)
                actions.append(chosen.squeeze(1))
                result = self.environments.step(actions[-1].numpy())
                rewards[step], ends[step] = result.rewards, result.terminated
                self.now = result.observations
        with torch.no_grad():
            last = self.network(torch.from_numpy(self.now))[1]
        values = torch.stack([value.detach() for _, value in outputs] + [last])
        nothing = np.zeros((LENGTH, COPIES), bool)
        targets = generalised_advantages(
            *(rewards, values.numpy(), ends.astype(bool), nothing),
            *(np.zeros_like(rewards), 0.99, 1.0),
        )
        if not reused:
            outputs = [self.network(torch.cat(screens))]
        self._differentiate(outputs, torch.cat(actions), targets, count)

    def _differentiate(
        self,
        outputs: list[tuple[Tensor, Tensor]],
        actions: Tensor,
        targets: Any,
        n: int,
    ) -> None:
        logits = torch.cat([pair[0] for pair in outputs])
        values = torch.cat([pair[1] for pair in outputs])
        numbers = actions.numpy()
        samples = (numbers, *(part.ravel() for part in targets), np.zeros(len(numbers)))
        slopes = loss_gradient(
            *(logits.detach().numpy(), values.detach().numpy()),
            *(samples, LossConstants(entropy=0.01, value=0.25)),
        )
        self.network.zero_grad()
        torch.autograd.backward(
            [logits, values],
            [torch.from_numpy(slopes.logits), torch.from_numpy(slopes.values)],
        )
        parts = [
            p.grad.flatten() for p in self.network.parameters() if p.grad is not None
        ]
        gradient = torch.cat(parts).numpy()
        clip_by_norm(gradient, 0.5)
        self.optimiser.step(self.shared.weights, gradient, RATE, n)
        if n % 20 == 0:
            with torch.no_grad(), live_units(self.network) as units:
                self.network(torch.from_numpy(self.now))
            self.seen = (
                units.share,
                slopes.entropy,
                values.detach().mean().item(),
            )


def learn(env: str, kind: str, seed: int, steps: int, *, plain: bool) -> Shared:
    """Run two threads until so many agent steps are done; return what they share."""
    torch.set_num_threads(1)
    shared = Shared(env, seed, plain=plain)
    actors = [Actor(shared, kind, 1000 * seed + thread) for thread in range(2)]

    def run(actor: Actor) -> None:
        count = 0
        while shared.steps < steps:
            count += 1
            actor.update(count)
            shared.steps += LENGTH * COPIES

    threads = [threading.Thread(target=run, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = np.nanmean([actor.seen for actor in actors], axis=0)
    network = "bytes / 255" if plain else "standardised"
    click.echo(
        f"| {kind} | {network} | {seed} | {shared.steps:,} | {found[0]:.2f} "
        f"| {found[1]:.2f} | {found[2]:.2f} |"
    )
    return shared


@click.command()
@click.option("--env", default="ALE/Pong-v5", show_default=True)
@click.option("--steps", default=80_000, show_default=True)
@click.option("--seeds", default=2, show_default=True)
@click.option("--kinds", default=",".join(KINDS), show_default=True)
@click.option("--plain/--standardised", default=True, show_default=True)
def main(env: str, steps: int, seeds: int, kinds: str, plain: bool) -> None:
    """Print a row per run."""
    click.echo(
        "| gradient | screens | seed | agent steps | live units | entropy | value |\n"
        "|---|---|---:|---:|---:|---:|---:|"
    )
    for seed in range(seeds):
        for kind in kinds.split(","):
            learn(env, kind, seed, steps, plain=plain)


if __name__ == "__main__":
    main()
