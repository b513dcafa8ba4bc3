"""Documents against fixed topics: what `transform` and all scores are made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dpsvi.models.lda.kernels.arrays import aligned
from dpsvi.models.lda.kernels.special import FASTMATH
from dpsvi.models.lda.kernels.vb import infer_document


class DocumentScratch(NamedTuple):
    """What one thread needs to infer documents; see :func:`document_scratch`."""

    rows: Any  # topics of one document's words, together
    counts: Any  # counts of one document's words
    ratio: Any  # count / normaliser of one document's words
    expectation: Any  # exp(E[log θ]) of one document
    sums: Any


def document_scratch(longest: int, n_padded: int, dtype: Any) -> DocumentScratch:
    """Allocate scratch for documents of at most `longest` distinct words."""
    return DocumentScratch(
        rows=aligned((longest, n_padded), dtype),
        counts=np.empty(longest, dtype),
        ratio=np.empty(longest, dtype),
        expectation=aligned((n_padded,), dtype),
        sums=aligned((n_padded,), dtype),
    )


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def infer_documents(
    indptr: Any,
    indices: Any,
    data: Any,
    begin: Any,
    end: Any,
    topics: Any,
    doc_prior: Any,
    n_topics: Any,
    tolerance: Any,
    max_iterations: Any,
    gammas: Any,
    scratch: Any,
) -> None:
    """Variational Dirichlet parameters of documents ``begin`` to ``end``.

    `topics` holds a row of exp(E[log β]) per word, up to a factor per word; a document
    without words gets the prior. Padded topics are zero.
    """
    for d in range(begin, end):
        first = indptr[d]
        length = indptr[d + 1] - first
        mass = 0.0
        for j in range(length):
            word = indices[first + j]
            scratch.counts[j] = data[first + j]
            mass += data[first + j]
            for k in range(topics.shape[1]):
                scratch.rows[j, k] = topics[word, k]
        for k in range(topics.shape[1]):
            gammas[d, k] = doc_prior[k] + mass / n_topics
        infer_document(
            scratch.rows,
            length,
            scratch.counts,
            doc_prior,
            tolerance * n_topics,
            max_iterations,
            gammas[d],
            scratch.expectation,
            scratch.ratio,
            scratch.sums,
        )


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def log_mixtures(
    indptr: Any,
    indices: Any,
    data: Any,
    begin: Any,
    end: Any,
    mixtures: Any,
    topics: Any,
    out: Any,
) -> None:
    """Equivalent to ``out[d] = counts[d] @ np.log(topics @ mixtures[d])``."""
    for d in range(begin, end):
        total = 0.0
        for j in range(indptr[d], indptr[d + 1]):
            word = indices[j]
            s = mixtures.dtype.type(0)
            for k in range(topics.shape[1]):
                s += mixtures[d, k] * topics[word, k]
            total += data[j] * np.log(np.float64(s))
        out[d] = total
