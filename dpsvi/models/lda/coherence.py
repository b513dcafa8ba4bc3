"""How well the words of a topic go together: in how many documents they meet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["Measure", "coherence", "count_meetings"]

Measure: TypeAlias = Literal["npmi", "u_mass"]


def coherence(
    words: NDArray[np.intp], blocks: Iterable[Any], measure: Measure = "npmi"
) -> NDArray[np.float64]:
    """Return the coherence of topics, from documents that are read once.

    Memory grows with the square of the words that are asked about, and not with the
    documents.

    Parameters
    ----------
    words : ndarray of int of shape (n_topics, n_words)
        The most probable words of each topic, first the most probable.
    blocks : iterable of csr_array of shape (n_documents, n_words_in_all)
        The documents, some at a time.
    measure : {"npmi", "u_mass"}, default="npmi"
        With P the share of documents that have a word, or both:

        "npmi"
            mean over pairs of log(P(v, w) / P(v) P(w)) / -log P(v, w), from -1 (they
            never meet) over 0 (by chance) to 1 (always together); Bouma (2009), Aletras
            & Stevenson (2013).
        "u_mass"
            mean over pairs of log((D(v, w) + 1) / D(w)) for the less probable word v,
            with D numbers of documents; Mimno et al. (2011).

    Returns
    -------
    ndarray of shape (n_topics,)
        nan where a topic has fewer than two words that occur.

    Raises
    ------
    ValueError
        If there is no such measure, or there are no documents.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> documents = sp.csr_array([[1, 1, 0], [2, 1, 0], [0, 0, 1], [0, 0, 3]])
    >>> coherence(np.array([[0, 1], [0, 2]]), [documents])
    array([ 1., -1.])
    """
    if measure not in ("npmi", "u_mass"):
        raise ValueError(f"measure is {measure!r}; it must be 'npmi' or 'u_mass'")
    asked, local = np.unique(words, return_inverse=True)
    n_documents, meetings = count_meetings(asked, blocks)
    if not n_documents:
        raise ValueError("coherence needs documents; there are none")
    score = _npmi if measure == "npmi" else _u_mass
    return np.array(
        [
            score(meetings[np.ix_(topic, topic)], n_documents)
            for topic in local.reshape(words.shape)
        ]
    )


def count_meetings(
    words: NDArray[np.intp], blocks: Iterable[Any]
) -> tuple[int, NDArray[np.float64]]:
    """Return the number of documents, and in how many each two words are together.

    Parameters
    ----------
    words : ndarray of int of shape (n_asked,)
        Distinct words.
    blocks : iterable of csr_array
        The documents.

    Returns
    -------
    n_documents : int
    meetings : ndarray of shape (n_asked, n_asked)
        On the diagonal: documents that have the word.
    """
    meetings = np.zeros((words.size, words.size))
    n_documents = 0
    for block in blocks:
        there = _presence(block, words)
        meetings += (there.T @ there).toarray()
        n_documents += block.shape[0]
    return n_documents, meetings


def _presence(block: Any, words: NDArray[np.intp]) -> sp.csr_array:
    """Which documents have which of the words, as ones."""
    place = np.full(block.shape[1], -1, dtype=np.int32)
    place[words] = np.arange(words.size, dtype=np.int32)
    columns = place[block.indices]
    known = columns >= 0
    ends = np.concatenate([[0], np.cumsum(known)])[block.indptr]
    ones = np.ones(int(ends[-1]))
    return sp.csr_array((ones, columns[known], ends), (block.shape[0], words.size))


def _npmi(meetings: NDArray[np.float64], n_documents: int) -> float:
    first, second = np.triu_indices(len(meetings), 1)
    alone = np.diag(meetings) / n_documents
    together = meetings[first, second] / n_documents
    product = alone[first] * alone[second]
    # A word that never occurs says nothing.
    known = product > 0
    if not known.any():
        return float("nan")
    scores = np.full(together.size, -1.0)
    meet = known & (together > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        scores[meet] = np.log(together[meet] / product[meet]) / -np.log(together[meet])
    # Words that are in every document are together as often as they can be.
    scores[known & (together == 1)] = 1.0
    return float(scores[known].mean())


def _u_mass(meetings: NDArray[np.float64], n_documents: int) -> float:
    frequent, rare = np.triu_indices(len(meetings), 1)
    occurs = np.diag(meetings)[frequent]
    known = occurs > 0
    if not known.any():
        return float("nan")
    ratios = (meetings[frequent, rare][known] + 1.0) / occurs[known]
    return float(np.log(ratios).mean())
