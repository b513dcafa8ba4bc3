"""What a fixed model expects of every word, computed once for many mini-batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import psi

from dpsvi.models.arrays import aligned
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.kernels.topics import expected_topics

__all__ = ["WordTable", "topic_factors"]

_PIECE = 4096


class WordTable:
    """exp(E[log β]) of all words, filled in by one or more threads.

    Parameters
    ----------
    read : NaturalParameters
        λ, which must not change.
    scale : float
        What a weight of it counts now.
    factors : ndarray of shape (n_padded,)
        What turns exp(psi(λ)) into exp(E[log β]), such as `topic_factors`.

    Attributes
    ----------
    words : ndarray of shape (n_words,), int32
        Their numbers, in order.
    topics : ndarray of shape (n_words, n_padded)
        exp(E[log β] + shift) of each word.
    shifts : ndarray of shape (n_words,)
        Zero but for words that no topic knows.
    n_pieces : int
        Steps in which the table is filled.
    """

    def __init__(
        self, read: NaturalParameters, scale: float, factors: NDArray[np.floating]
    ) -> None:
        n_words = read.weights.shape[0]
        dtype = read.weights.dtype
        self.words = np.arange(n_words, dtype=np.int32)
        self.topics = aligned(read.weights.shape, dtype)
        self.shifts = np.empty(n_words, dtype)
        self.n_pieces = -(-n_words // _PIECE)
        self._read, self._scale, self._factors = read, scale, factors

    def run(self, thread: int, steps: Iterator[int]) -> None:
        """Fill in pieces of the table."""
        for step in steps:
            piece = slice(step * _PIECE, (step + 1) * _PIECE)
            expected_topics(
                self._read.weights,
                self._read.prior_of(slice(None)),
                self.topics.dtype.type(self._scale),
                self._factors,
                self.words[piece],
                self.topics[piece],
                self.shifts[piece],
            )


def topic_factors(read: NaturalParameters, scale: float) -> NDArray[np.floating]:
    """exp(-psi(λ.sum(axis=words))) of each topic, zero in the padding."""
    factors = np.zeros(read.weights.shape[1], read.weights.dtype)
    totals = read.prior_mass + scale * read.totals.sum(axis=0)
    factors[: totals.size] = np.exp(-psi(totals))
    return factors
