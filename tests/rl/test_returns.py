"""Returns and advantages against the definitions, written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.rl.returns import Targets, generalised_advantages, n_step_advantages


def reference_return(
    r: Any, V: Any, terminal: Any, cut: Any, V_final: Any, gamma: float, t: int
) -> float:
    """Eq. 55 with Alg. 9 lines 14-16, close to the notation, for one environment."""
    R, discount, t_max = 0.0, 1.0, len(r)
    for i in range(t, t_max):
        R += discount * r[i]
        discount *= gamma
        if terminal[i]:
            return R
        if cut[i]:
            return R + discount * V_final[i]
    return R + discount * V[t_max]


def reference_generalised(
    r: Any, V: Any, terminal: Any, cut: Any, V_final: Any, gamma: float, lam: float
) -> list[float]:
    """The sum of discounted one-step errors up to the end of the episode."""
    advantages = []
    for t in range(len(r)):
        total, weight = 0.0, 1.0
        for i in range(t, len(r)):
            following = 0.0 if terminal[i] else V_final[i] if cut[i] else V[i + 1]
            total += weight * (r[i] + gamma * following - V[i])
            weight *= gamma * lam
            if terminal[i] or cut[i]:
                break
        advantages.append(total)
    return advantages


def rollout(seed: int, n_steps: int, n_environments: int, ends: float) -> list[Any]:
    rng = np.random.default_rng(seed)
    shape = (n_steps, n_environments)
    terminated = rng.random(shape) < ends
    truncated = (rng.random(shape) < ends) & ~terminated
    final = np.where(truncated, rng.normal(size=shape), np.nan)
    values = rng.normal(size=(n_steps + 1, n_environments))
    return [rng.normal(size=shape), values, terminated, truncated, final]


rollouts = st.builds(
    rollout,
    st.integers(0, 10**6),
    st.integers(1, 12),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
factors = st.sampled_from([0.0, 0.5, 0.99, 1.0])


@given(rollouts, factors)
def test_n_step_returns_are_those_of_the_paper(given_: Any, gamma: float) -> None:
    rewards, values, terminated, truncated, final = given_
    targets = n_step_advantages(*given_, gamma)
    for e in range(rewards.shape[1]):
        one = [a[:, e] for a in (rewards, values, terminated, truncated, final)]
        R = [reference_return(*one, gamma, t) for t in range(len(rewards))]
        np.testing.assert_allclose(targets.returns[:, e], R, atol=1e-12)
        A = np.array(R) - values[:-1, e]
        np.testing.assert_allclose(targets.advantages[:, e], A, atol=1e-12)


@given(rollouts, factors, factors)
def test_generalised_advantages(given_: Any, gamma: float, lam: float) -> None:
    targets = generalised_advantages(*given_, gamma, lam)
    for e in range(given_[0].shape[1]):
        expected = reference_generalised(*[a[:, e] for a in given_], gamma, lam)
        np.testing.assert_allclose(targets.advantages[:, e], expected, atol=1e-12)
    np.testing.assert_allclose(
        targets.returns, targets.advantages + given_[1][:-1], atol=1e-12
    )


def test_a_true_value_function_leaves_no_advantage() -> None:
    # A reward of 1 for ever is worth 1 / (1 - gamma), also where it is cut off.
    shape, gamma = (6, 2), 0.9
    truncated = np.zeros(shape, dtype=bool)
    truncated[2] = True
    worth = 1.0 / (1.0 - gamma)
    targets = generalised_advantages(
        np.ones(shape),
        np.full((7, 2), worth),
        np.zeros(shape, dtype=bool),
        truncated,
        np.full(shape, worth),
        gamma,
        0.95,
    )
    np.testing.assert_allclose(targets.advantages, 0.0, atol=1e-12)


def test_float32_stays_float32() -> None:
    rewards, values, *rest = rollout(0, 3, 2, 0.3)
    rest[-1] = rest[-1].astype(np.float32)
    targets = n_step_advantages(
        rewards.astype(np.float32), values.astype(np.float32), *rest, 0.99
    )
    assert [a.dtype for a in targets] == [np.float32, np.float32]
    assert isinstance(targets, Targets)


def test_wrong_shapes_are_named() -> None:
    rewards, values, *rest = rollout(0, 3, 2, 0.3)
    with pytest.raises(ValueError, match="one row more"):
        n_step_advantages(rewards, values[:-1], *rest, 0.9)
    with pytest.raises(ValueError, match=r"an array has shape \(2, 2\)"):
        n_step_advantages(rewards, values, rest[0][:-1], *rest[1:], 0.9)
    with pytest.raises(ValueError, match="n_steps, n_environments"):
        n_step_advantages(rewards[0], values, *rest, 0.9)
    with pytest.raises(ValueError, match=r"trace_decay is 1.5"):
        generalised_advantages(rewards, values, *rest, 0.9, 1.5)
