"""A bar that follows a fit, in a terminal or a notebook."""

from __future__ import annotations

import time
from importlib.util import find_spec
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar as Bar
from rich.table import Table
from rich.text import Text

__all__ = ["FitProgress", "ProgressBar", "facts"]

# Between two frames of the bar. Drawing takes time from the fit.
_FRAMES_PER_SECOND = 4
# Seconds without news after which the bar says so.
_SILENCE = 10.0


class FitProgress(Protocol):
    """What an estimator tells its callbacks; see `fit`."""

    time: float
    documents: float
    total_documents: float
    documents_per_second: float
    seconds_left: float | None
    share_done: float
    version: int
    staleness: float
    heldout_perplexity: float | None
    n_workers: int | None


class ProgressBar:
    """A callback of `fit` that shows how far it is, and how it goes.

    In a terminal, or a notebook with ipywidgets, a bar moves while the fit goes on;
    elsewhere a line is written now and then, and one at the end. The fit starts and
    ends the display, also at Ctrl-C and on errors. A bar may be used for one fit after
    another.

    Parameters
    ----------
    console : rich.console.Console or None, default=None
        Where to show it; None: on the standard output.
    interval : float, default=30.0
        Seconds between two lines where no bar can move.
    transient : bool, default=False
        Whether the bar disappears at the end.

    Attributes
    ----------
    last : FitProgress or None
        What the fit told last.

    Examples
    --------
    >>> from dpsvi import DPSVILatentDirichletAllocation, ProgressBar
    >>> from dpsvi.datasets import make_corpus
    >>> corpus = make_corpus(200, n_words=50, n_topics=3, random_state=0)
    >>> model = DPSVILatentDirichletAllocation(3, max_iter=2, n_jobs=1)
    >>> bar = ProgressBar()
    >>> model.fit(corpus, callbacks=[bar]).n_iter_
    Training 100% · 400 of 400 documents · ...
    2
    """

    def __init__(
        self,
        *,
        console: Console | None = None,
        interval: float = 30.0,
        transient: bool = False,
    ) -> None:
        if not interval > 0:
            raise ValueError(f"interval is {interval}; give seconds above 0")
        self._console = console
        self._interval = interval
        self._transient = transient
        self._display: _Moving | _Lines | None = None
        self.last: FitProgress | None = None

    def __enter__(self) -> Self:
        """Start the display; `fit` does so."""
        self.last = None
        console = self._console or Console()
        if _can_move(console):
            self._display = _Moving(console, self._transient)
        else:
            self._display = _Lines(console, self._interval)
        return self

    def __call__(self, progress: FitProgress) -> None:
        """Show how far the fit is."""
        self.last = progress
        if self._display is not None:
            self._display.show(progress)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the display; `fit` does so."""
        display, self._display = self._display, None
        if display is not None:
            display.close()


class _Moving:
    """Two lines that are drawn again and again: the bar, and the facts."""

    def __init__(self, console: Console, transient: bool) -> None:
        self._begun = self._heard = time.monotonic()
        self._ended = False
        self._last: FitProgress | None = None
        self._live = Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=transient,
        )
        self._live.start(refresh=True)

    def show(self, progress: FitProgress) -> None:
        self._last, self._heard = progress, time.monotonic()

    def close(self) -> None:
        self._ended = True
        self._live.stop()

    def _draw(self) -> Group:
        # One look: the fit goes on in another thread.
        last, now = self._last, time.monotonic()
        line = Table.grid(expand=True, padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        for _ in range(2):
            line.add_column(justify="right", no_wrap=True)
        took = _clock(now - self._begun)
        if last is None:
            bar = Bar(total=None, pulse=not self._ended, completed=0)
            line.add_row(Text("Preparing", "bold"), bar, took, "")
            return Group(line)
        share = last.share_done
        left = self._left(last, now)
        line.add_row(
            Text("Training", "bold"), Bar(1.0, share), f"{share:4.0%}", took + left
        )
        told = facts(last)
        silent = now - self._heard
        if silent > _SILENCE and not self._ended:
            told.append(f"no news for {_clock(silent)}")
        facts_line = Text(" · ".join(told), "dim", no_wrap=True, overflow="ellipsis")
        return Group(line, facts_line)

    def _left(self, last: FitProgress, now: float) -> str:
        if last.seconds_left is None or self._ended:
            return ""
        return f", {_clock(max(0.0, last.seconds_left - (now - self._heard)))} left"


class _Lines:
    """A line now and then, for files and pipes."""

    def __init__(self, console: Console, interval: float) -> None:
        self._console = console
        self._interval = interval
        self._next = time.monotonic() + interval
        self._unsaid: FitProgress | None = None

    def show(self, progress: FitProgress) -> None:
        self._unsaid = progress
        if time.monotonic() >= self._next:
            self._say(progress)

    def close(self) -> None:
        if self._unsaid is not None:
            self._say(self._unsaid, ended=True)

    def _say(self, progress: FitProgress, *, ended: bool = False) -> None:
        self._unsaid = None
        self._next = time.monotonic() + self._interval
        told = [f"Training {progress.share_done:.0%}", *facts(progress)]
        if progress.seconds_left is not None and not ended:
            told.append(f"{_clock(progress.seconds_left)} left")
        # In one line however narrow the console believes to be.
        self._console.print(Text(" · ".join(told)), soft_wrap=True)


def facts(progress: FitProgress) -> list[str]:
    """Return what is to be said about a moment of a fit, in a few words each.

    Parameters
    ----------
    progress : FitProgress
        As callbacks see it.

    Returns
    -------
    list of str
        Held-out perplexity and workers only where there are any.
    """
    told = [
        f"{progress.documents:,.0f} of {progress.total_documents:,.0f} documents",
        f"{progress.documents_per_second:,.0f}/s",
    ]
    if progress.heldout_perplexity is not None:
        told.append(f"perplexity {progress.heldout_perplexity:,.1f}")
    told.append(f"version {progress.version:,}")
    if progress.n_workers is not None:
        told.append(f"staleness {progress.staleness:.1f}")
        workers = "worker" if progress.n_workers == 1 else "workers"
        told.append(f"{progress.n_workers} {workers}")
    return told


def _can_move(console: Console) -> bool:
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal and console.is_interactive


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
