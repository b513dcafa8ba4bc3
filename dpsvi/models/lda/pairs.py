"""Documents as lists of (word, count) pairs, the form that gensim uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["are_pairs", "counts_of_pairs"]


def are_pairs(X: Any) -> bool:
    """Say whether this is an iterable of documents, each a list of pairs.

    Asks only what can be iterated again, and that only up to the first word.

    Examples
    --------
    >>> are_pairs([[], [(0, 2), (3, 1)]]), are_pairs([[0, 2], [3, 1]])
    (True, False)
    """
    if not isinstance(X, Iterable) or iter(X) is X or hasattr(X, "__array__"):
        return False
    if any(hasattr(X, name) for name in ("shape", "columns", "keys", "lower")):
        return False
    for document in X:
        if not isinstance(document, list | tuple):
            return False
        if document:
            return isinstance(document[0], list | tuple) and len(document[0]) == 2
    return False


def counts_of_pairs(
    documents: Iterable[Sequence[tuple[int, float]]], n_words: int | None = None
) -> sp.csr_array:
    """Return counts in CSR.

    Parameters
    ----------
    documents : iterable of sequence of (int, float)
        Word numbers, from 0, and their counts.
    n_words : int or None, default=None
        The width; None: one more than the largest number.

    Returns
    -------
    csr_array of shape (n_documents, n_words)
        In float32.

    Raises
    ------
    ValueError
        If a number is no integer, negative, or too large for the width.

    Examples
    --------
    >>> counts_of_pairs([[(0, 2), (3, 1)], []]).toarray()
    array([[2., 0., 0., 1.],
           [0., 0., 0., 0.]], dtype=float32)
    """
    documents = list(documents)
    lengths = [len(document) for document in documents]
    flat = list(chain.from_iterable(documents))
    wrong = [pair for pair in flat if len(pair) != 2]
    if wrong:
        raise ValueError(
            f"a word is given as {wrong[0]!r}; give pairs of word number and count"
        )
    words, counts = np.asarray(flat, dtype=float).reshape(-1, 2).T
    found = int(words.max()) + 1 if flat else 0
    width = found if n_words is None else n_words
    if found > width or np.any(words < 0) or np.any(words % 1):
        number = words[(words < 0) | (words >= width) | (words % 1 != 0)][0]
        raise ValueError(
            f"word number {number:g} is not one of 0, ..., {width - 1}; number the "
            "words as in the documents that the model was fitted on"
        )
    indptr = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    data = counts.astype(np.float32)
    return sp.csr_array((data, words.astype(np.int32), indptr), (len(lengths), width))
