"""Networks, and their parameters as one shared vector."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dpsvi.rl.networks import (
    MnihNetwork,
    VectorNetwork,
    bind,
    flatten,
    network_for,
    vector_of,
)
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.stepping import EnvironmentSpec

VECTOR = EnvironmentSpec(
    name="Line-v0",
    kind="vector",
    observation_shape=(3,),
    observation_dtype="float32",
    n_actions=2,
    protocol=Protocol.plain(),
)
SCREENS = EnvironmentSpec(
    name="ALE/Pong-v5",
    kind="atari",
    observation_shape=(4, 84, 84),
    observation_dtype="uint8",
    n_actions=6,
    protocol=Protocol(),
)


class TwoHeads(nn.Module):
    """A user's own network."""

    def __init__(self, spec: EnvironmentSpec = VECTOR) -> None:
        super().__init__()
        self.both = nn.Linear(spec.observation_shape[0], spec.n_actions + 1)

    def forward(self, observations: torch.Tensor) -> Any:
        both = self.both(observations)
        return both[:, 1:], both[:, 0]


@pytest.fixture(scope="module")
def mnih() -> nn.Module:
    return network_for(SCREENS)


def test_the_network_of_the_paper(mnih: nn.Module) -> None:
    assert flatten(mnih).n == 677_943
    assert flatten(mnih).shapes[::2] == (
        (16, 4, 8, 8),
        (32, 16, 4, 4),
        (256, 2592),
        (6, 256),
        (1, 256),
    )


def test_screens_get_mean_0_and_deviation_1(mnih: Any) -> None:
    screens = torch.randint(0, 256, (3, 4, 84, 84), dtype=torch.uint8)
    rows = screens.double()
    scaled = torch.stack([(row - row.mean()) / row.std(correction=0) for row in rows])
    expected = mnih.heads(mnih.body(scaled.float()))
    for given_, wanted in zip(mnih(screens), expected, strict=True):
        torch.testing.assert_close(given_, wanted)


def test_a_black_screen_is_no_error(mnih: Any) -> None:
    logits, values = mnih(torch.zeros((2, 4, 84, 84), dtype=torch.uint8))
    assert torch.isfinite(logits).all()
    assert torch.isfinite(values).all()


def test_a_new_policy_is_nearly_uniform(mnih: nn.Module) -> None:
    noise = torch.randint(0, 256, (5, 4, 84, 84), dtype=torch.uint8)
    logits, values = mnih(noise)
    chances = torch.softmax(logits, dim=-1)
    assert (chances - 1 / 6).abs().max() < 0.02
    assert values.shape == (5,)


def test_weights_are_orthogonal() -> None:
    network: Any = network_for(VECTOR)
    gains = [(network.body[2], math.sqrt(2)), (network.policy, 0.01)]
    for layer, gain in gains:
        squares = layer.weight @ layer.weight.T / gain**2
        torch.testing.assert_close(squares, torch.eye(len(squares)))
    assert all(not layer.bias.any() for layer, _ in gains)


def test_channels_may_be_last() -> None:
    torch.manual_seed(0)
    first, last = MnihNetwork((3, 40, 36), 2), MnihNetwork((40, 36, 3), 2)
    last.load_state_dict(first.state_dict())
    pictures = torch.randint(0, 256, (2, 3, 40, 36), dtype=torch.uint8)
    for one, other in zip(
        first(pictures), last(pictures.permute(0, 2, 3, 1)), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("size", "fits"), [(19, False), (20, True)])
def test_the_smallest_picture(size: int, fits: bool) -> None:
    if fits:
        assert MnihNetwork((1, size, size), 2)
    else:
        with pytest.raises(ValueError, match="give network="):
            MnihNetwork((1, size, 84), 2)


