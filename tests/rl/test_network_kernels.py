"""The kernels of the network for screens, against plain NumPy and torch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.nn.utils import parametrize

from dpsvi.rl.drawing import draw
from dpsvi.rl.learning import Answers, Learner
from dpsvi.rl.looking import Looker
from dpsvi.rl.losses import LossConstants, loss_gradient
from dpsvi.rl.networks import MnihNetwork, bind, vector_of
from dpsvi.rl.rollout import Samples

CONSTANTS = LossConstants(entropy=0.02, value=0.4, clip=0.2)
SHAPES = [(4, 84, 84), (3, 96, 80), (1, 20, 20), (2, 27, 45), (40, 36, 3)]


def make_screens(n: int, *shape: int) -> torch.Tensor:
    numbers = np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)
    return torch.from_numpy(numbers)


def make_network(
    shape: tuple[int, ...], seed: int = 0, n_actions: int = 6
) -> MnihNetwork:
    """Weights and biases that matter, in one vector as actors have them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = MnihNetwork(shape, n_actions).eval()
        noise = np.random.default_rng(seed).normal(0, 0.05, len(vector_of(network)))
        bind(network, vector_of(network) + noise.astype(np.float32))
    return network


def looker(network: torch.nn.Module) -> Looker:
    theta = vector_of(network)
    bind(network, theta)
    return Looker(network, theta)


def make_samples(screens: torch.Tensor, n_actions: int = 6) -> Samples:
    """Whatever was seen, done and learned."""
    n, rng = len(screens), np.random.default_rng(1)

    def normal() -> np.ndarray:
        return rng.normal(size=n).astype(np.float32)

    actions = rng.integers(n_actions, size=n)
    return Samples(screens.numpy(), actions, normal(), normal(), -1.8 + 0.1 * normal())


def learned(
    network: MnihNetwork, samples: Samples, *, kernels: bool = True
) -> tuple[np.ndarray, Answers]:
    """The gradient, flat, and what the network said."""
    theta = vector_of(network)
    gradient = np.full_like(theta, np.nan)
    bind(network, theta)
    learner = Learner(network, theta, gradient)
    assert learner._by_kernels or not all(p.requires_grad for p in network.parameters())
    learner._by_kernels &= kernels
    answers = learner(samples, CONSTANTS)
    return gradient, answers


def by_torch(network: MnihNetwork, screens: torch.Tensor) -> Any:
    """The same network on floats, which no kernel touches, in 64 bits."""
    twin = MnihNetwork(tuple(screens.shape[1:]), network.policy.out_features).double()
    twin.load_state_dict(network.state_dict())
    seen = twin.channels_first(screens)
    plain = functional.layer_norm(seen.double(), seen.shape[1:])
    return twin, plain


