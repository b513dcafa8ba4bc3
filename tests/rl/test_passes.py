"""Several passes over a rollout, in mini-batches, with clipped ratios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from small_environments import Identity  # noqa: E402

from dpsvi import rl  # noqa: E402
from dpsvi.rl.losses import LossConstants, loss_gradient  # noqa: E402
from dpsvi.rl.options import local_steps_for  # noqa: E402
from dpsvi.rl.rollout import Rollout  # noqa: E402
from dpsvi.rl.settings import Settings  # noqa: E402

CONSTANTS = LossConstants(entropy=0.02, value=0.3)


def filled(**settings: Any) -> Rollout:
    """Of six steps in two environments; every observation is another number."""
    rollout = Rollout(
        Settings(n_environments=2, n_steps=6, **settings), np.zeros((2, 1))
    )
    rollout.observations[:] = np.arange(12.0).reshape(6, 2, 1)
    rollout.actions[:] = np.arange(12).reshape(6, 2)
    rollout.rewards[:] = 1.0
    return rollout


@given(st.integers(1, 3), st.one_of(st.none(), st.integers(1, 20)))
def test_every_sample_is_seen_once_a_pass(
    n_passes: int, batch_size: int | None
) -> None:
    rollout = filled(n_passes=n_passes, batch_size=batch_size)
    batches = list(rollout.batches(np.random.default_rng(0)))
    settings = Settings(
        n_environments=2, n_steps=6, n_passes=n_passes, batch_size=batch_size
    )
    assert len(batches) == settings.updates
    seen = np.concatenate([batch.observations.ravel() for batch in batches])
    per_pass = seen.reshape(n_passes, 12)
    assert all(sorted(one) == list(range(12)) for one in per_pass)
    for batch in batches:
        assert len(batch.observations) <= (batch_size or 12)
        # Columns stay together.
        assert batch.actions.tolist() == batch.observations.ravel().tolist()


def test_passes_are_dealt_anew() -> None:
    rollout = filled(n_passes=2, batch_size=4)
    orders = [b.actions.tolist() for b in rollout.batches(np.random.default_rng(0))]
    assert orders[:3] != orders[3:]


def sample(n: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "logits": rng.normal(size=(n, 3)).astype(np.float32),
        "actions": rng.integers(3, size=n),
        "advantages": rng.normal(size=n).astype(np.float32),
    }


def slope(given: dict[str, Any], before: Any = None, clip: float = -1.0) -> Any:
    nothing = np.zeros(len(given["actions"]), np.float32)
    then = nothing if before is None else before
    samples = (given["actions"], given["advantages"], nothing, then)
    constants = CONSTANTS._replace(clip=clip)
    return loss_gradient(given["logits"], nothing, samples, constants).logits


def log_chosen(given: dict[str, Any]) -> Any:
    logs = given["logits"] - np.log(np.exp(given["logits"]).sum(axis=1))[:, None]
    return logs[np.arange(len(logs)), given["actions"]]


def test_where_the_policy_has_not_moved_it_is_the_papers_gradient() -> None:
    given = sample()
    ours = slope(given, before=log_chosen(given), clip=0.2)
    np.testing.assert_allclose(ours, slope(given), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("moved", [-0.5, 0.5])
def test_a_sample_pulls_no_further_than_the_clip(moved: float) -> None:
    """Only the entropy is left where the policy has gone the way of the advantage."""
    given = sample()
    pulls = slope(given, before=log_chosen(given) - np.float32(moved), clip=0.2)
    advantages = given["advantages"].copy()
    given["advantages"][:] = 0.0
    entropy = slope(given)
    still = ~np.isclose(pulls, entropy, atol=1e-7).all(axis=1)
    np.testing.assert_array_equal(still, advantages * moved < 0)


def test_agent_steps_are_counted_once(tmp_path: Path) -> None:
    result = rl.train(
        Identity,
        total_steps=640,
        n_environments=4,
        n_steps=8,
        n_passes=3,
        batch_size=8,
        n_threads=1,
        seed=0,
        log_dir=tmp_path,
        progress=False,
    )
    assert result.steps == 640
    assert result.episodes == 64


def test_several_passes_learn_more_from_the_same_steps(tmp_path: Path) -> None:
    def right(n_passes: int) -> float:
        result = rl.train(
            Identity,
            total_steps=192,
            n_environments=4,
            n_steps=8,
            n_passes=n_passes,
            batch_size=16,
            discount=0.0,
            learning_rate=3e-3,
            schedule="constant",
            n_threads=1,
            seed=0,
            log_dir=tmp_path,
            progress=False,
        )
        states = np.eye(Identity.n_states, dtype=np.float32)
        logits, _ = result.policy.network(torch.from_numpy(states))
        return float(torch.softmax(logits.detach(), dim=-1).diagonal().mean())

    assert right(6) > right(1) + 0.1


def test_rounds_hold_whole_rollouts() -> None:
    assert local_steps_for("auto", 1, apart=False) == 32
    assert local_steps_for("auto", 16, apart=False) == 128
    assert local_steps_for("auto", 40, apart=True) == 40
    assert local_steps_for(3, 16, apart=True) == 3


@pytest.mark.parametrize(
    ("name", "value"), [("n_passes", 0), ("batch_size", 0), ("clip", 0.0)]
)
def test_bad_values(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        rl.train(Identity, total_steps=10, log_dir=tmp_path, **{name: value})


def test_a_batch_is_no_larger_than_a_rollout(tmp_path: Path) -> None:
    given = {"total_steps": 64, "n_environments": 4, "n_steps": 8, "log_dir": tmp_path}
    with pytest.raises(ValueError, match="only 32 samples"):
        rl.train(Identity, batch_size=33, **given)
    result = rl.train(
        Identity, batch_size=32, n_threads=1, seed=0, progress=False, **given
    )
    assert result.steps == 64
