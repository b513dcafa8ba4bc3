"""What a late push is worth: functions of its staleness.

A rule turns the staleness of a push, in versions, into a weight between 0 and 1 that
multiplies the rate of the push; 0 drops it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Admission", "accept_all", "damp_by_staleness", "drop_older_than"]

#: From the staleness of a push to its weight.
Admission: TypeAlias = Callable[[int], float]


@dataclass(frozen=True)
class _DropOlderThan:
    max_staleness: int

    def __call__(self, staleness: int) -> float:
        return float(staleness <= self.max_staleness)


@dataclass(frozen=True)
class _DampByStaleness:
    power: float

    def __call__(self, staleness: int) -> float:
        return float((1 + staleness) ** -self.power)


def accept_all(staleness: int) -> float:
    """Give every push its full weight, as the paper does.

    Examples
    --------
    >>> accept_all(100)
    1.0
    """
    return 1.0


def drop_older_than(max_staleness: int) -> Admission:
    """Return the rule that drops pushes staler than `max_staleness` versions.

    This enforces the bound D on the staleness that the theory assumes.

    Raises
    ------
    ValueError
        If `max_staleness` is below 0.

    Examples
    --------
    >>> rule = drop_older_than(2)
    >>> rule(2), rule(3)
    (1.0, 0.0)
    """
    if max_staleness < 0:
        raise ValueError(f"max_staleness is {max_staleness!r}; it must be at least 0")
    return _DropOlderThan(max_staleness)


def damp_by_staleness(power: float) -> Admission:
    """Return the rule that weights a push by (1 + staleness) ** -power.

    Raises
    ------
    ValueError
        If `power` is below 0.

    Examples
    --------
    >>> rule = damp_by_staleness(1.0)
    >>> rule(0), rule(3)
    (1.0, 0.25)
    """
    if not power >= 0:
        raise ValueError(f"power is {power!r}; it must be at least 0")
    return _DampByStaleness(power)
