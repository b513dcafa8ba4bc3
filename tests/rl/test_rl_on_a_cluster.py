"""Training on a Dask cluster; a killed worker costs its round and no more."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("distributed")

from small_environments import Identity  # noqa: E402

from dpsvi import rl  # noqa: E402

OPTIONS: dict[str, Any] = {
    "n_environments": 8,
    "n_steps": 5,
    "discount": 0.0,
    "learning_rate": 3e-3,
    "entropy": 0.05,
    "schedule": "constant",
    "progress": False,
    "seed": 0,
}


def test_identity_is_learned_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    result = rl.train(
        Identity,
        total_steps=16_000,
        client=cluster_client,
        local_steps=4,
        log_dir=tmp_path,
        checkpoint=tmp_path / "c.npz",
        **OPTIONS,
    )
    assert result.steps == 16_000
    states = np.arange(30) % Identity.n_states
    seen = np.eye(Identity.n_states, dtype=np.float32)[states]
    assert (result.policy.act(seen, deterministic=True) == states).all()
    # Two workers, two pushes a merge: episodes of both are counted.
    assert result.episodes == 1_600
    # Checkpoints hold the statistics of an optimiser that lives on a worker.
    on = rl.train(
        Identity,
        total_steps=16_800,
        client=cluster_client,
        local_steps=4,
        log_dir=tmp_path,
        checkpoint=tmp_path / "c.npz",
        **OPTIONS,
    )
    assert on.steps == 16_800


def hide(package: str) -> None:
    import sys

    sys.modules[package] = None  # type: ignore[assignment]


def show(package: str) -> None:
    import sys

    sys.modules.pop(package, None)


def test_workers_without_packages_are_refused(
    cluster_client: Any, tmp_path: Path
) -> None:
    one = next(iter(cluster_client.scheduler_info()["workers"]))
    cluster_client.run(hide, "ale_py", workers=[one])
    try:
        with pytest.raises(ImportError, match=rf"worker at {one} lacks ale_py.* there"):
            rl.train("CartPole-v1", client=cluster_client, log_dir=tmp_path / "log")
        assert not list(tmp_path.iterdir())
        # A function of one's own may do without.
        asked = {**OPTIONS, "total_steps": 80, "client": cluster_client}
        assert rl.train(Identity, log_dir=tmp_path, **asked).steps == 80
    finally:
        cluster_client.run(show, "ale_py", workers=[one])


class Marked(Identity):
    """Leaves a note of the process that plays."""

    folder = Path()

    def __init__(self, folder: Path) -> None:
        super().__init__()
        (folder / f"{os.getpid()}.pid").touch()


class Marking:
    """Makes environments that leave notes; travels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> Marked:
        return Marked(self.folder)


def test_a_killed_worker_costs_its_round(small_cluster: Any, tmp_path: Path) -> None:
    client = small_cluster(2)
    killed: list[int] = []

    def kill_one(progress: Any) -> bool:
        here = {int(note.stem) for note in tmp_path.glob("*.pid")} - {os.getpid()}
        if not killed and len(here) == 2:
            killed.append(min(here))
            os.kill(killed[0], signal.SIGKILL)
        return False

    result = rl.train(
        Marking(tmp_path),
        total_steps=16_000,
        client=client,
        local_steps=4,
        master_batch_size=1,
        log_dir=tmp_path / "log",
        callbacks=[kill_one],
        **OPTIONS,
    )
    assert killed
    assert result.reason == "completed"
    # A round is four rollouts of forty steps; whoever was killed had one under way.
    assert 16_000 - 160 <= result.steps <= 16_000
    assert np.isfinite(result.policy.vector).all()


@pytest.mark.slow
def test_pong_is_played_on_a_cluster(cluster_client: Any, tmp_path: Path) -> None:
    pytest.importorskip("ale_py")
    result = rl.train(
        "ALE/Pong-v5",
        total_steps=640,
        n_environments=4,
        n_steps=10,
        local_steps=2,
        client=cluster_client,
        log_dir=tmp_path,
        progress=False,
    )
    assert result.steps == 640
