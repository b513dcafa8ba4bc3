"""What every runner shares: the training clock, and the growing of restarted runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Topics = npt.NDArray[np.floating]
Snapshot = Callable[[float, Topics], None]


class TrainingClock:
    """Counts training seconds only, and says when to copy the topics.

    Start-up is the time from the making of the clock to `start`. The clock stands
    still while a snapshot is taken.

    Parameters
    ----------
    budget_s : float
        Training seconds after which `tick` returns False.
    snapshot : callable
        Receives training seconds so far and the topics, (n_topics, n_words).
    first_s, growth : float
        Snapshots are due at ``first_s``, and from then on each time the training
        time has grown by the factor `growth`.

    Attributes
    ----------
    seconds : float
        Training seconds up to the last `tick`.
    startup_s : float
        Seconds before `start`.
    """

    def __init__(
        self,
        budget_s: float,
        snapshot: Snapshot,
        first_s: float = 0.05,
        growth: float = 1.25,
    ) -> None:
        self._budget_s = budget_s
        self._snapshot = snapshot
        self._growth = growth
        self._due_s = first_s
        self._steps = 0
        self._resumed = self._made = time.perf_counter()
        self.seconds = 0.0
        self.startup_s = 0.0

    def start(self) -> None:
        """End the start-up and begin to count training time."""
        self._resumed = time.perf_counter()
        self.startup_s = self._resumed - self._made

    def tick(self, topics: Callable[[], Topics], steps: int = 1) -> bool:
        """Count the time since the last tick, and take a snapshot if one is due.

        Parameters
        ----------
        topics : callable
            Gives the present topics, normalised; called only for a snapshot.
        steps : int
            Training steps since the last tick, for `steps_to_snapshot`.

        Returns
        -------
        bool
            True while there is budget left.
        """
        self.seconds += time.perf_counter() - self._resumed
        self._steps += steps
        left = self.seconds < self._budget_s
        if self.seconds >= self._due_s or not left:
            self._snapshot(self.seconds, topics())
            self._due_s = self.seconds * self._growth
        self._resumed = time.perf_counter()
        return left

    def steps_to_snapshot(self) -> int:
        """Steps that will take about until the next snapshot; at least one."""
        if not self._steps:
            return 1
        until = min(self._due_s, self._budget_s) - self.seconds
        return max(1, int(until * self._steps / self.seconds))


def restart_longer(budget_s: float, first: int, run: Callable[[int], float]) -> None:
    """Run from scratch again and again, each time about twice as long.

    For systems that cannot be looked into while they train: a run of ``n`` steps
    shows what a longer run of the same seed looks like after ``n`` steps.

    Parameters
    ----------
    budget_s : float
        Training seconds of the longest run, at most about that much.
    first : int
        Steps of the first run.
    run : callable
        Trains for so many steps, takes its snapshot, returns training seconds.

    Examples
    --------
    >>> restart_longer(10.0, 1, lambda n: print(n) or float(n))
    1
    2
    4
    8
    10
    """
    steps = first
    while (growth := min(2.0, budget_s / run(steps))) >= 1.1:
        steps = max(steps + 1, int(steps * growth))


def normalised(weights: npt.ArrayLike) -> Topics:
    """Rows of non-negative weights as rows that sum to one.

    Examples
    --------
    >>> normalised([[1.0, 3.0]])
    array([[0.25, 0.75]])
    """
    weights = np.asarray(weights)
    return weights / weights.sum(axis=1, keepdims=True, dtype=np.float64)
