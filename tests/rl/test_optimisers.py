"""Local optimisers against torch's own, and what is special to ours."""

from __future__ import annotations

import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dpsvi.rl.optimisers import (  # noqa: E402
    OptimiserSettings,
    clip_by_norm,
    learning_rate_at,
    make_optimiser,
    new_state,
    warmed_up,
)

# More than a block, and no multiple of it.
SIZE = (1 << 14) + 37
RATE = 3e-3


def gradients(n: int) -> Any:
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield rng.normal(size=SIZE).astype(np.float32)


def torch_optimiser(name: str, weights: Any, ours: OptimiserSettings) -> Any:
    if name == "sgd":
        return torch.optim.SGD([weights], RATE)
    if name == "adam":
        betas = ours.momentum, ours.decay
        return torch.optim.Adam([weights], RATE, betas=betas, eps=ours.epsilon)
    made = torch.optim.RMSprop([weights], RATE, alpha=ours.decay, eps=ours.epsilon)
    # Ours starts its mean squares at 1.
    made.state[weights] = {
        "step": torch.tensor(0.0),
        "square_avg": torch.ones_like(weights),
    }
    return made


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_the_steps_are_those_of_torch(name: Any) -> None:
    settings = OptimiserSettings(name)
    state = new_state(settings, SIZE)
    weights = np.linspace(-1, 1, SIZE, dtype=np.float32)
    theirs = torch.from_numpy(weights.copy()).requires_grad_()
    other = torch_optimiser(name, theirs, settings)
    optimiser = make_optimiser(settings, state)
    for count, gradient in enumerate(gradients(20), start=1):
        optimiser.step(weights, gradient, RATE, count)
        theirs.grad = torch.from_numpy(gradient)
        other.step()
    np.testing.assert_allclose(weights, theirs.detach().numpy(), atol=2e-6)


@pytest.mark.parametrize("name", ["rmsprop", "adam"])
def test_threads_share_their_statistics(name: Any) -> None:
    # Two that take turns do what one would do.
    settings = OptimiserSettings(name)
    one, two = new_state(settings, SIZE), new_state(settings, SIZE)
    lone = make_optimiser(settings, one)
    pair = [make_optimiser(settings, two) for _ in range(2)]
    a, b = np.zeros((2, SIZE), dtype=np.float32)
    for count, gradient in enumerate(gradients(6), start=1):
        lone.step(a, gradient, RATE, count)
        pair[count % 2].step(b, gradient, RATE, count)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one, two)


def test_lock_free_writes_are_hardly_lost() -> None:
    settings, n_updates = OptimiserSettings("sgd"), 200
    weights = np.zeros(SIZE, dtype=np.float32)
    gradient = np.full(SIZE, -1.0, dtype=np.float32)

    def work() -> None:
        optimiser = make_optimiser(settings, new_state(settings, SIZE))
        for count in range(n_updates):
            optimiser.step(weights, gradient, 1.0, count + 1)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Each thread's own writes stand; of the other's, some may be lost.
    assert weights.min() >= n_updates
    assert weights.max() <= 2 * n_updates
    assert weights.mean() > 1.05 * n_updates


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam"])
def test_a_step_allocates_next_to_nothing(name: Any) -> None:
    settings = OptimiserSettings(name)
    optimiser = make_optimiser(settings, new_state(settings, SIZE))
    weights, gradient = np.ones((2, SIZE), dtype=np.float32)
    optimiser.step(weights, gradient, RATE, 1)
    peaks = []
    # Other threads of the process may allocate something meanwhile.
    for count in range(2, 7):
        tracemalloc.start()
        try:
            optimiser.step(weights, gradient, RATE, count)
            clip_by_norm(gradient, 0.5)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert min(peaks) < 16_000


def test_clipping() -> None:
    gradient = np.array([3.0, 4.0], dtype=np.float32)
    assert clip_by_norm(gradient, None) == 5.0
    assert clip_by_norm(gradient, 6.0) == 5.0
    assert gradient.tolist() == [3.0, 4.0]
    assert clip_by_norm(gradient, 0.5) == 5.0
    np.testing.assert_allclose(gradient, [0.3, 0.4], rtol=1e-6)
    zero = np.zeros(2, dtype=np.float32)
    assert clip_by_norm(zero, 0.5) == 0.0
    assert zero.tolist() == [0.0, 0.0]


def test_rmsprop_starts_gently() -> None:
    # From a mean square of 0 the first step would be RATE / sqrt(1 - decay).
    settings = OptimiserSettings("rmsprop")
    weights = np.zeros(3, dtype=np.float32)
    gradient = np.full(3, 1e-3, dtype=np.float32)
    optimiser = make_optimiser(settings, new_state(settings, 3))
    optimiser.step(weights, gradient, RATE, 1)
    assert (np.abs(weights) < 2 * RATE * 1e-3).all()


def test_learning_rates() -> None:
    assert learning_rate_at(7, 10, 0.5, "constant") == 0.5
    assert learning_rate_at(0, 10, 0.5, "linear") == 0.5
    assert learning_rate_at(10, 10, 0.5, "linear") == 0.0
    # Steps beyond the end come about where a checkpoint is trained on for less.
    assert learning_rate_at(12, 10, 0.5, "linear") == 0.0


def test_rates_rise_while_statistics_are_young() -> None:
    assert warmed_up(0.5, 5, warm_up=10) == 0.25
    assert warmed_up(0.5, 10, warm_up=10) == warmed_up(0.5, 99, warm_up=10) == 0.5
    assert warmed_up(0.5, 1, warm_up=0) == 0.5


def test_unknown_optimisers_are_refused() -> None:
    with pytest.raises(ValueError, match="no optimiser 'adagrad'; choose one of adam"):
        new_state(OptimiserSettings("adagrad"), 3)  # type: ignore[arg-type]
