"""Zero-order collapsed inference, document by document: Foulds et al. (2013), SCVB0.

No digamma, no copy: the rows of the global array are read where they stand and added
to at once. Topics stand word-major and padded as in :mod:`.vb`.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from dpsvi.models.lda.kernels.special import FASTMATH

# Documents between two refreshes of the topic totals inside a step.
REFRESH = 16


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def _refresh(
    totals: Any, scale: Any, prior_mass: Any, doc_prior: Any, factors: Any, base: Any
) -> None:
    """Equivalent to ``factors = 1 / λ.sum(axis=words); base = doc_prior * factors``."""
    for k in range(totals.shape[1]):
        total = 0.0
        for thread in range(totals.shape[0]):
            total += totals[thread, k]
        factors[k] = factors.dtype.type(1.0 / (prior_mass + scale * total))
        base[k] = doc_prior[k] * factors[k]


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def burn_in(
    indices: Any, data: Any, begin: Any, end: Any, weights: Any, prior: Any, scale: Any,
    length: Any, rates: Any, base: Any, factors: Any, mix: Any,
) -> None:
    n = mix.size
    zero = mix.dtype.type(0)
    one = mix.dtype.type(1)
    cap = mix.dtype.type(0.9)
    last_rate = rates.size - 1
    total = zero
    for k in range(n):
        total += mix[k]
    j = begin
    while j + 4 <= end:
        w0 = indices[j]
        w1 = indices[j + 1]
        w2 = indices[j + 2]
        w3 = indices[j + 3]
        s0 = zero
        s1 = zero
        s2 = zero
        s3 = zero
        for k in range(n):
            x = mix[k]
            s0 += x * weights[w0, k]
            s1 += x * weights[w1, k]
            s2 += x * weights[w2, k]
            s3 += x * weights[w3, k]
        floor = prior * total
        rate = rates[min((j - begin) // 4, last_rate)]
        n0 = data[j]
        n1 = data[j + 1]
        n2 = data[j + 2]
        n3 = data[j + 3]
        counted = n0 + n1 + n2 + n3
        share = min(rate * counted, cap)
        keep = one - share
        per_count = share / counted * length
        c0 = per_count * n0 / (scale * s0 + floor)
        c1 = per_count * n1 / (scale * s1 + floor)
        c2 = per_count * n2 / (scale * s2 + floor)
        c3 = per_count * n3 / (scale * s3 + floor)
        c = prior * (c0 + c1 + c2 + c3)
        c0 *= scale
        c1 *= scale
        c2 *= scale
        c3 *= scale
        total = zero
        for k in range(n):
            x = c + c0 * weights[w0, k] + c1 * weights[w1, k]
            x += c2 * weights[w2, k] + c3 * weights[w3, k]
            y = mix[k] * (keep + factors[k] * x) + share * base[k]
            mix[k] = y
            total += y
        j += 4
    while j < end:
        w0 = indices[j]
        s0 = zero
        for k in range(n):
            s0 += mix[k] * weights[w0, k]
        share = min(rates[min((j - begin) // 4, last_rate)] * data[j], cap)
        keep = one - share
        c0 = share * length / (scale * s0 + prior * total)
        c = prior * c0
        c0 *= scale
        total = zero
        for k in range(n):
            y = mix[k] * (keep + factors[k] * (c + c0 * weights[w0, k]))
            y += share * base[k]
            mix[k] = y
            total += y
        j += 1


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def add_document(
    indices: Any, data: Any, begin: Any, end: Any, weights: Any, prior: Any, scale: Any,
    step: Any, mix: Any, acc: Any,
) -> None:
    n = mix.size
    zero = mix.dtype.type(0)
    total = zero
    for k in range(n):
        total += mix[k]
    floor = prior * total
    j = begin
    while j + 2 <= end:
        w0 = indices[j]
        w1 = indices[j + 1]
        s0 = zero
        s1 = zero
        for k in range(n):
            x = mix[k]
            s0 += x * weights[w0, k]
            s1 += x * weights[w1, k]
        c0 = step * data[j] / (scale * s0 + floor)
        c1 = step * data[j + 1] / (scale * s1 + floor)
        for k in range(n):
            x = mix[k]
            y0 = c0 * x * (prior + scale * weights[w0, k])
            y1 = c1 * x * (prior + scale * weights[w1, k])
            weights[w0, k] += y0
            weights[w1, k] += y1
            acc[k] += y0 + y1
        j += 2
    if j < end:
        w0 = indices[j]
        s0 = zero
        for k in range(n):
            s0 += mix[k] * weights[w0, k]
        c0 = step * data[j] / (scale * s0 + floor)
        for k in range(n):
            y0 = c0 * mix[k] * (prior + scale * weights[w0, k])
            weights[w0, k] += y0
            acc[k] += y0


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def cvb0_step(
    indptr: Any, indices: Any, data: Any, documents: Any, weights: Any, totals: Any,
    thread: Any, prior: Any, prior_mass: Any, scale: Any, decay: Any, n_documents: Any,
    doc_prior: Any, rates: Any, n_passes: Any, factors: Any, base: Any, mix: Any, acc: Any,
) -> None:
    n_padded = mix.size
    n_topics = totals.shape[1]
    to = mix.dtype.type
    for i in range(documents.size):
        if i % REFRESH == 0:
            _refresh(totals, scale, prior_mass, doc_prior, factors, base)
        begin = indptr[documents[i]]
        end = indptr[documents[i] + 1]
        length = to(0)
        for j in range(begin, end):
            length += data[j]
        share = length / to(n_topics)
        for k in range(n_padded):
            mix[k] = base[k] + share * factors[k]
            acc[k] = to(0)
        for _ in range(n_passes):
            burn_in(
                indices, data, begin, end, weights, prior, to(scale), length, rates,
                base, factors, mix,
            )
        after = scale * decay
        step = to((1.0 - decay) * n_documents / after)
        add_document(
            indices, data, begin, end, weights, prior, to(scale), step, mix, acc
        )
        for k in range(n_topics):
            totals[thread, k] += acc[k]
        scale = after
