"""Lines `head id:count id:count ...`, one for each document: lda-c and svmlight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.blocks import Block, block_of
from dpsvi.datasets.formats.entries import LARGEST
from dpsvi.datasets.formats.fields import all_numbers, numbers_of, shown
from dpsvi.datasets.formats.uci_lines import Lines, bad_file

# A document of a million words stands on one line.
LONGEST_LINE = 1 << 28


class Pairs(NamedTuple):
    """Parsed lines: the head and length of each, ids and counts one after another."""

    heads: npt.NDArray[np.float64]
    lengths: npt.NDArray[np.int64]
    ids: npt.NDArray[np.float64]
    counts: npt.NDArray[np.float64]


def pair_blocks(
    lines: Lines,
    first_id: int,
    last_id: int,
    clean: Callable[[bytes], bytes],
    fault: Callable[[bytes, int], str | None],
) -> Iterator[Block]:
    """Yield the documents of all lines.

    Parameters
    ----------
    lines : Lines
        At the first document.
    first_id, last_id : int
        The smallest and largest word id allowed.
    clean : callable
        Takes a line, returns what of it counts: a head and pairs.
    fault : callable
        Takes the head of a line and its number of pairs, and says what is wrong with
        the head, if anything.

    Raises
    ------
    ValueError
        At the first line that is wrong.
    """
    for text in lines.blocks():
        pairs = _regular(text)
        if (
            pairs is None
            or not _in_range(pairs, first_id, last_id)
            or _odd(pairs, fault)
        ):
            pairs = _by_line(text, lines, first_id, last_id, clean, fault)
        if pairs.lengths.size:
            yield _block(pairs, first_id)


def _regular(text: bytes) -> Pairs | None:
    """Parse numbers between single marks; None if there is anything else."""
    text = text.replace(b"\r\n", b"\n").replace(b" \n", b"\n")
    marks_of = np.frombuffer(text, dtype=np.uint8)
    places = np.flatnonzero((marks_of <= ord(" ")) | (marks_of == ord(":")))
    marks = marks_of[places]
    # No empty field; and a space before each colon, and a colon after each space.
    if np.diff(places, prepend=-1).min() < 2 or marks[0] == ord(":"):
        return None
    if np.any((marks[:-1] == ord(" ")) != (marks[1:] == ord(":"))):
        return None
    values = all_numbers(text.replace(b":", b" "))
    if values is None or values.size != places.size:
        return None
    line_ends = np.flatnonzero(marks == ord("\n"))
    heads = np.concatenate([[0], line_ends[:-1] + 1])
    rest = np.delete(values, heads)
    return Pairs(values[heads], (line_ends - heads) // 2, rest[0::2], rest[1::2])


def _in_range(pairs: Pairs, first_id: int, last_id: int) -> bool:
    ids, counts = pairs.ids, pairs.counts
    if not ids.size:
        return True
    inside = ids.min() >= first_id and ids.max() <= last_id
    whole = bool(np.all(ids == np.floor(ids)))
    return bool(inside and whole and counts.min() >= 0 and counts.max() <= LARGEST)


def _odd(pairs: Pairs, fault: Callable[[bytes, int], str | None]) -> bool:
    """Say whether a head is wrong."""
    heads = zip(pairs.heads.tolist(), pairs.lengths.tolist(), strict=True)
    return any(fault(b"%d" % head, length) for head, length in heads)


def _by_line(
    text: bytes,
    lines: Lines,
    first_id: int,
    last_id: int,
    clean: Callable[[bytes], bytes],
    fault: Callable[[bytes, int], str | None],
) -> Pairs:
    """Parse line by line, with more white space allowed; raise at the first fault."""
    lengths: list[int] = []
    ids: list[float] = []
    counts: list[float] = []
    for number, line in enumerate(text.split(b"\n")[:-1], start=lines.next):
        fields = clean(line).split()
        if not fields:
            if line.strip():  # a comment
                continue
            needed = "need a line for each document"
            raise bad_file(lines.where, number, "found an empty line", needed)
        wrong = fault(fields[0], len(fields) - 1)
        for field in fields[1:]:
            pair = numbers_of(field.split(b":"))
            if pair is None or len(pair) != 2 or pair[0] != int(pair[0]):
                needed = "need 'id:count', two numbers"
                raise bad_file(lines.where, number, f"found {shown(field)}", needed)
            if not first_id <= pair[0] <= last_id:
                wrong = wrong or (
                    f"found word {pair[0]:.0f}; need ids from {first_id} to {last_id:,}"
                )
            if not 0 <= pair[1] <= LARGEST:
                wrong = wrong or (
                    f"found count {pair[1]:.15g}; need counts from 0 to {LARGEST:,}"
                )
            ids.append(pair[0])
            counts.append(pair[1])
        if wrong is not None:
            raise ValueError(f"{lines.where}:{number}: {wrong}.")
        lengths.append(len(fields) - 1)
    heads = np.zeros(len(lengths))
    sizes = np.array(lengths, dtype=np.int64)
    return Pairs(heads, sizes, np.array(ids), np.array(counts))


def _block(pairs: Pairs, first_id: int) -> Block:
    from scipy import sparse

    indptr = np.concatenate([[0], np.cumsum(pairs.lengths)])
    whole = bool(np.all(pairs.counts == np.floor(pairs.counts)))
    counts = pairs.counts.astype(np.int64 if whole else np.float64)
    words = (pairs.ids - first_id).astype(np.int32)
    shape = pairs.lengths.size, LARGEST
    # Sorts the words, adds up what is there twice, drops zeros.
    return block_of(sparse.csr_array((counts, words, indptr), shape=shape))
