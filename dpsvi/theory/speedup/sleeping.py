"""A problem for the engine that takes time and does nothing, to try a model on."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import Snapshot, Update

__all__ = ["Sleeping"]


@dataclass(frozen=True)
class Sleeping:
    """A problem that takes time and does nothing.

    Sleeping workers do not compete for cores, so a small machine can run many.

    Attributes
    ----------
    step_seconds : float, default=0.0
        t_u: mean of the log-normal seconds of a step.
    spread : float, default=0.0
        Their coefficient of variation.
    push_seconds, pull_seconds : float, default=0.0
        What the master needs.
    size : int, default=1
        Numbers of eight bytes of the parameters.
    additive : bool, default=False
        As problems of the engine say it; nothing here is worth sharing.
    """

    step_seconds: float = 0.0
    spread: float = 0.0
    push_seconds: float = 0.0
    pull_seconds: float = 0.0
    size: int = 1
    additive: bool = False

    def initial_parameters(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return np.zeros(self.size)

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> _LocalSleeping:
        return _LocalSleeping(self, seed)

    def extract(
        self, parameters: NDArray[np.float64], request: Any
    ) -> NDArray[np.float64]:
        _sleep(self.pull_seconds)
        return parameters.copy()

    def merge(
        self,
        parameters: NDArray[np.float64],
        payloads: Sequence[NDArray[np.float64]],
        rates: Sequence[float],
    ) -> NDArray[np.float64]:
        _sleep(self.push_seconds * len(payloads))
        for payload, rate in zip(payloads, rates, strict=True):
            parameters += rate * payload
        return parameters


class _LocalSleeping:
    def __init__(self, problem: Sleeping, seed: np.random.SeedSequence) -> None:
        self._problem = problem
        self._rng = np.random.default_rng(seed)
        self._done = 0

    def load(self, snapshot: Snapshot) -> None:
        self._done = 0

    def run(self, thread: int, steps: Iterator[int]) -> None:
        sigma = math.sqrt(math.log1p(self._problem.spread**2))
        for _ in steps:
            factor = float(self._rng.lognormal(-(sigma**2) / 2, sigma))
            _sleep(self._problem.step_seconds * factor)
            self._done += 1

    def update(self) -> Update:
        return Update(np.ones(self._problem.size), float(self._done))


def _sleep(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)
