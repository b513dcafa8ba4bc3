"""Parsing lines of the form `doc word count`, a block of bytes at a time.

A block is a run of whole lines. Files written by programs hold nothing but digits,
single spaces and line ends, and a few NumPy passes parse a block of them. Any other
block is read line by line, slowly: that allows more white space, and it finds the
first line that is wrong.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.files import Bytes

Columns = npt.NDArray[np.int64]

# Large enough to hide the cost of each NumPy call, small enough for the cache.
_BLOCK = 1 << 18
_LONGEST_LINE = 1000
# The most digits that always fit into 64 bits.
_MOST_DIGITS = 18
_ENTRY = "need 'doc word count', three whole numbers"


def bad_file(where: str, line: int, found: str, needed: str) -> ValueError:
    """Return the error for a malformed file: where, what was found, what is needed."""
    return ValueError(f"{where}:{line}: {found}; {needed}.")


class Lines:
    """The lines of a binary file: single ones, then the rest in blocks.

    Parameters
    ----------
    file : binary file
        At its beginning.
    where : str
        Its name in messages.
    longest : int
        Bytes that a line may have, at most.

    Attributes
    ----------
    next : int
        Number, from 1, of the first line not handed out yet.
    """

    def __init__(self, file: Bytes, where: str, longest: int = _LONGEST_LINE) -> None:
        self._file = file
        self._longest = longest
        self.where = where
        self.next = 1

    def number(self, what: str) -> int:
        """Read a line that holds one whole number below 2**63."""
        with damage_named(self.where, lambda: self.next):
            line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise self.wrong("the file ends here", f"need {what}")
        text = line.strip()
        if not text.isdigit() or len(text) > _MOST_DIGITS:
            raise self.wrong(f"found {_shown(text)}", f"need {what}, a whole number")
        self.next += 1
        return int(text)

    def line(self) -> bytes:
        """Read any line, without its end."""
        with damage_named(self.where, lambda: self.next):
            line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise self.wrong("the file ends here", "need the rest of it")
        self.next += 1
        return line.rstrip(b"\r\n")

    def blocks(self) -> Iterator[bytes]:
        """Yield the rest of the file; count its lines only after each block is used."""
        rest = b""
        while chunk := self._chunk():
            text = rest + chunk
            cut = text.rfind(b"\n") + 1
            rest = text[cut:]
            if cut:
                yield text[:cut]
                self.next += text.count(b"\n", 0, cut)
            if len(rest) > self._longest:
                needed = f"no line may have more than {self._longest:,} bytes"
                raise self.wrong(f"found {_shown(rest)}", needed)
        if rest:
            yield rest + b"\n"
            self.next += 1

    def wrong(self, found: str, needed: str) -> ValueError:
        """Return the error for the next line."""
        return bad_file(self.where, self.next, found, needed)

    def _chunk(self) -> bytes:
        with damage_named(self.where, lambda: self.next):
            return self._file.read(_BLOCK)


@contextmanager
def damage_named(where: str, line: Callable[[], int]) -> Iterator[None]:
    """Turn what gzip says of damaged data into an error with file and line."""
    advice = "fetch or pack the file again"
    try:
        yield
    except EOFError as error:
        found = "the gzip data stop early, at this line or after it"
        raise bad_file(where, line(), found, advice) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        found = f"the gzip data are damaged at this line or after it ({error})"
        raise bad_file(where, line(), found, advice) from error


def parse(
    block: bytes, lines: Lines, n_expected: int
) -> tuple[Columns, ValueError | None]:
    """Parse a block of lines up to the first malformed one.

    Parameters
    ----------
    block : bytes
        Whole lines, each with its end.
    lines : Lines
        Where the block comes from; `lines.next` is its first line.
    n_expected : int
        Number of entries still to come; blank lines may only follow the last.

    Returns
    -------
    columns : ndarray of int64, shape (3, n_entries)
        Document, word and count of each line, as they stand in the file.
    error : ValueError or None
        What is wrong with the line after these.
    """
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    columns = _parse_regular(np.frombuffer(block, dtype=np.uint8))
    if columns is not None:
        return columns, None
    return _parse_any(block, lines, n_expected)


def _parse_regular(text: npt.NDArray[np.uint8]) -> Columns | None:
    """Parse lines of digits and single spaces; None if there is anything else."""
    digits = text - np.uint8(ord("0"))  # wraps, so that all else is above 9
    ends = np.flatnonzero(digits > 9)
    if ends.size == 0 or ends.size % 3:
        return None
    # Each third mark ends a line, no other does, and all others are spaces.
    if not np.array_equal(np.flatnonzero(text == ord("\n")), ends[2::3]):
        return None
    if np.count_nonzero(text[ends] == ord(" ")) != 2 * (ends.size // 3):
        return None
    lengths = np.concatenate([ends[:1], ends[1:] - ends[:-1] - 1])
    if lengths.min() < 1 or lengths.max() > _MOST_DIGITS:
        return None
    columns = np.empty((3, ends.size // 3), dtype=np.int64)
    for k, column in enumerate(columns):
        column[:] = _numbers(digits, ends[k::3].copy(), lengths[k::3].copy())
    return columns


def _numbers(
    digits: npt.NDArray[np.uint8], ends: npt.NDArray[Any], lengths: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Numbers of `lengths` digits before each of `ends`; equals int() on each."""
    values: npt.NDArray[np.int64] = digits[ends - 1].astype(np.int64)
    shortest = int(lengths.min())
    for place in range(2, int(lengths.max()) + 1):
        found = digits[ends - place]
        if place > shortest:
            # What stands there belongs to the field before.
            found *= lengths >= place
        values += found * np.int64(10 ** (place - 1))
    return values


def _parse_any(
    block: bytes, lines: Lines, n_expected: int
) -> tuple[Columns, ValueError | None]:
    entries: list[list[int]] = []
    error = None
    for number, line in enumerate(block.split(b"\n")[:-1], start=lines.next):
        fields = line.split()
        if not fields and len(entries) >= n_expected:
            continue
        if len(fields) != 3 or not all(map(_is_number, fields)):
            found = f"found {_shown(line)}" if fields else "found an empty line"
            error = bad_file(lines.where, number, found, _ENTRY)
            break
        entries.append([int(field) for field in fields])
    return np.array(entries, dtype=np.int64).reshape(-1, 3).T, error


def _is_number(field: bytes) -> bool:
    return field.isdigit() and len(field) <= _MOST_DIGITS


def _shown(text: bytes) -> str:
    shown = text.decode("utf-8", "backslashreplace").strip()
    return repr(shown if len(shown) <= 40 else shown[:40] + "...")
