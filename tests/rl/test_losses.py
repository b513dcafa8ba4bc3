"""The actor-critic loss: its parts, its gradient, and what is read off a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dpsvi.rl.losses import actor_critic_loss, live_units, normalised  # noqa: E402

COEFFICIENTS = {"entropy_coefficient": 0.02, "value_coefficient": 0.3}


def sample(n: int = 5, n_actions: int = 3) -> list[Any]:
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Any:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    actions = torch.randint(n_actions, (n,), generator=generator)
    return [normal(n, n_actions), normal(n), actions, normal(n), normal(n)]


def reference(logits: Any, V: Any, a: Any, A: Any, R: Any) -> float:
    """Minus what Alg. 9 lines 21-22 climb, sample by sample."""
    total = 0.0
    for i in range(len(a)):
        pi = [math.exp(x) for x in logits[i]]
        pi = [x / sum(pi) for x in pi]
        H = -sum(x * math.log(x) for x in pi)
        total -= math.log(pi[a[i]]) * A[i] + 0.02 * H
        total += 0.3 * 0.5 * (R[i] - V[i]) ** 2
    return total / len(a)


def test_the_loss_is_that_of_the_paper() -> None:
    given = sample()
    loss = actor_critic_loss(*given, **COEFFICIENTS)
    expected = reference(*[x.numpy() for x in given])
    assert float(loss.total) == pytest.approx(expected, abs=1e-12)


def test_the_gradient_agrees_with_finite_differences() -> None:
    # Through a network, with respect to its parameters.
    torch.manual_seed(1)
    body = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh()).double()
    policy, value = torch.nn.Linear(6, 3).double(), torch.nn.Linear(6, 1).double()
    seen = torch.randn(5, 4, dtype=torch.float64)
    _, _, actions, advantages, returns = sample()

    def loss() -> Any:
        h = body(seen)
        return actor_critic_loss(
            policy(h),
            value(h).squeeze(-1),
            actions,
            advantages,
            returns,
            **COEFFICIENTS,
        ).total

    weights = [*body.parameters(), *policy.parameters(), *value.parameters()]
    gradients = torch.autograd.grad(loss(), weights)
    step = 1e-6
    for weight, gradient in zip(weights, gradients, strict=True):
        flat, slope = weight.data.view(-1), gradient.view(-1)
        for i in range(len(flat)):
            at = float(flat[i])
            flat[i] = at + step
            above = loss().item()
            flat[i] = at - step
            below = loss().item()
            flat[i] = at
            assert float(slope[i]) == pytest.approx(
                (above - below) / (2 * step), abs=1e-7
            )


def test_advantages_and_returns_are_constants() -> None:
    logits, values, actions, advantages, returns = sample()
    values.requires_grad_()
    loss = actor_critic_loss(
        logits, values, actions, advantages, returns, **COEFFICIENTS
    )
    (gradient,) = torch.autograd.grad(loss.total, values)
    expected = 0.3 * (values.detach() - returns) / len(returns)
    np.testing.assert_allclose(gradient.numpy(), expected.numpy(), atol=1e-12)


def test_normalised_advantages() -> None:
    scaled = normalised(torch.tensor([1.0, 2.0, 6.0]))
    assert float(scaled.mean()) == pytest.approx(0.0, abs=1e-6)
    assert float(scaled.std(correction=0)) == pytest.approx(1.0, abs=1e-6)
    # All alike says nothing, and is no division by zero.
    assert normalised(torch.full((4,), 3.0)).tolist() == [0.0] * 4


def test_live_units_are_counted() -> None:
    layer = torch.nn.Linear(1, 4, bias=False)
    network = torch.nn.Sequential(layer, torch.nn.ReLU())
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0], [2.0]]))
        with live_units(network) as units:
            network(torch.ones(3, 1))
        # The second unit reacts to the second sample alone.
        with live_units(network) as more:
            network(torch.tensor([[1.0], [-1.0]]))
        network(torch.ones(3, 1))
    assert units.share == 0.5
    assert more.share == 0.75


def test_a_small_layer_that_dies_is_not_hidden_by_large_ones() -> None:
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 9, 100),
        torch.nn.ReLU(),
    )
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[0].bias.copy_(torch.tensor([1.0, -5.0, -5.0, -5.0]))
        network[3].bias.fill_(100.0)
        with live_units(network) as units:
            network(torch.ones(2, 1, 3, 3))
    # One filter of four, whatever the hundred units of the other layer do.
    assert units.share == 0.25


def test_a_network_without_rectified_units_has_no_share() -> None:
    with live_units(torch.nn.Tanh()) as units:
        pass
    assert math.isnan(units.share)
