"""What happens beside a fit: measuring, telling, and deciding to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import Checkpoint, Progress
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.evaluation import Completion
from dpsvi.models.lda.past import Past
from dpsvi.models.lda.problem import LDAProblem

__all__ = ["Epochs", "FitMonitor", "FitProgress", "Look"]

# Held-out perplexity is measured when the documents seen have grown by this factor,
# and at least once an epoch.
_GROWTH = 1.5


#: Returns λ as it is now, and the log scale of the moment.
Look: TypeAlias = Callable[[], tuple[NaturalParameters, float]]


@dataclass(frozen=True)
class FitProgress:
    """What a callback of `fit` sees, several times an epoch.

    Attributes
    ----------
    time : float
        Training seconds, without the time spent measuring and in callbacks.
    max_time : float or None
        Seconds after which the fit ends.
    epoch : float
        Passes over the documents done.
    max_iter : int
        Passes to do.
    documents, total_documents : float
        Documents seen, and to see, over all passes; with those of an earlier run
        that this fit goes on from.
    version : int
        Merges that the master has done.
    heldout_perplexity : float or None
        As measured last; None without `X_val` or before the first time.
    staleness : float
        Mean number of versions between pull and push.
    n_workers : int or None
        Workers of the cluster that took part at this moment; None in one process.
    converged : float or None
        Share of the latest documents that variational Bayes was done with before
        `max_doc_update_iter`; None where nothing is iterated.
    """

    time: float
    max_time: float | None
    epoch: float
    max_iter: int
    documents: float
    total_documents: float
    version: int
    heldout_perplexity: float | None
    staleness: float
    n_workers: int | None
    converged: float | None
    _documents_before: float
    _look: Look

    @property
    def documents_per_second(self) -> float:
        """Mean speed so far, in this run."""
        seen = self.documents - self._documents_before
        return seen / self.time if self.time > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the fit will go on at this speed; None if nobody can tell."""
        limits = []
        if self.documents_per_second > 0:
            left = self.total_documents - self.documents
            limits.append(left / self.documents_per_second)
        if self.max_time is not None:
            limits.append(self.max_time - self.time)
        return max(0.0, min(limits)) if limits else None

    @property
    def share_done(self) -> float:
        """Share of the documents or of the time that is over, from 0 to 1."""
        share = self.documents / self.total_documents if self.total_documents else 1.0
        if self.max_time is not None:
            share = max(share, self.time / self.max_time)
        return min(share, 1.0)

    @property
    def components_(self) -> NDArray[np.floating]:
        """λ at this moment, a copy of shape (n_components, n_features)."""
        parameters, log_scale = self._look()
        return parameters.value(log_scale).T


class Epochs(Protocol):
    """What is done at the ends of passes over the documents."""

    def begin(self) -> None:
        """A pass begins."""

    def end(self, n_passes: int, look: Look) -> bool:
        """A pass has ended; return True to stop the run."""


class FitMonitor:
    """The monitor of an LDA run; a context around it.

    Callbacks that are context managers are entered with it, and left however the run
    ends.

    Parameters
    ----------
    problem : LDAProblem
        The problem that runs.
    n_batches, n_passes : int
        Mini-batches of a pass, and passes to do.
    epochs : Epochs or None
        What to do at the end of passes.
    completion : Completion or None
        Held-out documents.
    patience : int or None
        Stop after this many measurements in a row without a new best.
    callbacks : iterable of callable
        Called with a `FitProgress`; returning True stops the run.
    checkpoint : Checkpoint or None, default=None
        Where to save now and then.
    past : Past or None, default=None
        Of this fit, before this run.
    max_time : float or None, default=None
        Seconds after which the run ends.
    n_steps : int or None, default=None
        Mini-batches to do, if that is not all of all passes.
    """

    def __init__(
        self,
        problem: LDAProblem,
        n_batches: int,
        n_passes: int,
        epochs: Epochs | None = None,
        completion: Completion | None = None,
        patience: int | None = None,
        callbacks: Iterable[Callable[[FitProgress], Any]] = (),
        checkpoint: Checkpoint | None = None,
        past: Past | None = None,
        max_time: float | None = None,
        n_steps: int | None = None,
    ) -> None:
        self._problem = problem
        self._n_batches = n_batches
        self._n_passes = n_passes
        self._epochs = epochs
        self._completion = completion
        self._patience = patience
        self._callbacks = tuple(callbacks)
        self._checkpoint = checkpoint
        self._past = past or Past()
        self._max_time = max_time
        self._share = 1.0 if n_steps is None else n_steps / max(1, n_batches * n_passes)
        self._passes = self._past.steps // n_batches
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            for callback in self._callbacks:
                if isinstance(callback, AbstractContextManager):
                    self._open.enter_context(callback)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Whether they would hide the error is not asked.
        self._open.__exit__(kind, error, trace)

    def __call__(self, progress: Progress) -> bool:
        """Look at the run after a merge; True stops it."""

        def look() -> tuple[NaturalParameters, float]:
            log_scale = self._problem.clock.log_scale[progress.parameters_clock]
            return progress.parameters, float(log_scale)

        stop = self._measure(progress, look)
        stop |= self._tell(progress, look)
        passes = progress.clock // self._n_batches
        if passes > self._passes and self._epochs is not None:
            self._passes = passes
            stop |= self._epochs.end(passes, look)
            if passes < self._n_passes and not stop:
                self._epochs.begin()
        if self._checkpoint is not None and self._checkpoint.due():
            now = progress.parameters, progress.history, progress.parameters_clock
            self._checkpoint.save(self._past.and_now(*now))
        return stop

    def _measure(self, progress: Progress, look: Look) -> bool:
        watched, seen = self._past.watched, self._past.documents + progress.amount
        if self._completion is None or seen < watched.next_measurement:
            return False
        growth = min(seen * (_GROWTH - 1.0), self._problem.n_documents)
        watched.next_measurement = seen + growth
        parameters, log_scale = look()
        scale = parameters.scale(log_scale)
        watched.latest = self._completion.perplexity(parameters, scale)
        progress.record(heldout_perplexity=watched.latest)
        better = watched.latest < watched.best
        watched.fruitless = 0 if better else watched.fruitless + 1
        watched.best = min(watched.best, watched.latest)
        return self._patience is not None and watched.fruitless >= self._patience

    def _tell(self, progress: Progress, look: Look) -> bool:
        n_documents = self._problem.n_documents
        before, measured = self._past.documents, self._past.watched.latest
        n_workers = progress.statistics.get("workers")
        view = FitProgress(
            time=progress.time - progress.monitor_time,
            max_time=self._max_time,
            epoch=progress.clock / self._n_batches,
            max_iter=self._n_passes,
            documents=before + progress.amount,
            total_documents=n_documents * self._n_passes * self._share,
            version=progress.version,
            heldout_perplexity=None if np.isnan(measured) else measured,
            staleness=progress.staleness,
            n_workers=None if n_workers is None else int(n_workers),
            converged=progress.statistics.get("converged"),
            _documents_before=before,
            _look=look,
        )
        # A list, not any(): every callback is told.
        return any([callback(view) is True for callback in self._callbacks])
