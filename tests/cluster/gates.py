"""Problems whose steps a test can watch and hold up, also in other processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from toy_problems import Counting, LocalCounting

from dpsvi.models.lda.problem import LDAProblem

PATIENCE = 120.0


def wait_until(there: Callable[[], Any], what: str = "it") -> Any:
    """Return the first true answer; an event, not a guess of how long it takes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if answer := there():
            return answer
        time.sleep(0.01)
    raise TimeoutError(f"waited {PATIENCE} s for {what}")


@dataclass(frozen=True)
class Gate:
    """Holds up whoever comes to one step until the test opens the gate."""

    folder: Path
    step: int

    def __call__(self, t: int) -> None:
        if t == self.step:
            note = self.folder / "reached.tmp"
            note.write_text(str(os.getpid()))
            note.rename(self.folder / "reached")
            wait_until((self.folder / "open").exists, "the gate to open")

    def reached(self) -> int:
        """Wait for somebody, and return the process."""
        wait_until((self.folder / "reached").exists, "a worker at the gate")
        return int((self.folder / "reached").read_text())

    def open(self) -> None:
        (self.folder / "open").touch()


@dataclass(frozen=True)
class Together(LDAProblem):
    """LDA whose workers wait for one another before they begin."""

    folder: Path = Path()
    n_workers: int = 0

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> Any:
        (self.folder / uuid4().hex).touch()
        wait_until(
            lambda: len(list(self.folder.iterdir())) >= self.n_workers, "all workers"
        )
        return super().open_worker(shard, n_threads, seed)


@dataclass(frozen=True)
class Trace:
    """Notes which processes do steps; a step takes a while."""

    folder: Path
    seconds: float = 0.01

    def __call__(self, t: int) -> None:
        (self.folder / f"{os.getpid()}.pid").touch()
        time.sleep(self.seconds)

    def pids(self) -> set[int]:
        return {int(note.stem) for note in self.folder.glob("*.pid")}


@dataclass(frozen=True)
class Raise:
    """Goes wrong at one step."""

    step: int

    def __call__(self, t: int) -> None:
        if t == self.step:
            raise ArithmeticError(f"step {t} went wrong")


@dataclass(frozen=True)
class Missing:
    """Fails as the file system does."""

    def __call__(self, t: int) -> None:
        raise FileNotFoundError("no such file")


class BadMerge(Counting):
    """Goes wrong in the master."""

    def merge(self, parameters: Any, payloads: Any, rates: Any) -> Any:
        raise ArithmeticError("the merge went wrong")


class Flat(Counting):
    """All cells are equal at every version; a worker that sees others says so."""

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> Any:
        return LocalFlat(n_threads, None)

    def merge(
        self, parameters: Any, payloads: Sequence[Any], rates: Sequence[float]
    ) -> Any:
        for payload in payloads:
            # In pieces: a copy made meanwhile would be torn.
            for piece in np.array_split(parameters, 50):
                piece += payload
        return parameters


class LocalFlat(LocalCounting):
    def load(self, snapshot: Any) -> None:
        super().load(snapshot)
        if np.ptp(self.u):
            raise AssertionError("a torn snapshot")

    def run(self, thread: int, steps: Any) -> None:
        self.taken[thread].extend(steps)

    def update(self) -> Any:
        update = super().update()
        return type(update)(1.0, update.amount)
