"""The UCI bag-of-words format: read in bounded memory, written whole or not at all.

Three header lines hold the numbers of documents D, words W and entries NNZ. Each
further line is an entry `doc word count`, ids from 1, sorted by document. A second
file holds the words, one to a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.blocks import Block, Stream, in_memory
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import (
    PathLike,
    Source,
    open_bytes,
    short_name,
    source_name,
    write_whole,
)
from dpsvi.datasets.formats.entries import LARGEST, Layout, document_blocks
from dpsvi.datasets.formats.uci_lines import Lines, bad_file, parse
from dpsvi.datasets.formats.words import read_words

_ENTRIES_PER_WRITE = 50_000


def read_uci(
    docword: Source, vocab: Source | None = None, *, dtype: npt.DTypeLike = np.int32
) -> Corpus:
    """Read a corpus in the UCI bag-of-words format.

    The text is read in blocks: beside the corpus itself, memory holds a few
    megabytes of it at a time, and the corpus about twice while it is put together.

    Parameters
    ----------
    docword : path or binary file
        The counts, plain or gzip.
    vocab : path, binary file or None
        The words, one to a line in UTF-8, plain or gzip; None for no vocabulary.
    dtype : int32 or float32
        Type of the counts.

    Returns
    -------
    Corpus
        With as many documents and words as the header says, empty ones included.

    Raises
    ------
    ValueError
        If a file is malformed: a header line that is no number, an entry that is not
        three whole numbers, an id out of range, a count below 1, documents out of
        order, the same document and word twice, too few or too many entries, damaged
        gzip data, a vocabulary of another length. The message begins with the file
        and the line.
    TypeError
        If `dtype` is neither int32 nor float32, or a file is open in text mode.

    Examples
    --------
    >>> import io
    >>> from dpsvi.datasets import read_uci
    >>> corpus = read_uci(io.BytesIO(b"2 \\n3 \\n2 \\n1 2 5 \\n2 1 1 \\n"))
    >>> corpus.counts.toarray()
    array([[0, 5, 0],
           [1, 0, 0]], dtype=int32)
    """
    if np.dtype(dtype) not in (np.int32, np.float32):
        raise TypeError(f"dtype is {np.dtype(dtype)}; it must be int32 or float32.")
    return in_memory(UciStream(docword, vocab, dtype=np.dtype(dtype)))


class UciStream(Stream):
    """The documents of a UCI bag of words, in order; see `read_uci`."""

    def __init__(
        self,
        docword: Source,
        vocab: Source | None = None,
        *,
        dtype: np.dtype[Any] = np.dtype(np.int32),  # noqa: B008 - never changed
    ) -> None:
        self.name = short_name(source_name(docword))
        self._docword = docword
        self._vocab = vocab
        self._dtype = dtype
        self._words: tuple[str, ...] | None = None
        self._n_words = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the documents of some lines at a time."""
        with open_bytes(self._docword) as (file, where):
            lines = Lines(file, where)
            layout = _read_layout(lines, self._dtype)
            self._n_words = layout.n_words
            if self._vocab is not None:
                self._words = read_words(self._vocab, layout.n_words, where)
            yield from document_blocks(lines, layout, parse)

    @property
    def n_words(self) -> int:
        """Number of words in the header."""
        return self._n_words

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words of the second file."""
        return self._words


def write_uci(corpus: Corpus, docword: PathLike, vocab: PathLike | None = None) -> None:
    """Write a corpus in the UCI bag-of-words format.

    Each file appears whole or not at all, and replaces an older one. A path that
    ends in ``.gz`` is packed. Titles of documents have no place in the format.

    Parameters
    ----------
    corpus : Corpus
        Its counts must be whole numbers.
    docword, vocab : path
        Where the counts and, if wanted, the words go.

    Raises
    ------
    ValueError
        If a count is not whole or too large, the corpus has no vocabulary to write,
        or a word is empty or holds a line end.
    """
    data = corpus.counts.data
    if data.size and (np.any(data != np.floor(data)) or data.max() > LARGEST):
        raise ValueError(
            f"{corpus!r} has counts that are not whole numbers up to {LARGEST:,}; "
            "the UCI format holds no others. Round or scale them first."
        )
    words = None if vocab is None else _encoded_words(corpus)
    with write_whole(docword) as file:
        file.write(b"%d\n%d\n%d\n" % (*corpus.shape, corpus.counts.nnz))
        for entries in _entries(corpus):
            file.write(b"%d %d %d\n" * (len(entries) // 3) % entries)
    if vocab is not None and words is not None:
        with write_whole(vocab) as file:
            file.write(words)


def _read_layout(lines: Lines, dtype: np.dtype[Any]) -> Layout:
    """Read and check the three header lines."""
    n_documents = _read_size(lines, "the number of documents D")
    n_words = _read_size(lines, "the number of words W")
    n_entries = lines.number("the number of entries NNZ")
    if n_entries > n_documents * n_words:
        found = f"found {n_entries:,} entries"
        needed = f"{n_documents:,} documents of {n_words:,} words cannot hold as many"
        raise bad_file(lines.where, lines.next - 1, found, needed)
    return Layout(
        n_documents, n_words, n_entries, size_line=3, first_line=4, least=1, dtype=dtype
    )


def _read_size(lines: Lines, what: str) -> int:
    size = lines.number(what)
    if size > LARGEST:
        needed = f"need {what}, below 2**31"
        raise bad_file(lines.where, lines.next - 1, f"found {size:,}", needed)
    return size


def _encoded_words(corpus: Corpus) -> bytes:
    if corpus.vocabulary is None:
        raise ValueError(f"{corpus!r} has no vocabulary to write; pass vocab=None.")
    for position, word in enumerate(corpus.vocabulary):
        if not word or "\n" in word or "\r" in word:
            raise ValueError(
                f"word {position} is {word!r}; the format holds one word to a line, so "
                "words must not be empty or hold a line end."
            )
    return "".join(f"{word}\n" for word in corpus.vocabulary).encode("utf-8")


def _entries(corpus: Corpus) -> Iterator[tuple[int, ...]]:
    """Runs of document, word, count, document, word, count ... with ids from 1."""
    counts = corpus.counts
    documents = np.repeat(np.arange(1, len(corpus) + 1), np.diff(counts.indptr))
    for start in range(0, counts.nnz, _ENTRIES_PER_WRITE):
        part = slice(start, start + _ENTRIES_PER_WRITE)
        words = counts.indices[part].astype(np.int64) + 1
        columns = documents[part], words, counts.data[part].astype(np.int64)
        yield tuple(np.stack(columns, axis=1).ravel().tolist())
