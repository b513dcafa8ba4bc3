"""What happens beside a training: tables, scores, checkpoints, deciding to stop."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dpsvi.engine import Checkpoint, History, Saved
from dpsvi.engine.progress import Progress
from dpsvi.rl.hsa2c import ModelParameters
from dpsvi.rl.logs import RunLog
from dpsvi.rl.optimisers import Vector
from dpsvi.rl.tally import count, merged, summary

__all__ = ["Bar", "RecentScores", "TrainingMonitor", "TrainingProgress"]

# Episodes whose mean is "the" training score, and the fewest that may stop a run.
_RECENT, _ENOUGH = 100, 20
# Seconds between two rows of the table, at least.
_EVERY = 0.5
# Means over the local steps of a row.
_DIAGNOSTICS = (
    "length",
    "entropy",
    "value",
    "value_spread",
    "gradient_norm",
    "live_units",
)
# With fewer live units in a layer, or outputs that hardly differ, a network is dead.
_LIVE, _SPREAD = 0.1, 1e-4


class RecentScores:
    """Mean score of the last episodes, known in groups with their own means.

    Examples
    --------
    >>> scores = RecentScores()
    >>> scores.add(mean=10.0, n=50)
    >>> scores.add(mean=20.0, n=50)
    >>> scores.add(mean=20.0, n=50)
    >>> scores.mean, scores.n_seen
    (20.0, 150)
    """

    def __init__(self, n_seen: int = 0, recent: Iterable[float] = ()) -> None:
        self._recent: deque[float] = deque(recent, maxlen=_RECENT)
        self.n_seen = n_seen

    def add(self, mean: float, n: int) -> None:
        """Add n episodes of which the mean is known."""
        self.n_seen += n
        self._recent.extend([mean] * min(n, _RECENT))

    @property
    def mean(self) -> float:
        """Over the last hundred episodes; nan before the first has ended."""
        return sum(self._recent) / len(self._recent) if self._recent else math.nan

    @property
    def recent(self) -> tuple[float, ...]:
        """The last hundred, or fewer: what another window can start from."""
        return tuple(self._recent)

    @property
    def enough(self) -> bool:
        """Whether there are enough episodes to judge by."""
        return len(self._recent) >= _ENOUGH


@dataclass(frozen=True)
class TrainingProgress:
    """What a callback of `train` sees after each merge.

    Attributes
    ----------
    time : float
        Seconds since the start, without the time spent in callbacks and evaluations;
        with those before a checkpoint.
    steps, total_steps : int
        Agent steps done, and to do.
    score : float
        Mean raw score of the last hundred training episodes; nan before the first.
    episodes : int
        Training episodes finished.
    staleness : float
        Mean number of versions between pull and push.
    entropy, value, gradient_norm : float
        Means over the local steps of this merge.
    steps_per_second : float
        Mean speed of this run.
    """

    time: float
    steps: int
    total_steps: int
    score: float
    episodes: int
    staleness: float
    entropy: float
    value: float
    gradient_norm: float
    steps_per_second: float
    _progress: Progress

    @property
    def weights(self) -> Vector:
        """The parameters at this moment: a copy, float32 of shape (n_parameters,)."""
        parameters: ModelParameters = self._progress.parameters
        return parameters.weights.copy()


class Bar(Protocol):
    """Whatever shows progress."""

    def show(self, progress: TrainingProgress) -> None:
        """Show how far the training is."""


class TrainingMonitor:
    """The monitor of a training; called by the engine after each merge.

    Parameters
    ----------
    total_steps, steps_before : int
        Agent steps to do, and those done by an earlier run.
    log : RunLog
        Where the table goes, with the rows of an earlier run.
    seconds_before : float, default=0.0
        Training time of an earlier run.
    scores : RecentScores
        Of the training.
    callbacks : iterable of callable
        Called with a `TrainingProgress`; returning True stops the run.
    evaluate : callable or None, default=None
        From weights to a score.
    evaluate_every : int or None, default=None
        Agent steps between two evaluations.
    target_score : float or None, default=None
        Stop when the evaluation, or without one the training score, is as high.
    checkpoint : Checkpoint or None, default=None
        Where to save now and then.
    bar : Bar or None, default=None
        Shown every progress.

    Attributes
    ----------
    history : History
        The rows of the table so far.
    """

    def __init__(
        self,
        *,
        total_steps: int,
        steps_before: int,
        log: RunLog,
        scores: RecentScores,
        seconds_before: float = 0.0,
        callbacks: Iterable[Callable[[TrainingProgress], Any]] = (),
        evaluate: Callable[[Vector], float] | None = None,
        evaluate_every: int | None = None,
        target_score: float | None = None,
        checkpoint: Checkpoint | None = None,
        bar: Bar | None = None,
    ) -> None:
        self.history = History()
        for row in log.earlier:
            self.history.append(**row)
        self._total_steps = total_steps
        self._before, self._seconds_before = steps_before, seconds_before
        self._log = log
        self._scores = scores
        self._callbacks = tuple(callbacks)
        self._evaluate = evaluate
        self._evaluate_every = evaluate_every or 0
        self._next_evaluation = steps_before + self._evaluate_every
        self._target = target_score
        self._checkpoint = checkpoint
        self._bar = bar
        self._warned = False
        # Of the row that is being gathered; seconds and steps at the last one.
        self._sums: list[Any] = []
        self._last = (seconds_before, steps_before)
        self._seen: TrainingProgress | None = None

    def __call__(self, progress: Progress) -> bool:
        """Look at the run after a merge; True stops it."""
        sums = progress.statistics
        if episodes := count(sums, "score"):
            self._scores.add(sums["score"] / episodes, episodes)
        self._sums.append(sums)
        view = self._view(progress)
        self._seen = view
        self._warn_of_death(sums)
        evaluation = self._evaluated(view)
        if evaluation is not None or view.time - self._last[0] >= _EVERY:
            self._write(view, evaluation)
        if self._bar is not None:
            self._bar.show(view)
        if self._checkpoint is not None and self._checkpoint.due():
            self._checkpoint.save(self.saved(progress.parameters, view.steps))
        # A list, not any(): every callback is told.
        stop = any([callback(view) is True for callback in self._callbacks])
        return stop or self._reached(evaluation)

    @property
    def score(self) -> float | None:
        """Mean of the last hundred training episodes; None before the first."""
        return None if math.isnan(self._scores.mean) else self._scores.mean

    @property
    def episodes(self) -> int:
        """Training episodes finished."""
        return self._scores.n_seen

    @property
    def seconds(self) -> float:
        """Training time of this run, until the last merge."""
        return self._elapsed - self._seconds_before

    def finish(self) -> None:
        """Write what has been gathered since the last row."""
        if self._sums and self._seen is not None:
            self._write(self._seen, None)

    def saved(self, parameters: ModelParameters, steps: int) -> Saved:
        """What a checkpoint holds at this moment."""
        counters = {"steps": steps, "episodes": self._scores.n_seen}
        story = {
            "seconds": np.array(self._elapsed),
            "recent_scores": np.array(self._scores.recent, dtype=np.float64),
            "log_folder": np.array(str(self._log.path.parent.resolve())),
        }
        return Saved({**vars(parameters), **story}, counters)

    @property
    def _elapsed(self) -> float:
        """Training time until the last merge, with that of an earlier run."""
        return self._seen.time if self._seen is not None else self._seconds_before

    def _view(self, progress: Progress) -> TrainingProgress:
        means = summary(progress.statistics)
        seconds = progress.time - progress.monitor_time
        return TrainingProgress(
            time=self._seconds_before + seconds,
            steps=self._before + int(progress.amount),
            total_steps=self._total_steps,
            score=self._scores.mean,
            episodes=self._scores.n_seen,
            staleness=progress.staleness,
            entropy=means.get("entropy", math.nan),
            value=means.get("value", math.nan),
            gradient_norm=means.get("gradient_norm", math.nan),
            steps_per_second=progress.amount / seconds if seconds > 0 else 0.0,
            _progress=progress,
        )

    def _evaluated(self, view: TrainingProgress) -> float | None:
        if self._evaluate is None or not self._evaluate_every:
            return None
        if view.steps < self._next_evaluation:
            return None
        self._next_evaluation = view.steps + self._evaluate_every
        return self._evaluate(view.weights)

    def _reached(self, evaluation: float | None) -> bool:
        if self._target is None:
            return False
        if self._evaluate is not None and self._evaluate_every:
            return evaluation is not None and evaluation >= self._target
        return self._scores.enough and self._scores.mean >= self._target

    def _write(self, view: TrainingProgress, evaluation: float | None) -> None:
        means = summary(merged(self._sums))
        seconds, steps = view.time - self._last[0], view.steps - self._last[1]
        row: dict[str, float] = {
            "time": view.time,
            "steps": view.steps,
            "steps_per_second": steps / seconds if seconds > 0 else math.nan,
            "score": view.score,
            "episodes": view.episodes,
            "staleness": view.staleness,
        }
        for name in _DIAGNOSTICS:
            row[name] = means.get(name, math.nan)
        if evaluation is not None:
            row["evaluation"] = evaluation
        self.history.append(**row)
        self._log.write({k: v for k, v in row.items() if not math.isnan(v)})
        self._sums, self._last = [], (view.time, view.steps)

    def _warn_of_death(self, sums: Any) -> None:
        means = summary(sums)
        dead = means.get("live_units", 1.0) < _LIVE
        # Only of rollouts that showed different things.
        constant = "logit_spread" in means and (
            means["logit_spread"] < _SPREAD
            and means["value_spread"] < _SPREAD * (1.0 + abs(means["value"]))
        )
        if self._warned or not (dead or constant):
            return
        self._warned = True
        what = (
            f"in one layer only {means['live_units']:.1%} of the units still react"
            if dead
            else "it answers the same to everything it sees"
        )
        warnings.warn(
            f"the network is dying: {what}. It will hardly learn any more; start "
            "again with a lower learning_rate, a longer warm_up or more entropy.",
            RuntimeWarning,
            stacklevel=2,
        )
