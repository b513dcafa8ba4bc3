"""Two small problems for the tests of the engine, and slow references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.engine import Snapshot, Update

Array = npt.NDArray[np.float64]
Hook = Callable[[int], None]


@dataclass
class LeastSquares:
    """Rows of A x = b, one per step; step t takes row t modulo the number of rows."""

    n_features: int = 4
    rate: float = 0.05
    additive: bool = False

    def initial_parameters(self, rng: np.random.Generator) -> Array:
        return rng.normal(size=self.n_features)

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalLeastSquares:
        return LocalLeastSquares(*shard, rate=self.rate, n_threads=n_threads)

    def merge(
        self, parameters: Array, payloads: Sequence[Array], rates: Sequence[float]
    ) -> Array:
        for payload, rate in zip(payloads, rates, strict=True):
            parameters -= rate * payload
        return parameters


class LocalLeastSquares:
    """The shared array is written without a lock; the way gone is per thread."""

    def __init__(self, A: Array, b: Array, rate: float, n_threads: int) -> None:
        self.A, self.b, self.rate = A, b, rate
        self.gone = np.zeros((n_threads, A.shape[1]))
        self.done = [0] * n_threads

    def load(self, snapshot: Snapshot) -> None:
        self.u = np.array(snapshot.parameters)
        self.gone[:] = 0
        self.done = [0] * len(self.done)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        for t in steps:
            row, target = self.A[t % len(self.b)], self.b[t % len(self.b)]
            step = self.rate * (row @ self.u - target) * row
            self.u -= step
            self.gone[thread] += step
            self.done[thread] += 1

    def update(self) -> Update:
        n_done = float(sum(self.done))
        return Update(self.gone.sum(axis=0), n_done, {"done": n_done})


def make_rows(seed: int = 0, n_rows: int = 40, n_features: int = 4) -> Any:
    """Rows, targets and the solution of a consistent system."""
    rng = np.random.default_rng(seed)
    A, solution = rng.normal(size=(n_rows, n_features)), rng.normal(size=n_features)
    return A, A @ solution, solution


def serial_sgd(A: Array, b: Array, start: Array, rate: float, n_steps: int) -> Array:
    """Textbook SGD, the reference of all equivalences."""
    v = start.copy()
    for t in range(n_steps):
        row, target = A[t % len(b)], b[t % len(b)]
        v -= rate * (row @ v - target) * row
    return v


@dataclass
class Counting:
    """Adds 1 to cell t at step t, and to the last cell at every step.

    `before_step` is called with t before each step, to make trouble.
    """

    total_steps: int
    additive: bool = True
    before_step: Hook | None = None

    def initial_parameters(self, rng: np.random.Generator) -> Array:
        return np.zeros(self.total_steps + 1)

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalCounting:
        return LocalCounting(n_threads, self.before_step)

    def merge(
        self, parameters: Array, payloads: Sequence[Array], rates: Sequence[float]
    ) -> Array:
        for payload, rate in zip(payloads, rates, strict=True):
            parameters += rate * payload
        return parameters


class LocalCounting:
    """Steps taken are noted per thread, so no note is lost."""

    def __init__(self, n_threads: int, before_step: Hook | None) -> None:
        self.taken: list[list[int]] = [[] for _ in range(n_threads)]
        self.before_step = before_step
        self.shared = False

    def load(self, snapshot: Snapshot) -> None:
        self.shared = snapshot.shared
        parameters = snapshot.parameters
        self.u = parameters if self.shared else np.array(parameters)
        self.taken = [[] for _ in self.taken]

    def run(self, thread: int, steps: Iterator[int]) -> None:
        for t in steps:
            if self.before_step is not None:
                self.before_step(t)
            self.u[t] += 1
            self.taken[thread].append(t)

    def update(self) -> Update:
        taken = [t for steps in self.taken for t in steps]
        payload = np.zeros_like(self.u)
        np.add.at(payload, taken, 1.0)
        payload[-1] = len(taken)
        if self.shared:
            self.u[-1] += len(taken)
        return Update(payload, float(len(taken)))
