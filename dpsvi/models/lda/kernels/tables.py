"""What documents say about their prior: the numbers of tables of a restaurant.

In the urn scheme of a document with the prior α, a topic that n of its words belong to
has come up anew, and not by the example of earlier words, ``α (psi(α + n) - psi(α))``
times on average. These numbers are what learning a Dirichlet prior needs
(Minka 2000, Estimating a Dirichlet distribution, Eq. 55).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dpsvi.compiling import FASTMATH, kernel
from dpsvi.models.lda.kernels.special import exp

# One document in so many is asked: others would say the same.
EVERY = 4

_F = np.float32
_ZERO, _HALF, _ONE, _TWO = _F(0.0), _F(0.5), _F(1.0), _F(2.0)
_LOG2 = _F(np.log(2.0))
_BITS_OF_SQRT_HALF = np.int32(_F(np.sqrt(0.5)).view(np.int32))
_FRACTION = np.int32(0x7FFFFF)
# x / (1 - exp(-x)) for one.
_AT_ONE = _F(1.0 / -np.expm1(-1.0))
_THIRD, _FIFTH, _SEVENTH = _F(1 / 3), _F(1 / 5), _F(1 / 7)
_SHIFT = _F(1.5)
# exp(psi(z + 1/2)) is z + 1/(24 z) + ...
_A, _B, _C = _F(1.0 / 24.0), _F(-0.00625035), _F(0.00215408)
# x / (1 - exp(-x)) is 1 + x/2 + x²/12 - x⁴/720 + x⁶/30240 - ...
_D1, _D2, _D3 = _F(1 / 12), _F(-1 / 720), _F(1 / 30240)


class Learning(NamedTuple):
    """What a thread needs to gather tables."""

    prior: Any  # document prior, and its sum; float32
    psi_prior: Any  # psi of these
    tables: Any  # what to add to, float64; empty if the prior is fixed


def no_learning() -> Learning:
    """Return what stands for a fixed prior."""
    return Learning(np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0))


@kernel(fastmath=FASTMATH, inline="always")
def _log(x: Any) -> Any:
    """The logarithm, with 1e-6 of error, for normal float32 numbers above 0."""
    # x is 2**power times a number between sqrt(1/2) and sqrt(2).
    bits = np.int32(_F(x).view(np.int32) - _BITS_OF_SQRT_HALF)
    power = np.int32(bits >> np.int32(23))
    rest = np.int32(np.int32(bits & _FRACTION) + _BITS_OF_SQRT_HALF)
    mantissa = rest.view(np.float32)
    f = (mantissa - _ONE) / (mantissa + _ONE)
    square = f * f
    series = _ONE + square * (_THIRD + square * (_FIFTH + square * _SEVENTH))
    return _F(power) * _LOG2 + _TWO * f * series


@kernel(fastmath=FASTMATH, inline="always")
def _psi(x: Any) -> Any:
    z = x + _SHIFT
    inverse = _ONE / z
    square = inverse * inverse
    shifted = z + inverse * (_A + square * (_B + square * _C))
    return _log(shifted) - (x + x + _ONE) / (x * (x + _ONE))


@kernel(fastmath=FASTMATH, inline="always")
def _tables(n: Any, prior: Any, psi_prior: Any) -> Any:
    # Expected counts are smooth where true ones are whole. Most are small, and stand
    # for a count that is mostly zero: a count above zero has the probability
    # 1 - exp(-n), and is n / (1 - exp(-n)) on average then.
    small = min(n, _ONE)
    square = small * small
    series = _ONE + _HALF * small + square * (_D1 + square * (_D2 + square * _D3))
    large = max(n, _ONE)
    # One of the two is that of one; both are, at the border.
    count = series + large / (_ONE - exp(-large)) - _AT_ONE
    return n / count * prior * (_psi(prior + count) - psi_prior)


@kernel(fastmath=FASTMATH)
def add_tables(
    counts: Any, share: Any, prior: Any, psi_prior: Any, n_topics: Any, sums: Any
) -> None:
    """Add the expected tables of a document's topics to `sums`.

    Equivalent, with ``n = counts * share`` and ``p = 1 - exp(-n)``, to
    ``sums[:n_topics] += p * prior * (psi(prior + n / p) - psi_prior)``, and for the
    document as a whole with ``total = prior.sum()``, which comes last in `prior` and
    `psi_prior`, to ``sums[n_topics] += psi(total + n.sum()) - psi(total)``.

    Parameters
    ----------
    counts : ndarray of shape (at least n_topics,)
        Expected counts of a document, up to a factor.
    share : float
        That factor.
    prior, psi_prior : ndarrays of shape (n_topics + 1,), float32
        Dirichlet prior of the documents, and psi of it.
    n_topics : int
        K.
    sums : ndarray of shape (n_topics + 1,), float64
        Added to.
    """
    length, factor = _ZERO, _F(share)
    for k in range(n_topics):
        n = _F(counts[k]) * factor
        length += n
        sums[k] += _tables(n, prior[k], psi_prior[k])
    total = prior[n_topics]
    sums[n_topics] += _psi(total + length) - psi_prior[n_topics]


@kernel(fastmath=FASTMATH)
def add_tables_of_documents(
    gammas: Any, prior: Any, scratch: Any, learning: Any
) -> None:
    """Add the tables of one document in `EVERY` to those gathered.

    Equivalent to `add_tables` with the counts ``gammas[d] - prior``.

    Parameters
    ----------
    gammas : ndarray of shape (n_documents, n_padded)
        Variational Dirichlet parameters of documents.
    prior : ndarray of shape (n_padded,)
        Their prior.
    scratch : ndarray of shape (n_padded,)
        Written over.
    learning : Learning
        What to add to.
    """
    n_topics = learning.tables.size - 1
    for d in range(0, gammas.shape[0], EVERY):
        for k in range(scratch.size):
            scratch[k] = max(gammas[d, k] - prior[k], scratch.dtype.type(0))
        add_tables(
            scratch, 1.0, learning.prior, learning.psi_prior, n_topics, learning.tables
        )
