"""Vowpal Wabbit's format: `label |namespace word:count ...`, one line a document."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import sparse

from dpsvi.datasets.blocks import Block, Stream, block_of, in_memory
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import Source, open_bytes, short_name, source_name
from dpsvi.datasets.formats.entries import LARGEST
from dpsvi.datasets.formats.fields import shown
from dpsvi.datasets.formats.pair_lines import LONGEST_LINE
from dpsvi.datasets.formats.uci_lines import Lines, bad_file


def read_vw(source: Source, *, namespace: str | None = None) -> Corpus:
    """Read a corpus in the format of Vowpal Wabbit.

    Each line is a document. Labels, weights and tags, which stand before the first
    bar, are passed over. After a bar stand words, each with its count or alone, which
    counts as one. A name that touches the bar is that of a namespace; if a factor
    follows it (``|text:2``), it multiplies the counts.

    Parameters
    ----------
    source : path or binary file
        The documents, plain or gzip, in UTF-8.
    namespace : str or None
        Take the words of this namespace only; None: those of all, where a word that
        occurs in several is one word.

    Returns
    -------
    Corpus
        The vocabulary is in order of first occurrence. The counts are float32 if they
        are not all whole numbers, else int32.

    Raises
    ------
    ValueError
        If a line has no bar or a count is no number from 0; the message begins with
        the file and the line.

    Examples
    --------
    >>> import io
    >>> from dpsvi.datasets import read_vw
    >>> corpus = read_vw(io.BytesIO(b"| cat:2 mat\\n1 |text mat:3\\n"))
    >>> corpus.vocabulary, corpus.counts.toarray().tolist()
    (('cat', 'mat'), [[2, 1], [0, 3]])
    """
    return in_memory(VowpalStream(source, namespace=namespace))


class VowpalStream(Stream):
    """The documents of a Vowpal Wabbit file, in order; see `read_vw`."""

    def __init__(self, source: Source, *, namespace: str | None = None) -> None:
        self.name = short_name(source_name(source))
        self._source = source
        self._namespace = namespace
        self._ids: dict[str, int] = {}

    def blocks(self) -> Iterator[Block]:
        """Yield the documents of some lines at a time."""
        with open_bytes(self._source) as (file, where):
            lines = Lines(file, where, LONGEST_LINE)
            for text in lines.blocks():
                yield self._block(text, lines)

    @property
    def n_words(self) -> int:
        """Number of words met so far."""
        return len(self._ids)

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The words, in order of first occurrence."""
        return tuple(self._ids)

    def _block(self, text: bytes, lines: Lines) -> Block:
        words: list[int] = []
        counts: list[float] = []
        ends = [0]
        for number, line in enumerate(text.split(b"\n")[:-1], start=lines.next):
            try:
                for word, count in self._pairs(line):
                    words.append(self._ids.setdefault(word, len(self._ids)))
                    counts.append(count)
            except ValueError as error:
                found, _, needed = str(error).partition("; ")
                raise bad_file(lines.where, number, found, needed) from None
            ends.append(len(words))
        values = np.array(counts, dtype=np.float64)
        if np.all(values == np.floor(values)):
            values = values.astype(np.int64)
        shape = len(ends) - 1, max(len(self._ids), 1)
        return block_of(sparse.csr_array((values, words, ends), shape=shape))

    def _pairs(self, line: bytes) -> Iterator[tuple[str, float]]:
        _, *spaces = line.split(b"|")
        if not spaces:
            raise ValueError(f"found {shown(line)}; need a bar before the words")
        for space in spaces:
            features = space.split()
            factor = 1.0
            named = space[:1].strip() and features
            name, _, scale = (
                features.pop(0).partition(b":") if named else (b"", b"", b"")
            )
            if scale:
                factor = _number(scale)
            if self._namespace is not None and _decoded(name) != self._namespace:
                continue
            for feature in features:
                word, colon, count = feature.rpartition(b":")
                if not colon:
                    word, count = count, b"1"
                if not word:
                    raise ValueError(f"found {shown(feature)}; need a word")
                yield _decoded(word), factor * _number(count)


def _decoded(word: bytes) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"found {shown(word)}; need UTF-8") from None


def _number(text: bytes) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LARGEST:
        raise ValueError(f"found {shown(text)}; need a count from 0 to {LARGEST:,}")
    return value