def test_the_seed_decides_the_weights() -> None:
    one, same, other = (vector_of(network_for(VECTOR, seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("network", [None, TwoHeads])
def test_random_numbers_of_the_caller_go_on(network: Any) -> None:
    torch.manual_seed(5)
    alone = torch.rand(3)
    torch.manual_seed(5)
    network_for(VECTOR, network)
    torch.testing.assert_close(torch.rand(3), alone)


def test_a_module_is_copied() -> None:
    mine = TwoHeads()
    made = network_for(VECTOR, mine)
    np.testing.assert_array_equal(vector_of(made), vector_of(mine))
    bind(made, np.zeros(flatten(made).n, np.float32))
    assert vector_of(mine).any()


class OneHead(TwoHeads):
    def forward(self, observations: torch.Tensor) -> Any:
        return self.both(observations)


class WideValue(TwoHeads):
    def forward(self, observations: torch.Tensor) -> Any:
        logits, values = super().forward(observations)
        return logits, values[:, None]


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (OneHead, TypeError, "must return the two tensors"),
        (WideValue, ValueError, r"squeeze\(-1\)"),
        (lambda _: VectorNetwork((3,), 5), ValueError, r"\(2, 5\) and \(2,\)"),
        (lambda _: None, TypeError, "made NoneType"),
        (7, TypeError, "network is 7"),
    ],
)
def test_networks_that_do_not_fit(network: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        network_for(VECTOR, network)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=5))
def test_a_vector_holds_all_parameters_in_order(widths: list[int]) -> None:
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    network = nn.Sequential(*layers)
    layout, vector = flatten(network), vector_of(network)
    pieces = [p.detach().numpy().ravel() for p in network.parameters()]
    np.testing.assert_array_equal(vector, np.concatenate(pieces))
    assert layout.n == len(vector)
    assert layout.names == tuple(name for name, _ in network.named_parameters())
    assert layout.shapes == tuple(tuple(p.shape) for p in network.parameters())


def test_bound_networks_compute_with_the_vector() -> None:
    wanted, shared = network_for(VECTOR, seed=1), network_for(VECTOR, seed=2)
    other = network_for(VECTOR, seed=3)
    vector = vector_of(shared)
    bind(shared, vector)
    bind(other, vector)
    vector[:] = vector_of(wanted)
    seen = torch.randn(4, 3)
    for network in (shared, other):
        for mine, theirs in zip(network(seen), wanted(seen), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0.0, atol=0.0)


def test_what_a_network_learns_is_in_the_vector() -> None:
    network = network_for(VECTOR)
    vector = vector_of(network)
    before = vector.copy()
    bind(network, vector)
    network(torch.ones(2, 3))[1].sum().backward()
    step = np.concatenate(
        [
            np.zeros(p.numel(), np.float32)
            if p.grad is None
            else p.grad.numpy().ravel()
            for p in network.parameters()
        ]
    )
    torch.optim.SGD(network.parameters(), lr=0.5).step()
    assert step.any()
    np.testing.assert_allclose(vector, before - 0.5 * step, rtol=1e-6)


def test_writing_during_a_pass_does_not_disturb_autograd() -> None:
    network = network_for(VECTOR)
    vector = vector_of(network)
    bind(network, vector)
    _, values = network(torch.ones(2, 3))
    vector += 1.0
    values.sum().backward()
    assert all(p.grad is not None for p in network.get_submodule("value").parameters())


def test_tied_weights_are_there_once() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[1].weight = network[0].weight
    assert flatten(network).n == 4 + 2 + 2
    bind(network, np.arange(8, dtype=np.float32))
    assert network[1].weight is network[0].weight


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(11, np.float32),
        np.zeros(12),
        np.zeros(24, np.float32)[::2],
        np.broadcast_to(np.float32(0), 12),
    ],
)
def test_vectors_that_cannot_be_shared(vector: Any) -> None:
    assert flatten(TwoHeads()).n == 12
    with pytest.raises(ValueError, match=r"the vector (is|must be)"):
        bind(TwoHeads(), vector)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.BatchNorm1d(2), "running_mean.*LayerNorm"),
        (nn.Linear(2, 2).double(), "torch.float32 on the CPU"),
    ],
)
def test_networks_that_cannot_be_shared(network: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        flatten(network)
