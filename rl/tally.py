"""Numbers that travel with a push: sums and counts, which add up over threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["Tally", "count", "merged", "summary"]

_COUNT = "count of "


class Tally:
    """Sums and counts of whatever is added, by name.

    Examples
    --------
    >>> tally = Tally()
    >>> tally.add(entropy=1.0)
    >>> tally.add(entropy=0.5)
    >>> summary(tally.sums)
    {'entropy': 0.75}
    """

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}

    def add(self, **values: float) -> None:
        """Add one observation of each of the names."""
        for name, value in values.items():
            self._add(name, value)
            self._add(_COUNT + name, 1.0)

    def add_episode(self, score: float, length: int) -> None:
        """Add a finished episode."""
        self.add(score=score, length=float(length))

    def _add(self, name: str, value: float) -> None:
        self.sums[name] = self.sums.get(name, 0.0) + value


def merged(tallies: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the sums over several tallies.

    Examples
    --------
    >>> merged([{"a": 1.0}, {"a": 2.0, "b": 3.0}])
    {'a': 3.0, 'b': 3.0}
    """
    total: dict[str, float] = {}
    for tally in tallies:
        for name, value in tally.items():
            total[name] = total.get(name, 0.0) + value
    return total


def summary(sums: Mapping[str, float]) -> dict[str, float]:
    """Return the mean of every name in the sums of a tally."""
    return {
        name: value / sums[_COUNT + name]
        for name, value in sums.items()
        if _COUNT + name in sums
    }


def count(sums: Mapping[str, float], name: str) -> int:
    """Return how many observations of a name there were."""
    return int(sums.get(_COUNT + name, 0.0))
