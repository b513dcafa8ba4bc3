"""The games of the paper, from training to a score; on one thread bit by bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("ale_py")

from dpsvi import rl

# Name -> actions of the minimal set.
GAMES = {
    "Pong": 6,
    "Boxing": 18,
    "Seaquest": 18,
    "SpaceInvaders": 6,
    "Amidar": 10,
    "Qbert": 6,
}


def train(game: str, folder: Path, **options: Any) -> Any:
    options = {"n_environments": 2, "n_steps": 10, "batch_size": 10, **options}
    return rl.train(
        f"ALE/{game}-v5",
        n_threads=1,
        log_dir=folder,
        tensorboard=False,
        progress=False,
        **options,
    )


@pytest.mark.parametrize(
    "game",
    ["Pong", "Qbert"]
    + [
        pytest.param(game, marks=pytest.mark.slow)
        for game in ("Boxing", "Seaquest", "SpaceInvaders", "Amidar")
    ],
)
def test_a_game_is_trained_on_and_scored(game: str, tmp_path: Path) -> None:
    result = train(game, tmp_path, total_steps=40, seed=0, warm_up=0)
    assert (result.steps, result.reason) == (40, "completed")
    spec, vector = result.policy.spec, result.policy.vector
    assert (spec.kind, spec.n_actions) == ("atari", GAMES[game])
    assert np.isfinite(vector).all()
    assert result.history["gradient_norm"][-1] > 0
    rules = rl.Protocol(max_episode_frames=80)
    found = rl.evaluate(result.policy, episodes=2, noop_max=8, protocol=rules)
    assert found.environment == f"ALE/{game}-v5"
    assert all(0 < length <= 20 for length in found.lengths)
    assert np.isfinite(found.scores).all()
    assert found.human_normalised is not None
    assert "at most 80 frames" in str(found)


def test_one_thread_and_a_seed_repeat_every_bit_of_pong(tmp_path: Path) -> None:
    made = [
        train("Pong", tmp_path, total_steps=steps, seed=seed, learning_rate=1e-3)
        for steps, seed in ((200, 3), (200, 3), (20, 4))
    ]
    one, again, other = (result.policy.vector for result in made)
    assert one.tobytes() == again.tobytes()
    assert one.tobytes() != other.tobytes()
    told = [result.history["value"].tolist() for result in made]
    assert told[0][-1] == told[1][-1] != told[2][-1]
