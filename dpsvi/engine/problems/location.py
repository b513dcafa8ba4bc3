"""A non-convex objective of which the theory's constants are known exactly."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dpsvi.engine.problems.sgd import Array

__all__ = ["RedescendingLocation"]

# Points at which the minimum of a coordinate is looked for, within its samples.
_GRID = 20_001


class RedescendingLocation:
    """The centre of samples, where those far off do not count.

    f_i(x) = Σ_j φ(x_j - c_ij), φ(z) = z² / (1 + z²) (Geman and McClure 1987): smooth,
    bounded, and not convex, as far samples pull less than near ones. It tells how well
    a run does in the terms of the theorem, since all of L, V and f* are known.

    Parameters
    ----------
    n_samples : int, default=200
        N.
    n_dimensions : int, default=8
        d.
    replicates : int, default=1
        Independent runs side by side in one array of parameters, of shape
        (replicates, d): each step gives every one of them a sample of its own.
    seed : int, default=0
        Of the samples, drawn from a standard normal.

    Attributes
    ----------
    smoothness : float
        L = 2.
    gradient_bound : float
        V = (3 √3 / 8) √d.

    Examples
    --------
    >>> objective = RedescendingLocation(n_dimensions=4)
    >>> round(objective.gradient_bound, 3)
    1.299
    >>> bool(objective.gap > 0)
    True
    """

    smoothness = 2.0

    def __init__(
        self,
        n_samples: int = 200,
        n_dimensions: int = 8,
        replicates: int = 1,
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        self.centres = rng.normal(size=(n_samples, n_dimensions))
        self.replicates = replicates
        self.n_samples = n_samples
        # The steepest point of φ is z = 1/√3.
        self.gradient_bound = 3 * math.sqrt(3) / 8 * math.sqrt(n_dimensions)

    def start(self, rng: np.random.Generator | None = None) -> Array:
        """Return the same point for all: two standard deviations off in each axis."""
        return np.full((self.replicates, self.centres.shape[1]), 2.0)

    def gradient(self, parameters: Array, samples: npt.NDArray[np.intp]) -> Array:
        """Return the gradient at the samples, one column of them for each replicate.

        Parameters
        ----------
        parameters : ndarray of shape (replicates, d)
        samples : ndarray of shape (batch_size,) or (batch_size, replicates)
        """
        centres = self.centres[samples]
        if centres.ndim == 2:
            centres = centres[:, None]
        mean: Array = _slope(parameters - centres).mean(axis=0)
        return mean

    def value(self, parameters: Array) -> Array:
        """Return f, of shape (replicates,)."""
        squares = (parameters[:, None] - self.centres) ** 2
        value: Array = (squares / (1 + squares)).sum(axis=2).mean(axis=1)
        return value

    def full_gradient(self, parameters: Array) -> Array:
        """Return ∇f, of the shape of the parameters."""
        mean: Array = _slope(parameters[:, None] - self.centres).mean(axis=1)
        return mean

    @cached_property
    def minimum(self) -> float:
        """f*: coordinates are independent, so each is searched by itself."""
        total = 0.0
        for column in self.centres.T:
            grid = np.linspace(column.min(), column.max(), _GRID)
            means = np.zeros(_GRID)
            for centre in column:
                squares = (grid - centre) ** 2
                means += squares / (1 + squares)
            total += float(means.min()) / self.n_samples
        return total

    @property
    def gap(self) -> float:
        """Δ = f(v_1) - f*."""
        return float(self.value(self.start()).mean()) - self.minimum


def _slope(z: Array) -> Array:
    """φ'(z)."""
    slope: Array = 2 * z / (1 + z * z) ** 2
    return slope
