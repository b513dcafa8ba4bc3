"""What users give: counts in any form, priors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import _check_n_features, check_array, validate_data

from dpsvi.models.lda.pairs import are_pairs, counts_of_pairs
from dpsvi.models.lda.refusing import refuse_words

__all__ = [
    "check_counts",
    "check_prior",
    "check_words",
    "is_one_shot",
]


def check_counts(
    estimator: Any, X: Any, *, reset: bool, whom: str, dtype: Any = None
) -> sp.csr_array:
    """Return counts in canonical CSR, in float32 or float64; check everything first.

    Parameters
    ----------
    estimator : estimator
        Remembers the number and names of the words if `reset`, else compares.
    X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
        Non-negative counts; or documents that are lists of (word number, count).
    reset : bool
        Whether X is what the estimator is fitted on.
    whom : str
        Named in the error about negative counts.
    dtype : dtype or None, default=None
        To compute in; None: float64 stays, all else becomes float32.

    Raises
    ------
    ValueError
        If X is not a non-negative finite matrix of the expected width, or `dtype` is
        not one of the two.
    """
    words = None
    if is_one_shot(X):
        raise ValueError(
            f"{whom} got a {type(X).__name__}, which can be read only once, and needs "
            "documents more often; give a list of tables, a corpus on disk "
            "(dpsvi.datasets.convert), or one table after another to partial_fit"
        )
    if hasattr(X, "counts") and hasattr(X, "vocabulary"):
        X, words = X.counts, X.vocabulary
    elif are_pairs(X):
        X = counts_of_pairs(X, None if reset else estimator.n_features_in_)
    else:
        refuse_words(X, whom)
    if sp.issparse(X):
        # Sparse matrices carry no names, and need not: no warning about that.
        X = check_array(X, accept_sparse="csr", dtype="numeric", estimator=estimator)
        check_words(estimator, X, words, reset=reset)
    else:
        X = validate_data(estimator, X, reset=reset, dtype="numeric")
    if dtype is None:
        dtype = np.float64 if X.dtype == np.float64 else np.float32
    dtype = np.dtype(dtype)
    if dtype.name not in ("float32", "float64"):
        raise ValueError(f"dtype is {dtype}; it must be float32 or float64")
    counts = _canonical(X, dtype)
    if counts.nnz and counts.data.min() < 0:
        raise ValueError(
            f"Negative values in data passed to {whom}: the smallest is "
            f"{counts.data.min():g}; counts must be at least 0"
        )
    return counts


def is_one_shot(X: Any) -> bool:
    """Say whether this is a generator or another iterator, and so soon used up.

    >>> is_one_shot(document for document in [[0, 1]]), is_one_shot([[0, 1]])
    (True, False)
    """
    return isinstance(X, Iterator)


def check_words(estimator: Any, X: Any, words: Any, *, reset: bool) -> None:
    """Tell an estimator number and names of the words of a table, or compare.

    Raises
    ------
    ValueError
        If they are not those that the estimator was fitted on.
    """
    _check_n_features(estimator, X, reset=reset)
    known = getattr(estimator, "feature_names_in_", None)
    if reset:
        if words is not None:
            estimator.feature_names_in_ = np.asarray(words, dtype=object)
        elif known is not None:
            del estimator.feature_names_in_
    elif words is not None and known is not None and not np.array_equal(words, known):
        raise ValueError(
            "the vocabulary differs from the one the model was fitted on; bring the "
            "corpus to the model's words (dpsvi.models.lda.vocabulary.align), or add "
            "new words to the model with extend_vocabulary"
        )


def _canonical(X: Any, dtype: np.dtype[Any]) -> sp.csr_array:
    """CSR with sorted distinct words and no stored zeros, sharing what it can."""
    if not sp.issparse(X):
        # First of all: sparse arrays know no float16.
        X = np.asarray(X).astype(dtype, copy=False)
    counts = sp.csr_array(X)
    if not counts.has_canonical_format:
        counts = counts.copy()
        counts.sum_duplicates()
    data = counts.data.astype(dtype, copy=False)
    if not np.all(data):
        counts = sp.csr_array(
            (data, counts.indices, counts.indptr), counts.shape, copy=True
        )
        counts.eliminate_zeros()
        return counts
    return sp.csr_array((data, counts.indices, counts.indptr), counts.shape)


def check_prior(name: str, value: Any, n_topics: int) -> NDArray[np.float64]:
    """Return a prior as a vector over the topics.

    None stands for 1 / n_topics, and so does "auto", where learning begins.

    Raises
    ------
    ValueError
        If it is not positive and finite, or of another length.
    """
    if value is None or (isinstance(value, str) and value == "auto"):
        value = 1.0 / n_topics
    prior = np.asarray(value, dtype=float)
    if prior.shape not in ((), (n_topics,)):
        raise ValueError(
            f"{name} has shape {prior.shape}; give a number or {n_topics} of them, "
            "one per topic"
        )
    if not np.all(np.isfinite(prior) & (prior > 0)):
        raise ValueError(f"{name} is {value!r}; it must be positive and finite")
    return np.broadcast_to(prior, (n_topics,)).copy()
