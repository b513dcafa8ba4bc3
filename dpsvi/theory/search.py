"""Finding how many are allowed."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["largest"]


def largest(allowed: Callable[[int], bool], most: int) -> int:
    """Return the largest number that is allowed, at least 1; smaller ones all are."""
    low, high = 1, 2
    while high <= most and allowed(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if allowed(middle) else (low, middle)
    return low
