"""Numbers in lines of text: whole blocks at once, or line by line to find a fault."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.formats.uci_lines import Lines, bad_file

_NUMERIC = b"0123456789.eE+- \n"
_MOST_SHOWN = 40


def shown(text: bytes) -> str:
    """Return the beginning of a line, for a message."""
    line = text.decode("utf-8", "backslashreplace").strip()
    return repr(line if len(line) <= _MOST_SHOWN else line[:_MOST_SHOWN] + "...")


def table_of_numbers(
    block: bytes, width: int, lines: Lines, n_expected: int
) -> tuple[npt.NDArray[Any], ValueError | None]:
    """Parse lines of `width` numbers, the first two whole, up to a malformed one.

    Parameters
    ----------
    block : bytes
        Whole lines, each with its end.
    width : int
        Numbers in each.
    lines : Lines
        Where the block comes from; `lines.next` is its first line.
    n_expected : int
        Lines still to come; blank ones may only follow the last.

    Returns
    -------
    rows : ndarray of float64, shape (n_lines, width)
    error : ValueError or None
        What is wrong with the line after these.
    """
    table = _regular_table(block, width)
    if table is not None:
        return table, None
    rows: list[list[float]] = []
    error = None
    for number, line in enumerate(block.split(b"\n")[:-1], start=lines.next):
        fields = line.split()
        if not fields and len(rows) >= n_expected:
            continue
        values = numbers_of(fields)
        if (
            values is None
            or len(values) != width
            or values[:2] != list(map(int, values[:2]))
        ):
            found = f"found {shown(line)}" if fields else "found an empty line"
            needed = f"need {width} numbers, the first two of them whole"
            error = bad_file(lines.where, number, found, needed)
            break
        rows.append(values)
    return np.array(rows, dtype=np.float64).reshape(-1, width), error


def numbers_of(fields: list[bytes]) -> list[float] | None:
    """Return the finite numbers that fields of text hold; None if one is none."""
    if b"_" in b"".join(fields):
        return None
    try:
        values = list(map(float, fields))
    except ValueError:
        return None
    return values if np.all(np.isfinite(values)) else None


def all_numbers(text: bytes) -> npt.NDArray[np.float64] | None:
    """Parse finite numbers between white space; None if there is anything else."""
    if text.translate(None, _NUMERIC):
        return None
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError:
        return None
    return values if np.all(np.isfinite(values)) else None


def _regular_table(block: bytes, width: int) -> npt.NDArray[np.float64] | None:
    """Parse lines of numbers between single spaces; None if there is anything else."""
    text = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(text <= ord(" "))
    line_ends = np.flatnonzero(text == ord("\n"))
    if ends.size % width or not np.array_equal(line_ends, ends[width - 1 :: width]):
        return None
    if np.diff(ends, prepend=-1).min() < 2:
        return None
    values = all_numbers(block)
    if values is None or values.size != ends.size:
        return None
    rows = values.reshape(-1, width)
    return rows if np.all(rows[:, :2] == np.floor(rows[:, :2])) else None
