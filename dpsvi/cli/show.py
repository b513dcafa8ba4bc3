"""What commands show in a terminal: what was done, and tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dpsvi.report.summary import Summary

__all__ = ["curve_table", "topics_table", "training_summary"]

_N_WORDS = 8
_N_MEASUREMENTS = 8


def training_summary(last: Any, max_iter: int) -> str:
    """Return what a fit has done in a few words.

    Parameters
    ----------
    last : FitProgress or None
        What the fit told last.
    max_iter : int
        Passes over the corpus, at most.
    """
    if last is None:
        return "stopped before the first documents were through"
    text = f"{last.epoch:.1f} of {max_iter:,} epochs in {last.time:.1f} s"
    return text if last.share_done >= 1.0 else f"stopped after {text}"


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
