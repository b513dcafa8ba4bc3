"""Which words tell most about a topic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["relevance"]


def relevance(
    topics: NDArray[np.floating], shares: NDArray[np.floating], weight: float
) -> NDArray[np.float64]:
    """Score each word for each topic: frequent in it, and rarer elsewhere.

    The relevance of Sievert & Shirley (2014), "LDAvis", section 3.1: the logarithm
    of the word's probability in the topic times `weight`, plus the logarithm of its
    lift (that probability over the word's probability in all topics) times
    ``1 - weight``.

    Parameters
    ----------
    topics : ndarray of shape (n_topics, n_words)
        Word probabilities; positive, rows sum to 1.
    shares : ndarray of shape (n_topics,)
        Of all tokens; they sum to 1.
    weight : float
        1 ranks by probability alone, 0 by lift alone; readers found 0.6 easiest to
        interpret.

    Returns
    -------
    ndarray of shape (n_topics, n_words)

    Examples
    --------
    The first word is the most probable in both topics, so it tells least:

    >>> topics = np.array([[0.6, 0.3, 0.1], [0.6, 0.1, 0.3]])
    >>> relevance(topics, np.array([0.5, 0.5]), 1.0).argmax(axis=1).tolist()
    [0, 0]
    >>> relevance(topics, np.array([0.5, 0.5]), 0.0).argmax(axis=1).tolist()
    [1, 2]
    """
    probabilities = np.asarray(topics, dtype=float)
    log_overall = np.log(np.asarray(shares, dtype=float) @ probabilities)
    scores: NDArray[np.float64] = np.log(probabilities) - (1.0 - weight) * log_overall
    return scores
