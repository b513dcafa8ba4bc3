"""Checking and gathering the entries of a UCI bag of words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dpsvi.datasets.uci_lines import Columns, Lines, bad_file, parse

LARGEST = int(np.iinfo(np.int32).max)
# No line may be blank before the last entry, so entry i stands on line i + 4.
_FIRST_LINE = 4


@dataclass(frozen=True)
class Header:
    """The three numbers at the top of the file: D, W and NNZ."""

    n_documents: int
    n_words: int
    n_entries: int


def read_header(lines: Lines) -> Header:
    """Read and check the three header lines."""
    n_documents = _read_size(lines, "the number of documents D")
    n_words = _read_size(lines, "the number of words W")
    n_entries = lines.number("the number of entries NNZ")
    if n_entries > n_documents * n_words:
        found = f"found {n_entries:,} entries"
        needed = f"{n_documents:,} documents of {n_words:,} words cannot hold as many"
        raise bad_file(lines.where, lines.next - 1, found, needed)
    return Header(n_documents, n_words, n_entries)


def _read_size(lines: Lines, what: str) -> int:
    size = lines.number(what)
    if size > LARGEST:
        needed = f"need {what}, below 2**31"
        raise bad_file(lines.where, lines.next - 1, f"found {size:,}", needed)
    return size


def read_entries(lines: Lines, header: Header, dtype: Any) -> sparse.csr_array:
    """Read all entries after the header.

    Returns
    -------
    csr_array of `dtype`, shape (n_documents, n_words)

    Raises
    ------
    ValueError
        At the first line that is wrong.
    """
    table = _Table(lines.where, header, dtype)
    for block in lines.blocks():
        columns, error = parse(block, lines, header.n_entries - table.n_entries)
        if columns.shape[1]:
            table.add(columns)
        if error is not None:
            raise error
    if table.n_entries < header.n_entries:
        raise lines.wrong(
            f"the file ends after {table.n_entries:,} entries",
            f"line 3 promises {header.n_entries:,} (is the file cut short?)",
        )
    return table.finish()


class _Table:
    """Compressed rows that grow by blocks of checked entries."""

    def __init__(self, where: str, header: Header, dtype: Any) -> None:
        self.n_entries = 0
        self._where = where
        self._header = header
        self._lengths = np.zeros(header.n_documents, dtype=np.int64)
        self._words: list[npt.NDArray[Any]] = [np.empty(0, dtype=np.int32)]
        self._counts: list[npt.NDArray[Any]] = [np.empty(0, dtype=dtype)]
        self._last = np.array([[1], [0]])
        self._in_order = True

    def add(self, columns: Columns) -> None:
        """Append entries, an array of shape (3, n): documents, words, counts."""
        before = np.concatenate([self._last, columns[:2, :-1]], axis=1)
        self._check(columns, before[0])
        documents, words, counts = columns
        if self._in_order:
            ahead = (documents > before[0]) | (words > before[1])
            self._in_order = bool(ahead.all())
        first = int(documents[0]) - 1
        lengths = np.bincount(documents - documents[0])
        self._lengths[first : first + lengths.size] += lengths
        self._words.append((words - 1).astype(np.int32))
        self._counts.append(counts.astype(self._counts[0].dtype))
        self._last = columns[:2, -1:]
        self.n_entries += documents.size

    def finish(self) -> sparse.csr_array:
        """Put the entries together."""
        words, counts = np.concatenate(self._words), np.concatenate(self._counts)
        if not self._in_order:
            self._check_pairs(words)
        indptr = np.concatenate([[0], np.cumsum(self._lengths)])
        shape = self._header.n_documents, self._header.n_words
        return sparse.csr_array((counts, words, indptr), shape=shape)

    def _check(self, columns: Columns, before: npt.NDArray[np.int64]) -> None:
        """Raise at the first entry that is out of range, out of order or too many."""
        header = self._header
        problems = []
        for what, values, highest in (
            ("document", columns[0], header.n_documents),
            ("word", columns[1], header.n_words),
            ("count", columns[2], LARGEST),
        ):
            if values.min() < 1 or values.max() > highest:
                entry = int(np.argmax((values < 1) | (values > highest)))
                needed = f"need a {what} from 1 to {highest:,}"
                problems.append((entry, f"found {what} {values[entry]}", needed))
        if np.any(columns[0] < before):
            entry = int(np.argmax(columns[0] < before))
            found = f"found document {columns[0, entry]} after {before[entry]}"
            problems.append((entry, found, "need entries sorted by document"))
        if self.n_entries + columns.shape[1] > header.n_entries:
            found = f"found entry {header.n_entries + 1:,}"
            needed = f"line 3 promises {header.n_entries:,}"
            problems.append((header.n_entries - self.n_entries, found, needed))
        if problems:
            entry, found, needed = min(problems)
            line = self.n_entries + entry + _FIRST_LINE
            raise bad_file(self._where, line, found, needed)

    def _check_pairs(self, words: npt.NDArray[Any]) -> None:
        """Raise at the first entry whose document and word stood there before."""
        documents = np.repeat(np.arange(self._lengths.size), self._lengths)
        # A stable sort: of equal pairs the later line comes later.
        order = np.lexsort((words, documents))
        same = (np.diff(documents[order]) == 0) & (np.diff(words[order]) == 0)
        if not np.any(same):
            return
        entry, earlier = min(zip(order[1:][same], order[:-1][same], strict=True))
        raise bad_file(
            self._where,
            int(entry) + _FIRST_LINE,
            f"found document {documents[entry] + 1}, word {words[entry] + 1} again, "
            f"as on line {earlier + _FIRST_LINE}",
            "need each pair once, with the sum of its counts",
        )
