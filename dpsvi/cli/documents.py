"""The argument CORPUS of commands: opened, read part by part, in the model's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = [
    "InWordsOf",
    "check_words",
    "is_on_disk",
    "open_documents",
    "parts_of",
    "titles_of",
]

_DOCUMENTS_AT_ONCE = 16_384
_CONVERT = "To make such a folder of another file: dpsvi corpus convert {path} FOLDER"
_KINDS = "a folder of shards, or a docword file of the UCI bag-of-words format"


def open_documents(path: Path, vocab: Path | None = None) -> Any:
    """Open what stands for a corpus on the command line.

    Parameters
    ----------
    path : Path
        A folder of shards, which stays on disk, or a docword file, which is read.
    vocab : Path or None, default=None
        The words of a docword file.

    Returns
    -------
    CorpusOnDisk or Corpus

    Raises
    ------
    ValueError
        If the path is neither, or a folder has `vocab` beside it.
    """
    from dpsvi import datasets

    if not path.is_dir():
        try:
            return datasets.read_uci(path, vocab)
        except ValueError as error:
            error.add_note(f"A corpus is {_KINDS}. {_CONVERT.format(path=path)}")
            raise
    if vocab is not None:
        raise ValueError(
            f"'{path}' is a folder, and a folder of shards has its words in it; leave "
            "out --vocab"
        )
    return datasets.open_corpus(path)


def is_on_disk(corpus: Any) -> bool:
    """Say whether the documents are read only when they are needed."""
    return hasattr(corpus, "read")


def parts_of(corpus: Any) -> Iterator[sp.csr_array]:
    """Give all documents in order, a part at a time.

    Parameters
    ----------
    corpus : CorpusOnDisk or Corpus
        Shards on disk are read one after another.
    """
    if is_on_disk(corpus):
        for number in range(corpus.n_shards):
            yield corpus.read(number)
    else:
        for start in range(0, corpus.n_documents, _DOCUMENTS_AT_ONCE):
            yield corpus[start : start + _DOCUMENTS_AT_ONCE].counts


def titles_of(corpus: Any) -> Iterator[Sequence[str] | None]:
    """Give the titles of the documents, for each of the parts; None without titles.

    Parameters
    ----------
    corpus : CorpusOnDisk or Corpus
        As in `parts_of`.
    """
    if is_on_disk(corpus):
        yield from map(corpus.titles, range(corpus.n_shards))
    else:
        for start in range(0, corpus.n_documents, _DOCUMENTS_AT_ONCE):
            yield corpus[start : start + _DOCUMENTS_AT_ONCE].documents


def check_words(model: Any, corpus: Any) -> None:
    """Find out whether a corpus can be brought to the words of a model.

    Raises
    ------
    ValueError
        If the columns have no names, and are not as many as the model's.
    """
    names = {
        "the corpus": corpus.vocabulary,
        "the model": getattr(model, "feature_names_in_", None),
    }
    without = [who for who, words in names.items() if words is None]
    if without and corpus.shape[1] != model.n_features_in_:
        raise ValueError(
            f"the corpus has {corpus.shape[1]:,} words and the model "
            f"{model.n_features_in_:,}, and {' and '.join(without)} cannot name them; "
            "give the words of a docword file with --vocab, or fit with names"
        )


class InWordsOf:
    """The documents of a corpus, part by part, in the words of a model.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted.
    corpus : CorpusOnDisk or Corpus
        With names, its words may be others, or in another order.

    Attributes
    ----------
    n_unknown_tokens : int or float
        Tokens, so far, of words that the model does not know; they are left out.
    n_known_tokens : int or float
        Tokens, so far, of all other words.

    Raises
    ------
    ValueError
        As `check_words`.
    """

    def __init__(self, model: Any, corpus: Any) -> None:
        from dpsvi.models.lda.vocabulary import Alignment

        check_words(model, corpus)
        words = getattr(model, "feature_names_in_", None)
        self._bring = Alignment(corpus.vocabulary, words)
        self._corpus = corpus
        self.n_unknown_tokens: float = 0
        self.n_known_tokens: float = 0

    def __iter__(self) -> Iterator[sp.csr_array]:
        """Give the parts, and count what is left out."""
        self.n_unknown_tokens = self.n_known_tokens = 0
        for part in parts_of(self._corpus):
            counts, n_unknown = self._bring(part)
            self.n_unknown_tokens += n_unknown
            self.n_known_tokens += float(counts.data.sum(dtype=float))
            yield counts
