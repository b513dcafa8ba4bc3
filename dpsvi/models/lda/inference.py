"""The topics of documents given the global array, a mini-batch at a time."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.kernels.tables import Learning, add_tables_of_documents
from dpsvi.models.lda.kernels.topics import expected_topics, number_words
from dpsvi.models.lda.kernels.vb import add_statistics, infer_documents, sort_by_word
from dpsvi.models.lda.word_table import WordTable, topic_factors

__all__ = ["Inference"]


class Inference:
    """Variational inference on the documents of one corpus, for one thread.

    Holds the results of the mini-batch that came last, in arrays that grow as needed.

    Parameters
    ----------
    counts : csr_array of shape (n_documents, n_words)
        Canonical, without stored zeros, in the dtype to compute in.
    doc_topic_prior : ndarray of shape (n_topics,)
        Dirichlet prior of the documents, α.
    tolerance, max_iterations : float, int
        When to stop on a document.

    Attributes
    ----------
    words : ndarray of shape (n_distinct,), int32
        Distinct words of the mini-batch.
    local : ndarray of shape (n_entries,), int32
        Number of each entry's word within `words`.
    topics : ndarray of shape (n_distinct, n_padded)
        exp(E[log β] + shift) of each word.
    shifts : ndarray of shape (n_distinct,)
        Zero but for words that no topic knows.
    gammas, expectations : ndarrays of shape (n_documents, n_padded)
        γ of each document of the mini-batch, and its exp(E[log θ]) up to a factor.
    """

    def __init__(
        self,
        counts: sp.csr_array,
        doc_topic_prior: NDArray[np.float64],
        tolerance: float,
        max_iterations: int,
    ) -> None:
        self.dtype = counts.data.dtype
        self.n_topics = doc_topic_prior.size
        self.n_padded = padded_size(self.n_topics, self.dtype)
        # Padded topics are harmless with any positive prior.
        self._prior = np.ones(self.n_padded, self.dtype)
        self.set_prior(doc_topic_prior)
        self._tolerance = self.dtype.type(tolerance)
        self._max_iterations = max(1, max_iterations)
        self._slots = np.full(counts.shape[1], -1, np.int32)
        self._sums = aligned((self.n_padded,), self.dtype)
        self._n_few = self.n_topics // 2 + 7
        self._active = np.empty(self.n_topics + 1, np.int32)
        self._few = aligned((5, self._n_few), self.dtype)
        self._longest = -1
        # Documents of the last mini-batch that stopped within the tolerance.
        self.converged = 0
        self.turn_to(counts)
        self._allocate(0, 0)

    def set_prior(self, doc_topic_prior: NDArray[np.float64]) -> None:
        """Infer with another prior of the documents from now on."""
        self._prior[: self.n_topics] = doc_topic_prior

    def turn_to(self, counts: sp.csr_array) -> None:
        """Work on other documents from now on, about the same words."""
        self._counts = counts
        self._lengths = np.diff(counts.indptr)
        longest = int(self._lengths.max(initial=0))
        if longest > self._longest:
            self._longest = longest
            room = longest + 15
            self._rows = aligned((room, self.n_padded), self.dtype)
            self._row_counts = np.empty(room, self.dtype)
            self._row_ratio = np.empty(room, self.dtype)
            self._columns = aligned((self._n_few * room,), self.dtype)
            self._rest = np.empty(room, self.dtype)

    def infer(
        self,
        documents: NDArray[np.int32],
        read: NaturalParameters,
        scale: float,
        noise: int = 0,
    ) -> int:
        """Work on a mini-batch; return the iterations done over all documents.

        Parameters
        ----------
        documents : ndarray of int32
            The mini-batch.
        read : NaturalParameters
            λ.
        scale : float
            What a weight of it counts now.
        noise : int, default=0
            Seed of random starts, for training; 0: even starts.
        """
        self._reserve(documents)
        counts = self._counts
        n_distinct = number_words(
            counts.indptr,
            counts.indices,
            documents,
            self._slots,
            self._all_words,
            self._all_local,
        )
        self.words = self._all_words[:n_distinct]
        self.local = self._all_local[: self._n_entries]
        self.topics = self._all_topics[:n_distinct]
        self.shifts = self._all_shifts[:n_distinct]
        expected_topics(
            read.weights,
            read.prior_of(slice(None)),
            self.dtype.type(scale),
            self._factors(read, scale),
            self.words,
            self.topics,
            self.shifts,
        )
        return self._ascend(documents, noise)

    def table(self, read: NaturalParameters, scale: float) -> WordTable:
        """Return room for the topics of all words, λ held fixed; see `infer`."""
        return WordTable(read, scale, self._factors(read, scale))

    def infer_with(self, table: WordTable, documents: NDArray[np.int32]) -> int:
        """Work on neighbouring documents, with the topics of all words at hand.

        Parameters
        ----------
        table : WordTable
            Made by `table`, and filled.
        documents : ndarray of int32
            The mini-batch, in order.

        Returns
        -------
        int
            The iterations done over all documents.
        """
        self._reserve(documents)
        indptr = self._counts.indptr
        self.words, self.topics, self.shifts = table.words, table.topics, table.shifts
        # Words have their own numbers in the table.
        entries = slice(indptr[documents[0]], indptr[documents[-1] + 1])
        self.local = self._counts.indices[entries]
        return self._ascend(documents, noise=0)

    def _ascend(self, documents: NDArray[np.int32], noise: int) -> int:
        counts = self._counts
        iterations, self.converged = infer_documents(
            counts.indptr,
            counts.data,
            documents,
            self.local,
            self.topics,
            self._prior,
            self.n_topics,
            self._tolerance,
            self._max_iterations,
            np.uint64(noise),
            self._rows,
            self._row_counts,
            self._row_ratio,
            self._sums,
            self._active,
            self._columns,
            self._few,
            self._rest,
            self.gammas,
            self.expectations,
            self._ratio,
        )
        return int(iterations)

    def add_tables(self, learning: Learning) -> None:
        """Gather what the mini-batch says about the documents' prior."""
        add_tables_of_documents(self.gammas, self._prior, self._sums, learning)

    def add_statistics(
        self, weight: float, into: NaturalParameters, totals: NDArray[np.float64]
    ) -> None:
        """Add `weight` times the expected counts of the mini-batch (Eq. 52)."""
        sort_by_word(
            self._counts.indptr,
            self._documents,
            self.local,
            self.words.size,
            self._ends,
            self._order,
            self._owner,
        )
        add_statistics(
            self.words,
            self._ends,
            self._order,
            self._owner,
            self.topics,
            self.expectations,
            self._ratio,
            self.dtype.type(weight),
            self._sums,
            into.weights,
            totals,
        )

    def _factors(self, read: NaturalParameters, scale: float) -> NDArray[np.floating]:
        """What turns exp(psi(λ)) into exp(E[log β]); another model has others."""
        return topic_factors(read, scale)

    def _reserve(self, documents: NDArray[np.int32]) -> None:
        self._documents = documents
        self._n_entries = int(self._lengths[documents].sum())
        if self._n_entries > self._ratio.size or documents.size > self._capacity:
            self._allocate(documents.size, self._n_entries + self._n_entries // 4)
        self.gammas = self._all_gammas[: documents.size]
        self.expectations = self._all_expectations[: documents.size]

    def _allocate(self, documents: int, entries: int) -> None:
        distinct = min(self._counts.shape[1], entries)
        self._capacity = documents
        self._all_words = np.empty(distinct, np.int32)
        self._all_local = np.empty(entries, np.int32)
        self._all_topics = aligned((distinct, self.n_padded), self.dtype)
        self._all_shifts = np.empty(distinct, self.dtype)
        self._all_gammas = aligned((documents, self.n_padded), self.dtype)
        self._all_expectations = aligned((documents, self.n_padded), self.dtype)
        self._ratio = np.empty(entries, self.dtype)
        self._ends = np.empty(distinct + 1, np.int32)
        self._order = np.empty(entries, np.int32)
        self._owner = np.empty(entries, np.int32)
