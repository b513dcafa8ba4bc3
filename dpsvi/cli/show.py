"""What commands show in a terminal: a bar while fitting, tables afterwards."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from dpsvi.report.summary import Summary

__all__ = ["FitProgress", "TrainingBar", "curve_table", "topics_table"]

_N_WORDS = 8
_N_MEASUREMENTS = 8


class FitProgress(Protocol):
    """What an estimator tells its callbacks; see `fit`."""

    time: float
    epoch: float
    max_iter: int
    documents: float
    documents_per_second: float
    heldout_perplexity: float | None


class TrainingBar:
    """A line that follows a fit; used as a context around it.

    Parameters
    ----------
    console : rich.console.Console
        Nothing moves on it if it is not a terminal.
    max_iter : int
        Passes over the corpus, at most.
    max_time : float or None
        Seconds, at most.
    """

    def __init__(self, console: Console, max_iter: int, max_time: float | None) -> None:
        self._max_iter = max_iter
        self._max_time = max_time
        self._last: FitProgress | None = None
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            expand=True,
        )
        # No total: the bar pulses until the first documents are through.
        self._task = self._progress.add_task("Preparing", total=None, state="")

    def __enter__(self) -> Self:
        if self._progress.console.is_interactive:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress.console.is_interactive:
            self._progress.stop()

    def show(self, progress: FitProgress) -> None:
        """Move the bar; a callback for `fit`."""
        self._last = progress
        state = [f"epoch {progress.epoch:.1f}/{self._max_iter:,}"]
        if progress.heldout_perplexity is not None:
            state.append(f"perplexity {progress.heldout_perplexity:,.0f}")
        state.append(f"{progress.documents_per_second:,.0f} docs/s")
        self._progress.update(
            self._task,
            description="Training ",
            completed=self._done(progress),
            total=1.0,
            state="  ".join(state),
        )

    def summary(self) -> str:
        """Return what was done in a few words."""
        if self._last is None:
            return "stopped before the first documents were through"
        last = self._last
        text = f"{last.epoch:.1f} of {self._max_iter:,} epochs in {last.time:.1f} s"
        return text if self._done(last) >= 1.0 else f"stopped after {text}"

    def _done(self, progress: FitProgress) -> float:
        done = progress.epoch / self._max_iter
        if self._max_time is not None:
            done = max(done, progress.time / self._max_time)
        return min(done, 1.0)


def topics_table(summary: Summary) -> Table:
    """Return a table of all topics, the largest first: number, share, words.

    Parameters
    ----------
    summary : Summary

    Returns
    -------
    rich.table.Table
    """
    table = _table()
    table.add_column("Topic", justify="right", style="bold", no_wrap=True)
    table.add_column("Share", justify="right", no_wrap=True)
    table.add_column("Most relevant words")
    for topic in summary.topics:
        # Text, not markup: a word may hold square brackets.
        words = Text(topic.label(_N_WORDS), no_wrap=True, overflow="ellipsis")
        table.add_row(str(topic.number), f"{topic.share:.1%}", words)
    return table


def curve_table(summary: Summary) -> Table:
    """Return a table of held-out perplexity against time, from first to last.

    Parameters
    ----------
    summary : Summary
        With at least one measurement; of many, some are shown.

    Returns
    -------
    rich.table.Table
    """
    table = _table()
    for head in ("Training seconds", "Documents seen", "Held-out perplexity"):
        table.add_column(head, justify="right")
    for row in _spaced(len(summary.curve), _N_MEASUREMENTS):
        point = summary.curve[row]
        table.add_row(
            f"{point.time:.2f}", f"{point.documents:,.0f}", f"{point.perplexity:,.1f}"
        )
    return table


def _spaced(length: int, most: int) -> Any:
    """Return at most `most` places in a list: the first, the last, some between.

    They lie closer together at the start, where a fit changes most.
    """
    if length <= most:
        return range(length)
    return np.unique(np.geomspace(1, length, most).round().astype(int)) - 1


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
