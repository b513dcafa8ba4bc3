"""A training that goes on from a checkpoint tells one story."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from small_environments import Identity  # noqa: E402

from dpsvi import rl  # noqa: E402
from dpsvi.engine import Checkpoint  # noqa: E402
from dpsvi.rl.logs import RunLog  # noqa: E402
from dpsvi.rl.monitor import RecentScores  # noqa: E402


@pytest.fixture
def train(tmp_path: Path) -> Any:
    """Train with a checkpoint, and a row of the table at each merge."""

    def call(total_steps: int, **options: Any) -> Any:
        options = {
            "checkpoint": tmp_path / "c.npz",
            "log_dir": tmp_path / "log",
            "evaluate_every": 40,
            "evaluation_episodes": 1,
            **options,
        }
        return rl.train(
            Identity,
            total_steps=total_steps,
            n_threads=1,
            n_steps=5,
            local_steps=2,
            seed=0,
            tensorboard=False,
            progress=False,
            **options,
        )

    return call


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def column(rows: list[dict[str, str]], name: str) -> Any:
    return np.array([float(row[name]) for row in rows])


def test_the_table_of_a_killed_training_goes_on(train: Any, tmp_path: Path) -> None:
    saved, path = tmp_path / "c.npz", tmp_path / "log" / "progress.csv"
    train(800)
    shutil.copy(saved, tmp_path / "older.npz")
    train(2_000)
    # As if it had been killed: rows without a checkpoint, the last one torn.
    shutil.copy(tmp_path / "older.npz", saved)
    with path.open("a") as file:
        file.write("9.5,20")
    result = train(2_000)
    rows = table(path)
    steps, seconds = column(rows, "steps"), column(rows, "time")
    assert (np.diff(steps) > 0).all()
    assert steps.tolist() == list(range(80, 2_001, 80))
    assert (np.diff(seconds) > 0).all()
    assert (column(rows[1:], "steps_per_second") > 0).all()
    # The time of this run begins where that of the first had ended.
    before = float(Checkpoint(tmp_path / "older.npz").saved.arrays["seconds"])  # type: ignore[union-attr]
    assert 0 < before < seconds[steps > 800][0]
    assert result.seconds == pytest.approx(seconds[-1] - before, rel=1e-3)
    assert result.throughput == pytest.approx(1_200 / result.seconds)


def test_the_history_begins_with_the_first_run(train: Any) -> None:
    first, rest = train(800), train(1_600)
    assert rest.history["steps"].tolist() == list(range(80, 1_601, 80))
    np.testing.assert_allclose(
        rest.history["score"][: len(first.history)],
        first.history["score"],
        rtol=1e-5,
    )
    drawn = rest.plot().lines[0].get_xdata()
    assert (drawn[0], drawn[-1]) == (80, 1_600)
    # Nothing is left to do, and all is known.
    again = train(1_600)
    assert again.score == pytest.approx(rest.score, rel=1e-5)
    assert again.history["time"].tolist() == pytest.approx(
        rest.history["time"].tolist(), rel=1e-5
    )


def test_recent_scores_are_kept(train: Any, tmp_path: Path) -> None:
    first = train(1_600)
    saved = Checkpoint(tmp_path / "c.npz").saved
    assert saved is not None
    recent = saved.arrays["recent_scores"]
    assert recent.shape == (100,)
    assert recent.mean() == pytest.approx(first.score)
    seen: list[float] = []
    train(1_680, callbacks=[lambda progress: seen.append(progress.score)])
    # Eight episodes have ended since; the mean of those alone would be a multiple of
    # one eighth.
    new = seen[0] * 100 - recent[8:].sum()
    assert 0.0 <= new <= 80.0
    assert seen[0] == pytest.approx((recent[8:].sum() + round(new)) / 100)


def test_early_stop_judges_by_all_recent_scores(train: Any) -> None:
    first = train(16_000, evaluate_every=None)
    ended = train(
        40_000, evaluate_every=None, target_score=first.score - 2.0, schedule="constant"
    )
    # Fewer than twenty episodes of its own are enough.
    assert ended.reason == "stopped"
    assert ended.steps == 16_080


def test_another_momentum_is_refused(train: Any) -> None:
    train(80)
    with pytest.raises(ValueError, match=r"'momentum': 0\.0.*'momentum': 0\.9"):
        train(160, momentum=0.9)


def test_the_folder_is_found_again(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = train(80, log_dir=None)
    rest = train(160, log_dir=None)
    assert rest.log_dir.samefile(first.log_dir)
    assert rest.history["steps"].tolist() == [80, 160]
    shutil.rmtree(first.log_dir)
    new = train(240, log_dir=None)
    assert new.log_dir.parts[0] == "runs"
    assert new.history["steps"].tolist() == [240]


def test_a_new_training_begins_a_new_table(train: Any, tmp_path: Path) -> None:
    train(160, checkpoint=None)
    train(80, checkpoint=None)
    folder = tmp_path / "log"
    assert column(table(folder / "progress.csv"), "steps").tolist() == [80]
    assert column(table(folder / "progress.old.csv"), "steps").tolist() == [80, 160]


def test_rows_that_are_no_numbers_are_dropped(tmp_path: Path) -> None:
    with RunLog(tmp_path) as log:
        log.write({"time": 0.5, "steps": 10, "score": 1.5})
        log.write({"time": 1.0, "steps": 20})
    with log.path.open("a") as file:
        file.write("what,30,,,,,,,,,,,\n")
    with RunLog(tmp_path, steps_before=30) as again:
        again.write({"time": 1.5, "steps": 40})
    assert again.earlier == [
        {"time": 0.5, "steps": 10, "score": 1.5},
        {"time": 1.0, "steps": 20},
    ]
    assert [row["steps"] for row in table(log.path)] == ["10", "20", "40"]


def test_a_window_starts_from_another() -> None:
    scores = RecentScores(500, [1.0] * 60)
    scores.add(3.0, 60)
    assert scores.n_seen == 560
    assert scores.recent == (1.0,) * 40 + (3.0,) * 60
    assert scores.mean == pytest.approx(2.2)
