"""The Matrix Market format: a sparse table as text, `row column value` to a line."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from dpsvi.datasets.blocks import Block, Stream, in_memory
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import Source, open_bytes, short_name, source_name
from dpsvi.datasets.formats.entries import LARGEST, Entries, Layout, document_blocks
from dpsvi.datasets.formats.fields import shown, table_of_numbers
from dpsvi.datasets.formats.uci_lines import Lines, bad_file
from dpsvi.datasets.formats.uci_lines import parse as parse_whole
from dpsvi.datasets.formats.words import read_words

_BANNER = "need '%%MatrixMarket matrix coordinate', then 'integer', 'real' or 'pattern'"
_FIELDS = {"integer": np.int32, "pattern": np.int32, "real": np.float32}


def read_mm(
    source: Source, vocab: Source | None = None, *, transpose: bool = False
) -> Corpus:
    """Read a table of documents and words in the Matrix Market format.

    Parameters
    ----------
    source : path or binary file
        The table, plain or gzip, its entries sorted by document: what
        `scipy.io.mmwrite` writes of a CSR matrix, and gensim of a corpus.
    vocab : path, binary file or None
        The words, one to a line; None for no vocabulary.
    transpose : bool
        Whether the rows are words and the columns documents. Then the entries must
        be sorted by column, as those of a CSC matrix are.

    Returns
    -------
    Corpus
        With float32 counts if the values are not all whole numbers, else int32.

    Raises
    ------
    ValueError
        If the file is malformed or not sorted by document. The message begins with
        the file and the line. `Corpus` takes what `scipy.io.mmread` reads in any
        order.

    Examples
    --------
    >>> import io
    >>> from dpsvi.datasets import read_mm
    >>> text = b"%%MatrixMarket matrix coordinate integer general\\n2 3 1\\n2 3 7\\n"
    >>> read_mm(io.BytesIO(text)).counts.toarray()
    array([[0, 0, 0],
           [0, 0, 7]], dtype=int32)
    """
    return in_memory(MatrixMarketStream(source, vocab, transpose=transpose))


class MatrixMarketStream(Stream):
    """The documents of a Matrix Market file, in order; see `read_mm`."""

    def __init__(
        self, source: Source, vocab: Source | None = None, *, transpose: bool = False
    ) -> None:
        self.name = short_name(source_name(source))
        self._source = source
        self._vocab = vocab
        self._transpose = transpose
        self._words: tuple[str, ...] | None = None
        self._n_words = 0

    def blocks(self) -> Iterator[Block]:
        """Yield the documents of some lines at a time."""
        with open_bytes(self._source) as (file, where):
            lines = Lines(file, where)
            field = _read_banner(lines)
            layout = _read_sizes(lines, _FIELDS[field], self._transpose)
            self._n_words = layout.n_words
            if self._vocab is not None:
                self._words = read_words(self._vocab, layout.n_words, where)
            parse = partial(_parse, field=field, transpose=self._transpose)
            for block in document_blocks(lines, layout, parse):
                yield _narrowed(block)

    @property
    def n_words(self) -> int:
        """Number of words that the header promises."""
        return self._n_words

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words of the second file."""
        return self._words


def _narrowed(block: Block) -> Block:
    """Make the counts whole numbers if they are: "real" often is but a habit."""
    counts = block.counts
    if counts.dtype == np.int32 or np.any(counts != np.floor(counts)):
        return block
    return Block(block.indptr, block.words, counts.astype(np.int32), block.titles)


def _read_banner(lines: Lines) -> str:
    text = lines.line()
    words = text.decode("utf-8", "replace").lower().split()
    if words[:3] != ["%%matrixmarket", "matrix", "coordinate"] or len(words) != 5:
        raise bad_file(lines.where, 1, f"found {shown(text)}", _BANNER)
    if words[3] not in _FIELDS:
        raise bad_file(lines.where, 1, f"found '{words[3]}'", _BANNER)
    if words[4] != "general":
        needed = "a table of documents and words is 'general'"
        raise bad_file(lines.where, 1, f"found '{words[4]}'", needed)
    return words[3]


def _read_sizes(lines: Lines, dtype: Any, transpose: bool) -> Layout:
    text = b"%"
    while text.startswith(b"%") or not text.strip():
        text = lines.line()
    line, fields = lines.next - 1, text.split()
    if len(fields) != 3 or not all(f.isdigit() and len(f) < 18 for f in fields):
        needed = "need the numbers of rows, columns and entries"
        raise bad_file(lines.where, line, f"found {shown(text)}", needed)
    n_documents, n_words, n_entries = map(int, fields)
    if transpose:
        n_documents, n_words = n_words, n_documents
    if max(n_documents, n_words) > LARGEST or n_entries > n_documents * n_words:
        needed = "need fewer than 2**31 rows and columns, and no more entries than fit"
        raise bad_file(lines.where, line, f"found {shown(text)}", needed)
    return Layout(
        n_documents,
        n_words,
        n_entries,
        size_line=line,
        first_line=line + 1,
        least=0,
        dtype=np.dtype(dtype),
    )


def _parse(
    block: bytes, lines: Lines, n_expected: int, *, field: str, transpose: bool
) -> tuple[Entries, ValueError | None]:
    """Parse lines `row column value`; see `uci_lines.parse`."""
    columns: Entries
    if field == "integer":
        columns, error = parse_whole(block, lines, n_expected)
    else:
        width = 2 if field == "pattern" else 3
        rows, error = table_of_numbers(block, width, lines, n_expected)
        columns = rows.T
        if field == "pattern":
            columns = np.concatenate([columns, np.ones((1, len(rows)))])
    return (columns[[1, 0, 2]] if transpose else columns), error
