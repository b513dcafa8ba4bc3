"""Coordinates in which sums of squares keep their digits."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.mixture.parameters import MixturePrior, Posterior

__all__ = ["Moments", "Standard", "moments", "standard_of"]

Floats = NDArray[np.float64]

# Numbers that are looked at at a time: they stay in the cache.
_BLOCK = 1 << 16


class Standard(NamedTuple):
    """Coordinates in which the data have mean 0 and deviation 1.

    Sums of squares keep their digits there, whatever the units.

    Attributes
    ----------
    center, spread : ndarray of shape (n_features,)
        Of the data.
    """

    center: Floats
    spread: Floats

    def of(self, X: Floats) -> Floats:
        """Return rows in these coordinates."""
        return np.ascontiguousarray((X - self.center) / self.spread)

    def prior(self, prior: MixturePrior) -> MixturePrior:
        """Return a prior in these coordinates."""
        mean = (prior.mean - self.center) / self.spread
        return replace(
            prior, mean=mean, covariance=prior.covariance / self._units(prior)
        )

    def posterior(self, found: Posterior, *, back: bool = False) -> Posterior:
        """Return a posterior in these coordinates, or `back` in those of the data."""
        full = found.covariances.ndim == 3
        units = np.multiply.outer(self.spread, self.spread) if full else self.spread**2
        if back:
            means = self.center + self.spread * found.means
            return found._replace(means=means, covariances=found.covariances * units)
        means = (found.means - self.center) / self.spread
        return found._replace(means=means, covariances=found.covariances / units)

    def _units(self, prior: MixturePrior) -> Floats:
        outer: Floats = np.multiply.outer(self.spread, self.spread)
        return outer if prior.full else self.spread**2


class Moments(NamedTuple):
    """What rows are like on the whole.

    Attributes
    ----------
    mean, variances, largest : ndarrays of shape (n_features,)
        Variances are means of squares; `largest` are absolute values.
    """

    mean: Floats
    variances: Floats
    largest: Floats


def moments(X: Floats) -> Moments:
    """Return means, variances and largest values, in one pass and without copies.

    Blocks are put together as in Chan, Golub and LeVeque (1983): nothing cancels. What
    is too large to be squared has no finite variance.
    """
    n_features = X.shape[1]
    mean, squares, largest = (np.zeros(n_features) for _ in range(3))
    n_rows = max(1, _BLOCK // n_features)
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, X.shape[0], n_rows):
            block = X[begin : begin + n_rows]
            size = block.shape[0]
            share = size / (begin + size)
            own = block.mean(axis=0)
            from_own = block - own
            gap = own - mean
            squares += np.einsum("ij,ij->j", from_own, from_own)
            squares += share * begin * gap**2
            mean += share * gap
            np.maximum(largest, np.abs(block).max(axis=0), out=largest)
    return Moments(mean, squares / X.shape[0], largest)


def standard_of(seen: Moments) -> Standard:
    """Return the coordinates in which some rows are standardised.

    Raises
    ------
    ValueError
        If the numbers are too large to be squared.
    """
    mean, variances, largest = seen
    if not np.isfinite(variances).all():
        feature = int(np.isfinite(variances).argmin())
        raise ValueError(
            f"feature {feature} has numbers too large to be squared, up to "
            f"{largest[feature]:g}; scale it down"
        )
    spread = np.sqrt(variances)
    # A feature that never changes, or only by rounding, stays as it is.
    still = spread <= 1e-12 * largest
    return Standard(mean, np.where(still, 1.0, spread))
