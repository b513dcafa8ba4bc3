"""Matrix factorisation: gradients that touch two rows of many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dpsvi.engine.plan import check_integer
from dpsvi.engine.problems.sgd import Array

__all__ = ["MatrixFactorization"]


class MatrixFactorization:
    """Factors of a matrix of which some entries are known.

    f_i(P, Q) = ½ (x_rc - P_r · Q_c)² + ½ penalty (P_r · P_r + Q_c · Q_c) for the entry
    i at row r and column c. Not convex in both factors together.

    Parameters
    ----------
    rows, columns : ndarray of shape (n_entries,), int
        Where the entries are.
    values : ndarray of shape (n_entries,)
        What they are.
    rank : int
        Length of a row of the factors.
    penalty : float, default=0.0
        Of the squares of the factors.

    Raises
    ------
    ValueError
        If the three arrays are not of one dimension and the same length, or are empty,
        `rows` or `columns` are not integers or negative, a value is not finite, `rank`
        is below 1, or `penalty` is negative.
    TypeError
        If `rank` is no integer.

    Examples
    --------
    >>> X = np.outer([1.0, 2.0], [1.0, 1.0, 3.0])
    >>> rows, columns = np.indices(X.shape).reshape(2, -1)
    >>> objective = MatrixFactorization(rows, columns, X.ravel(), rank=1)
    >>> factors = np.array([[1.0], [2.0], [1.0], [1.0], [3.0]])
    >>> objective.value(factors)
    0.0
    """

    def __init__(
        self,
        rows: npt.NDArray[np.intp],
        columns: npt.NDArray[np.intp],
        values: Array,
        rank: int,
        penalty: float = 0.0,
    ) -> None:
        self.rows, self.columns = np.asarray(rows), np.asarray(columns)
        self.values = np.asarray(values, dtype=float)
        self._check_entries()
        check_integer("rank", rank, least=1)
        if not 0 <= penalty < np.inf:
            raise ValueError(f"penalty is {penalty!r}; it must be finite, at least 0")
        self.rank, self.penalty = rank, penalty
        self._n_rows = int(self.rows.max()) + 1
        self._n_columns = int(self.columns.max()) + 1
        self.n_samples = self.values.size

    def _check_entries(self) -> None:
        """Raise an error unless there is a row, a column and a value of each entry."""
        shapes = [one.shape for one in (self.rows, self.columns, self.values)]
        if len(set(shapes)) > 1 or len(shapes[0]) != 1 or shapes[0] == (0,):
            rows, columns, values = shapes
            raise ValueError(
                f"there are rows of shape {rows}, columns of shape {columns} and "
                f"values of shape {values}; give one of each for every entry, in "
                "arrays of one dimension"
            )
        for name, places in (("rows", self.rows), ("columns", self.columns)):
            if places.dtype.kind not in "iu":
                raise ValueError(f"{name} are of type {places.dtype}; give integers")
            if places.min() < 0:
                raise ValueError(f"{name} have {places.min()}; they count from 0")
        if not np.isfinite(self.values).all():
            raise ValueError("there are values that are not finite; leave them out")

    def start(self, rng: np.random.Generator) -> Array:
        """Return small random factors, P above Q: (n_rows + n_columns, rank)."""
        size = (self._n_rows + self._n_columns, self.rank)
        return rng.normal(scale=self.rank**-0.5, size=size)

    def gradient(self, parameters: Array, samples: npt.NDArray[np.intp]) -> Array:
        """Return the gradient of the mean of some entries' terms."""
        gradient = np.zeros_like(parameters)
        for place, slope in self._slopes(parameters, samples):
            np.add.at(gradient, place, slope)
        return gradient

    def descend(
        self, parameters: Array, samples: npt.NDArray[np.intp], rate: float
    ) -> None:
        """Step in the rows that the entries touch, and in no other."""
        for place, slope in self._slopes(parameters, samples):
            np.subtract.at(parameters, place, rate * slope)

    def value(self, parameters: Array) -> float:
        """Return f."""
        P, Q = parameters[self.rows], parameters[self._n_rows + self.columns]
        errors = self.values - (P * Q).sum(axis=1)
        squares = (P**2).sum(axis=1) + (Q**2).sum(axis=1)
        return float(np.mean(errors**2 + self.penalty * squares) / 2)

    def full_gradient(self, parameters: Array) -> Array:
        """Return ∇f."""
        return self.gradient(parameters, np.arange(self.n_samples))

    def _slopes(
        self, parameters: Array, samples: npt.NDArray[np.intp]
    ) -> list[tuple[npt.NDArray[np.intp], Array]]:
        """Return rows of the parameters, and what the samples' mean says of them."""
        rows, columns = self.rows[samples], self._n_rows + self.columns[samples]
        P, Q = parameters[rows], parameters[columns]
        errors = ((P * Q).sum(axis=1) - self.values[samples])[:, None]
        return [
            (rows, (errors * Q + self.penalty * P) / len(samples)),
            (columns, (errors * P + self.penalty * Q) / len(samples)),
        ]
