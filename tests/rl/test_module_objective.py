"""A torch module through the engine."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from dpsvi.engine import Plan, run
from dpsvi.engine.problems import ModuleObjective, SGDProblem

torch = pytest.importorskip("torch")

X = np.linspace(-2, 2, 64, dtype=np.float32)[:, None]
Y = np.sin(2 * X)


def make_module() -> Any:
    generator = torch.random.fork_rng()
    with generator:
        torch.manual_seed(0)
        return torch.nn.Sequential(
            torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)
        )


def loss(module: Any, samples: Any) -> Any:
    given, wanted = torch.from_numpy(X[samples]), torch.from_numpy(Y[samples])
    return ((module(given) - wanted) ** 2).mean()


def objective() -> ModuleObjective:
    return ModuleObjective(make_module, loss, len(X))


def test_the_gradient_is_autograd_s() -> None:
    made = objective()
    flat = made.start(np.random.default_rng(0))
    samples = np.array([1, 5, 5])
    module = make_module()
    loss(module, samples).backward()
    expected = np.concatenate([p.grad.numpy().ravel() for p in module.parameters()])
    assert made.gradient(flat, samples) == pytest.approx(expected, rel=1e-5)
    # Asking twice does not add up.
    assert made.gradient(flat, samples) == pytest.approx(expected, rel=1e-5)


def test_threads_and_workers_learn_a_network() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        made = objective()
        # Small steps: larger ones of four threads at once overshoot now and then.
        problem = SGDProblem(made, 0.02, batch_size=16)
        plan = Plan(total_steps=4000, n_workers=2, n_threads=2, local_steps=4, seed=0)
        start = made.value(made.start(np.random.default_rng(0)))
        found = run(problem, [None, None], plan)
        assert made.value(found.parameters) < 0.5 * start
    finally:
        torch.set_num_threads(threads)


def test_it_travels_without_its_modules() -> None:
    made = objective()
    made.value(made.start(np.random.default_rng(0)))
    again = pickle.loads(pickle.dumps(made))
    flat = made.start(np.random.default_rng(0))
    assert again.value(flat) == made.value(flat)
