"""Finding how many are allowed."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["largest"]


def largest(allowed: Callable[[int], bool], most: int) -> int:
    """Return the largest number allowed, from 1 to `most`; smaller ones all are."""
    low, high = 1, 2
    while high <= most and allowed(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if allowed(middle) else (low, middle)
    return low
