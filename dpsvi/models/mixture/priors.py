"""The prior of a mixture: as given, checked, or from the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from dpsvi.models.mixture.parameters import MixturePrior
from dpsvi.models.mixture.standard import Moments, Standard

__all__ = ["prior_for"]

Floats = NDArray[np.float64]

# Of the variances of standardised data, in any direction: no less is believed in.
_LEAST = 1e-6


def prior_for(model: Any, X: Floats, seen: Moments, standard: Standard) -> MixturePrior:
    """Return the prior of an estimator, with scikit-learn's defaults.

    Parameters
    ----------
    model : DPSVIGaussianMixture
        Its parameters count.
    X : ndarray of shape (n_rows, n_features)
        The data.
    seen : Moments
        Of the data.
    standard : Standard
        Of the data: in its coordinates variances are compared.

    Raises
    ------
    ValueError
        If a prior does not fit the data, or is none.
    """
    n_features = X.shape[1]
    degrees = _or(model.degrees_of_freedom_prior, n_features)
    if not degrees > n_features - 1:
        raise ValueError(
            f"degrees_of_freedom_prior is {degrees:g}; it must be above n_features - 1 "
            f"= {n_features - 1}"
        )
    process = model.weight_concentration_prior_type == "dirichlet_process"
    return MixturePrior(
        covariance_type=model.covariance_type,
        stick_breaking=process,
        concentration=_or(model.weight_concentration_prior, 1.0 / model.n_components),
        mean_precision=_or(model.mean_precision_prior, 1.0),
        degrees_of_freedom=degrees,
        mean=_mean(model.mean_prior, seen.mean),
        covariance=_covariance(
            model.covariance_prior,
            X,
            seen,
            standard.spread,
            full=model.covariance_type == "full",
        ),
    )


def _or(value: float | None, default: float) -> float:
    return float(default if value is None else value)


def _mean(given: Any, seen: Floats) -> Floats:
    if given is None:
        return seen
    mean: Floats = check_array(given, dtype=np.float64, ensure_2d=False)
    _check_shape("mean_prior", mean, seen.shape)
    return mean


def _covariance(
    given: Any, X: Floats, seen: Moments, spread: Floats, *, full: bool
) -> Floats:
    n_features = X.shape[1]
    if given is None:
        return _covariance_of(X, seen, spread, full=full)
    shape = (n_features, n_features) if full else (n_features,)
    covariance: Floats = check_array(given, dtype=np.float64, ensure_2d=full)
    _check_shape("covariance_prior", covariance, shape)
    least_value = np.linalg.eigvalsh(covariance).min() if full else covariance.min()
    if not least_value > 0 or (full and not np.allclose(covariance, covariance.T)):
        raise ValueError(
            "covariance_prior is no covariance: it must be "
            + ("symmetric and positive definite" if full else "above 0")
        )
    return covariance


def _covariance_of(X: Floats, seen: Moments, spread: Floats, *, full: bool) -> Floats:
    """Return the covariance of the data, lifted until it is one: in any units."""
    if not full:
        n_rows = X.shape[0]
        variances: Floats = n_rows / (n_rows - 1.0) * seen.variances / spread**2
        return np.maximum(variances, _LEAST) * spread**2
    units = np.multiply.outer(spread, spread)
    found: Floats = np.atleast_2d(np.cov(X.T)) / units
    # Features that never change or follow from others, or more than there are rows.
    if np.linalg.eigvalsh(found)[0] < _LEAST:
        found[np.diag_indices_from(found)] += _LEAST
    found *= units
    return found


def _check_shape(name: str, array: Floats, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}; these data need {shape}")
