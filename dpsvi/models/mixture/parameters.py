"""From expected statistics to the posterior of a mixture, and to its components.

Statistics are a column per component: N_k, Σ r x, and Σ r x xᵀ above and on the
diagonal (or Σ r x²). With the prior they give the Dirichlet and normal-Wishart
posteriors in closed form (Bishop 2006, Eq. 10.58-10.63), and these the expected
logarithm of each component, which is linear in the same features of a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from dpsvi.models.arrays import aligned, padded_size

__all__ = ["Covariance", "MixturePrior", "Posterior", "n_statistics", "pack", "unpack"]

Covariance = Literal["full", "diag"]
Floats = NDArray[np.float64]


class Posterior(NamedTuple):
    """q of all components, in scikit-learn's terms.

    Attributes
    ----------
    counts : ndarray of shape (n_components,)
        N_k.
    mean_precision, degrees_of_freedom : ndarrays of shape (n_components,)
        β_k and ν_k.
    means : ndarray of shape (n_components, n_features)
        m_k.
    covariances : ndarray of shape (n_components, n_features[, n_features])
        W_k⁻¹ / ν_k, or its diagonal.
    """

    counts: Floats
    mean_precision: Floats
    degrees_of_freedom: Floats
    means: Floats
    covariances: Floats


@dataclass(frozen=True)
class MixturePrior:
    """What is believed beforehand, in the coordinates of the data that are given.

    Attributes
    ----------
    covariance_type : {"full", "diag"}
        Form of the covariances.
    stick_breaking : bool
        Weights by a Dirichlet process, cut after K components; else a Dirichlet.
    concentration : float
        Of the weights.
    mean_precision, degrees_of_freedom : float
        β_0 and ν_0.
    mean : ndarray of shape (n_features,)
        m_0.
    covariance : ndarray of shape (n_features, n_features) or (n_features,)
        W_0⁻¹.
    """

    covariance_type: Covariance
    stick_breaking: bool
    concentration: float
    mean_precision: float
    degrees_of_freedom: float
    mean: Floats
    covariance: Floats

    @property
    def full(self) -> bool:
        """Whether features may be correlated."""
        return self.covariance_type == "full"

    def posterior(self, statistics: Floats) -> Posterior:
        """Return q given expected statistics of shape (n_statistics, n_components)."""
        counts, sums, squares = unpack(statistics, self.mean.size, full=self.full)
        counts = np.maximum(counts, 0.0)
        beta = self.mean_precision + counts
        nu = self.degrees_of_freedom + counts
        means = (self.mean_precision * self.mean + sums) / beta[:, np.newaxis]
        spread = self.covariance + squares
        spread = spread + self.mean_precision * _squares(self.mean, full=self.full)
        each = beta[:, np.newaxis, np.newaxis] if self.full else beta[:, np.newaxis]
        spread -= each * _squares(means, full=self.full)
        nus = nu[:, np.newaxis, np.newaxis] if self.full else nu[:, np.newaxis]
        return Posterior(counts, beta, nu, means, spread / nus)

    def statistics(self, posterior: Posterior) -> Floats:
        """Return the statistics that give a posterior: `posterior` backwards."""
        _, beta, nu, means, covariances = posterior
        counts = nu - self.degrees_of_freedom
        sums = beta[:, np.newaxis] * means - self.mean_precision * self.mean
        each = (slice(None), *(np.newaxis,) * (covariances.ndim - 1))
        squares = nu[each] * covariances + beta[each] * _squares(means, full=self.full)
        squares -= self.covariance
        squares -= self.mean_precision * _squares(self.mean, full=self.full)
        return pack(np.maximum(counts, 0.0), sums, squares, full=self.full)

    def log_weights(self, counts: Floats) -> Floats:
        """Return E[log π_k]."""
        if not self.stick_breaking:
            alpha = self.concentration + counts
            expected: Floats = digamma(alpha) - digamma(alpha.sum())
            return expected
        taken, left = self.sticks(counts)
        whole = digamma(taken + left)
        passed = np.cumsum(digamma(left) - whole)
        sticks: Floats = digamma(taken) - whole + np.concatenate([[0.0], passed[:-1]])
        return sticks

    def sticks(self, counts: Floats) -> tuple[Floats, Floats]:
        """Return the Beta posteriors of the parts broken off a stick."""
        later = counts[::-1].cumsum()[::-1] - counts
        return 1.0 + counts, self.concentration + later

    def weights(self, counts: Floats) -> Floats:
        """Return the expected weights, which add up to one."""
        if self.stick_breaking:
            taken, left = self.sticks(counts)
            share = taken / (taken + left)
            found = share * np.concatenate([[1.0], np.cumprod(1.0 - share)[:-1]])
        else:
            found = self.concentration + counts
        weights: Floats = found / found.sum()
        return weights

    def theta(self, posterior: Posterior) -> Floats:
        """Return the natural parameters of E[log π_k N(x | k)], padded with zeros.

        As scikit-learn has it, for both forms of the covariances.
        """
        counts, beta, nu, means, covariances = posterior
        n_features = means.shape[1]
        precisions, log_det = _inverse(covariances, floor=self._floor(nu))
        there = np.arange(n_features)[:, np.newaxis]
        log_lambda = digamma(0.5 * (nu - there)).sum(axis=0) + n_features * math.log(2)
        constant = self.log_weights(counts) + 0.5 * (
            log_lambda
            - n_features * (np.log(nu) + 1.0 / beta + math.log(2 * math.pi))
            - log_det
        )
        if self.full:
            slopes = np.einsum("kij,kj->ki", precisions, means)
        else:
            slopes = precisions * means
        constant -= 0.5 * (slopes * means).sum(axis=1)
        curved = -0.5 * precisions
        if self.full:
            # Products of different features are there once, and count twice.
            curved = 2.0 * curved
            diagonal = np.arange(n_features)
            curved[:, diagonal, diagonal] *= 0.5
        packed = pack(constant, slopes, curved, full=self.full)
        size = padded_size(counts.size, packed.dtype)
        theta: Floats = aligned((packed.shape[0], size), packed.dtype)
        theta[:, : counts.size] = packed
        return theta

    def lifted(self, posterior: Posterior) -> Posterior:
        """Return the posterior with covariances that are some, whatever was lost."""
        covariances = posterior.covariances
        floor = self._floor(posterior.degrees_of_freedom)[:, np.newaxis]
        if not self.full:
            return posterior._replace(covariances=np.maximum(covariances, floor))
        values, vectors = np.linalg.eigh(covariances)
        torn = values.min(axis=1) < floor[:, 0]
        if not torn.any():
            return posterior
        # Less would be lost again when values and vectors are multiplied.
        floor = np.maximum(floor, 1e-12 * values[:, -1:])
        roots = vectors * np.sqrt(np.maximum(values, floor))[:, np.newaxis]
        whole = np.where(
            torn[:, np.newaxis, np.newaxis],
            roots @ roots.swapaxes(1, 2),
            covariances,
        )
        return posterior._replace(covariances=whole)

    def _floor(self, nu: Floats) -> Floats:
        """Least variance that the prior allows for."""
        least = self.covariance.diagonal() if self.full else self.covariance
        floor: Floats = 1e-9 * least.min() / nu
        return floor


def n_statistics(n_features: int, covariance_type: Covariance) -> int:
    """Return the number of statistics of a component.

    Examples
    --------
    >>> n_statistics(3, "full"), n_statistics(3, "diag")
    (10, 7)
    """
    squares = n_features * (n_features + 1) // 2
    return 1 + n_features + (squares if covariance_type == "full" else n_features)


def pack(counts: Floats, sums: Floats, squares: Floats, *, full: bool) -> Floats:
    """Return statistics of shape (n_statistics, n_components) from their parts."""
    if full:
        squares = squares[(slice(None), *np.triu_indices(sums.shape[1]))]
    parts = [counts[np.newaxis], sums.T, squares.T]
    return np.concatenate(parts)


def unpack(
    statistics: Floats, n_features: int, *, full: bool
) -> tuple[Floats, Floats, Floats]:
    """Return counts, sums and squares, a row per component: `pack` backwards."""
    counts, sums = statistics[0], statistics[1 : 1 + n_features].T
    upper = statistics[1 + n_features :].T
    if not full:
        return counts, sums, upper
    squares = np.empty((counts.size, n_features, n_features))
    i, j = np.triu_indices(n_features)
    squares[:, i, j] = squares[:, j, i] = upper
    return counts, sums, squares


def _squares(values: Floats, *, full: bool) -> Floats:
    """Outer products of rows with themselves, or their diagonals."""
    if not full:
        return values**2
    return values[..., :, np.newaxis] * values[..., np.newaxis, :]


def _inverse(covariances: Floats, floor: Floats) -> tuple[Floats, Floats]:
    """Precisions, and logarithms of the determinants of the covariances.

    Additions that were lost between threads may leave a matrix that is no covariance;
    what is below the floor is then lifted to it.
    """
    if covariances.ndim == 2:
        lifted = np.maximum(covariances, floor[:, np.newaxis])
        return 1.0 / lifted, np.log(lifted).sum(axis=1)
    try:
        roots = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariances)
        values = np.maximum(values, floor[:, np.newaxis])
        inverse = (vectors / values[:, np.newaxis]) @ vectors.swapaxes(1, 2)
        return inverse, np.log(values).sum(axis=1)
    # A triangle can be inverted however small its diagonal is.
    inverses = np.linalg.inv(roots)
    precisions: Floats = inverses.swapaxes(1, 2) @ inverses
    return precisions, 2.0 * np.log(roots.diagonal(axis1=1, axis2=2)).sum(axis=1)
