"""Variational Bayes on one mini-batch: Eq. 44 and 52; Hoffman et al. (2010), Alg. 1-2.

The arrays of a step that are only scratch live in a :class:`VBScratch`, one per thread.
See :mod:`.topics` for the layout of the global arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from dpsvi.models.lda.kernels.arrays import aligned
from dpsvi.models.lda.kernels.special import FASTMATH, exp_psi
from dpsvi.models.lda.kernels.topics import expected_topics


class VBScratch(NamedTuple):
    """What one thread needs to work on mini-batches; see :func:`vb_scratch`."""

    slots: Any  # number of a word in the batch, -1 outside a step, per word
    words: Any  # the distinct words of the batch
    starts: Any  # where a word's entries start, once sorted by word
    topics: Any  # exp(E[log β]) of the distinct words
    local: Any  # number of each entry's word
    ratio: Any  # count / normaliser of each entry
    order: Any  # entries sorted by word
    owner: Any  # document of each sorted entry
    expectations: Any  # exp(E[log θ]) of the documents
    rows: Any  # topics of one document's words, together
    counts: Any  # counts of one document's words
    row_ratio: Any  # count / normaliser of one document's words
    gamma: Any  # variational Dirichlet parameter of one document
    sums: Any  # a row's worth of sums
    factors: Any  # 1 / exp(psi(topic total))


def vb_scratch(
    n_words: int, n_padded: int, dtype: Any, documents: int, entries: int, longest: int
) -> VBScratch:
    """Allocate scratch for mini-batches of at most the given sizes."""
    distinct = min(n_words, entries)
    small = np.int32
    return VBScratch(
        slots=np.full(n_words, -1, small),
        words=np.empty(distinct, small),
        starts=np.empty(distinct + 1, np.int64),
        topics=aligned((distinct, n_padded), dtype),
        local=np.empty(entries, small),
        ratio=np.empty(entries, dtype),
        order=np.empty(entries, np.int64),
        owner=np.empty(entries, small),
        expectations=aligned((documents, n_padded), dtype),
        rows=aligned((longest, n_padded), dtype),
        counts=np.empty(longest, dtype),
        row_ratio=np.empty(longest, dtype),
        gamma=aligned((n_padded,), dtype),
        sums=aligned((n_padded,), dtype),
        factors=aligned((n_padded,), dtype),
    )


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def vb_step(
    indptr: Any,
    indices: Any,
    data: Any,
    documents: Any,
    weights: Any,
    prior: Any,
    scale: Any,
    doc_prior: Any,
    n_topics: Any,
    tolerance: Any,
    max_iterations: Any,
    step: Any,
    into: Any,
    totals: Any,
    scratch: Any,
) -> Any:
    """Infer the topics of a mini-batch and add its statistics to the global array.

    Equivalent, with B the rows of ``exp(E[log β])`` and phi the responsibilities, to
    ``into[w] += step * sum(n_dw * phi_dw)`` for each word w, and the same, summed over
    words, to `totals`. `scratch.factors` must be up to date.

    Parameters
    ----------
    indptr, indices, data : ndarrays
        The corpus in CSR.
    documents : ndarray of int
        Rows that make the mini-batch.
    weights : ndarray of shape (n_words, n_padded)
        Global array; read only for words of the mini-batch.
    prior, scale : float
        λ is ``prior + scale * weights``.
    doc_prior : ndarray of shape (n_padded,)
        Dirichlet prior of the documents, positive in the padding too.
    n_topics : int
        K.
    tolerance, max_iterations : float, int
        When to stop on a document: mean absolute change of gamma; iterations.
    step : float
        Weight of one token, ρ (N / S) / s in the representation's units.
    into : ndarray of shape (n_words, n_padded)
        Where the statistics go; `weights` itself in online learning.
    totals : ndarray of shape (n_topics,), float64
        Where their sums go.
    scratch : VBScratch
        This thread's own.

    Returns
    -------
    int
        Iterations done, over all documents.
    """
    n_distinct = _number_words(indptr, indices, documents, scratch)
    words = scratch.words[:n_distinct]
    expected_topics(weights, prior, scale, scratch.factors, words, scratch.topics)
    iterations = 0
    position = 0
    for d in range(documents.size):
        begin = indptr[documents[d]]
        length = indptr[documents[d] + 1] - begin
        mass = _gather(data, begin, length, position, scratch)
        share = mass / n_topics
        for k in range(doc_prior.size):
            scratch.gamma[k] = doc_prior[k] + share
        iterations += infer_document(
            scratch.rows,
            length,
            scratch.counts,
            doc_prior,
            tolerance * n_topics,
            max_iterations,
            scratch.gamma,
            scratch.expectations[d],
            scratch.row_ratio,
            scratch.sums,
        )
        for j in range(length):
            scratch.ratio[position + j] = scratch.row_ratio[j]
        position += length
    _sort_by_word(indptr, documents, n_distinct, scratch)
    _add_statistics(n_distinct, step, into, totals, scratch)
    for i in range(n_distinct):
        scratch.slots[words[i]] = -1
    return iterations


@njit(nogil=True, cache=True, error_model="numpy")
def _number_words(indptr: Any, indices: Any, documents: Any, scratch: Any) -> Any:
    """Number the words in order of appearance, and count their entries in `starts`."""
    slots, words, starts = scratch.slots, scratch.words, scratch.starts
    n_distinct = 0
    position = 0
    starts[0] = 0
    for document in documents:
        for j in range(indptr[document], indptr[document + 1]):
            word = indices[j]
            slot = slots[word]
            if slot < 0:
                slot = n_distinct
                slots[word] = slot
                words[slot] = word
                n_distinct += 1
                starts[n_distinct] = 0
            starts[slot + 1] += 1
            scratch.local[position] = slot
            position += 1
    return n_distinct


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def _gather(data: Any, begin: Any, length: Any, position: Any, scratch: Any) -> Any:
    """Bring one document's rows and counts together; return its number of tokens."""
    mass = scratch.counts.dtype.type(0)
    for j in range(length):
        slot = scratch.local[position + j]
        scratch.counts[j] = data[begin + j]
        mass += scratch.counts[j]
        for k in range(scratch.gamma.size):
            scratch.rows[j, k] = scratch.topics[slot, k]
    return mass


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def infer_document(
    rows: Any,
    n_rows: Any,
    counts: Any,
    prior: Any,
    bound: Any,
    max_iterations: Any,
    gamma: Any,
    e: Any,
    ratio: Any,
    sums: Any,
) -> Any:
    """Coordinate ascent on one document's topics, from and to `gamma`.

    Equivalent to iterating ``e = np.exp(psi(gamma)); ratio = counts / (rows @ e);
    gamma = prior + e * (ratio @ rows)`` until the absolute changes of gamma sum to
    less than `bound` (Hoffman et al. 2010, Alg. 1). The factor exp(psi(sum(gamma))) of
    the textbook cancels.

    Returns
    -------
    int
        Number of iterations done.
    """
    zero = e.dtype.type(0)
    for iteration in range(max_iterations):
        for k in range(gamma.size):
            e[k] = exp_psi(gamma[k], zero)
        _weigh(rows, n_rows, counts, e, ratio, sums)
        change = zero
        for k in range(gamma.size):
            g = prior[k] + e[k] * sums[k]
            change += abs(g - gamma[k])
            gamma[k] = g
        if change < bound:
            return iteration + 1
    return max_iterations


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def _weigh(rows: Any, n_rows: Any, counts: Any, e: Any, ratio: Any, sums: Any) -> None:
    """Equivalent to ``ratio[:] = counts / (rows @ e); sums[:] = ratio @ rows``.

    Four rows at a time: four independent sums keep the multipliers busy, and `sums`
    is read and written once for the four.
    """
    tiny = e.dtype.type(1e-30)
    for k in range(e.size):
        sums[k] = 0
    for quarter in range(n_rows // 4):
        j = 4 * quarter
        s0, s1, s2, s3 = tiny, tiny, tiny, tiny
        for k in range(e.size):
            x = e[k]
            s0 += x * rows[j, k]
            s1 += x * rows[j + 1, k]
            s2 += x * rows[j + 2, k]
            s3 += x * rows[j + 3, k]
        c0 = counts[j] / s0
        c1 = counts[j + 1] / s1
        c2 = counts[j + 2] / s2
        c3 = counts[j + 3] / s3
        ratio[j], ratio[j + 1], ratio[j + 2], ratio[j + 3] = c0, c1, c2, c3
        for k in range(e.size):
            x = c0 * rows[j, k] + c1 * rows[j + 1, k]
            sums[k] += x + (c2 * rows[j + 2, k] + c3 * rows[j + 3, k])
    for j in range(n_rows // 4 * 4, n_rows):
        s0 = tiny
        for k in range(e.size):
            s0 += e[k] * rows[j, k]
        c0 = counts[j] / s0
        ratio[j] = c0
        for k in range(e.size):
            sums[k] += c0 * rows[j, k]


@njit(nogil=True, cache=True, error_model="numpy")
def _sort_by_word(indptr: Any, documents: Any, n_distinct: Any, scratch: Any) -> None:
    """Counting sort of the entries by word; `starts` then holds each word's end."""
    starts = scratch.starts
    for i in range(n_distinct):
        starts[i + 1] += starts[i]
    position = 0
    for d in range(documents.size):
        for _ in range(indptr[documents[d]], indptr[documents[d] + 1]):
            slot = scratch.local[position]
            at = starts[slot]
            scratch.order[at] = position
            scratch.owner[at] = d
            starts[slot] = at + 1
            position += 1


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def _add_statistics(
    n_distinct: Any, step: Any, into: Any, totals: Any, scratch: Any
) -> None:
    """One read and one write of the global row per distinct word."""
    sums, topics = scratch.sums, scratch.topics
    begin = 0
    for i in range(n_distinct):
        for k in range(sums.size):
            sums[k] = 0
        for at in range(begin, scratch.starts[i]):
            c = scratch.ratio[scratch.order[at]]
            d = scratch.owner[at]
            for k in range(sums.size):
                sums[k] += c * scratch.expectations[d, k]
        begin = scratch.starts[i]
        word = scratch.words[i]
        for k in range(sums.size):
            sums[k] *= step * topics[i, k]
        for k in range(sums.size):
            into[word, k] += sums[k]
        for k in range(totals.size):
            totals[k] += sums[k]
