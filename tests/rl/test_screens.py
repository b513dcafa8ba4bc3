"""Screens, standardised and folded, against the plain way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from dpsvi.rl.memory import keep_freed_memory
from dpsvi.rl.networks import MnihNetwork
from dpsvi.rl.screens import fold_kernel, folded


def make(seed: int, *shape: int) -> torch.Tensor:
    numbers = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return torch.from_numpy(numbers)


def reference(screens: torch.Tensor) -> torch.Tensor:
    """Pixel by pixel: where it comes from, and what it becomes."""
    n, channels, height, width = screens.shape
    cells = torch.zeros(n, 16 * channels, height // 4, width // 4)
    for i in range(n):
        pixels = screens[i].double()
        spread = (pixels.var(correction=0) + 1e-5).sqrt()
        for c in range(channels):
            for y in range(4 * (height // 4)):
                for x in range(4 * (width // 4)):
                    place = 16 * c + 4 * (y % 4) + x % 4
                    value = (pixels[c, y, x] - pixels.mean()) / spread
                    cells[i, place, y // 4, x // 4] = value
    return cells


@given(
    seed=st.integers(0, 1000),
    shape=st.tuples(
        st.integers(1, 3), st.integers(1, 4), st.integers(8, 23), st.integers(8, 23)
    ),
)
def test_bytes_are_folded_as_the_reference_has_it(
    seed: int, shape: tuple[int, ...]
) -> None:
    screens = make(seed, *shape)
    expected = reference(screens)
    torch.testing.assert_close(folded(screens), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(folded(screens.float()), expected, rtol=1e-4, atol=1e-4)


def test_one_colour_is_nothing_to_see() -> None:
    for value in (0, 255):
        screens = torch.full((1, 4, 84, 84), value, dtype=torch.uint8)
        assert folded(screens).abs().max() == 0.0


def test_white_noise_does_not_overflow() -> None:
    screens = make(0, 1, 4, 840, 840)
    seen = folded(screens).double()
    assert float(seen.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(seen.std(correction=0)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("size", [(84, 84), (21, 30), (20, 23)])
def test_the_first_convolution_is_the_same(size: tuple[int, int]) -> None:
    screens = make(1, 3, 4, *size)
    weight = torch.randn(16, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    plain = functional.layer_norm(screens.float(), (4, *size))
    expected = functional.conv2d(plain, weight, stride=4)
    found = functional.conv2d(folded(screens), fold_kernel(weight))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_comes_through_the_fold() -> None:
    network = MnihNetwork((4, 84, 84), 6)
    screens = make(2, 5, 4, 84, 84)
    logits, values = network(screens)
    (logits.sum() + values.square().sum()).backward()
    found = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    plain = functional.layer_norm(screens.float(), (4, 84, 84))
    logits, values = network.heads(network.body(plain))
    (logits.sum() + values.square().sum()).backward()
    for one, parameter in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, rtol=1e-3, atol=1e-4)


def test_memory_may_be_kept_again_and_again() -> None:
    keep_freed_memory()
    keep_freed_memory()
    assert torch.ones(2**20).sum() == 2**20
