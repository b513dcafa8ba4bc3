"""The local step of a mixture: who is responsible for a row, and what it adds.

A Gaussian is an exponential family: with the features

    φ(x) = (1, x_1, ..., x_D, x_i x_j for i <= j)      or      (1, x, x_i²)

of a row its logarithm is φ(x) · θ_k, and what the row adds to component k is r_k φ(x).
Both are matrix products over some rows at a time, whose features are written just
before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpsvi.compiling import FASTMATH, kernel

__all__ = ["add_rows"]


# Rows that are multiplied at a time: their features stay in the cache.
_BLOCK = 64


@kernel(fastmath=FASTMATH, inline="always")
def _features(row: Any, center: Any, spread: Any, full: bool, out: Any) -> None:
    """Write φ(x) of a row in coordinates in which squares keep their digits."""
    n = row.size
    out[0] = 1.0
    for i in range(n):
        out[1 + i] = (row[i] - center[i]) / spread[i]
    at = 1 + n
    for i in range(n):
        last = n if full else i + 1
        for j in range(i, last):
            out[at] = out[1 + i] * out[1 + j]
            at += 1


@kernel(fastmath=FASTMATH, inline="always")
def _share_out(shares: Any, n_components: int) -> Any:
    """Turn logarithms into shares of one in place; return the logarithm of their sum.

    Padding gets no share.
    """
    most = -np.inf
    for k in range(n_components):
        most = max(most, shares[k])
    total = 0.0
    for k in range(n_components):
        shares[k] = np.exp(shares[k] - most)
        total += shares[k]
    for k in range(n_components):
        shares[k] /= total
    shares[n_components:] = 0.0
    return most + np.log(total)


@kernel(fastmath=FASTMATH)
def add_rows(
    X: Any,
    rows: Any,
    center: Any,
    spread: Any,
    full: bool,
    theta: Any,
    n_components: int,
    out: Any,
) -> Any:
    """Add the expected statistics of some rows, r_k φ(x).

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features)
        The data, as given: a copy that is standardised would cost more than the step.
    rows : ndarray of int of shape (batch_size,)
        Which rows.
    center, spread : ndarrays of shape (n_features,)
        x is what a row is of `spread`, from `center`.
    full : bool
        Whether φ has products of different features.
    theta : ndarray of shape (n_statistics, n_padded)
        Natural parameters of the components, zero in the padding.
    n_components : int
        K.
    out : ndarray of shape (n_statistics, n_padded)
        Is added to.

    Returns
    -------
    float
        Sum of the logarithms of the normalisers.
    """
    features = np.empty((_BLOCK, theta.shape[0]))
    shares = np.empty((_BLOCK, theta.shape[1]))
    added = np.empty_like(out)
    likelihood = 0.0
    for begin in range(0, rows.size, _BLOCK):
        size = min(_BLOCK, rows.size - begin)
        for row in range(size):
            _features(X[rows[begin + row]], center, spread, full, features[row])
        np.dot(features[:size], theta, shares[:size])
        for row in range(size):
            likelihood += _share_out(shares[row], n_components)
        np.dot(features[:size].T, shares[:size], added)
        out += added
    return likelihood
