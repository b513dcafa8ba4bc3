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

from dpsvi.rl.convolved import convolved
from dpsvi.rl.drawing import draw
from dpsvi.rl.looking import Looker
from dpsvi.rl.losses import live_units
from dpsvi.rl.networks import MnihNetwork, bind, vector_of

SHAPES = [(4, 84, 84), (3, 96, 80), (1, 20, 20), (2, 27, 45), (40, 36, 3)]


def make_screens(n: int, *shape: int) -> torch.Tensor:
    numbers = np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)
    return torch.from_numpy(numbers)


def make_network(shape: tuple[int, ...], seed: int = 0) -> MnihNetwork:
    """Weights and biases that matter, in one vector as actors have them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = MnihNetwork(shape, 6).eval()
        noise = np.random.default_rng(seed).normal(0, 0.05, len(vector_of(network)))
        bind(network, vector_of(network) + noise.astype(np.float32))
    return network


def first_four(network: MnihNetwork) -> list[torch.Tensor]:
    """Weights and biases of the convolutions."""
    return list(network.parameters())[:4]


def by_torch(network: MnihNetwork, screens: torch.Tensor) -> Any:
    """The same network on floats, which no kernel touches, in 64 bits."""
    twin = MnihNetwork(tuple(screens.shape[1:]), 6).double()
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


def test_both_convolutions_are_what_the_reference_has() -> None:
    network, screens = make_network((2, 31, 24)), make_screens(2, 2, 31, 24)
    w1, b1, w2, b2 = first_four(network)
    found = convolved(screens, (w1, b1), (w2, b2)).detach().numpy()
    for screen, row in zip(screens.double().numpy(), found, strict=True):
        x = (screen - screen.mean()) / np.sqrt(screen.var() + 1e-5)
        weights = [p.detach().double().numpy() for p in (w1, b1, w2, b2)]
        first = plain_convolution(x, weights[0], weights[1], 4)
        second = plain_convolution(first, weights[2], weights[3], 2)
        np.testing.assert_allclose(row, second.ravel(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_looking_is_the_forward_pass(shape: tuple[int, ...], n: int) -> None:
    network, screens = make_network(shape), make_screens(n, *shape)
    twin, plain = by_torch(network, screens)
    expected = twin.heads(twin.body(plain))
    with torch.no_grad():
        passed = network(screens)
    for found in (Looker(network)(screens.numpy()), passed):
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one.double(), other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_torch(shape: tuple[int, ...]) -> None:
    network, screens = make_network(shape), make_screens(5, *shape)
    twin, plain = by_torch(network, screens)
    for logits, values in (network(screens), twin.heads(twin.body(plain))):
        (logits.square().sum() + values.sum()).backward()
    for one, other in zip(network.parameters(), twin.parameters(), strict=True):
        assert one.grad is not None
        scale = float(other.grad.abs().max())
        torch.testing.assert_close(
            one.grad.double() / scale, other.grad / scale, rtol=1e-4, atol=1e-5
        )


def test_gradients_are_finite_differences() -> None:
    network, screens = make_network((1, 20, 20)), make_screens(2, 1, 20, 20)
    parameters = first_four(network)

    def total() -> torch.Tensor:
        w1, b1, w2, b2 = parameters
        return convolved(screens, (w1, b1), (w2, b2)).double().square().sum()

    total().backward()
    rng = np.random.default_rng(0)
    for parameter in parameters:
        numbers, gradient = parameter.detach().view(-1), parameter.grad
        assert gradient is not None
        for i in rng.choice(numbers.numel(), 5, replace=False):
            before, ends = float(numbers[i]), []
            for step in (1e-3, -1e-3):
                numbers[i] = before + step
                ends.append(total().item())
            numbers[i] = before
            difference = (ends[0] - ends[1]) / 2e-3
            assert difference == pytest.approx(
                float(gradient.view(-1)[i]), rel=0.02, abs=0.02
            )


def test_only_some_weights_may_learn() -> None:
    network, screens = make_network((1, 20, 20)), make_screens(2, 1, 20, 20)
    network.body[0].requires_grad_(False)
    network(screens)[1].sum().backward()
    assert first_four(network)[0].grad is None
    assert first_four(network)[2].grad is not None


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layer", range(5))
def test_what_is_not_finite_is_seen_in_the_values(layer: int, value: float) -> None:
    network, screens = make_network((4, 84, 84)), make_screens(3, 4, 84, 84)
    weights = list(network.parameters())[2 * layer if layer < 3 else 8]
    weights.data.view(-1)[0] = value
    _, values = Looker(network)(screens.numpy())
    assert not torch.isfinite(values).any()
    _, values = network(screens)
    assert not torch.isfinite(values).any()
    values.sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert not all(bool(torch.isfinite(g).all()) for g in gradients)


def test_twice_the_same_is_bitwise_the_same() -> None:
    network, screens = make_network((4, 84, 84)), make_screens(5, 4, 84, 84)
    look, results = Looker(network), []
    for _ in range(2):
        network.zero_grad()
        logits, values = network(screens)
        (logits.sum() + values.sum()).backward()
        results.append(
            [p.grad.clone() for p in network.parameters() if p.grad is not None]
        )
        results[-1] += look(screens.numpy())
    assert all(map(torch.equal, *results))


def test_a_screen_looks_the_same_in_any_company() -> None:
    network, screens = make_network((4, 84, 84)), make_screens(6, 4, 84, 84)
    look = Looker(network)
    together = look(screens.numpy())
    alone = [look(screen[None].numpy()) for screen in screens]
    for found, expected in zip(zip(*alone, strict=True), together, strict=True):
        assert torch.equal(torch.cat(found), expected)


def test_a_looker_follows_the_parameters() -> None:
    network, screens = make_network((1, 20, 20)), make_screens(2, 1, 20, 20)
    vector = vector_of(network)
    bind(network, vector)
    look = Looker(network)
    vector *= 0.5
    torch.testing.assert_close(look(screens.numpy()), network(screens))


class Shifted(MnihNetwork):
    """Someone's own, which the kernels know nothing of."""

    def features(self, observations: torch.Tensor) -> torch.Tensor:
        return super().features(observations) + 1


