"""Runs of documents in shards: what a part of a corpus on disk consists of."""

from __future__ import annotations

from typing import NamedTuple

from dpsvi.datasets.on_disk.facts import Facts


class Part(NamedTuple):
    """Documents `start` to `stop` of the shard of this number."""

    shard: int
    start: int
    stop: int


def whole_parts(facts: Facts) -> tuple[Part, ...]:
    """All shards, each as a whole."""
    return tuple(
        Part(number, 0, shard.documents)
        for number, shard in enumerate(facts.shards)
        if shard.documents
    )


def cut_out(
    parts: tuple[Part, ...], start: int, length: int
) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Cut a run of documents out of parts; past the end it goes on at the beginning.

    Returns
    -------
    run, rest : tuple of Part
        Both in the order of the parts.

    Examples
    --------
    >>> cut_out((Part(0, 0, 5), Part(1, 0, 5)), 4, 2)[0]
    (Part(shard=0, start=4, stop=5), Part(shard=1, start=0, stop=1))
    """
    total = sum(part.stop - part.start for part in parts)
    beyond = max(start + length - total, 0)
    begin, end = start, start + length - beyond
    run: list[Part] = []
    rest: list[Part] = []
    for low, high, target in (
        (0, beyond, run),
        (beyond, begin, rest),
        (begin, end, run),
        (end, total, rest),
    ):
        target.extend(_between(parts, low, high))
    return tuple(run), tuple(rest)


def _between(parts: tuple[Part, ...], low: int, high: int) -> list[Part]:
    """The parts of parts that hold the documents from `low` to `high`."""
    found, before = [], 0
    for part in parts:
        size = part.stop - part.start
        first, last = max(low - before, 0), min(high - before, size)
        if first < last:
            found.append(Part(part.shard, part.start + first, part.start + last))
        before += size
    return found
