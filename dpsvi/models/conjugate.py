"""Global natural parameters under stochastic natural gradients (paper section 6).

A step of stochastic variational inference (Eq. 52), ::

    λ  <-  (1 - ρ_t) λ  +  ρ_t (prior + (N / |S|) statistics),

touches every number of λ. Written as ``λ = prior + s(t) U`` with a scale that depends
on the clock alone, ``s(t + 1) = (1 - ρ_t) s(t)``, it becomes ::

    U[rows]  +=  ρ_t (N / |S|) statistics[rows] / s(t + 1):

**decay is time, and every update is a pure addition on the rows touched.** Additions
commute, so threads, workers and the master all do the same operation in any order, a
step costs nothing for rows it does not touch, and a write lost between two threads is
an addition lost and nothing worse, as long as numbers need not fit one another. λ never
falls below the prior.

`Clock` knows s; `NaturalParameters` holds U, in units that are renewed long before
the growing numbers overflow; `Rows` is what travels between master and workers, and
`Rounding` makes it half as large.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.bfloat16 import narrow, widen

__all__ = ["Clock", "NaturalParameters", "Rounding", "Rows"]

# A rate of one would forget everything and make the scale zero.
_HIGHEST_RATE = 0.9
# Units are renewed each time the scale has fallen by this much; float32 holds e**88.
_UNIT = 20.0
# Numbers that are rounded at a time.
_BLOCK = 16384


class Clock:
    """The learning rates of all local steps and the scale that they make.

    Parameters
    ----------
    rates : ndarray of shape (n_steps,)
        ρ_t of the local steps t = 0, 1, ...; rates above 0.9 are cut to 0.9.

    Raises
    ------
    ValueError
        If a rate is negative or no number.

    Attributes
    ----------
    rates : ndarray of shape (n_steps,)
        As given, cut.
    log_scale : ndarray of shape (n_steps + 1,)
        log s(t); s(0) = 1.

    Examples
    --------
    >>> import numpy as np
    >>> clock = Clock(np.array([0.5, 0.5]))
    >>> np.exp(clock.log_scale).tolist()
    [1.0, 0.5, 0.25]
    """

    def __init__(self, rates: NDArray[np.float64]) -> None:
        self.rates = np.minimum(np.asarray(rates, dtype=float), _HIGHEST_RATE)
        wrong = ~(self.rates >= 0)
        if wrong.any():
            raise ValueError(
                f"the rate of step {wrong.argmax()} is {self.rates[wrong.argmax()]}; "
                "rates must be at least 0"
            )
        self.log_scale = np.concatenate([[0.0], np.cumsum(np.log1p(-self.rates))])

    def furthest(self, start: int) -> int:
        """Return the step before which a round must end: the first of the next unit.

        Units so change between the same steps whatever the rounds: a run that was
        broken off and goes on computes the same numbers as one that was not.
        """
        following = _unit(self.log_scale[start]) - _UNIT
        # The table falls; one step may always be done.
        first = np.searchsorted(-self.log_scale, -following, side="left")
        return max(start + 1, min(int(first), len(self.rates)))


def _unit(log_scale: float) -> float:
    """Return log of the unit that weights have at a time on the clock."""
    return -_UNIT * float(np.floor(-log_scale / _UNIT))


@dataclass(frozen=True)
class Rows:
    """Some rows of weights: as they are, in a pull; what to add to them, in a push.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,), int, or slice
        Which rows; a slice stands for all.
    values : ndarray of shape (n_rows, n_columns)
        Their weights, in units of ``exp(log_base)``; in a push they may be numbers of
        two bytes (`dpsvi.models.bfloat16`), as uint16.
    totals : ndarray of shape (n_columns,), float64
        Column sums of all weights in a pull, of the values in a push.
    log_base : float
        The unit.
    """

    rows: NDArray[np.int32] | slice
    values: NDArray[Any]
    totals: NDArray[np.float64]
    log_base: float

    def renewed(self, log_scale: float) -> Rows:
        """Return the same in the units of a time on the clock."""
        unit = _unit(log_scale)
        if unit >= self.log_base:
            return self
        factor = float(np.exp(unit - self.log_base))
        return replace(
            self,
            values=self.values * self.values.dtype.type(factor),
            totals=self.totals * factor,
            log_base=unit,
        )


@dataclass
class NaturalParameters:
    """λ as ``prior + exp(log_scale(t) - log_base) * weights``.

    Attributes
    ----------
    weights : ndarray of shape (n_rows, n_padded)
        U, at least 0; columns past `n_columns` are padding and stay 0.
    totals : ndarray of shape (n_threads, n_columns), float64
        Their column sums are those of the weights: one row per thread that adds.
    prior : float or ndarray of the shape of `weights`
        What λ decays to; 0 in the padding.
    log_base : float, default=0.0
        log s at which a weight counts as itself.
    """

    weights: NDArray[np.floating]
    totals: NDArray[np.float64]
    prior: float | NDArray[np.floating]
    log_base: float = 0.0
    # Sums of a prior that is an array, which does not change.
    _mass: NDArray[np.float64] | None = field(default=None, init=False, repr=False)

    @property
    def prior_mass(self) -> float | NDArray[np.float64]:
        """What the prior alone adds to the sum of a column of λ, or of each."""
        if isinstance(self.prior, np.ndarray):
            if self._mass is None:
                self._mass = self._columns_of(self.prior).sum(axis=0, dtype=float)
            return self._mass
        return float(self.weights.shape[0] * self.prior)

    def prior_of(self, rows: NDArray[Any] | slice) -> Any:
        """Return the prior of some rows with their padding: a number, or an array."""
        if isinstance(self.prior, np.ndarray):
            return self.prior[rows]
        return self.weights.dtype.type(self.prior)

    def _columns_of(self, array: NDArray[Any]) -> NDArray[Any]:
        return array[:, : self.totals.shape[1]]

    @property
    def _columns(self) -> NDArray[np.floating]:
        """The weights without padding."""
        return self._columns_of(self.weights)

    def scale(self, log_scale: float) -> float:
        """Return what a weight counts at a time on the clock."""
        return float(np.exp(log_scale - self.log_base))

    def sum_again(self, n_threads: int = 1) -> None:
        """Recompute the totals from the weights, with a row for each thread."""
        self.totals = np.zeros((n_threads, self.totals.shape[1]))
        self.totals[0] = self._columns.sum(axis=0, dtype=float)

    def renew(self, log_scale: float) -> None:
        """Express the weights in the units of a time on the clock."""
        unit = _unit(log_scale)
        if unit >= self.log_base:
            return
        factor = self.scale(unit)
        self.weights *= self.weights.dtype.type(factor)
        self.totals *= factor
        self.log_base = unit

    def take(self, rows: NDArray[np.int32] | slice) -> Rows:
        """Copy some rows."""
        values = self._columns[rows]
        if isinstance(rows, slice):
            values = values.copy()
        return Rows(rows, values, self.totals.sum(axis=0), self.log_base)

    def put(self, part: Rows) -> None:
        """Take over some rows, the totals and the unit; other rows lose their sense."""
        self._columns[part.rows] = part.values
        self.totals[:] = 0.0
        self.totals[0] = part.totals
        self.log_base = part.log_base

    def add(self, update: Rows, rate: float) -> None:
        """Merge a push: one addition (Alg. 3 line 4 in this representation)."""
        self.renew(update.log_base)
        factor = rate * float(np.exp(self.log_base - update.log_base))
        values = update.values
        if values.dtype == np.uint16:
            values = widen(values)
        if factor != 1.0:
            values = values * values.dtype.type(factor)
        self._columns[update.rows] += values
        self.totals[0] += factor * update.totals

    def settle(self, log_scale: float) -> NDArray[np.floating]:
        """Turn the weights into λ in place, and return it: `value` without a copy.

        The object is of no use afterwards. Padding is left out of the view returned.
        """
        self.weights *= self.weights.dtype.type(self.scale(log_scale))
        self.weights += self.prior_of(slice(None))
        return self._columns

    def value(self, log_scale: float) -> NDArray[np.floating]:
        """Return λ without padding, of shape (n_rows, n_columns)."""
        value = self._columns * self.weights.dtype.type(self.scale(log_scale))
        prior = self.prior_of(slice(None))
        value += self._columns_of(prior) if isinstance(prior, np.ndarray) else prior
        return value


class Rounding:
    """Makes pushes of two-byte numbers, and keeps what rounding leaves.

    The remainder of a number is added to it when its row is pushed next, so what has
    been pushed and what is kept are together what was added: errors do not pile up,
    and numbers too small to count by themselves count in the end ("error feedback",
    Seide et al. 2014, 1-bit SGD).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of all weights. Memory is used for rows that were pushed.
    dtype : numpy.dtype
        Of the weights.
    """

    def __init__(self, shape: tuple[int, int], dtype: Any) -> None:
        self._left = np.zeros(shape, dtype)
        # None: nothing is left of anything yet.
        self._log_base: float | None = None

    def __call__(self, update: Rows) -> Rows:
        """Return the update to push instead; the one given becomes the remainder."""
        self._renew(update.log_base)
        pushed = np.empty(update.values.shape, np.uint16)
        totals = np.zeros_like(update.totals)
        # A few rows at a time stay in the cache, and need no new memory.
        size = max(1, _BLOCK // totals.size)
        for begin in range(0, len(pushed), size):
            here = slice(begin, begin + size)
            rows = here if isinstance(update.rows, slice) else update.rows[here]
            totals += self._round(update.values[here], rows, pushed[here])
        return replace(update, values=pushed, totals=totals)

    def _round(
        self,
        values: NDArray[Any],
        rows: NDArray[np.int32] | slice,
        out: NDArray[np.uint16],
    ) -> NDArray[np.float64]:
        """Round some rows, keep what is left; return the column sums."""
        values += self._left[rows]
        # A remainder may be below zero. A push is not: if another one is dropped, λ
        # stays above its prior all the same.
        out[:] = narrow(np.maximum(values, 0))
        wide = widen(out)
        values -= wide
        self._left[rows] = values
        sums: NDArray[np.float64] = wide.sum(axis=0, dtype=float)
        return sums

    def left(self, rows: NDArray[np.int32] | slice) -> Rows:
        """Return what is kept of some rows."""
        values = self._left[rows].copy()
        totals = values.sum(axis=0, dtype=float)
        return Rows(rows, values, totals, self._log_base or 0.0)

    def _renew(self, log_base: float) -> None:
        """Express what is left in the units of an update."""
        if self._log_base is not None and log_base != self._log_base:
            # Seldom: units are renewed when the scale has fallen by e^20.
            self._left *= self._left.dtype.type(np.exp(log_base - self._log_base))
        self._log_base = log_base
