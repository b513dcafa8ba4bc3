"""Kernels on the global array: start, rescale, sum, and the topics it stands for.

The global parameter λ of V words and K topics is ``prior + scale * weights``, with
`weights` word-major: a row holds one word's topics, padded with zeros to whole cache
lines. The prior is a scalar.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dpsvi.models.lda.kernels.special import FASTMATH, exp_psi


@njit(nogil=True, cache=True, error_model="numpy")
def start_weights(weights: Any, n_topics: Any, seed: Any) -> None:
    """Fill `weights` with noise of mean 1 and standard deviation 0.1.

    The moments of Gamma(100, 1/100), the usual start of online LDA, from the sum of
    three 21-bit uniforms of one 64-bit hash (splitmix64) of the entry's number: the
    same whatever the number of threads, and hundreds of millions a second.
    """
    word_size = np.uint64(weights.shape[1])
    for word in range(weights.shape[0]):
        for k in range(weights.shape[1]):
            h = np.uint64(word) * word_size + np.uint64(k) + seed
            h *= np.uint64(0x9E3779B97F4A7C15)
            h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            h = h ^ (h >> np.uint64(31))
            low = np.int64(h & np.uint64(0x1FFFFF))
            middle = np.int64((h >> np.uint64(21)) & np.uint64(0x1FFFFF))
            high = np.int64((h >> np.uint64(42)) & np.uint64(0x1FFFFF))
            uniforms = (low + middle + high) / 2097151.0
            weights[word, k] = 0.7 + 0.2 * uniforms if k < n_topics else 0.0


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def rescale(weights: Any, factor: Any, begin: Any, end: Any) -> None:
    """Equivalent to ``weights[begin:end] *= factor``, without the GIL."""
    for word in range(begin, end):
        for k in range(weights.shape[1]):
            weights[word, k] *= factor


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def sum_words(weights: Any, totals: Any) -> None:
    """Equivalent to ``totals[:] = weights.sum(axis=0, dtype=float)[:totals.size]``."""
    totals[:] = 0.0
    for word in range(weights.shape[0]):
        for k in range(totals.size):
            totals[k] += weights[word, k]


@njit(nogil=True, cache=True, error_model="numpy")
def digamma_factors(totals: Any, scale: Any, prior_mass: Any, out: Any) -> None:
    """Equivalent to ``out[:K] = 1 / np.exp(psi(λ.sum(axis=words)))``, 0 in the padding.

    Parameters
    ----------
    totals : ndarray of shape (n_threads, n_topics), float64
        Column sums of the weights, one row per thread that adds to them.
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
        out[k] = 1.0 / exp_psi(prior_mass + scale * total, 0.0)


@njit(nogil=True, cache=True, fastmath=FASTMATH, error_model="numpy")
def expected_topics(
    weights: Any, prior: Any, scale: Any, factors: Any, words: Any, out: Any
) -> None:
    """Equivalent to ``out[i] = np.exp(psi(λ[words[i]])) * factors``: exp(E[log β]).

    A word that no topic knows would fall below the smallest float; its row is then
    written relative to its largest entry. A factor common to a word's topics cancels
    in the responsibilities.
    """
    zero = out.dtype.type(0)
    lowest = out.dtype.type(1e-25)
    n_padded = factors.size
    for i in range(words.size):
        word = words[i]
        mass = zero
        for k in range(n_padded):
            x = exp_psi(prior + scale * weights[word, k], zero) * factors[k]
            out[i, k] = x
            mass += x
        if mass < lowest:
            _relative_topics(weights, prior, scale, factors, word, out, i)


@njit(nogil=True, cache=True, error_model="numpy")
def _relative_topics(
    weights: Any, prior: Any, scale: Any, factors: Any, word: Any, out: Any, i: Any
) -> None:
    largest = 0.0
    mass = 0.0
    for k in range(factors.size):
        if factors[k] > 0:
            largest = max(largest, np.float64(prior + scale * weights[word, k]))
            mass = max(mass, np.float64(factors[k]))
    for k in range(factors.size):
        x = np.float64(prior + scale * weights[word, k])
        out[i, k] = exp_psi(x, 1.0 / largest) * (factors[k] / mass)
