"""Learning rates: functions of the number of a step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Schedule", "constant", "robbins_monro"]

#: From the number of a step (or of a version) to a rate.
Schedule: TypeAlias = Callable[[int], float]


@dataclass(frozen=True)
class _Constant:
    rate: float

    def __call__(self, step: int) -> float:
        return self.rate


@dataclass(frozen=True)
class _RobbinsMonro:
    offset: float
    decay: float

    def __call__(self, step: int) -> float:
        return float((self.offset + step) ** -self.decay)


def constant(rate: float) -> Schedule:
    """Return the schedule that is `rate` at every step.

    Parameters
    ----------
    rate : float
        Above 0.

    Raises
    ------
    ValueError
        If `rate` is not a finite number above 0.

    Examples
    --------
    >>> constant(0.5)(1000)
    0.5
    """
    _check_positive(rate=rate)
    return _Constant(float(rate))


def robbins_monro(offset: float, decay: float) -> Schedule:
    """Return the schedule (offset + t) ** -decay, for steps t = 0, 1, ...

    For a decay above 0.5 the rates sum to infinity and their squares do not (paper,
    below Eq. 50), so that stochastic steps converge in the limit. Over the few epochs
    of a real run a smaller decay may serve better.

    Parameters
    ----------
    offset : float
        Above 0; the larger, the smaller the first steps. Tau_0 in the paper.
    decay : float
        In [0, 1]. Kappa, the forgetting rate, in the paper.

    Raises
    ------
    ValueError
        If `offset` or `decay` is out of range.

    Examples
    --------
    >>> robbins_monro(1.0, 1.0)(3)
    0.25
    """
    _check_positive(offset=offset)
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay!r}; it must be between 0 and 1")
    return _RobbinsMonro(float(offset), float(decay))


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} is {value!r}; it must be finite and above 0")
