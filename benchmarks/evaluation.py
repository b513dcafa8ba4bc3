"""Held-out perplexity by document completion: one measure for every system.

The tokens of each held-out document are thrown into two halves. The document's
topic proportions are inferred from the first half, given the topics, and the second
half is scored with them (Hoffman et al. 2013, section 4; Wallach et al. 2009).

Nothing here comes from the package under test, so that it checks that package too.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]

_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


class HeldOut(NamedTuple):
    """Held-out documents whose tokens are in two halves.

    Attributes
    ----------
    observed, scored : csr_matrix of shape (n_documents, n_words)
        Counts from which topic proportions are inferred, and counts to predict.
    """

    observed: sparse.csr_matrix
    scored: sparse.csr_matrix


def split_tokens(counts: sparse.csr_matrix, seed: int = 0) -> HeldOut:
    """Throw each token into one of two halves with probability 1/2.

    Parameters
    ----------
    counts : csr_matrix of shape (n_documents, n_words)
        Whole numbers.
    seed : int
        The same seed gives the same halves.

    Returns
    -------
    HeldOut

    Examples
    --------
    >>> counts = sparse.random(50, 20, 0.5, "csr", random_state=0)
    >>> counts.data = np.ceil(3 * counts.data)
    >>> halves = split_tokens(counts)
    >>> abs(halves.observed + halves.scored - counts).sum()
    np.float64(0.0)
    """
    counts = sparse.csr_matrix(counts)
    whole = counts.data.astype(np.int64)
    if np.any(whole != counts.data):
        raise ValueError("counts must be whole numbers; tokens cannot be split in two")
    first = np.random.default_rng(seed).binomial(whole, 0.5)
    return HeldOut(_with_data(counts, first), _with_data(counts, whole - first))


def completion_perplexity(
    topic_word: npt.ArrayLike,
    held_out: HeldOut,
    alpha: float,
    *,
    max_iterations: int = 100,
    tolerance: float = 1e-3,
) -> float:
    """Perplexity of the scored tokens, given the observed ones and the topics.

    Parameters
    ----------
    topic_word : array-like of shape (n_topics, n_words)
        Probability of each word in each topic; rows sum to one.
    held_out : HeldOut
        From `split_tokens`.
    alpha : float
        Symmetric Dirichlet prior of the topic proportions, the same for all systems.
    max_iterations, tolerance : int, float
        The inference of a document stops after so many steps, or when its topic
        counts change by less than `tolerance` on average.

    Returns
    -------
    float
        ``exp(-sum(log p(token)) / n_tokens)``, natural logarithm, over the scored
        tokens. Infinite if a system gives a scored word the probability zero.

    Raises
    ------
    ValueError
        If the matrix has another number of words, or rows that are no probabilities.

    Examples
    --------
    Uniform topics are exactly as perplexed as there are words.

    >>> halves = split_tokens(sparse.csr_matrix(np.full((3, 5), 4)))
    >>> round(completion_perplexity(np.full((2, 5), 0.2), halves, alpha=0.1), 6)
    5.0
    """
    word_topic = _word_major(topic_word, held_out.scored.shape[1])
    observed, scored = held_out
    logs, tokens = np.empty((2, observed.shape[0]))
    _score_documents(
        *_csr_arrays(observed),
        *_csr_arrays(scored),
        word_topic,
        alpha,
        max_iterations,
        tolerance,
        logs,
        tokens,
    )
    return float(np.exp(-logs.sum() / tokens.sum()))


def unigram_perplexity(train: sparse.csr_matrix, held_out: HeldOut) -> float:
    """Perplexity of the scored tokens by word frequencies alone: the line to beat."""
    frequency = np.asarray(train.sum(axis=0), dtype=np.float64).ravel() + 0.01
    scored = np.asarray(held_out.scored.sum(axis=0)).ravel()
    return float(np.exp(-scored @ np.log(frequency / frequency.sum()) / scored.sum()))


def _with_data(
    counts: sparse.csr_matrix, data: npt.NDArray[np.int64]
) -> sparse.csr_matrix:
    """A copy of a table with other counts in its places, without explicit zeros."""
    # Copies all: leaving zeros out works in place.
    parts = (data, counts.indices, counts.indptr)
    table = sparse.csr_matrix(parts, shape=counts.shape, copy=True)
    table.eliminate_zeros()
    return table


def _word_major(topic_word: npt.ArrayLike, n_words: int) -> Floats:
    """The topics transposed, checked and with rows that sum to one exactly."""
    topics = np.asarray(topic_word, dtype=np.float64)
    if topics.ndim != 2 or topics.shape[1] != n_words:
        raise ValueError(
            f"topics have shape {topics.shape}, need (n_topics, {n_words})"
        )
    totals = topics.sum(axis=1, keepdims=True)
    if not np.all(np.abs(totals - 1) < 1e-2) or topics.min() < 0:
        raise ValueError("each row of topic_word must be probabilities that sum to one")
    return np.ascontiguousarray((topics / totals).T)


def _csr_arrays(
    table: sparse.csr_matrix,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]:
    return (
        table.indptr.astype(np.int64),
        table.indices.astype(np.int64),
        table.data.astype(np.float64),
    )


@numba.njit(cache=True, fastmath=_FASTMATH)
def _digamma(x: float) -> float:
    """Equivalent to scipy.special.digamma(x) for x > 0."""
    result = 0.0
    # The asymptotic series below is exact to 1e-12 from 6 upwards.
    while x < 6.0:
        result -= 1.0 / x
        x += 1.0
    square = 1.0 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return result + np.log(x) - 0.5 / x - series


@numba.njit(cache=True, fastmath=_FASTMATH)
def _infer_topic_counts(
    rows: Floats, counts: Floats, alpha: float, max_iterations: int, tolerance: float
) -> Floats:
    """Coordinate ascent on one document's Dirichlet; rows are beta of its words."""
    n_words, n_topics = rows.shape
    gamma = np.full(n_topics, alpha + counts.sum() / n_topics)
    weight = np.empty(n_topics)
    expected = np.empty(n_topics)
    for _ in range(max_iterations):
        for k in range(n_topics):
            weight[k] = np.exp(_digamma(gamma[k]))
            expected[k] = 0.0
        for i in range(n_words):
            norm = 1e-300
            for k in range(n_topics):
                norm += weight[k] * rows[i, k]
            share = counts[i] / norm
            for k in range(n_topics):
                expected[k] += share * rows[i, k]
        change = 0.0
        for k in range(n_topics):
            new = alpha + weight[k] * expected[k]
            change += abs(new - gamma[k])
            gamma[k] = new
        if change < tolerance * n_topics:
            break
    return gamma


@numba.njit(cache=True, parallel=True, fastmath=_FASTMATH)
def _score_documents(
    seen_start,
    seen_word,
    seen_count,
    scored_start,
    scored_word,
    scored_count,
    word_topic,
    alpha,
    max_iterations,
    tolerance,
    logs,
    tokens,
):
    """Fill `logs` and `tokens`: log probability and number of scored tokens."""
    for d in numba.prange(logs.shape[0]):
        a, b = seen_start[d], seen_start[d + 1]
        theta = _infer_topic_counts(
            word_topic[seen_word[a:b]],
            seen_count[a:b],
            alpha,
            max_iterations,
            tolerance,
        )
        theta /= theta.sum()
        log_probability, n_tokens = 0.0, 0.0
        for i in range(scored_start[d], scored_start[d + 1]):
            probability = 0.0
            for k in range(theta.shape[0]):
                probability += theta[k] * word_topic[scored_word[i], k]
            log_probability += scored_count[i] * np.log(probability)
            n_tokens += scored_count[i]
        logs[d], tokens[d] = log_probability, n_tokens
