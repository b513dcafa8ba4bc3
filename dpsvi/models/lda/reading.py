"""Reading the topics of a fitted model: do their words go together, where are they?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from dpsvi.models.lda.blocks import assembled, blocks_of, computed, in_blocks, opened
from dpsvi.models.lda.coherence import Measure, coherence
from dpsvi.models.lda.vocabulary import in_words_of

__all__ = ["TopicReading"]


class TopicReading:
    """Methods that hold topics against documents, which are read block by block."""

    components_: NDArray[np.floating]

    def coherence(
        self, X: Any, measure: Measure = "npmi", *, n_words: int = 10
    ) -> NDArray[np.float64]:
        """Return how well the most probable words of each topic go together.

        Parameters
        ----------
        X : like `fit`'s
            Documents in which the words are looked for; they may lie on disk.
        measure : {"npmi", "u_mass"}, default="npmi"
            See `dpsvi.models.lda.coherence.coherence`.
        n_words : int, default=10
            Words of each topic.

        Returns
        -------
        ndarray of shape (n_components,)
            Higher is better.

        Raises
        ------
        ValueError
            If there is no such measure, or there are no documents.
        """
        check_is_fitted(self)
        words = np.argsort(-self.components_, axis=1, kind="stable")[:, :n_words]
        return coherence(words, self._tables(X, "coherence"), measure)

    def top_documents(
        self, X: Any, n_documents: int = 5
    ) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
        """Return the documents in which each topic has the largest share.

        Parameters
        ----------
        X : like `fit`'s
            Documents; they may lie on disk.
        n_documents : int, default=5
            To name for each topic.

        Returns
        -------
        documents : ndarray of int of shape (n_components, n_documents)
            Their numbers in X, the best first.
        shares : ndarray of shape (n_components, n_documents)
            Of the topic in them.
        """
        check_is_fitted(self)
        n_topics, dtype = self.components_.shape[0], self.components_.dtype
        documents = np.empty((n_topics, 0), dtype=np.intp)
        shares = np.empty((n_topics, 0), dtype=dtype)
        seen = 0
        for table in self._tables(X, "top_documents"):
            topics = self.transform(table).T  # type: ignore[attr-defined]
            numbers = np.arange(seen, seen + table.shape[0], dtype=np.intp)
            documents = np.hstack([documents, np.broadcast_to(numbers, topics.shape)])
            shares = np.hstack([shares, topics])
            best = np.argsort(-shares, axis=1, kind="stable")[:, :n_documents]
            documents = np.take_along_axis(documents, best, axis=1)
            shares = np.take_along_axis(shares, best, axis=1)
            seen += table.shape[0]
        return documents, shares

    def _tables(self, X: Any, whom: str) -> Iterator[sp.csr_array]:
        """Yield checked counts, a block at a time where there are blocks."""
        if not in_blocks(X):
            table = in_words_of(self, X)
            yield self._check(table, reset=False, whom=whom)  # type: ignore[attr-defined]
            return
        for number, block in enumerate(blocks_of(X)):
            tables = [in_words_of(self, opened(item)) for item in computed([block])]
            table = assembled(self, tables, [number], whom=whom, reset=False)
            if table.shape[0]:
                yield table
