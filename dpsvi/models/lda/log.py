"""What a fit says in the log, for people and for machines that collect it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from dpsvi.models.lda.monitor import FitProgress

__all__ = ["FitLog"]

_LOGGER = logging.getLogger("dpsvi.fit")
# Seconds between two lines.
_EVERY = 10.0


class FitLog:
    """A callback that logs how a fit goes on, at level INFO of the logger "dpsvi.fit".

    A line is an event and facts, as in ``fit goes on: epoch=0.5 documents=5000``. The
    record has both also as attributes, `event` and `facts`, for handlers that write
    JSON.

    Parameters
    ----------
    facts : mapping of str to object
        About the fit, for the first line.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._next = 0.0
        self._latest: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._next = time.monotonic() + _EVERY
        _say("fit begins", self._facts)
        return self

    def __call__(self, progress: FitProgress) -> None:
        """Remember where the fit is, and say so now and then."""
        if not _LOGGER.isEnabledFor(logging.INFO):
            return
        self._latest = _facts_of(progress)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            _say("fit goes on", self._latest)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            _say("fit failed", {**self._latest, "error": repr(error)})

    def ended(self, reason: str) -> None:
        """Say that the fit has ended, and why."""
        _say("fit ended", {**self._latest, "reason": reason})


def _facts_of(progress: FitProgress) -> dict[str, Any]:
    facts = {
        "seconds": round(progress.time, 3),
        "epoch": round(progress.epoch, 4),
        "documents": progress.documents,
        "documents_per_second": round(progress.documents_per_second, 1),
        "version": progress.version,
        "staleness": round(progress.staleness, 3),
        "heldout_perplexity": progress.heldout_perplexity,
        "converged": progress.converged,
        "workers": progress.n_workers,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _say(event: str, facts: Mapping[str, Any]) -> None:
    line = " ".join(f"{name}={value}" for name, value in facts.items())
    _LOGGER.info("%s: %s", event, line, extra={"event": event, "facts": dict(facts)})