def plain_convolution(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int
) -> np.ndarray:
    """One filter, one position after another, of one picture."""
    filters, _, size, _ = weight.shape
    rows, columns = ((n - size) // stride + 1 for n in x.shape[1:])
    out = np.empty((filters, rows, columns))
    for f, i, j in itertools.product(range(filters), range(rows), range(columns)):
        y, z = i * stride, j * stride
        out[f, i, j] = (x[:, y : y + size, z : z + size] * weight[f]).sum() + bias[f]
    return np.maximum(out, 0)


def test_looking_is_what_the_reference_has() -> None:
    network, screens = make_network((2, 31, 24)), make_screens(2, 2, 31, 24)
    weights = [p.detach().double().numpy() for p in network.parameters()]
    logits, values = looker(network)(screens.numpy())
    for i, screen in enumerate(screens.double().numpy()):
        x = (screen - screen.mean()) / np.sqrt(screen.var() + 1e-5)
        first = plain_convolution(x, weights[0], weights[1], 4)
        second = plain_convolution(first, weights[2], weights[3], 2)
        units = np.maximum(weights[4] @ second.ravel() + weights[5], 0)
        expected = weights[6] @ units + weights[7]
        np.testing.assert_allclose(logits[i], expected, rtol=1e-4, atol=1e-5)
        value = weights[8][0] @ units + weights[9][0]
        assert values[i] == pytest.approx(value, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_looking_is_the_forward_pass(shape: tuple[int, ...], n: int) -> None:
    network, screens = make_network(shape), make_screens(n, *shape)
    twin, plain = by_torch(network, screens)
    expected = twin.heads(twin.body(plain))
    with torch.no_grad():
        passed = [one.numpy() for one in network(screens)]
    for found in (looker(network)(screens.numpy()), passed):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n", "n_actions"), [(1, 1), (5, 2), (12, 5), (13, 18)])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_torch(
    shape: tuple[int, ...], n: int, n_actions: int
) -> None:
    network = make_network(shape, n_actions=n_actions)
    samples = make_samples(make_screens(n, *shape), n_actions)
    twin, plain = by_torch(network, torch.from_numpy(samples.observations))
    logits, values = twin.heads(twin.body(plain))
    slopes = loss_gradient(
        logits.detach().float().numpy(),
        values.detach().float().numpy(),
        samples[1:],
        CONSTANTS,
    )
    ends = [torch.from_numpy(one).double() for one in slopes[:2]]
    torch.autograd.backward([logits, values], ends)
    expected = [p.grad.numpy() for p in twin.parameters() if p.grad is not None]
    for kernels in (True, False):
        gradient, answers = learned(network, samples, kernels=kernels)
        np.testing.assert_allclose(answers.logits, logits.detach(), 1e-4, 1e-5)
        np.testing.assert_allclose(answers.values, values.detach(), 1e-4, 1e-5)
        assert answers.entropy == pytest.approx(slopes.entropy, rel=1e-4)
        sizes = np.cumsum([part.size for part in expected])
        for one, other in zip(np.split(gradient, sizes[:-1]), expected, strict=True):
            # A policy of one action has nothing to learn.
            scale = np.abs(other).max() or 1.0
            np.testing.assert_allclose(
                one.reshape(other.shape) / scale, other / scale, rtol=1e-3, atol=1e-5
            )


def test_weights_that_do_not_learn_have_no_gradient() -> None:
    network, samples = (
        make_network((1, 20, 20)),
        make_samples(make_screens(2, 1, 20, 20)),
    )
    whole, _ = learned(network, samples)
    network.body[0].requires_grad_(False)
    gradient, _ = learned(network, samples)
    n_first = 16 * 64 + 16
    assert (gradient[:n_first] == 0).all()
    np.testing.assert_allclose(
        gradient[n_first:], whole[n_first:], rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer", range(5))
def test_what_is_not_finite_is_seen_in_the_values(layer: int, value: float) -> None:
    network, screens = make_network((4, 84, 84)), make_screens(3, 4, 84, 84)
    weights = list(network.parameters())[2 * layer if layer < 3 else 8]
    weights.data.view(-1)[0] = value
    _, values = looker(network)(screens.numpy())
    assert not np.isfinite(values).any()
    gradient, answers = learned(network, make_samples(screens))
    assert not np.isfinite(answers.values).any()
    assert not np.isfinite(gradient).all()


def test_twice_the_same_is_bitwise_the_same() -> None:
    network, screens = make_network((4, 84, 84)), make_screens(5, 4, 84, 84)
    look, results = looker(network), []
    for _ in range(2):
        gradient, answers = learned(network, make_samples(screens))
        results.append([gradient, answers.logits, *look(screens.numpy())])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_channels_may_come_last() -> None:
    network, screens = make_network((20, 24, 3)), make_screens(5, 20, 24, 3)
    gradient, _ = learned(network, make_samples(screens))
    other = make_network((3, 20, 24))
    bind(other, vector_of(network))
    swapped = screens.permute(0, 3, 1, 2).contiguous()
    expected, _ = learned(other, make_samples(swapped))
    np.testing.assert_array_equal(gradient, expected)


def test_a_screen_looks_the_same_in_any_company() -> None:
    network, screens = make_network((4, 84, 84)), make_screens(6, 4, 84, 84)
    look = looker(network)
    together = look(screens.numpy())
    alone = [look(screen[None].numpy()) for screen in screens]
    for found, expected in zip(zip(*alone, strict=True), together, strict=True):
        np.testing.assert_array_equal(np.concatenate(found), expected)


def test_a_looker_follows_the_parameters() -> None:
    network, screens = make_network((1, 20, 20)), make_screens(2, 1, 20, 20)
    vector = vector_of(network)
    bind(network, vector)
    look = Looker(network, vector)
    vector *= 0.5
    for one, other in zip(look(screens.numpy()), network(screens), strict=True):
        np.testing.assert_allclose(one, other.detach(), rtol=1e-4, atol=1e-6)


class Shifted(MnihNetwork):
    """Someone's own, which the kernels know nothing of."""

    def features(self, observations: torch.Tensor) -> torch.Tensor:
        return super().features(observations) + 1


def exchanged(network: MnihNetwork) -> None:
    network.body[1] = torch.nn.ELU()


def added(network: MnihNetwork) -> None:
    network.body.append(torch.nn.Tanh())


def another_head(network: MnihNetwork) -> None:
    network.policy = torch.nn.Sequential(network.policy, torch.nn.Tanh())  # type: ignore[assignment]


def watched_head(network: MnihNetwork) -> None:
    network.policy.register_forward_hook(lambda *_: torch.zeros(5, 6))


def watched_body(network: MnihNetwork) -> None:
    network.body.register_forward_hook(lambda _, __, output: 2 * output)


def watched_gradient(network: MnihNetwork) -> None:
    next(network.parameters()).register_hook(lambda gradient: 2 * gradient)


def parametrised(network: MnihNetwork) -> None:
    class Doubled(torch.nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return 2 * weight

    parametrize.register_parametrization(network.body[5], "weight", Doubled())


CHANGES = [
    *(exchanged, added, another_head, watched_head, watched_body),
    *(watched_gradient, parametrised),
]


@pytest.mark.parametrize("change", [*CHANGES, None])
def test_what_the_kernels_do_not_know_is_left_to_torch(change: Any) -> None:
    screens = make_screens(5, 1, 20, 20)
    network = make_network((1, 20, 20))
    if change is None:
        network = Shifted((1, 20, 20), 6)
    else:
        change(network)
    theta = vector_of(network)
    bind(network, theta)
    look = Looker(network, theta)
    assert not look._by_kernels
    for one, other in zip(look(screens.numpy()), network(screens), strict=True):
        np.testing.assert_array_equal(one, other.detach())
    learner = Learner(network, theta, np.empty_like(theta))
    assert not learner._by_kernels
    answers = learner(make_samples(screens), CONSTANTS)
    np.testing.assert_array_equal(answers.logits, network(screens)[0].detach())


class Apart(torch.nn.Module):
    """Policy and value share nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.policy, self.value = torch.nn.Linear(3, 6), torch.nn.Linear(3, 1)

    def forward(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.policy(seen), self.value(seen).squeeze(-1)


def test_a_policy_may_learn_without_its_values() -> None:
    network = Apart()
    network.value.requires_grad_(False)
    seen = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    samples = make_samples(seen)
    theta = vector_of(network)
    bind(network, theta)
    gradient = np.full_like(theta, np.nan)
    Learner(network, theta, gradient)(samples, CONSTANTS)
    slopes = loss_gradient(
        *(one.detach().numpy() for one in network(seen)), samples[1:], CONSTANTS
    )
    expected = slopes.logits.T @ seen.numpy()
    np.testing.assert_allclose(gradient[:18], expected.ravel(), rtol=1e-4, atol=1e-6)
    assert (gradient[-4:] == 0).all()


@pytest.mark.parametrize("shape", [(3, 84, 84), (4, 19, 84), (4, 84, 96)])
def test_screens_that_do_not_fit(shape: tuple[int, ...]) -> None:
    look = looker(make_network((4, 84, 84)))
    with pytest.raises(ValueError, match="another size"):
        look(make_screens(1, *shape).numpy())


@given(
    logits=st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=6),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_actions_are_drawn_from_the_softmax(
    logits: list[float], uniform: float
) -> None:
    row = np.array([logits], dtype=np.float32)
    chances = np.exp(row[0].astype(float) - row.max())
    ends = np.cumsum(chances / chances.sum())
    actions, logs = draw(row, np.array([uniform]))
    action = int(actions[0])
    assert logs[0] == pytest.approx(
        np.log(chances[action] / chances.sum()), rel=1e-4, abs=1e-6
    )
    assert ends[action] >= uniform - 1e-12
    assert ends[action] - chances[action] / chances.sum() <= uniform + 1e-12


@pytest.mark.parametrize(
    ("row", "action"),
    [
        ([np.nan, 0.0], -1),
        ([0.0, np.nan], -1),
        ([np.inf, 0.0], -1),
        ([-np.inf, -np.inf], -1),
        ([-np.inf, 0.0, -np.inf], 1),
    ],
)
def test_logits_that_are_not_finite(row: list[float], action: int) -> None:
    for uniform in (0.0, np.nextafter(1.0, 0.0)):
        actions, _ = draw(np.array([row], dtype=np.float32), np.array([uniform]))
        assert actions == action
