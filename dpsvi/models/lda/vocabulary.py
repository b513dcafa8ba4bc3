"""Bringing documents to the words of a model, by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["Alignment", "align", "in_words_of"]

_LOGGER = logging.getLogger("dpsvi.words")


class Alignment:
    """The way from the words of a corpus to those of a model.

    Made once, and used for one part of the corpus after another.

    Parameters
    ----------
    corpus_words : sequence of str, or None
        Names of the corpus's columns.
    model_words : sequence of str, or None
        Names of the model's. Without names on both sides columns are taken to be the
        same words, and their numbers must agree.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> bring = Alignment(["cat", "emu", "ape"], ["ape", "bee", "cat"])
    >>> counts, n_unknown = bring(sp.csr_array([[1, 4, 2], [0, 0, 3]]))
    >>> counts.toarray(), n_unknown
    (array([[2, 0, 1],
           [3, 0, 0]]), 4)
    """

    def __init__(
        self, corpus_words: Sequence[str] | None, model_words: Sequence[str] | None
    ) -> None:
        self._columns = None
        if corpus_words is None or model_words is None:
            return
        if len(corpus_words) == len(model_words) and all(
            map(str.__eq__, map(str, corpus_words), map(str, model_words))
        ):
            return
        self._n_words = len(model_words)
        numbers = {str(word): number for number, word in enumerate(model_words)}
        self._columns = np.array(
            [numbers.get(str(word), -1) for word in corpus_words], dtype=np.int32
        )

    @property
    def changes(self) -> bool:
        """Whether there is anything to bring."""
        return self._columns is not None

    def __call__(self, counts: Any) -> tuple[sp.csr_array, float]:
        """Return counts of the model's words, and how many tokens it does not know.

        Parameters
        ----------
        counts : sparse matrix of shape (n_documents, n_corpus_words)

        Returns
        -------
        csr_array of shape (n_documents, n_model_words)
            Sorted; of words that the corpus has twice, the sum.
        int or float
            Tokens of other words.
        """
        table = sp.csr_array(counts)
        if self._columns is None:
            return table, 0
        columns = self._columns[table.indices]
        known = columns >= 0
        starts = np.concatenate([[0], np.cumsum(known)])[table.indptr]
        brought = sp.csr_array(
            (table.data[known], columns[known], starts.astype(table.indptr.dtype)),
            shape=(table.shape[0], self._n_words),
        )
        brought.sum_duplicates()
        n_unknown = float(table.data[~known].sum(dtype=float))
        return brought, int(n_unknown) if n_unknown.is_integer() else n_unknown


def align(
    corpus_counts: Any,
    corpus_words: Sequence[str] | None,
    model_words: Sequence[str] | None,
) -> tuple[sp.csr_array, float]:
    """Bring documents to the words of a model, and count what it does not know.

    `transform` and the scores do so by themselves with a `Corpus` that has names.

    Parameters
    ----------
    corpus_counts : sparse matrix of shape (n_documents, n_corpus_words)
        Counts of words.
    corpus_words, model_words : sequence of str, or None
        Names of the columns here and there.

    Returns
    -------
    csr_array of shape (n_documents, n_model_words)
        Words that the model does not know are left out.
    int or float
        How many tokens those were.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> counts = sp.csr_array([[1, 4]])
    >>> counts, n_unknown = align(counts, ["cat", "emu"], ["ape", "cat"])
    >>> counts.toarray(), n_unknown
    (array([[0, 1]]), 4)
    """
    return Alignment(corpus_words, model_words)(corpus_counts)


def in_words_of(model: Any, X: Any) -> Any:
    """Return documents in the words of a model, if both have names; else as they are.

    How many tokens are left out stands in the log, at level INFO of "dpsvi.words".

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Fitted.
    X : object
        Documents, as `transform` takes them; those with `counts` and `vocabulary` have
        names.
    """
    words = getattr(X, "vocabulary", None) if hasattr(X, "counts") else None
    bring = Alignment(words, getattr(model, "feature_names_in_", None))
    if not bring.changes:
        return X
    counts, n_unknown = bring(X.counts)
    if n_unknown:
        total = n_unknown + counts.data.sum(dtype=float)
        _LOGGER.info(
            "words left out: %g of %g tokens are of words that the model does not know",
            n_unknown,
            total,
        )
    return counts
