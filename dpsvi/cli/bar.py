"""What moves on the terminal while a command works: a bar of documents, or a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import scipy.sparse as sp
    from rich.progress import Progress, ProgressColumn

__all__ = ["documents_bar", "followed", "running_clock"]


@contextmanager
def documents_bar(
    what: str, n_documents: int, *, shown: bool
) -> Iterator[Callable[[int], None]]:
    """Show how many documents are done, and how long the others will take.

    Stays on the standard error, and only in a terminal: the standard output is for the
    result.

    Parameters
    ----------
    what : str
        What is done to the documents.
    n_documents : int
        How many there are.
    shown : bool
        Whether anybody wants to see it.

    Yields
    ------
    callable
        To be told how many more are done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = _progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("documents,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        shown=shown,
    )
    with bar:
        task = bar.add_task(what, total=n_documents)
        yield lambda more: bar.advance(task, more)


@contextmanager
def running_clock(what: str, *, shown: bool) -> Iterator[None]:
    """Show for how long something has been going on whose end is not known.

    On the standard error, and only in a terminal.

    Parameters
    ----------
    what : str
        What goes on.
    shown : bool
        Whether anybody wants to see it.
    """
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    words = TextColumn("{task.description}", markup=False)
    with _progress(SpinnerColumn(), words, TimeElapsedColumn(), shown=shown) as clock:
        clock.add_task(what, total=None)
        yield


def _progress(*columns: ProgressColumn, shown: bool) -> Progress:
    """Return what is drawn on the standard error of a terminal, and leaves no trace."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    hidden = not (shown and console.is_terminal)
    return Progress(*columns, console=console, transient=True, disable=hidden)


def followed(
    parts: Iterable[Any], advance: Callable[[int], None]
) -> Iterator[sp.csr_array]:
    """Give the parts, and tell of each when the next one is asked for."""
    for part in parts:
        yield part
        advance(part.shape[0])
