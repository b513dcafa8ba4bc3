"""DPSGD with lost writes and late reads as the paper models them (Eq. 2 to 6).

Real threads lose a write now and then, at moments that nobody chooses. Here loss and
delay are drawn at random, so that a run has the α and the D' that it is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.engine.problem import Snapshot
from dpsvi.engine.problems.sgd import Array, LocalSGD, SGDProblem

__all__ = ["SyntheticProcess"]


@dataclass(frozen=True)
class SyntheticProcess(SGDProblem):
    """`SGDProblem` with over-writing matrices B and partial reads P drawn at random.

    Attributes
    ----------
    kept : float, default=1.0
        α: the probability that a number is written and not lost, entry by entry
        (Eq. 3).
    read_delay : int, default=0
        D': a step sees each of the last D' steps of its round in part only, entry by
        entry with probability one half (Eq. 5 and 6).

    Notes
    -----
    The local array is û_b = u_b + Σ_k η (B_{b-k} - P_k) g_{b-k} over the last D' steps.
    Run it on one thread: the order of the synthetic process stands for the threads.
    With an objective of several replicates, each has samples and losses of its own.
    """

    kept: float = 1.0
    read_delay: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.kept <= 1:
            raise ValueError(f"kept is {self.kept!r}; it must be in (0, 1]")
        if self.read_delay < 0:
            raise ValueError(f"read_delay is {self.read_delay}; it must be at least 0")

    @property
    def additive(self) -> bool:
        """Late reads need a round of their own."""
        return False

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalSGD:
        """Open the problem on one thread."""
        if n_threads > 1:
            raise ValueError(
                f"n_threads is {n_threads}; the synthetic process stands for the "
                "threads itself: give a round p * B steps on one thread"
            )
        return _Local(self, shard, seed.spawn(2))


class _Local(LocalSGD):
    """Steps with masks."""

    def __init__(
        self,
        problem: SyntheticProcess,
        shard: Any,
        seeds: Sequence[np.random.SeedSequence],
    ) -> None:
        super().__init__(problem, shard, seeds[:1])
        self._process = problem
        self._masks = np.random.default_rng(seeds[1])
        # The last steps, as taken and as written.
        self._late: deque[tuple[Array, Array]] = deque(maxlen=problem.read_delay)

    def load(self, snapshot: Snapshot) -> None:
        super().load(snapshot)
        self._late.clear()

    def samples(self, rng: np.random.Generator) -> npt.NDArray[np.intp]:
        replicates = getattr(self._process.objective, "replicates", None)
        if replicates is None:
            return super().samples(rng)
        return self.draw(rng, (self._process.batch_size, replicates))

    def step(self, samples: npt.NDArray[np.intp], thread: int) -> None:
        process = self._process
        seen = self.shared
        for taken, written in self._late:
            seen = seen + written - self._mask(0.5, taken.shape) * taken
        taken = process.local_rate * process.objective.gradient(seen, samples)
        written = taken
        if process.kept < 1:
            written = taken * self._mask(process.kept, taken.shape)
        self.shared -= written
        if process.read_delay:
            self._late.append((taken, written))

    def _mask(self, probability: float, shape: tuple[int, ...]) -> npt.NDArray[np.bool]:
        return self._masks.random(shape) < probability
