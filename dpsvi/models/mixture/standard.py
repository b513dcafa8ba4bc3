"""Coordinates in which sums of squares keep their digits."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.mixture.parameters import MixturePrior, Posterior

__all__ = ["Standard", "standard_of"]

Floats = NDArray[np.float64]


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


def standard_of(X: Floats) -> Standard:
    """Return the coordinates in which some rows are standardised.

    Raises
    ------
    ValueError
        If the numbers are too large to be squared.
    """
    with np.errstate(over="ignore"):
        variances = X.var(axis=0)
    if not np.isfinite(variances).all():
        feature = int(np.isfinite(variances).argmin())
        raise ValueError(
            f"feature {feature} has numbers too large to be squared, up to "
            f"{np.abs(X[:, feature]).max():g}; scale it down"
        )
    spread = np.sqrt(variances)
    # A feature that never changes, or only by rounding, stays as it is.
    still = spread <= 1e-12 * np.abs(X).max(axis=0, initial=0.0)
    return Standard(X.mean(axis=0), np.where(still, 1.0, spread))
