"""From a file in any format that we read to a corpus on disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Literal, get_args

from dpsvi.datasets.blocks import CorpusStream, Stream
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.files import Bytes, PathLike, Watched, open_bytes, short_name
from dpsvi.datasets.formats.ldac import LdacStream
from dpsvi.datasets.formats.matrix_market import MatrixMarketStream
from dpsvi.datasets.formats.svmlight import SvmlightStream
from dpsvi.datasets.formats.text_files import TextFile
from dpsvi.datasets.formats.texts import TextStream, Tokens
from dpsvi.datasets.formats.uci import UciStream
from dpsvi.datasets.formats.vowpal import VowpalStream
from dpsvi.datasets.on_disk.disk import CorpusOnDisk, open_corpus
from dpsvi.datasets.on_disk.writing import check_place, write_corpus

Format = Literal[
    "uci", "mm", "ldac", "svmlight", "vw", "text", "csv", "jsonl", "parquet", "h5ad"
]
Told = Callable[[int, int], None]

FORMATS: tuple[str, ...] = get_args(Format)
_TEXTS = ("text", "csv", "jsonl", "parquet")
_WITH_VOCAB = ("uci", "mm", "ldac", "svmlight")
_BUFFER = 1 << 17
_ENDINGS = {
    ".mm": "mm",
    ".mtx": "mm",
    ".ldac": "ldac",
    ".lda-c": "ldac",
    ".svm": "svmlight",
    ".svmlight": "svmlight",
    ".libsvm": "svmlight",
    ".vw": "vw",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".h5ad": "h5ad",
    ".txt": "text",
}


def guess_format(path: PathLike) -> str:
    """Tell the format of a file by its name; ``docword.*`` is UCI, ``*.txt`` is text.

    Raises
    ------
    ValueError
        If the name does not tell.

    Examples
    --------
    >>> from dpsvi.datasets.conversion import guess_format
    >>> guess_format("docword.nytimes.txt.gz"), guess_format("counts.mtx")
    ('uci', 'mm')
    """
    name = Path(path).name.lower().removesuffix(".gz")
    if name.startswith("docword."):
        return "uci"
    ending = Path(name).suffix
    if ending not in _ENDINGS:
        raise ValueError(
            f"the name '{os.fspath(path)}' does not tell the format; say it (format=, "
            f"--format), one of {', '.join(FORMATS)}."
        )
    return _ENDINGS[ending]


def convert(
    source: PathLike | Corpus | Iterable[str],
    path: PathLike,
    *,
    format: Format | None = None,
    vocab: PathLike | None = None,
    column: str | None = None,
    title_column: str | None = None,
    words_of: PathLike | None = None,
    transpose: bool = False,
    zero_based: bool = False,
    namespace: str | None = None,
    stop_words: Literal["english"] | list[str] | None = "english",
    min_df: int | float = 1,
    max_df: int | float = 1.0,
    max_features: int | None = None,
    token_pattern: str = r"(?u)\b\w\w+\b",
    lowercase: bool = True,
    name: str | None = None,
    shuffle: bool = True,
    seed: int = 0,
    overwrite: bool = False,
    progress: Told | None = None,
) -> CorpusOnDisk:
    """Write a corpus on disk, in bounded memory, from a file in another format.

    The folder appears whole or not at all: an error, Ctrl-C or a killed process leaves
    no half corpus. Memory stays below 1 GB whatever the size of the file.

    Parameters
    ----------
    source : path, Corpus or iterable of str
        A file, plain or gzip; a corpus in memory; or texts, which are gone through
        twice.
    path : path
        The folder to make.
    format : str or None
        ``"uci"``, ``"mm"`` (Matrix Market), ``"ldac"``, ``"svmlight"``, ``"vw"``
        (Vowpal Wabbit), ``"text"`` (one document to a line), ``"csv"``, ``"jsonl"``,
        ``"parquet"`` (a column of texts) or ``"h5ad"`` (AnnData). None: told by the
        name of the file.
    vocab : path or None
        A file of the words, one to a line, for formats that hold numbers only.
    column : str or None
        The column of texts in a table.
    title_column : str or None
        The column of titles or numbers, by which documents are known later on. A
        document without a title is known by its number in the source, from 0.
    words_of : path or None
        A corpus on disk that was made of texts: cut these texts to words as those
        were, and count its words only, in its order. `facts.unknown_tokens` of the
        result says how many tokens are none of them.
    transpose : bool
        Whether a Matrix Market file holds words x documents.
    zero_based : bool
        Whether ids in an svmlight file count from 0.
    namespace : str or None
        The only namespace to take from a Vowpal Wabbit file.
    stop_words, min_df, max_df, max_features, token_pattern, lowercase
        What is a word of a text; as in `Corpus.from_texts`, with the same result. If
        there are more than two million different words, the rarest are forgotten on
        the way.
    name : str or None
        Of the corpus; None: that of the file.
    shuffle : bool
        Whether to put the documents in random order, as online learning needs them;
        all orders are equally likely.
    seed : int
        Of that order.
    overwrite : bool
        Whether an older corpus at this place is replaced.
    progress : callable or None
        Called with the bytes of the file read so far and those to read in all, over
        all passes, time and again.

    Returns
    -------
    CorpusOnDisk

    Raises
    ------
    ValueError
        If a file is malformed; the message begins with the file and the line. If an
        option does not go with the format.
    FileExistsError
        If there is something at this place that must not be replaced.
    ImportError
        If pyarrow (or anndata, for its files) is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from dpsvi.datasets import convert
    >>> texts = ["the cat sat on the mat", "a cat is no dog"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     convert(texts, f"{folder}/cats").load().vocabulary
    ('cat', 'dog', 'mat', 'sat')
    """
    check_place(path, overwrite=overwrite)
    tokens = Tokens(stop_words, min_df, max_df, max_features, token_pattern, lowercase)
    words: tuple[str, ...] | None = None
    if words_of is not None:
        tokens, words = _taken(words_of, tokens)
    stream: Stream
    with ExitStack() as opened:
        if isinstance(source, Corpus):
            _check_texts("a Corpus", words)
            stream = CorpusStream(source)
        elif not isinstance(source, str | os.PathLike):
            stream = TextStream(source, tokens, "texts", words=words)
        else:
            kind = _format(source, format, vocab, column or title_column)
            if kind not in _TEXTS:
                _check_texts(f"a file of format {kind!r}", words)
            passes = 1 + (kind in _TEXTS and words is None) + (title_column is not None)
            file = _File(source, progress, kind, opened, passes)
            stream = file.stream(
                vocab,
                (column, title_column),
                transpose,
                zero_based,
                namespace,
                tokens,
                words,
            )
        place = write_corpus(
            stream,
            path,
            shuffle=shuffle,
            seed=seed,
            overwrite=overwrite,
            name=name,
            numbers=True,
        )
    return open_corpus(place)


def _taken(path: PathLike, given: Tokens) -> tuple[Tokens, tuple[str, ...]]:
    """Return how the texts of another corpus were cut to words, and its words."""
    if given != Tokens():
        raise ValueError(
            f"the words are those of '{os.fspath(path)}', and texts are cut as it was; "
            "leave out all other options of words (stop words, limits, pattern, case)."
        )
    other = open_corpus(path)
    words = other.vocabulary
    if words is None or other.facts.tokens is None:
        raise ValueError(
            f"'{os.fspath(path)}' does not say how its texts were cut to words; give "
            "a corpus that this or a later release converted from texts."
        )
    return Tokens(**other.facts.tokens), words


def _check_texts(what: str, words: tuple[str, ...] | None) -> None:
    if words is not None:
        raise ValueError(
            f"{what} holds counts, not texts; leave out the corpus whose words to "
            "take (words_of, --words-of)."
        )


def _format(
    source: PathLike, format: str | None, vocab: PathLike | None, column: str | None
) -> str:
    """Check that the options go together, and the files are there."""
    kind = guess_format(source) if format is None else format
    if kind not in FORMATS:
        raise ValueError(f"format is {kind!r}; it must be one of {', '.join(FORMATS)}.")
    if vocab is not None and kind not in _WITH_VOCAB:
        raise ValueError(
            f"a file of format {kind!r} holds its words itself; leave out the file of "
            "words (vocab, --vocab)."
        )
    if column is not None and kind not in ("csv", "jsonl", "parquet"):
        raise ValueError(
            f"a file of format {kind!r} has no columns; leave out the column."
        )
    for file in (source, vocab):
        if file is not None and not Path(file).is_file():
            raise FileNotFoundError(f"there is no file '{os.fspath(file)}'.")
    return kind


class _File:
    """A file to read, so many times, and to tell how far it is read."""

    def __init__(
        self,
        path: PathLike,
        told: Told | None,
        format: str,
        opened: ExitStack,
        passes: int,
    ) -> None:
        self._path = path
        self._opened = opened
        self._format = format
        self._told = told
        self._n_read = 0
        self._total = Path(path).stat().st_size * passes

    def stream(
        self,
        vocab: PathLike | None,
        columns: tuple[str | None, str | None],
        transpose: bool,
        zero_based: bool,
        namespace: str | None,
        tokens: Tokens,
        words: tuple[str, ...] | None,
    ) -> Stream:
        """Return the documents of the file."""
        if self._format == "h5ad":
            from dpsvi.datasets.formats.annotated import AnnDataStream

            return AnnDataStream(self._path)
        if self._format in _TEXTS:
            column, title_column = columns
            texts = TextFile(self._open, self._format, column)
            titles = None
            if title_column is not None:
                titles = TextFile(self._open, self._format, title_column, numbers=True)
            name = short_name(os.fspath(self._path))
            return TextStream(texts, tokens, name, titles, words)
        source = self._opened.enter_context(self._raw())
        if self._format == "uci":
            return UciStream(source, vocab)
        if self._format == "mm":
            return MatrixMarketStream(source, vocab, transpose=transpose)
        if self._format == "ldac":
            return LdacStream(source, vocab)
        if self._format == "svmlight":
            return SvmlightStream(source, vocab, zero_based=zero_based)
        return VowpalStream(source, namespace=namespace)

    @contextmanager
    def _open(self) -> Iterator[tuple[Bytes, str]]:
        with self._raw() as raw, open_bytes(raw) as opened:
            yield opened

    def _raw(self) -> BufferedReader:
        return BufferedReader(Watched(self._path, self._tell), _BUFFER)

    def _tell(self, n_bytes: int) -> None:
        self._n_read += n_bytes
        if self._told is not None:
            self._told(min(self._n_read, self._total), self._total)
