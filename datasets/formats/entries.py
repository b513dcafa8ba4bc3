"""Lines `document word count`, checked and put together to documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.blocks import Block
from dpsvi.datasets.formats.uci_lines import Lines, bad_file

LARGEST = int(np.iinfo(np.int32).max)

Entries: TypeAlias = npt.NDArray[Any]
Parser: TypeAlias = Callable[[bytes, Lines, int], tuple[Entries, ValueError | None]]


@dataclass(frozen=True)
class Layout:
    """What the top of a file says of the lines below.

    Attributes
    ----------
    n_documents, n_words, n_entries : int
        The sizes promised.
    size_line, first_line : int
        The lines of the file that hold the number of entries and the first entry. No
        line may be blank before the last entry, so entry i stands i lines below.
    least : int
        The smallest count allowed: 1, or 0 where zeros may be written.
    dtype : dtype
        Of the counts, int32 or float32.
    """

    n_documents: int
    n_words: int
    n_entries: int
    size_line: int
    first_line: int
    least: int
    dtype: np.dtype[Any]

    def line(self, entry: int) -> int:
        """Line of an entry, which is counted from 0."""
        return self.first_line + entry


def document_blocks(lines: Lines, layout: Layout, parse: Parser) -> Iterator[Block]:
    """Yield the documents of all lines that are left, empty ones included.

    Parameters
    ----------
    lines : Lines
        At the first entry.
    layout : Layout
        Known from the lines before.
    parse : callable
        Turns a block of lines into an array of shape (3, n_entries): documents and
        words from 1, and counts. It says how far it came, as `uci_lines.parse` does.

    Raises
    ------
    ValueError
        At the first line that is wrong.
    """
    table = _Table(lines.where, layout)
    for text in lines.blocks():
        columns, error = parse(text, lines, layout.n_entries - table.n_entries)
        if columns.shape[1]:
            yield from table.add(columns)
        if error is not None:
            raise error
    if table.n_entries < layout.n_entries:
        raise lines.wrong(
            f"the file ends after {table.n_entries:,} entries",
            f"line {layout.size_line} promises {layout.n_entries:,} (is the file cut "
            "short?)",
        )
    yield from table.finish()


class _Table:
    """Checks entries, and holds those of the document that may go on."""

    def __init__(self, where: str, layout: Layout) -> None:
        self.n_entries = 0
        self._where = where
        self._layout = layout
        # Number, from 1, of the first document that has not been given out.
        self._next = 1
        self._open: Entries = np.empty((3, 0), dtype=np.int64)

    def add(self, columns: Entries) -> Iterator[Block]:
        """Take entries, shape (3, n); give the documents that are complete."""
        self._check(columns)
        self.n_entries += columns.shape[1]
        held = np.concatenate([self._open, columns], axis=1)
        last = int(held[0, -1])
        cut = int(np.searchsorted(held[0], last))
        self._open = held[:, cut:]
        if last > self._next:
            yield self._block(held[:, :cut], last, self._open.shape[1])

    def finish(self) -> Iterator[Block]:
        """Give the last document, and the empty ones behind it."""
        if self._next <= self._layout.n_documents:
            yield self._block(self._open, self._layout.n_documents + 1, 0)

    def _block(self, columns: Entries, stop: int, n_later: int) -> Block:
        """Make a block of the documents up to `stop`; later entries are held."""
        documents = columns[0].astype(np.int64, copy=False)
        words = columns[1].astype(np.int64, copy=False)
        first = self.n_entries - n_later - documents.size
        falling = (np.diff(documents) == 0) & (np.diff(words) <= 0)
        counts = columns[2]
        if np.any(falling):
            self._check_pairs(documents, words, first)
            order = np.lexsort((words, documents))
            words, counts = words[order], counts[order]
        if self._layout.least == 0:
            kept = counts > 0
            documents, words, counts = documents[kept], words[kept], counts[kept]
        lengths = np.bincount(documents - self._next, minlength=stop - self._next)
        self._next = stop
        return Block(
            np.concatenate([[0], np.cumsum(lengths)]),
            (words - 1).astype(np.int32),
            counts.astype(self._layout.dtype),
        )

    def _check(self, columns: Entries) -> None:
        """Raise at the first entry that is out of range, out of order or too many."""
        layout, problems = self._layout, []
        for what, values, lowest, highest in (
            ("document", columns[0], 1, layout.n_documents),
            ("word", columns[1], 1, layout.n_words),
            ("count", columns[2], layout.least, LARGEST),
        ):
            # Written so that NaN, which compares false with everything, fails too.
            if not (values.min() >= lowest and values.max() <= highest):
                entry = int(np.argmin((values >= lowest) & (values <= highest)))
                needed = f"need a {what} from {lowest} to {highest:,}"
                problems.append((entry, f"found {what} {values[entry]:.15g}", needed))
        before = np.concatenate([self._open[0, -1:], columns[0, :-1]])
        fallen = columns[0, columns.shape[1] - before.size :] < before
        if np.any(fallen):
            place = int(np.argmax(fallen))
            entry = place + columns.shape[1] - before.size
            found = f"found document {columns[0, entry]:.0f} after {before[place]:.0f}"
            problems.append((entry, found, "need entries sorted by document"))
        if self.n_entries + columns.shape[1] > layout.n_entries:
            found = f"found entry {layout.n_entries + 1:,}"
            needed = f"line {layout.size_line} promises {layout.n_entries:,}"
            problems.append((layout.n_entries - self.n_entries, found, needed))
        if problems:
            entry, found, needed = min(problems)
            line = layout.line(self.n_entries + entry)
            raise bad_file(self._where, line, found, needed)

    def _check_pairs(self, documents: Entries, words: Entries, first: int) -> None:
        """Raise at the first entry whose document and word stood there before."""
        # A stable sort: of equal pairs the later line comes later.
        order = np.lexsort((words, documents))
        same = (np.diff(documents[order]) == 0) & (np.diff(words[order]) == 0)
        if not np.any(same):
            return
        entry, earlier = min(zip(order[1:][same], order[:-1][same], strict=True))
        raise bad_file(
            self._where,
            self._layout.line(first + int(entry)),
            f"found document {documents[entry]}, word {words[entry]} again, as on "
            f"line {self._layout.line(first + int(earlier))}",
            "need each pair once, with the sum of its counts",
        )
