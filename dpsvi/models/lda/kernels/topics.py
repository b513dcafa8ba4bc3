"""The words of a mini-batch and what the global array says of them.

The global parameter λ of V words and K topics is ``prior + scale * weights``, with
`weights` word-major: a row holds one word's topics, padded with zeros to whole cache
lines. The prior is a scalar, or an array of the same layout (:mod:`.prior`).
"""

from __future__ import annotations

from typing import Any

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.models.lda.kernels.prior import above, beneath
from dpsvi.models.lda.kernels.special import exp_psi


@kernel(fastmath=False)
def number_words(
    indptr: Any, indices: Any, documents: Any, slots: Any, words: Any, local: Any
) -> Any:
    """Number the distinct words of some documents in order of appearance.

    Equivalent to ``words, local = np.unique(batch.indices, return_inverse=True)`` but
    for the order.

    Parameters
    ----------
    indptr, indices : ndarrays of int
        The corpus in CSR.
    documents : ndarray of int
        Rows that make the mini-batch.
    slots : ndarray of shape (n_words,), int
        -1 everywhere, before and after.
    words : ndarray of int
        Receives the words.
    local : ndarray of int
        Receives the number of each entry's word.

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
    for i in range(n_distinct):
        slots[words[i]] = -1
    return n_distinct


@kernel(fastmath=FASTMATH)
def expected_topics(
    weights: Any,
    prior: Any,
    scale: Any,
    factors: Any,
    words: Any,
    out: Any,
    shifts: Any,
) -> None:
    """Equivalent to ``out[i] = np.exp(psi(λ[words[i]]) + shifts[i]) * factors``.

    That is exp(E[log β]) with the factors ``1 / exp(psi(λ.sum(axis=words)))``. The
    shift of a word is zero, unless no topic knows the word well: then its row would be
    near the smallest float, and is written relative to its largest entry. A factor
    common to a word's topics cancels in the responsibilities.
    """
    zero = out.dtype.type(0)
    one = out.dtype.type(1)
    lowest = out.dtype.type(1e-4)
    inverse = one / scale
    common = beneath(prior)
    n_padded = factors.size
    for i in range(words.size):
        word = words[i]
        mass = zero
        for k in range(n_padded):
            x = exp_psi(common + scale * above(weights, prior, word, k, inverse), zero)
            mass += x
            out[i, k] = x * factors[k]
        shifts[i] = zero
        if mass < lowest:
            largest = zero
            for k in range(n_padded):
                x = common + scale * above(weights, prior, word, k, inverse)
                largest = max(largest, x)
            shift = one / largest
            shifts[i] = shift
            for k in range(n_padded):
                x = exp_psi(
                    common + scale * above(weights, prior, word, k, inverse), shift
                )
                out[i, k] = x * factors[k]
