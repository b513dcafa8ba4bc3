"""The UCI bag-of-words format: read in bounded memory, written whole or not at all.

Three header lines hold the numbers of documents D, words W and entries NNZ. Each
further line is an entry `doc word count`, ids from 1, sorted by document. A second
file holds the words, one to a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import PathLike, Source, open_bytes, write_whole
from dpsvi.datasets.uci_entries import LARGEST, read_entries, read_header
from dpsvi.datasets.uci_lines import Lines, bad_file

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
    with open_bytes(docword) as (file, where):
        lines = Lines(file, where)
        header = read_header(lines)
        counts = read_entries(lines, header, np.dtype(dtype))
    words = None if vocab is None else _read_words(vocab, header.n_words, where)
    return Corpus(counts, vocabulary=words, name=_short_name(where))


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


def _read_words(vocab: Source, n_words: int, docword: str) -> tuple[str, ...]:
    with open_bytes(vocab) as (file, where):
        raw = b"".join(Lines(file, where).blocks())
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"found the byte {raw[error.start]:#04x}, which is not UTF-8"
        raise bad_file(where, line, found, "need one word to a line") from error
    # Not splitlines(), which also cuts at characters that words may hold.
    words = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]
    if words == [""]:
        words = []
    if "" in words:
        line = words.index("") + 1
        raise bad_file(where, line, "found an empty line", "need one word to a line")
    if len(words) != n_words:
        raise bad_file(
            where,
            min(len(words), n_words) + 1,
            f"found {len(words):,} words",
            f"the header of {docword} promises {n_words:,}",
        )
    return tuple(words)


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


def _short_name(where: str) -> str:
    name = Path(where).name.removesuffix(".gz").removesuffix(".txt")
    return name.removeprefix("docword.")
