"""Variational Bayes on a mini-batch: Eq. 44 and 52; Hoffman et al. (2010), Alg. 1-2.

Three kernels, each one call per mini-batch: the documents' topics, the entries sorted
by word, the statistics. Documents and entries are numbered within the mini-batch, and
so are words (:func:`.topics.number_words`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, ORDERED, kernel
from dpsvi.models.lda.kernels.active import choose_active, refine
from dpsvi.models.lda.kernels.prefetch import prefetch_row
from dpsvi.models.lda.kernels.special import exp_psi

# Knuth's linear congruential generator; its top 24 bits make a uniform number.
_MULTIPLIER = np.uint64(6364136223846793005)
_INCREMENT = np.uint64(1442695040888963407)
_TOP = np.uint64(40)
# Iterations on all topics before the active ones go on alone.
_ON_ALL = 5
# Changes below so many units in the last place of a document's mass are rounding.
_ROUNDING = 16
# Words between asking for the topics of one and using them.
_AHEAD = 8


@kernel(fastmath=FASTMATH, inline="always")
def _weigh(rows: Any, n_rows: Any, counts: Any, e: Any, ratio: Any, sums: Any) -> None:
    """Equivalent to ``ratio[:] = counts / (rows @ e); sums[:] = ratio @ rows``.

    Four rows at a time: four independent sums keep the multipliers busy, and `sums`
    is read and written once for the four. Rows up to the next multiple of four are
    zero, with a count of zero.
    """
    tiny = e.dtype.type(1e-30)
    for k in range(e.size):
        sums[k] = 0
    for quarter in range((n_rows + 3) // 4):
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


@kernel(fastmath=FASTMATH)
def infer_documents(
    indptr: Any,
    data: Any,
    documents: Any,
    local: Any,
    topics: Any,
    prior: Any,
    n_topics: Any,
    tolerance: Any,
    max_iterations: Any,
    noise: Any,
    rows: Any,
    counts: Any,
    row_ratio: Any,
    sums: Any,
    active: Any,
    columns: Any,
    few: Any,
    rest: Any,
    gammas: Any,
    expectations: Any,
    ratio: Any,
) -> Any:
    """Coordinate ascent on the topics of each document.

    Equivalent, for one document with the rows B of its words in `topics`, to repeating
    ``e = np.exp(psi(gamma)); ratio = n / (B @ e); gamma = prior + e * (ratio @ B)``
    until the mean absolute change of gamma is below `tolerance`, or all changes are no
    more than rounding. The textbook's factor
    exp(psi(sum(gamma))) cancels. ``e`` and ``ratio`` are left as the last iteration
    used them: the responsibilities ``ratio * e * B`` sum to the counts.

    From the sixth iteration on, as long as a document uses at most half of the topics,
    these alone iterate until they change by less (:func:`.active.refine`), then
    all do once: the last iteration, by which convergence is judged, is on all topics.

    Parameters
    ----------
    indptr, data : ndarrays
        Of the corpus in CSR.
    documents : ndarray of shape (n_documents,), int
        Rows that make the mini-batch.
    local : ndarray of int
        Number of each entry's word.
    topics : ndarray of shape (n_distinct, n_padded)
        exp(E[log β]) of each word, up to a factor per word; zero in the padding.
    prior : ndarray of shape (n_padded,)
        Dirichlet prior of the documents, positive in the padding too.
    n_topics : int
        K.
    tolerance, max_iterations : float, int
        When to stop on a document.
    noise : uint64
        Seed of random starts: gamma is ``prior + share * 3 * u**2`` with u uniform, of
        mean ``prior + share``. In training they let topics part company: with the even
        start, `noise` zero, near-equal topics stay equal and held-out perplexity ends
        3 % higher.
    rows : ndarray of shape (longest + 15, n_padded)
        Scratch: the topics of one document's words, together.
    counts, row_ratio, rest : ndarrays of shape (longest + 15,)
        Scratch, likewise.
    sums : ndarray of shape (n_padded,)
        Scratch.
    active : ndarray of shape (n_topics + 1,), int
        Scratch: topics that the document uses.
    columns : ndarray of shape ((n_topics // 2 + 7) * (longest + 15),)
        Scratch: their probabilities.
    few : ndarray of shape (5, n_topics // 2 + 7)
        Scratch.
    gammas, expectations : ndarrays of shape (n_documents, n_padded)
        Receive gamma and e.
    ratio : ndarray
        Receives the ratio of each entry.

    Returns
    -------
    iterations : int
        Done, over all documents.
    converged : int
        Documents that stopped within the tolerance.
    """
    zero = topics.dtype.type(0)
    bound = tolerance * topics.dtype.type(n_topics)
    floor = topics.dtype.type(_ROUNDING * np.finfo(topics.dtype).eps)
    three = topics.dtype.type(3)
    grain = topics.dtype.type(2.0**-24)
    state = noise
    iterations = 0
    converged = 0
    position = 0
    for d in range(documents.size):
        begin = indptr[documents[d]]
        length = indptr[documents[d] + 1] - begin
        mass = zero
        for j in range(length):
            ahead = position + j + _AHEAD
            if ahead < local.size:
                prefetch_row(topics, local[ahead])
            slot = local[position + j]
            counts[j] = data[begin + j]
            mass += counts[j]
            for k in range(sums.size):
                rows[j, k] = topics[slot, k]
        for j in range(length, length + 3):
            counts[j] = zero
            for k in range(sums.size):
                rows[j, k] = zero
        limit = max(bound, floor * mass)
        share = mass / topics.dtype.type(n_topics)
        gamma = gammas[d]
        e = expectations[d]
        for k in range(sums.size):
            # The padding stays at its prior, and does not count as change.
            gamma[k] = prior[k]
        for k in range(n_topics):
            gamma[k] += share
        if noise != 0:
            # The padding draws nothing: both precisions see the same numbers.
            for k in range(n_topics):
                state = state * _MULTIPLIER + _INCREMENT
                u = topics.dtype.type(np.int64(state >> _TOP)) * grain
                gamma[k] = prior[k] + share * three * u * u
        change = limit + 1
        iteration = 0
        while iteration < max_iterations and change >= limit:
            for k in range(sums.size):
                e[k] = exp_psi(gamma[k], zero)
            _weigh(rows, length, counts, e, row_ratio, sums)
            change = zero
            for k in range(sums.size):
                g = prior[k] + e[k] * sums[k]
                change += abs(g - gamma[k])
                gamma[k] = g
            iteration += 1
            left = max_iterations - 1 - iteration
            if change >= limit and iteration >= _ON_ALL and left > 0:
                n_active = choose_active(gamma, prior, n_topics, active)
                if 2 * n_active <= n_topics:
                    iteration += refine(
                        rows,
                        length,
                        counts,
                        prior,
                        active[:n_active],
                        limit,
                        left,
                        e,
                        row_ratio,
                        columns,
                        few,
                        rest,
                        gamma,
                    )
        for j in range(length):
            ratio[position + j] = row_ratio[j]
        iterations += iteration
        converged += change < limit
        position += length
    return iterations, converged


@kernel(fastmath=False)
def sort_by_word(
    indptr: Any,
    documents: Any,
    local: Any,
    n_distinct: Any,
    ends: Any,
    order: Any,
    owner: Any,
) -> None:
    """Counting sort of the entries by word.

    Equivalent to ``order = np.argsort(local, kind="stable")``, with `owner` the
    document of each sorted entry and ``order[ends[i - 1]:ends[i]]`` the entries of
    word i.
    """
    for i in range(n_distinct + 1):
        ends[i] = 0
    position = 0
    for d in range(documents.size):
        for _ in range(indptr[documents[d]], indptr[documents[d] + 1]):
            ends[local[position] + 1] += 1
            position += 1
    for i in range(n_distinct):
        ends[i + 1] += ends[i]
    position = 0
    for d in range(documents.size):
        for _ in range(indptr[documents[d]], indptr[documents[d] + 1]):
            slot = local[position]
            at = ends[slot]
            order[at] = position
            owner[at] = d
            ends[slot] = at + 1
            position += 1


@kernel(fastmath=ORDERED)
def add_statistics(
    words: Any,
    ends: Any,
    order: Any,
    owner: Any,
    topics: Any,
    expectations: Any,
    ratio: Any,
    step: Any,
    sums: Any,
    into: Any,
    totals: Any,
) -> None:
    """Add ``step`` times the expected counts of a mini-batch to the global array.

    Equivalent to ``into[words[i]] += step * topics[i] * (ratio @ expectations)`` over
    the entries of each word, and the same, summed over words, to `totals`. One read
    and one write of a global row per distinct word.
    """
    begin = 0
    for i in range(words.size):
        for k in range(sums.size):
            sums[k] = 0
        for at in range(begin, ends[i]):
            c = ratio[order[at]]
            d = owner[at]
            for k in range(sums.size):
                sums[k] += c * expectations[d, k]
        begin = ends[i]
        word = words[i]
        for k in range(sums.size):
            # First the product that is at most a count: ratio and step are huge alone.
            sums[k] = step * (sums[k] * topics[i, k])
        for k in range(sums.size):
            into[word, k] += sums[k]
        for k in range(totals.size):
            totals[k] += sums[k]
