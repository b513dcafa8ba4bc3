"""The svmlight format: `label id:count id:count ... # comment`, one a document."""

from __future__ import annotations

from collections.abc import Iterator

from dpsvi.datasets.blocks import Block, Stream, in_memory
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import Source, open_bytes, short_name, source_name
from dpsvi.datasets.formats.entries import LARGEST
from dpsvi.datasets.formats.pair_lines import LONGEST_LINE, pair_blocks
from dpsvi.datasets.formats.uci_lines import Lines
from dpsvi.datasets.formats.words import read_words


def read_svmlight(
    source: Source, vocab: Source | None = None, *, zero_based: bool = False
) -> Corpus:
    """Read a corpus in the svmlight format, also known as libsvm.

    Each line is a document: a label, then a pair ``id:count`` for each word. Labels,
    ``qid`` pairs and comments are passed over.

    Parameters
    ----------
    source : path or binary file
        The counts, plain or gzip.
    vocab : path, binary file or None
        The words, one to a line. Without it there are as many words as the largest id
        asks for.
    zero_based : bool
        Whether ids count from 0, as scikit-learn writes them, instead of 1.

    Returns
    -------
    Corpus
        With float32 counts if they are not all whole numbers, else int32.

    Raises
    ------
    ValueError
        If a line is malformed; the message begins with the file and the line.

    Examples
    --------
    >>> import io
    >>> from dpsvi.datasets import read_svmlight
    >>> read_svmlight(io.BytesIO(b"+1 1:2 3:1 # sport\\n-1 2:4\\n")).counts.toarray()
    array([[2, 0, 1],
           [0, 4, 0]], dtype=int32)
    """
    return in_memory(SvmlightStream(source, vocab, zero_based=zero_based))


class SvmlightStream(Stream):
    """The documents of an svmlight file, in order; see `read_svmlight`."""

    def __init__(
        self, source: Source, vocab: Source | None = None, *, zero_based: bool = False
    ) -> None:
        self.name = short_name(source_name(source))
        self._source = source
        self._first = 0 if zero_based else 1
        self._words = None if vocab is None else read_words(vocab)
        self._n_words = 0 if self._words is None else len(self._words)

    def blocks(self) -> Iterator[Block]:
        """Yield the documents of some lines at a time."""
        n_words = LARGEST - 1 if self._words is None else len(self._words)
        last = self._first + n_words - 1
        with open_bytes(self._source) as (file, where):
            lines = Lines(file, where, LONGEST_LINE)
            for block in pair_blocks(lines, self._first, last, _clean, _fault):
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


def _clean(line: bytes) -> bytes:
    """Cut comments and query numbers off."""
    fields = line.partition(b"#")[0].split()
    return b" ".join(field for field in fields if not field.startswith(b"qid:"))


def _fault(head: bytes, n_pairs: int) -> str | None:
    if b":" in head:
        return f"found {head.decode('utf-8', 'replace')!r}; need a label first"
    return None
