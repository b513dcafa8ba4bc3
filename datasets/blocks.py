"""Documents that pass by in blocks: what every reader gives and every writer takes.

No format needs its whole file in memory. A reader is a `Stream`: it yields runs of
documents, and knows the words once the last run is out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dpsvi.datasets.corpus import Corpus

# Rows are cut without regard to the number of words, which may not be known yet.
_ANY_WIDTH = int(np.iinfo(np.int32).max)
_ENTRIES_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Block:
    """Consecutive documents, as compressed sparse rows.

    Attributes
    ----------
    indptr : ndarray of int, shape (n_documents + 1,)
        Where each document begins in the two arrays below; the first entry is 0.
    words : ndarray of int32, shape (n_nonzeros,)
        Word ids from 0; rising within a document.
    counts : ndarray of int32 or float32, shape (n_nonzeros,)
        How often each occurs; never zero.
    titles : ndarray of object, shape (n_documents,), or None
        A string for each document.
    """

    indptr: npt.NDArray[Any]
    words: npt.NDArray[np.int32]
    counts: npt.NDArray[Any]
    titles: npt.NDArray[np.object_] | None = None

    @property
    def n_documents(self) -> int:
        """Number of documents, empty ones included."""
        return self.indptr.size - 1

    @property
    def n_nonzeros(self) -> int:
        """Number of pairs of a document and a word in it."""
        return self.words.size

    def rows(self, chosen: npt.NDArray[np.intp]) -> Block:
        """Return these documents, in this order."""
        table = sparse.csr_array(
            (self.counts, self.words, self.indptr),
            shape=(self.n_documents, _ANY_WIDTH),
        )[chosen]
        titles = None if self.titles is None else self.titles[chosen]
        # SciPy may have widened the ids.
        words = table.indices.astype(np.int32, copy=False)
        return Block(table.indptr, words, table.data, titles)

    def between(self, start: int, stop: int) -> Block:
        """Return a run of documents, which shares the memory of this block."""
        first, last = self.indptr[start], self.indptr[stop]
        return Block(
            self.indptr[start : stop + 1] - first,
            self.words[first:last],
            self.counts[first:last],
            None if self.titles is None else self.titles[start:stop],
        )


class Stream(ABC):
    """A corpus that passes by once; what a reader of a format provides.

    Attributes
    ----------
    name : str
        A short name of the corpus.
    tokens : dict or None
        How texts were cut to words; None if there were no texts.
    n_unknown_tokens : int or None
        Tokens left out because their words are none of another corpus; known after
        the last block. None if the words are its own.
    """

    name: str
    tokens: dict[str, Any] | None = None
    n_unknown_tokens: int | None = None

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Yield the documents in order; may be called once.

        Raises
        ------
        ValueError
            At the first line that is malformed; the message begins with the file
            and the line.
        """

    @property
    @abstractmethod
    def n_words(self) -> int:
        """Number of words, V; asked for after the last block."""

    @property
    @abstractmethod
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words, if they are known; asked for after the last block."""


class CorpusStream(Stream):
    """The documents of a corpus in memory."""

    def __init__(self, corpus: Corpus) -> None:
        self.name = corpus.name
        self._corpus = corpus

    def blocks(self) -> Iterator[Block]:
        """Yield runs of documents: writers would copy the whole corpus at once."""
        counts, titles = self._corpus.counts, self._corpus.documents
        names = None if titles is None else np.array(titles, dtype=object)
        whole = Block(counts.indptr, counts.indices, counts.data, names)
        start = 0
        while start < whole.n_documents:
            room = whole.indptr[start] + _ENTRIES_AT_ONCE
            stop = int(np.searchsorted(whole.indptr, room, side="right")) - 1
            stop = min(max(stop, start + 1), whole.n_documents)
            block = whole.between(start, stop)
            # In a very large corpus they are wider.
            words = block.words.astype(np.int32, copy=False)
            yield Block(block.indptr, words, block.counts, block.titles)
            start = stop

    @property
    def n_words(self) -> int:
        """Number of words."""
        return self._corpus.n_words

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words of the corpus."""
        return self._corpus.vocabulary


def joined(blocks: Iterable[Block]) -> Block:
    """Put blocks together, in order.

    The counts are int32 if those of all blocks are, else float32. If only some have
    titles, the others' are empty.
    """
    parts = list(blocks)
    if len(parts) == 1:
        return parts[0]
    ends = [np.zeros(1, dtype=np.int64)]
    for part in parts:
        ends.append(part.indptr[1:] + ends[-1][-1])
    whole = all(part.counts.dtype == np.int32 for part in parts)
    dtype = np.int32 if whole else np.float32
    return Block(
        np.concatenate(ends),
        np.concatenate([np.empty(0, np.int32), *(part.words for part in parts)]),
        np.concatenate([np.empty(0, dtype), *(part.counts for part in parts)]),
        _joined_titles(parts),
    )


def numbered(blocks: Iterable[Block]) -> Iterator[Block]:
    """Give documents without a title their number in the source, from 0, as one.

    Titles that are empty count as none.
    """
    first = 0
    for block in blocks:
        stop = first + block.n_documents
        titles = np.array(list(map(str, range(first, stop))), dtype=object)
        if block.titles is not None:
            titles = np.where(block.titles == "", titles, block.titles)
        yield Block(block.indptr, block.words, block.counts, titles)
        first = stop


def in_memory(stream: Stream) -> Corpus:
    """Read a stream into a corpus in memory."""
    block = joined(stream.blocks())
    shape = block.n_documents, stream.n_words
    return Corpus(
        sparse.csr_array((block.counts, block.words, block.indptr), shape=shape),
        vocabulary=stream.vocabulary,
        name=stream.name,
        documents=None if block.titles is None else tuple(block.titles),
    )


def block_of(table: Any, titles: Iterable[str] | None = None) -> Block:
    """Make a block of a checked or raw table of counts."""
    counts = Corpus(table).counts
    names = None if titles is None else np.array(list(titles), dtype=object)
    words = counts.indices.astype(np.int32, copy=False)
    return Block(counts.indptr, words, counts.data, names)


def _joined_titles(parts: list[Block]) -> npt.NDArray[np.object_] | None:
    if all(part.titles is None for part in parts):
        return None
    return np.concatenate(
        [
            np.full(part.n_documents, "", dtype=object)
            if part.titles is None
            else part.titles
            for part in parts
        ]
    )