def test_what_the_kernels_do_not_know_is_left_to_torch() -> None:
    screens = make_screens(2, 1, 20, 20)
    changed = make_network((1, 20, 20))
    changed.body[1] = torch.nn.ELU()
    watched = make_network((1, 20, 20))
    watched.policy.register_forward_hook(lambda *_: torch.zeros(2, 6))
    own = Shifted((1, 20, 20), 6)
    for network in (changed, watched, own):
        assert Looker(network)._layers == ()
        for one, other in zip(
            Looker(network)(screens.numpy()), network(screens), strict=True
        ):
            assert torch.equal(one, other)
    floats = functional.layer_norm(screens.float(), (1, 20, 20))
    expected = changed.heads(changed.body(floats))
    torch.testing.assert_close(changed(screens), expected, rtol=1e-4, atol=1e-5)


def test_live_units_are_still_counted() -> None:
    network, screens = make_network((4, 84, 84)), make_screens(5, 4, 84, 84)
    with live_units(network) as units:
        network(screens)
    assert 0.0 < units.share <= 1.0


@pytest.mark.parametrize(
    ("shape", "message"),
    [((3, 84, 84), "convolutions"), ((4, 19, 84), "20"), ((4, 84, 96), "dense")],
)
def test_screens_that_do_not_fit(shape: tuple[int, ...], message: str) -> None:
    look = Looker(make_network((4, 84, 84)))
    with pytest.raises(ValueError, match=message):
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
    action = int(draw(row, np.array([uniform]))[0])
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
        assert draw(np.array([row], dtype=np.float32), np.array([uniform])) == action
