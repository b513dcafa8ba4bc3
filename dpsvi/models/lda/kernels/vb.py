"""Variational Bayes on one mini-batch: Hoffman et al. (2013), Alg. 4 and Eq. 52 here.

Topics stand word-major: a row holds one word's topics, padded with zeros to whole cache
lines. The global parameter λ is ``prior + scale * weights``. Padded topics have a
``topic_factor`` of zero, which keeps them at zero everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dpsvi.models.lda.kernels.special import FASTMATH, exp_psi


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def topic_factors(totals: Any, scale: Any, prior_mass: Any, out: Any) -> None:
    """Equivalent to ``out[:K] = 1 / np.exp(psi(λ.sum(axis=words)))``, 0 in the padding.

    Parameters
    ----------
    totals : ndarray of shape (n_threads, n_topics), float64
        Column sums of the weights, a row per thread that adds to them.
    scale, prior_mass : float
        λ sums to ``prior_mass + scale * totals.sum(axis=0)``.
    out : ndarray of shape (n_padded,)
        The factors.
    """
    out[:] = 0
    for k in range(totals.shape[1]):
        total = 0.0
        for thread in range(totals.shape[0]):
            total += totals[thread, k]
        out[k] = out.dtype.type(1.0 / exp_psi(prior_mass + scale * total))


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def number_words(
    indptr: Any, indices: Any, documents: Any, slots: Any, words: Any, local: Any
) -> Any:
    """Number the distinct words of a mini-batch in order of appearance.

    Equivalent to ``words, local = np.unique(batch.indices, return_inverse=True)`` up
    to order. `slots` (a number per word of the vocabulary) is -1 before and holds the
    numbers after: give it back through `forget_words`.

    Returns
    -------
    int
        Number of distinct words.
    """
    n_distinct = 0
    position = 0
    for document in documents:
        for j in range(indptr[document], indptr[document + 1]):
            word = indices[j]
            slot = slots[word]
            if slot < 0:
                slot = n_distinct
                slots[word] = slot
                words[slot] = word
                n_distinct += 1
            local[position] = slot
            position += 1
    return n_distinct


@njit(nogil=True, cache=True)
def forget_words(words: Any, n_distinct: Any, slots: Any) -> None:
    """Reset the slots of the given words to -1."""
    for i in range(n_distinct):
        slots[words[i]] = -1


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def expected_topics(
    weights: Any, prior: Any, scale: Any, factors: Any, words: Any, out: Any
) -> None:
    """Equivalent to ``out[i] = np.exp(psi(λ[words[i]])) * factors``: exp(E[log β])."""
    n_topics = factors.size
    for i in range(words.size):
        row = weights[words[i]]
        into = out[i]
        for k in range(n_topics):
            into[k] = exp_psi(prior + scale * row[k]) * factors[k]


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def _weigh(rows: Any, n_rows: Any, counts: Any, e: Any, ratio: Any, acc: Any) -> None:
    """Equivalent to ``ratio[:] = counts / (rows @ e); acc[:] = ratio @ rows``."""
    n_topics = e.size
    tiny = e.dtype.type(1e-30)
    zero = e.dtype.type(0)
    for k in range(n_topics):
        acc[k] = zero
    j = 0
    while j + 4 <= n_rows:
        b0, b1, b2, b3 = rows[j], rows[j + 1], rows[j + 2], rows[j + 3]
        s0 = tiny
        s1 = tiny
        s2 = tiny
        s3 = tiny
        for k in range(n_topics):
            x = e[k]
            s0 += x * b0[k]
            s1 += x * b1[k]
            s2 += x * b2[k]
            s3 += x * b3[k]
        c0 = counts[j] / s0
        c1 = counts[j + 1] / s1
        c2 = counts[j + 2] / s2
        c3 = counts[j + 3] / s3
        ratio[j] = c0
        ratio[j + 1] = c1
        ratio[j + 2] = c2
        ratio[j + 3] = c3
        for k in range(n_topics):
            acc[k] += c0 * b0[k] + c1 * b1[k] + c2 * b2[k] + c3 * b3[k]
        j += 4
    while j < n_rows:
        b0 = rows[j]
        s0 = tiny
        for k in range(n_topics):
            s0 += e[k] * b0[k]
        c0 = counts[j] / s0
        ratio[j] = c0
        for k in range(n_topics):
            acc[k] += c0 * b0[k]
        j += 1


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def infer_document(
    rows: Any,
    n_rows: Any,
    counts: Any,
    prior: Any,
    n_topics: Any,
    tolerance: Any,
    max_iterations: Any,
    gamma: Any,
    e: Any,
    ratio: Any,
    acc: Any,
) -> Any:
    """Coordinate ascent on one document's topics, from and to `gamma`.

    Equivalent to iterating ``e = np.exp(psi(gamma)); ratio = counts / (rows @ e);
    gamma = prior + e * (ratio @ rows)`` until the mean absolute change of gamma is
    below `tolerance` (paper section 6; Hoffman et al. 2010, Alg. 1). The factor
    exp(psi(sum(gamma))) of the textbook cancels in the responsibilities.

    Returns
    -------
    int
        Number of iterations done.
    """
    bound = tolerance * n_topics
    for iteration in range(max_iterations):
        for k in range(gamma.size):
            e[k] = exp_psi(gamma[k])
        _weigh(rows, n_rows, counts, e, ratio, acc)
        change = e.dtype.type(0)
        for k in range(gamma.size):
            g = prior[k] + e[k] * acc[k]
            change += abs(g - gamma[k])
            gamma[k] = g
        if change < bound:
            return iteration + 1
    return max_iterations


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def vb_step(
    indptr: Any,
    indices: Any,
    data: Any,
    documents: Any,
    weights: Any,
    totals: Any,
    thread: Any,
    factors: Any,
    prior: Any,
    scale: Any,
    step: Any,
    doc_prior: Any,
    n_topics: Any,
    tolerance: Any,
    max_iterations: Any,
    slots: Any,
    words: Any,
    local: Any,
    starts: Any,
    topics: Any,
    rows: Any,
    counts: Any,
    ratio: Any,
    entry_ratio: Any,
    entry_document: Any,
    expectations: Any,
    gamma: Any,
    acc: Any,
) -> Any:
    n_distinct = number_words(indptr, indices, documents, slots, words, local)
    expected_topics(weights, prior, scale, factors, words[:n_distinct], topics)
    n_padded = gamma.size
    for i in range(n_distinct + 1):
        starts[i] = 0
    iterations = 0
    position = 0
    for d in range(documents.size):
        begin = indptr[documents[d]]
        length = indptr[documents[d] + 1] - begin
        mass = counts.dtype.type(0)
        for j in range(length):
            slot = local[position + j]
            starts[slot + 1] += 1
            counts[j] = data[begin + j]
            mass += counts[j]
            source = topics[slot]
            row = rows[j]
            for k in range(n_padded):
                row[k] = source[k]
        share = mass / n_topics
        for k in range(n_padded):
            gamma[k] = doc_prior[k] + share
        iterations += infer_document(
            rows, length, counts, doc_prior, n_topics, tolerance, max_iterations,
            gamma, expectations[d], ratio, acc,
        )
        for j in range(length):
            entry_ratio[position + j] = ratio[j]
        position += length
    _add_statistics(
        indptr, documents, weights, totals[thread], step, n_distinct, words, local,
        starts, topics, entry_ratio, entry_document, expectations, acc, ratio,
    )
    forget_words(words, n_distinct, slots)
    return iterations


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def _add_statistics(
    indptr: Any, documents: Any, weights: Any, totals: Any, step: Any, n_distinct: Any,
    words: Any, local: Any, starts: Any, topics: Any, entry_ratio: Any,
    entry_document: Any, expectations: Any, acc: Any, sums: Any,
) -> None:
    # Counting sort of the entries by word.
    for i in range(n_distinct):
        starts[i + 1] += starts[i]
    position = 0
    total = starts[n_distinct]
    by_word = entry_document[total:]
    for d in range(documents.size):
        length = indptr[documents[d] + 1] - indptr[documents[d]]
        for j in range(length):
            slot = local[position]
            at = starts[slot]
            by_word[at] = d
            entry_document[at] = position
            starts[slot] = at + 1
            position += 1
    n_padded = acc.size
    zero = acc.dtype.type(0)
    for i in range(n_distinct):
        for k in range(n_padded):
            acc[k] = zero
        first = starts[i - 1] if i else 0
        for at in range(first, starts[i]):
            c = entry_ratio[entry_document[at]]
            e = expectations[by_word[at]]
            for k in range(n_padded):
                acc[k] += c * e[k]
        row = weights[words[i]]
        topic = topics[i]
        for k in range(n_padded):
            acc[k] *= step * topic[k]
            row[k] += acc[k]
        for k in range(totals.size):
            totals[k] += acc[k]
