"""Zero-order collapsed inference, document by document: Foulds et al. (2013), SCVB0.

No digamma and no copy: the rows of the global array are read where they stand and
added to at once. Two things differ from the published algorithm, both measured:

* A word's own share leaves the document's mixture while the word is judged, as CVB0
  does and SCVB0 does not. Without this a document confirms itself, topics sharpen
  without end and held-out perplexity rises again after a few epochs, most on short
  documents.
* Four words are taken at a time, in one read of their rows.

See :mod:`.topics` for the layout of the global arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.models.arrays import aligned
from dpsvi.models.lda.kernels.prefetch import prefetch_row
from dpsvi.models.lda.kernels.prior import above, beneath, of_topic
from dpsvi.models.lda.kernels.tables import (
    EVERY,
    Learning,
    add_tables,
    no_learning,
)

# Documents between two refreshes of the topic totals inside a step.
_REFRESH = 16
# Words ahead of the one at work whose rows are fetched.
_AHEAD = 8
# How many times its own counts leave the mixture when a word is judged. The running
# average of one pass gives a word about twice its fair share of the mixture.
_EXCLUSION = 2.0


class CVB0Scratch(NamedTuple):
    """What one thread needs to work on documents; see :func:`cvb0_scratch`."""

    factors: Any  # 1 / topic total
    base: Any  # document prior * factors
    mix: Any  # (document's topic counts + prior) * factors
    row: Any  # responsibilities of one word, not normalised
    sums: Any  # what a document adds to the totals
    learning: Learning  # what the documents say about their prior


def cvb0_scratch(
    n_padded: int, dtype: Any, learning: Learning | None = None
) -> CVB0Scratch:
    """Allocate scratch for one thread."""
    factors, base, mix, row, sums = (aligned((n_padded,), dtype) for _ in range(5))
    return CVB0Scratch(factors, base, mix, row, sums, learning or no_learning())


@kernel(fastmath=FASTMATH)
def cvb0_step(
    indptr: Any,
    indices: Any,
    data: Any,
    documents: Any,
    weights: Any,
    prior: Any,
    prior_mass: Any,
    scale: Any,
    decay: Any,
    mass: Any,
    doc_prior: Any,
    rates: Any,
    read_totals: Any,
    into: Any,
    totals: Any,
    scratch: Any,
) -> None:
    """Infer the topics of documents and add their counts to the global array.

    Parameters
    ----------
    indptr, indices, data : ndarrays
        The corpus in CSR.
    documents : ndarray of int
        Rows to work on, in this order.
    weights : ndarray of shape (n_words, n_padded)
        Global array; read only for words of the documents.
    prior : float or ndarray of the shape of `weights`
        λ is ``prior + scale * weights``.
    prior_mass : float or ndarray of shape (n_topics,)
        Sum over the words of the prior.
    scale : float
        What a weight counts at the start of the step.
    decay : float
        Share of λ that stays, per document.
    mass : float
        Weight of one token times the number of documents: N (1 - decay) s / s', in
        the units of `weights` at the start of the step; grows by 1 / decay with each
        document.
    doc_prior : ndarray of shape (n_padded,)
        Dirichlet prior of the documents.
    rates : ndarray of float
        Step sizes of the running average of a document's topics, per token.
    read_totals : ndarray of shape (n_threads, n_topics), float64
        Sums over the words of `weights`.
    into : ndarray of shape (n_words, n_padded)
        Where the counts go; `weights` itself in online learning.
    totals : ndarray of shape (n_topics,), float64
        Where their sums go: this thread's row of `read_totals` in online learning.
    scratch : CVB0Scratch
        This thread's own.
    """
    n_topics = totals.size
    mix, sums = scratch.mix, scratch.sums
    to = mix.dtype.type
    for i in range(documents.size):
        if i % _REFRESH == 0:
            _refresh(read_totals, scale, prior_mass, doc_prior, scratch)
        begin = indptr[documents[i]]
        end = indptr[documents[i] + 1]
        length = to(0)
        for j in range(begin, end):
            length += to(data[j])
        share = length / to(n_topics)
        for k in range(mix.size):
            mix[k] = scratch.base[k] + share * scratch.factors[k]
            sums[k] = 0
        at = to(scale)
        _average(indices, data, begin, end, weights, prior, at, length, rates, scratch)
        _add_document(
            indices, data, begin, end, weights, prior, at, to(mass), into, scratch
        )
        for k in range(n_topics):
            totals[k] += sums[k]
        if scratch.learning.tables.size and i % EVERY == 0:
            gathered = scratch.learning
            add_tables(
                sums,
                1.0 / mass,
                gathered.prior,
                gathered.psi_prior,
                n_topics,
                gathered.tables,
            )
        scale *= decay
        mass /= decay


@kernel(fastmath=FASTMATH, inline="always")
def _refresh(
    totals: Any, scale: Any, prior_mass: Any, doc_prior: Any, scratch: Any
) -> None:
    """Equivalent to ``factors = 1 / λ.sum(axis=words); base = doc_prior * factors``."""
    for k in range(totals.shape[1]):
        total = 0.0
        for thread in range(totals.shape[0]):
            total += totals[thread, k]
        scratch.factors[k] = 1.0 / (of_topic(prior_mass, k) + scale * total)
        scratch.base[k] = doc_prior[k] * scratch.factors[k]


@kernel(fastmath=FASTMATH, inline="always")
def _average(
    indices: Any,
    data: Any,
    begin: Any,
    end: Any,
    weights: Any,
    prior: Any,
    scale: Any,
    length: Any,
    rates: Any,
    scratch: Any,
) -> None:
    """One pass of stochastic averaging over a document's words.

    Equivalent, for groups of four words with counts n, responsibilities phi and
    ``r = min(rate * sum(n), 0.9)``, to ``h = (1 - r) * h + r * (doc_prior + length *
    (n @ phi) / sum(n))`` where ``h = mix / factors``.
    """
    mix, factors, base = scratch.mix, scratch.factors, scratch.base
    n = mix.size
    zero = mix.dtype.type(0)
    one = mix.dtype.type(1)
    inverse = one / scale
    common = beneath(prior)
    most = mix.dtype.type(0.9)
    total = zero
    for k in range(n):
        total += mix[k]
    last = end - 1
    for group in range((end - begin + 3) // 4):
        j = begin + 4 * group
        # The last group may be short: its last word stands in, with a count of zero.
        j1, j2, j3 = min(j + 1, last), min(j + 2, last), min(j + 3, last)
        w0, w1, w2, w3 = indices[j], indices[j1], indices[j2], indices[j3]
        n0 = data[j]
        n1 = data[j1] if j + 1 < end else zero
        n2 = data[j2] if j + 2 < end else zero
        n3 = data[j3] if j + 3 < end else zero
        for ahead in range(j + _AHEAD, min(j + _AHEAD + 4, end)):
            prefetch_row(weights, indices[ahead])
        s0, s1, s2, s3 = zero, zero, zero, zero
        for k in range(n):
            x = mix[k]
            s0 += x * above(weights, prior, w0, k, inverse)
            s1 += x * above(weights, prior, w1, k, inverse)
            s2 += x * above(weights, prior, w2, k, inverse)
            s3 += x * above(weights, prior, w3, k, inverse)
        floor = common * total
        counted = n0 + n1 + n2 + n3
        share = min(rates[min(group, rates.size - 1)] * counted, most)
        each = share / counted * length
        c0 = each * n0 / (scale * s0 + floor)
        c1 = each * n1 / (scale * s1 + floor)
        c2 = each * n2 / (scale * s2 + floor)
        c3 = each * n3 / (scale * s3 + floor)
        keep = one - share
        c = common * (c0 + c1 + c2 + c3)
        c0, c1, c2, c3 = c0 * scale, c1 * scale, c2 * scale, c3 * scale
        total = zero
        for k in range(n):
            u0 = above(weights, prior, w0, k, inverse)
            u1 = above(weights, prior, w1, k, inverse)
            u2 = above(weights, prior, w2, k, inverse)
            u3 = above(weights, prior, w3, k, inverse)
            x = c + c0 * u0 + c1 * u1
            x += c2 * u2 + c3 * u3
            y = mix[k] * (keep + factors[k] * x) + share * base[k]
            mix[k] = y
            total += y


@kernel(fastmath=FASTMATH, inline="always")
def _add_document(
    indices: Any,
    data: Any,
    begin: Any,
    end: Any,
    weights: Any,
    prior: Any,
    scale: Any,
    mass: Any,
    into: Any,
    scratch: Any,
) -> None:
    """Add ``mass * count * phi`` to each word's row.

    phi comes from the mixture without the word: ``max(mix - _EXCLUSION * count *
    factors * phi_with, base) * (prior + scale * weights[word])``, normalised.
    """
    mix, factors, base, row, sums = (
        scratch.mix,
        scratch.factors,
        scratch.base,
        scratch.row,
        scratch.sums,
    )
    zero = mix.dtype.type(0)
    exclusion = mix.dtype.type(_EXCLUSION)
    inverse = mix.dtype.type(1) / scale
    common = beneath(prior)
    for j in range(begin, end):
        word = indices[j]
        count = data[j]
        s = zero
        for k in range(mix.size):
            x = mix[k] * (common + scale * above(weights, prior, word, k, inverse))
            row[k] = x
            s += x
        out = exclusion * count / s
        s = zero
        for k in range(mix.size):
            x = max(mix[k] - out * factors[k] * row[k], base[k])
            x *= common + scale * above(weights, prior, word, k, inverse)
            row[k] = x
            s += x
        c = mass * count / s
        for k in range(mix.size):
            x = c * row[k]
            into[word, k] += x
            sums[k] += x
