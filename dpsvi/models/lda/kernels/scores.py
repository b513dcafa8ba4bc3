"""How well documents are explained by mixtures of topics."""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel


@kernel(fastmath=FASTMATH)
def log_mixtures(
    indptr: Any,
    data: Any,
    documents: Any,
    local: Any,
    topics: Any,
    mixtures: Any,
    out: Any,
) -> None:
    """Equivalent to ``out[d] = counts[d] @ np.log(topics @ mixtures[d])``.

    Parameters
    ----------
    indptr, data : ndarrays
        Of the corpus in CSR.
    documents : ndarray of shape (n_documents,), int
        Rows that make the mini-batch.
    local : ndarray of int
        Number of each entry's word.
    topics : ndarray of shape (n_distinct, n_padded)
        A row per word.
    mixtures : ndarray of shape (n_documents, n_padded)
        A row per document of the mini-batch.
    out : ndarray of shape (n_documents,), float64
        Receives the sums.
    """
    position = 0
    for d in range(documents.size):
        total = 0.0
        for j in range(indptr[documents[d]], indptr[documents[d] + 1]):
            s = mixtures.dtype.type(0)
            for k in range(topics.shape[1]):
                s += mixtures[d, k] * topics[local[position], k]
            total += data[j] * np.log(np.float64(s))
            position += 1
        out[d] = total
