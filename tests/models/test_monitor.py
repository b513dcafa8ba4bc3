"""What callbacks are told, and how they begin and end with a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from dpsvi.engine import History, Progress
from dpsvi.models.lda.monitor import FitMonitor, FitProgress
from dpsvi.models.lda.past import Past


def progress(time: float, steps: int, **statistics: float) -> Progress:
    """The engine's, of steps with ten documents each."""
    return Progress(
        time=time,
        version=3,
        steps=steps,
        clock=steps,
        amount=10.0 * steps,
        staleness=0.5,
        statistics=statistics,
        monitor_time=0.0,
        history=History(),
        _look=lambda: (None, 0),
    )


def seen_by(now: Progress, **more: Any) -> FitProgress:
    """What a callback sees of four passes over a hundred documents."""
    seen: list[FitProgress] = []
    problem: Any = SimpleNamespace(n_documents=100.0)
    given = {"n_batches": 10, "n_passes": 4, "callbacks": [seen.append], **more}
    FitMonitor(problem, **given)(now)
    return seen[0]


def test_how_far_and_how_long() -> None:
    seen = seen_by(progress(2.0, 10))
    assert (seen.documents, seen.total_documents) == (100.0, 400.0)
    assert seen.documents_per_second == 50.0
    assert seen.seconds_left == 6.0
    assert seen.share_done == 0.25
    assert (seen.version, seen.staleness, seen.n_workers) == (3, 0.5, None)
    assert seen_by(progress(2.0, 10, workers=2.0)).n_workers == 2


def test_a_time_limit_counts_too() -> None:
    seen = seen_by(progress(2.0, 10), max_time=5.0)
    assert seen.max_time == 5.0
    assert seen.seconds_left == 3.0
    assert seen.share_done == 0.4
    seen = seen_by(progress(6.0, 10), max_time=5.0)
    assert (seen.seconds_left, seen.share_done) == (0.0, 1.0)


def test_before_anything_is_known() -> None:
    seen = seen_by(progress(0.0, 0))
    assert (seen.documents_per_second, seen.seconds_left) == (0.0, None)
    assert seen.share_done == 0.0
    assert seen_by(progress(0.0, 0), n_passes=0).share_done == 1.0


def test_a_fit_that_goes_on() -> None:
    # One pass was done before, and is no part of today's speed.
    history = History()
    history.append(time=3.0, documents=100.0)
    done = dataclasses.replace(progress(2.0, 20), amount=100.0)
    seen = seen_by(done, past=Past(steps=10, history=history))
    assert (seen.epoch, seen.documents, seen.total_documents) == (2.0, 200.0, 400.0)
    assert seen.documents_per_second == 50.0
    assert seen.seconds_left == 4.0
    assert seen.share_done == 0.5


class Guest:
    """A callback that is a context, and notes what happens to it."""

    def __init__(self, diary: list[str], name: str, fails: bool = False) -> None:
        self._diary, self._name, self._fails = diary, name, fails

    def __call__(self, seen: FitProgress) -> None:
        self._diary.append(f"{self._name} called")

    def __enter__(self) -> None:
        if self._fails:
            raise OSError("no place")
        self._diary.append(f"{self._name} in")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        self._diary.append(f"{self._name} out: {error}")
        # The monitor does not let callbacks hide errors.
        return True


@contextmanager
def run_with(*callbacks: Any) -> Iterator[FitMonitor]:
    problem: Any = SimpleNamespace(n_documents=100.0)
    monitor = FitMonitor(problem, 10, 4, callbacks=callbacks)
    with monitor:
        yield monitor


def test_callbacks_that_are_contexts() -> None:
    diary: list[str] = []
    plain: list[FitProgress] = []
    with run_with(Guest(diary, "a"), plain.append, Guest(diary, "b")) as monitor:
        monitor(progress(1.0, 1))
    assert diary == [
        *("a in", "b in", "a called", "b called", "b out: None", "a out: None")
    ]
    assert len(plain) == 1


def test_callbacks_are_left_on_errors_and_hide_none() -> None:
    diary: list[str] = []
    with pytest.raises(KeyboardInterrupt), run_with(Guest(diary, "a")):
        raise KeyboardInterrupt
    assert diary == ["a in", "a out: "]


def test_a_callback_that_cannot_begin() -> None:
    diary: list[str] = []
    guests = Guest(diary, "a"), Guest(diary, "b", fails=True)
    with pytest.raises(OSError, match="no place"), run_with(*guests):
        pytest.fail("the run has begun")
    assert [entry.split(":")[0] for entry in diary] == ["a in", "a out"]
