"""The global parameters of Poisson factorisation, and where they start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import NaturalParameters

__all__ = ["FactorParameters", "balanced_rates", "empty_parameters", "parameters_of"]


@dataclass
class FactorParameters(NaturalParameters):
    """q(β) = Gamma(shapes, rates): a row of shapes per feature, and one of rates.

    The rates of a component are the same for all features, so they are one row more,
    the last, whose statistics are E[θ]. The totals are those of the shapes alone:
    steps need their sums over features, from which the last row must stay apart.

    Attributes
    ----------
    weights : ndarray of shape (n_features + 1, n_padded)
        As in `NaturalParameters`.
    prior : float
        Prior shape of the components, c.
    rate_prior : float
        Prior rate of the components, d.
    """

    rate_prior: float = 1.0

    def shapes(self, scale: float) -> NDArray[np.floating]:
        """Return the shapes of q(β), of shape (n_features, n_components)."""
        to = self.weights.dtype.type
        value: NDArray[np.floating] = to(scale) * self._columns[:-1] + to(self.prior)
        return value

    def rates(self, scale: float) -> NDArray[np.float64]:
        """Return the rates of q(β), of shape (n_components,)."""
        rates: NDArray[np.float64] = scale * self._columns[-1].astype(float)
        return rates + self.rate_prior

    def mass(self, scale: float) -> NDArray[np.float64]:
        """Return the sums of the shapes over features, of shape (n_components,)."""
        mass: NDArray[np.float64] = scale * self.totals.sum(axis=0)
        return mass + self.prior_mass

    def enlarged(self, share: float) -> FactorParameters:
        """Let what was found count so many times; return the same object."""
        self.weights *= self.weights.dtype.type(share)
        self.totals *= share
        return self

    @property
    def prior_mass(self) -> float | NDArray[np.float64]:
        """What the prior alone adds to a sum of shapes."""
        return float((self.weights.shape[0] - 1) * self.prior)

    def sum_again(self, n_threads: int = 1) -> None:
        """Recompute the totals from the shapes, with a row for each thread."""
        self.totals = np.zeros((n_threads, self.totals.shape[1]))
        self.totals[0] = self._columns[:-1].sum(axis=0, dtype=float)


def empty_parameters(
    shape: tuple[int, int], dtype: np.dtype[Any], shape_prior: float, rate_prior: float
) -> FactorParameters:
    """Return q(β) = prior, for (n_features, n_components)."""
    n_features, n_components = shape
    return FactorParameters(
        aligned((n_features + 1, padded_size(n_components, dtype)), dtype),
        np.zeros((1, n_components)),
        shape_prior,
        rate_prior=rate_prior,
    )


def parameters_of(
    shapes: NDArray[np.floating],
    rates: NDArray[np.floating],
    shape_prior: float,
    rate_prior: float,
) -> FactorParameters:
    """Return q(β) as given, at scale one, in the dtype of the shapes.

    A prior that is above what is given, which no fit gives, is lowered to it.

    Parameters
    ----------
    shapes : ndarray of shape (n_features, n_components)
        Of q(β).
    rates : ndarray of shape (n_components,)
        Likewise.
    shape_prior, rate_prior : float
        c and d.
    """
    n_features, n_components = shapes.shape
    shape_prior = min(shape_prior, float(shapes.min()))
    rate_prior = min(rate_prior, float(rates.min()))
    size = (n_features, n_components)
    parameters = empty_parameters(size, shapes.dtype, shape_prior, rate_prior)
    parameters.weights[:-1, :n_components] = np.maximum(shapes - shape_prior, 0)
    parameters.weights[-1, :n_components] = np.maximum(rates - rate_prior, 0)
    parameters.sum_again()
    return parameters


def balanced_rates(
    activity_mass: float, component_mass: float, b: float, d: float
) -> float:
    """Return the rate of a component at which its scale stands still.

    A component may be multiplied by anything by which its activities are divided; of
    that, the priors alone decide. With `activity_mass` T, the sum of the shapes of θ
    over rows, and `component_mass` S, that of β over features, the rates of β and θ are

        r = d + T / g,    g = b + S / r.

    Their solution is where a fit starts: from elsewhere the scales would drift for
    many epochs.

    Examples
    --------
    >>> r = balanced_rates(500.0, 400.0, b=2.0, d=3.0)
    >>> abs(3.0 + 500.0 / (2.0 + 400.0 / r) - r) < 1e-9
    True
    """
    half = (component_mass - d * b - activity_mass) / 2.0
    root = float(np.sqrt(half**2 + b * d * component_mass))
    # Of two forms of the root of b r² + 2 half r = d S, the one without cancellation.
    return d * component_mass / (half + root) if half > 0 else (root - half) / b
