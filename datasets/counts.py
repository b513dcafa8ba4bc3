"""Checked word counts: whatever table is given, one canonical CSR comes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy import sparse

_LARGEST = np.iinfo(np.int32).max


def as_counts(table: Any) -> sparse.csr_array:
    """Return `table` as canonical CSR: sorted, no duplicates, no stored zeros.

    Parameters
    ----------
    table : sparse matrix, sparse array or dense array, shape (n_documents, n_words)
        Never changed; its arrays are shared when they are canonical already.

    Returns
    -------
    csr_array, shape (n_documents, n_words)
        int32 if `table` holds integers or booleans, else float32. Row pointers
        and word ids are int32 unless there are 2**31 entries or more.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If `table` is not two-dimensional, or a count is negative, not finite,
        or too large for its type.
    """
    counts = _as_csr(table)
    counts.check_format(full_check=True)
    _check_values(counts)
    if not counts.has_canonical_format or not np.all(counts.data):
        counts = _widened(counts.copy())
        counts.sum_duplicates()
        counts.eliminate_zeros()
        _check_values(counts)
    target = np.int32 if counts.dtype.kind in "iu" else np.float32
    small = max(counts.nnz, *counts.shape) <= _LARGEST
    index = np.int32 if small else np.int64
    checked = sparse.csr_array(
        (
            counts.data.astype(target, copy=False),
            counts.indices.astype(index, copy=False),
            counts.indptr.astype(index, copy=False),
        ),
        shape=counts.shape,
    )
    # Known from the checks above; saves SciPy a pass over the entries.
    checked.has_canonical_format = True
    return checked


def as_names(names: Any, expected: int, what: str, whose: str) -> tuple[str, ...]:
    """Return `names` as a tuple of `expected` strings, or say what is wrong."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise TypeError(
            f"{what} is {type(names).__name__}; give a sequence of strings, "
            f"one for each {whose}."
        )
    checked = tuple(names)
    for position, name in enumerate(checked):
        if not isinstance(name, str):
            raise TypeError(
                f"{what}[{position}] is {name!r} of type {type(name).__name__}; "
                "every name must be a string."
            )
    if len(checked) != expected:
        raise ValueError(
            f"{what} has {len(checked):,} names but the counts have {expected:,} "
            f"{whose}s; give one name for each {whose}."
        )
    # str() turns NumPy's string scalars into plain ones.
    return tuple(map(str, checked))


def _as_csr(table: Any) -> sparse.csr_array:
    values: Any = table if sparse.issparse(table) else np.asarray(table)
    if values.ndim != 2:
        raise ValueError(
            f"counts has {values.ndim} dimension(s); give a table of shape "
            "(n_documents, n_words)."
        )
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"counts has dtype {values.dtype}; word counts must be real numbers."
        )
    if getattr(values, "format", "csr") != "csr":
        # Conversion adds duplicates up, in the type that they are stored in.
        values = _widened(values)
    counts = sparse.csr_array(values)
    return counts.astype(np.int32) if counts.dtype.kind == "b" else counts


def _widened(values: Any) -> Any:
    """`values` in a type in which summing duplicates does not wrap around."""
    wide = {"f": np.float64, "u": np.uint64}
    return values.astype(wide.get(values.dtype.kind, np.int64))


def _check_values(counts: sparse.csr_array) -> None:
    if counts.nnz == 0:
        return
    lowest, highest = counts.data.min(), counts.data.max()
    limit = np.finfo(np.float32).max if counts.dtype.kind == "f" else _LARGEST
    # Written so that NaN, which compares false with everything, fails too.
    if lowest >= 0 and highest <= limit:
        return
    wrong = int(np.argmin((counts.data >= 0) & (counts.data <= limit)))
    document = int(np.searchsorted(counts.indptr, wrong, side="right")) - 1
    raise ValueError(
        f"counts[{document}, {counts.indices[wrong]}] is {counts.data[wrong]}; "
        f"counts must lie between 0 and {limit}."
    )
