"""Screens, standardised and folded, against the plain way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.rl.kernels.screens import fold_screen
from dpsvi.rl.memory import keep_freed_memory


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


def folded(screens: torch.Tensor) -> torch.Tensor:
    """By the kernel, in the order of a convolution's input."""
    n, channels, height, width = screens.shape
    rows, columns = height // 4, width // 4
    cells = np.empty((n, rows, columns, 16 * channels), np.float32)
    for screen, to in zip(screens.numpy(), cells, strict=True):
        fold_screen(screen, to.reshape(-1))
    return torch.from_numpy(cells).permute(0, 3, 1, 2)


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
    torch.testing.assert_close(
        folded(screens).double(), reference(screens).double(), rtol=1e-5, atol=1e-5
    )


def test_one_colour_is_nothing_to_see() -> None:
    for value in (0, 255):
        screens = torch.full((1, 4, 84, 84), value, dtype=torch.uint8)
        assert folded(screens).abs().max() == 0.0


def test_white_noise_does_not_overflow() -> None:
    seen = folded(make(0, 1, 4, 840, 840)).double()
    assert float(seen.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(seen.std(correction=0)) == pytest.approx(1.0, abs=1e-4)


def test_memory_may_be_kept_again_and_again() -> None:
    keep_freed_memory()
    keep_freed_memory()
    assert torch.ones(2**20).sum() == 2**20
