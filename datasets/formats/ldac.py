"""The lda-c format: `n id:count id:count ...`, a document to a line, ids from 0."""

from __future__ import annotations

from collections.abc import Iterator

from dpsvi.datasets.blocks import Block, Stream, in_memory
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import Source, open_bytes, short_name, source_name
from dpsvi.datasets.formats.entries import LARGEST
from dpsvi.datasets.formats.fields import shown
from dpsvi.datasets.formats.pair_lines import LONGEST_LINE, pair_blocks
from dpsvi.datasets.formats.uci_lines import Lines
from dpsvi.datasets.formats.words import read_words


def read_ldac(source: Source, vocab: Source | None = None) -> Corpus:
    """Read a corpus in the format of lda-c.

    Each line is a document: its number of different words, then a pair ``id:count``
    for each of them, with ids from 0.

    Parameters
    ----------
    source : path or binary file
        The counts, plain or gzip.
    vocab : path, binary file or None
        The words, one to a line. Without it there are as many words as the largest id
        asks for.

    Returns
    -------
    Corpus

    Raises
    ------
    ValueError
        If a line is malformed or promises another number of words; the message
        begins with the file and the line.

    Examples
    --------
    >>> import io
    >>> from dpsvi.datasets import read_ldac
    >>> read_ldac(io.BytesIO(b"2 0:1 2:5\\n0\\n")).counts.toarray()
    array([[1, 0, 5],
           [0, 0, 0]], dtype=int32)
    """
    return in_memory(LdacStream(source, vocab))


class LdacStream(Stream):
    """The documents of an lda-c file, in order; see `read_ldac`."""

    def __init__(self, source: Source, vocab: Source | None = None) -> None:
        self.name = short_name(source_name(source))
        self._source = source
        self._words = None if vocab is None else read_words(vocab)
        self._n_words = 0 if self._words is None else len(self._words)

    def blocks(self) -> Iterator[Block]:
        """Yield the documents of some lines at a time."""
        last = LARGEST - 1 if self._words is None else len(self._words) - 1
        with open_bytes(self._source) as (file, where):
            lines = Lines(file, where, LONGEST_LINE)
            for block in pair_blocks(lines, 0, last, bytes.strip, _fault):
                if block.n_nonzeros:
                    self._n_words = max(self._n_words, int(block.words.max()) + 1)
                yield block

    @property
    def n_words(self) -> int:
        """Number of words in the vocabulary, or as many as the largest id asks for."""
        return self._n_words

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words of the second file."""
        return self._words


def _fault(head: bytes, n_pairs: int) -> str | None:
    if head.isdigit() and int(head) == n_pairs:
        return None
    return f"found {shown(head)} before {n_pairs:,} pairs; need their number"
