"""Which documents and words to take: plain functions of numbers and counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse


def document_numbers(index: Any, n_documents: int) -> npt.NDArray[np.intp]:
    """Turn an index array or a boolean mask into document numbers from 0."""
    rows = np.asarray(index)
    if rows.ndim != 1:
        raise TypeError(
            f"a corpus is indexed by a slice, a 1-D array of document numbers or a "
            f"boolean mask, not {index!r}; for one document use [i : i + 1]."
        )
    if rows.dtype == bool:
        return _masked(rows, n_documents)
    if rows.size and rows.dtype.kind not in "iu":
        raise TypeError(
            f"documents are indexed by integers or booleans, not {rows.dtype}."
        )
    numbers = rows.astype(np.intp)
    outside = (numbers < -n_documents) | (numbers >= n_documents)
    if np.any(outside):
        raise IndexError(
            f"document {numbers[outside][0]} is out of range for a corpus of "
            f"{n_documents:,} documents."
        )
    return np.where(numbers < 0, numbers + n_documents, numbers)


def n_test_documents(test_size: float | int, n_documents: int) -> int:
    """Turn the size of a test corpus, a share or a number, into a number."""
    if n_documents < 2:
        raise ValueError(
            f"a corpus of {n_documents} document(s) cannot be split; it needs two."
        )
    if isinstance(test_size, float | np.floating) and 0 < test_size < 1:
        return min(max(round(float(test_size) * n_documents), 1), n_documents - 1)
    # A bool is an int in Python, but no number of documents.
    whole = isinstance(test_size, int | np.integer) and not isinstance(test_size, bool)
    if whole and 1 <= test_size < n_documents:
        return int(test_size)
    raise ValueError(
        f"test_size is {test_size!r}; give a float strictly between 0 and 1, or an "
        f"int from 1 to {n_documents - 1:,} for these {n_documents:,} documents."
    )


def balanced_cuts(indptr: npt.NDArray[Any], n: int) -> list[int]:
    """Where `n` runs of documents with nearly equal entries begin, and the end."""
    n_documents = indptr.size - 1
    if not 1 <= n <= n_documents:
        raise ValueError(
            f"cannot cut {n_documents:,} documents into {n} shards; n must lie "
            f"between 1 and the number of documents."
        )
    ends = indptr.astype(np.float64)
    # A document belongs to the shard that its middle falls into.
    middles = (ends[:-1] + ends[1:]) / 2
    steps = np.arange(n + 1)
    cuts = np.searchsorted(middles, steps * (ends[-1] / n))
    # At least one document in each shard, from the left and then from the right.
    cuts = np.maximum.accumulate(np.maximum(cuts - steps, 0)) + steps
    cuts = np.minimum(cuts, n_documents - n + steps)
    cuts[-1] = n_documents
    return [int(cut) for cut in cuts]


def frequent_words(
    counts: sparse.csr_array,
    min_documents: int,
    max_document_share: float,
    n_most_frequent: int | None,
) -> npt.NDArray[np.intp]:
    """Columns of the words that `Corpus.select_words` keeps, in order."""
    n_documents, n_words = counts.shape
    if not 0 <= max_document_share <= 1:
        raise ValueError(
            f"max_document_share is {max_document_share}; it is a share of the "
            "documents and must lie between 0 and 1."
        )
    if n_most_frequent is not None and n_most_frequent < 1:
        raise ValueError(
            f"n_most_frequent is {n_most_frequent}; it must be 1 or more, or None."
        )
    found_in = np.bincount(counts.indices, minlength=n_words)
    most = max_document_share * n_documents
    kept = np.flatnonzero((found_in >= min_documents) & (found_in <= most))
    if kept.size == 0:
        raise ValueError(
            f"none of the {n_words:,} words is left with {min_documents=} and "
            f"{max_document_share=}; loosen one of them."
        )
    tokens = np.bincount(counts.indices, weights=counts.data, minlength=n_words)
    order = np.argsort(-tokens[kept], kind="stable")
    return np.sort(kept[order[:n_most_frequent]])


def _masked(mask: npt.NDArray[np.bool_], n_documents: int) -> npt.NDArray[np.intp]:
    if mask.size != n_documents:
        raise IndexError(
            f"the mask has {mask.size:,} entries but the corpus has {n_documents:,} "
            "documents; they must be as many."
        )
    return np.flatnonzero(mask)
