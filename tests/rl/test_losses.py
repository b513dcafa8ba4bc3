"""The actor-critic loss: its gradient, and what is read off a network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dpsvi.rl.liveness import live_units  # noqa: E402
from dpsvi.rl.losses import LossConstants, loss_gradient  # noqa: E402
from dpsvi.rl.returns import normalised  # noqa: E402

CONSTANTS = LossConstants(entropy=0.02, value=0.3)


def sample(n: int = 7, n_actions: int = 3) -> tuple[Any, Any, tuple[Any, ...]]:
    """Logits, values, and the samples."""
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    actions = rng.integers(n_actions, size=n)
    before = -1.0 + 0.3 * normal(n)
    return normal(n, n_actions), normal(n), (actions, normal(n), normal(n), before)


def reference(
    logits: Any, V: Any, samples: tuple[Any, ...], constants: LossConstants
) -> float:
    """Minus what Alg. 9 lines 21-22 climb, sample by sample; with a clip, PPO's."""
    a, A, R, before = (column.tolist() for column in samples)
    total = 0.0
    for i in range(len(a)):
        pi = [math.exp(x) for x in logits[i]]
        pi = [x / sum(pi) for x in pi]
        H = -sum(x * math.log(x) for x in pi)
        if constants.clip < 0:
            total -= math.log(pi[a[i]]) * A[i]
        else:
            r = pi[a[i]] / math.exp(before[i])
            clipped = min(max(r, 1 - constants.clip), 1 + constants.clip)
            total -= min(r * A[i], clipped * A[i])
        total -= constants.entropy * H
        total += constants.value * 0.5 * (R[i] - V[i]) ** 2
    return total / len(a)


def slope(function: Any, at: Any, step: float = 1e-6) -> Any:
    """Central differences."""
    found = np.zeros(at.shape)
    for place in np.ndindex(*at.shape):
        moved = np.zeros(at.shape)
        moved[place] = step
        found[place] = (function(at + moved) - function(at - moved)) / (2 * step)
    return found


@pytest.mark.parametrize("clip", [-1.0, 0.2, 0.01])
def test_the_gradient_is_that_of_the_reference(clip: float) -> None:
    logits, values, samples = sample()
    constants = CONSTANTS._replace(clip=clip)
    found = loss_gradient(logits, values, samples, constants)
    x, v = logits.astype(float), values.astype(float)
    by_logits = slope(lambda at: reference(at, v, samples, constants), x)
    by_values = slope(lambda at: reference(x, at, samples, constants), v)
    np.testing.assert_allclose(found.logits, by_logits, atol=1e-7)
    np.testing.assert_allclose(found.values, by_values, atol=1e-7)
    if clip > 0:
        # Some samples have gone far enough, and others count for more or less.
        free = loss_gradient(logits, values, samples, CONSTANTS)
        assert not np.allclose(found.logits, free.logits)


def test_the_entropy_is_that_of_the_policy() -> None:
    logits, values, samples = sample()
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -(chances * np.log(chances)).sum(axis=1).mean()
    found = loss_gradient(logits, values, samples, CONSTANTS).entropy
    assert found == pytest.approx(expected, rel=1e-6)


def test_an_action_that_is_ruled_out_has_no_gradient() -> None:
    logits, values, samples = sample()
    logits[:, 2] = -np.inf
    samples[0][:] = 0
    found = loss_gradient(logits, values, samples, CONSTANTS)
    assert (found.logits[:, 2] == 0).all()
    fewer = loss_gradient(logits[:, :2], values, samples, CONSTANTS)
    np.testing.assert_allclose(found.logits[:, :2], fewer.logits, atol=1e-7)


@pytest.mark.parametrize("where", ["logits", "values", "advantages", "returns"])
@pytest.mark.parametrize("clip", [-1.0, 0.2])
def test_what_is_not_a_number_is_not_hidden(where: str, clip: float) -> None:
    logits, values, samples = sample()
    named = {"logits": logits[:, 1], "values": values}
    named |= {"advantages": samples[1], "returns": samples[2]}
    named[where][3] = np.nan
    found = loss_gradient(logits, values, samples, CONSTANTS._replace(clip=clip))
    slopes = found.values if where in ("values", "returns") else found.logits
    assert np.isnan(slopes[3]).any()
    assert np.isfinite(np.delete(slopes, 3, axis=0)).all()


def test_normalised_advantages() -> None:
    scaled = normalised(np.array([1.0, 2.0, 6.0]))
    assert scaled.mean() == pytest.approx(0.0, abs=1e-12)
    assert scaled.std() == pytest.approx(1.0, abs=1e-6)
    # All alike says nothing, and is no division by zero, nor by what was rounded.
    for value in (3.0, 0.1, -0.7):
        assert not normalised(np.full((16, 8), value, np.float32)).any()


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
