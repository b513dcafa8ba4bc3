"""The bag-of-words corpus: counts, words, documents, and ways to cut them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dpsvi.datasets.choices import (
    balanced_cuts,
    document_numbers,
    frequent_words,
    n_test_documents,
)
from dpsvi.datasets.counts import as_counts, as_names
from dpsvi.datasets.files import PathLike

Seed: TypeAlias = int | np.random.Generator | None


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """Word counts of a collection of documents.

    The fields are checked when the corpus is made and cannot be set again. The
    arrays inside `counts` are not copied and not locked: treat them as read-only,
    since slices and shards of a corpus share them.

    Parameters
    ----------
    counts : csr_array of int32 or float32, shape (n_documents, n_words)
        How often each word occurs in each document. Any sparse or dense table of
        non-negative numbers is accepted and brought to this form: sorted word
        ids, no duplicates, no stored zeros.
    vocabulary : sequence of str, length n_words, or None
        The word of each column.
    name : str
        A short name for messages and plots.
    documents : sequence of str, length n_documents, or None
        A title or identifier for each row.

    Raises
    ------
    TypeError
        If the counts are not real numbers or a name is not a string.
    ValueError
        If a count is negative, not finite or too large, or a length is wrong.

    Examples
    --------
    >>> from dpsvi.datasets import Corpus
    >>> corpus = Corpus([[2, 0, 1], [0, 3, 0]], vocabulary=["ape", "bee", "cat"])
    >>> corpus
    Corpus('corpus': 2 documents, 3 words, 6 tokens)
    >>> corpus[1:].counts.toarray()
    array([[0, 3, 0]], dtype=int32)
    """

    counts: sparse.csr_array
    vocabulary: tuple[str, ...] | None = None
    name: str = "corpus"
    documents: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        counts = as_counts(self.counts)
        object.__setattr__(self, "counts", counts)
        for field, length, whose in (
            ("vocabulary", counts.shape[1], "word"),
            ("documents", counts.shape[0], "document"),
        ):
            names = getattr(self, field)
            if names is not None:
                names = as_names(names, length, field, whose)
                object.__setattr__(self, field, names)

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        *,
        stop_words: Literal["english"] | list[str] | None = "english",
        min_df: int | float = 1,
        max_df: int | float = 1.0,
        token_pattern: str = r"(?u)\b\w\w+\b",
        lowercase: bool = True,
        max_features: int | None = None,
        name: str = "texts",
        documents: Iterable[str] | None = None,
    ) -> Corpus:
        """Count the words of `texts` with scikit-learn's `CountVectorizer`.

        Parameters
        ----------
        texts : iterable of str
            One text for each document.
        stop_words : "english", list of str or None
            Words to leave out.
        min_df, max_df : int or float
            Keep words found in at least / at most this many documents (int) or
            this share of them (float).
        token_pattern : str
            Regular expression of a word; by default two or more word characters.
        lowercase : bool
            Whether to lower the case first.
        max_features : int or None
            Keep only this many words, the most frequent ones.
        name : str
            Name of the corpus.
        documents : iterable of str or None
            Titles of the documents.

        Returns
        -------
        Corpus
            With int32 counts and the words in alphabetical order.

        Raises
        ------
        TypeError
            If `texts` is one string, or not all of its items are strings.
        ValueError
            If no word is left.

        Examples
        --------
        >>> from dpsvi.datasets import Corpus
        >>> Corpus.from_texts(["The cat sat.", "A cat, a mat"]).vocabulary
        ('cat', 'mat', 'sat')
        """
        # Imported here: reading a corpus from disk must not load scikit-learn.
        from sklearn.feature_extraction.text import CountVectorizer

        vectorizer = CountVectorizer(
            stop_words=stop_words,
            min_df=min_df,
            max_df=max_df,
            token_pattern=token_pattern,
            lowercase=lowercase,
            max_features=max_features,
            dtype=np.int32,
        )
        counts = vectorizer.fit_transform(_checked_texts(texts))
        words = vectorizer.get_feature_names_out()
        titles = None if documents is None else tuple(documents)
        return Corpus(counts, vocabulary=words, name=name, documents=titles)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_documents, n_words)."""
        return self.n_documents, self.n_words

    @property
    def n_documents(self) -> int:
        """Number of documents, empty ones included."""
        return int(self.counts.shape[0])

    @property
    def n_words(self) -> int:
        """Number of different words, V in the literature."""
        return int(self.counts.shape[1])

    @property
    def n_tokens(self) -> int | float:
        """Sum of all counts; a float only if the counts are fractions."""
        total = self.counts.data.sum(dtype=np.float64)
        return int(total) if total.is_integer() else float(total)

    def __len__(self) -> int:
        return self.n_documents

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}: {self.n_documents:,} documents, "
            f"{self.n_words:,} words, {self.n_tokens:,} tokens)"
        )

    def __getitem__(self, index: slice | npt.ArrayLike) -> Self:
        """Return the documents of a slice, an index array or a boolean mask.

        Raises
        ------
        TypeError
            If `index` is a single number; write ``corpus[3:4]`` for document 3.
        IndexError
            If a document number is out of range or a mask has the wrong length.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(self.n_documents)
            if step == 1:
                return self._between(start, max(start, stop))
            return self._rows(np.arange(start, stop, step))
        return self._rows(document_numbers(index, self.n_documents))

    def split(
        self, test_size: float | int = 0.1, random_state: Seed = None
    ) -> tuple[Self, Self]:
        """Split the documents at random into a training and a test corpus.

        Parameters
        ----------
        test_size : float or int
            Share of the documents, strictly between 0 and 1, or their number.
            Both sides get at least one document.
        random_state : int, numpy.random.Generator or None
            Seed of the draw.

        Returns
        -------
        train, test : Corpus, Corpus
            Each in the order of this corpus.

        Raises
        ------
        ValueError
            If there are fewer than two documents, or `test_size` leaves one side
            empty.
        """
        n_test = n_test_documents(test_size, self.n_documents)
        order = np.random.default_rng(random_state).permutation(self.n_documents)
        return self._rows(np.sort(order[n_test:])), self._rows(np.sort(order[:n_test]))

    def shard(self, n: int) -> list[Self]:
        """Cut the corpus into `n` runs of documents of nearly equal work.

        The work of a document is its number of different words. No shard is empty,
        and none exceeds the mean by more than the largest document.

        Parameters
        ----------
        n : int
            Number of shards, from 1 to `n_documents`.

        Returns
        -------
        list of Corpus
            In order; they share the memory of this corpus.

        Raises
        ------
        ValueError
            If `n` is below 1 or above the number of documents.
        """
        cuts = balanced_cuts(self.counts.indptr, n)
        return [self._between(start, stop) for start, stop in pairwise(cuts)]

    def shuffle(self, random_state: Seed = None) -> Self:
        """Return the documents in random order.

        Online learning needs this when the documents are grouped, say by date.

        Parameters
        ----------
        random_state : int, numpy.random.Generator or None
            Seed of the order.

        Returns
        -------
        Corpus
        """
        rng = np.random.default_rng(random_state)
        return self._rows(rng.permutation(self.n_documents))

    def save(
        self,
        path: PathLike,
        *,
        shuffle: bool = True,
        seed: int = 0,
        overwrite: bool = False,
    ) -> Path:
        """Write the corpus to a folder, in a form that can be read part by part.

        The folder appears whole or not at all. `open_corpus` opens it.

        Parameters
        ----------
        path : path
            The folder to make.
        shuffle : bool
            Whether to write the documents in random order, as online learning needs
            them; titles stay with their documents.
        seed : int
            Of that order.
        overwrite : bool
            Whether an older corpus at this place is replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FileExistsError
            If there is something at this place that must not be replaced.
        FileNotFoundError
            If the folder that it is to lie in does not exist.
        ImportError
            If pyarrow is not installed.

        Examples
        --------
        >>> import tempfile
        >>> from dpsvi.datasets import Corpus, open_corpus
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     place = Corpus([[2, 0], [0, 3]]).save(f"{folder}/tiny", shuffle=False)
        ...     open_corpus(place).load().counts.toarray().tolist()
        [[2, 0], [0, 3]]
        """
        # Imported here: the writers know this class.
        from dpsvi.datasets.blocks import CorpusStream
        from dpsvi.datasets.on_disk.writing import write_corpus

        return write_corpus(
            CorpusStream(self), path, shuffle=shuffle, seed=seed, overwrite=overwrite
        )

    def select_words(
        self,
        *,
        min_documents: int = 1,
        max_document_share: float = 1.0,
        n_most_frequent: int | None = None,
    ) -> Corpus:
        """Keep some of the words, in their order; documents are never dropped.

        Parameters
        ----------
        min_documents : int
            Keep words found in at least this many documents.
        max_document_share : float
            Keep words found in at most this share of the documents, 0 to 1.
        n_most_frequent : int or None
            Of these, keep only this many, those with the most tokens; the earlier
            word wins a tie.

        Returns
        -------
        Corpus
            Some of its documents may be empty.

        Raises
        ------
        ValueError
            If no word is left or an argument is out of range.
        """
        kept = frequent_words(
            self.counts, min_documents, max_document_share, n_most_frequent
        )
        words = self.vocabulary
        return Corpus(
            self.counts[:, kept],
            vocabulary=None if words is None else tuple(words[k] for k in kept),
            name=self.name,
            documents=self.documents,
        )

    def _between(self, start: int, stop: int) -> Self:
        # Views, not copies: a shard of a large corpus costs no memory.
        first, last = self.counts.indptr[start], self.counts.indptr[stop]
        counts = sparse.csr_array(
            (
                self.counts.data[first:last],
                self.counts.indices[first:last],
                self.counts.indptr[start : stop + 1] - first,
            ),
            shape=(stop - start, self.n_words),
        )
        return replace(self, counts=counts, **self._beside(slice(start, stop)))

    def _rows(self, rows: npt.NDArray[np.intp]) -> Self:
        return replace(self, counts=self.counts[rows], **self._beside(rows))

    def _beside(self, rows: Any) -> dict[str, Any]:
        """Other fields that hold one item for each document, for these `rows`."""
        if self.documents is None:
            return {}
        titles = np.array(self.documents, dtype=object)
        return {"documents": tuple(titles[rows])}


def _checked_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str | bytes):
        raise TypeError("texts is one string; give an iterable with one per document.")
    checked = list(texts)
    for position, text in enumerate(checked):
        if not isinstance(text, str):
            raise TypeError(
                f"text {position} is of type {type(text).__name__}; texts must be str."
            )
    return checked
