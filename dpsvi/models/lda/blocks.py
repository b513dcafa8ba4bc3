"""Documents in blocks: Dask collections, futures, files, or a list of matrices.

Dask is imported only where a block is one of Dask's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from zipfile import BadZipFile

import numpy as np
import scipy.sparse as sp

from dpsvi.models.lda.on_disk import DiskShard, lies_on_disk, pieces_on_disk
from dpsvi.models.lda.pairs import counts_of_pairs
from dpsvi.models.lda.refusing import first_of, unreadable

__all__ = [
    "assembled",
    "block_sizes",
    "blocks_of",
    "computed",
    "dtype_of",
    "in_blocks",
    "is_lazy",
    "lies_elsewhere",
    "n_rows",
    "opened",
]


def in_blocks(X: Any) -> bool:
    """Say whether documents come in blocks, and not as one table.

    Examples
    --------
    >>> in_blocks(["part-0.npz", "part-1.npz"]), in_blocks([[1, 0], [0, 2]])
    (True, False)
    """
    if isinstance(X, list | tuple):
        return bool(X) and all(_is_file(x) or _is_dask(x) or _is_table(x) for x in X)
    return _is_file(X) or _is_dask(X) or lies_on_disk(X) or _gives_tables(X)


def is_lazy(X: Any) -> bool:
    """Say whether documents in blocks, or some of them, are Dask's to compute."""
    return any(map(_is_dask, _items(X)))


def lies_elsewhere(X: Any) -> bool:
    """Say whether blocks have to be computed or read, and not only put together."""
    return any(_is_dask(x) or _is_file(x) for x in _items(X))


def blocks_of(X: Any) -> list[Any]:
    """Return the blocks: as given, or delayed if Dask is to compute them.

    Parameters
    ----------
    X : Dask array, data frame, bag, Delayed, future, path, or a sequence of blocks
        In a sequence: Delayed, futures, paths of `.npz` files, matrices, Corpora. Also
        an iterable of tables, if it starts anew each time.

    Raises
    ------
    ValueError
        If an array has not two dimensions.
    """
    if isinstance(X, list | tuple) or _gives_tables(X):
        return list(X)
    if lies_on_disk(X):
        return pieces_on_disk(X)
    if _has(X, "chunks"):
        if X.ndim != 2:
            raise ValueError(
                f"the Dask array has {X.ndim} dimensions; it needs two: documents "
                "and words"
            )
        whole = X if X.numblocks[1] == 1 else X.rechunk({1: X.shape[1]})
        return list(whole.to_delayed().ravel())
    return list(X.to_delayed()) if _has(X, "to_delayed") else [X]


def dtype_of(X: Any) -> Any:
    """Return the dtype of a collection, None where that is not known yet."""
    return X.dtype if _has(X, "dtype") else None


def block_sizes(X: Any) -> list[float]:
    """Return the documents of each block, NaN where that is not known yet."""
    if _has(X, "chunks"):
        return list(X.chunks[0])
    return [float("nan")] * len(blocks_of(X))


def computed(blocks: Sequence[Any], client: Any = None) -> list[Any]:
    """Bring blocks into this process; a Dask client computes them, if one is given."""
    if not is_lazy(list(blocks)):
        return list(blocks)
    if client is not None:
        return list(client.gather(client.compute(list(blocks))))
    import dask

    found = [item.result() if _is_future(item) else item for item in blocks]
    return list(dask.compute(*found))


def opened(block: Any) -> Any:
    """Return a block as a table, or as a list of documents that are lists of pairs.

    Parameters
    ----------
    block : path, iterator of documents or of matrices, or a table
        In this process. Files are read, iterators are used up.

    Raises
    ------
    ValueError
        If a file cannot be read here.
    """
    if _is_file(block):
        return _read(block)
    if isinstance(block, DiskShard):
        return block.named()
    if _is_table(block):
        return block
    if isinstance(block, Iterator | list | tuple):
        # A partition of a bag.
        items = list(block)
        if items and _is_table(items[0]):
            tables = [sp.csr_array(getattr(item, "counts", item)) for item in items]
            return sp.vstack(tables, format="csr")
        return items
    return block


def assembled(
    model: Any,
    blocks: Sequence[Any],
    numbers: Iterable[int] | None = None,
    *,
    whom: str,
    reset: bool = True,
    dtype: Any = None,
) -> sp.csr_array:
    """Return blocks that are in this process as one table of checked counts.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Told number and names of the words, or compared with if not `reset`.
    blocks : sequence
        As `opened` takes them.
    numbers : iterable of int or None, default=None
        Of the blocks, for messages; None: 0, 1, ...
    whom, reset, dtype : str, bool, dtype
        As in `check_counts`.

    Returns
    -------
    csr_array of shape (n_documents, n_words)
        Perhaps without documents, and then of any width.

    Raises
    ------
    ValueError
        If a block is not valid, with its number, or does not fit the first one.
    """
    numbers = range(len(blocks)) if numbers is None else numbers
    n_words = None if reset else model.n_features_in_
    parts: list[sp.csr_array] = []
    for number, table in _tables(zip(numbers, blocks, strict=True), n_words):
        if not n_rows(table):
            continue
        with _noted(number):
            part = model._check(
                table,
                reset=reset and not parts,
                whom=whom,
                dtype=parts[0].dtype if parts else dtype,
            )
        parts.append(part)
    if not parts:
        return sp.csr_array((0, 0), dtype=np.float32 if dtype is None else dtype)
    return parts[0] if len(parts) == 1 else sp.vstack(parts, format="csr")


def _tables(
    blocks: Iterable[tuple[int, Any]], n_words: int | None
) -> list[tuple[int, Any]]:
    """Open blocks; those of pairs become as wide as the model, or as the widest."""
    tables: list[tuple[int, Any]] = []
    of_pairs: list[Any] = []
    for number, block in blocks:
        with _noted(number):
            table = opened(block)
            if isinstance(table, list):
                table = counts_of_pairs(table, n_words)
                of_pairs.append(table)
        tables.append((number, table))
    width = max((table.shape[1] for table in of_pairs), default=0)
    for table in of_pairs:
        table.resize(table.shape[0], width)
    return tables


@contextmanager
def _noted(number: int) -> Iterator[None]:
    """Say in errors which block it was."""
    try:
        yield
    except (TypeError, ValueError) as error:
        error.add_note(f"in block {number} of the documents")
        raise


def n_rows(table: Any) -> int:
    """Return the number of documents of a table or Corpus."""
    return int(getattr(table, "counts", table).shape[0])


def _items(X: Any) -> list[Any] | tuple[Any, ...]:
    return X if isinstance(X, list | tuple) else [X]


def _has(item: Any, name: str) -> bool:
    # Of the class: a Delayed has every attribute one asks for.
    return hasattr(type(item), name)


def _is_file(item: Any) -> bool:
    return isinstance(item, str | os.PathLike)


def _is_future(item: Any) -> bool:
    return _has(item, "add_done_callback") and _has(item, "key")


def _is_dask(item: Any) -> bool:
    return _has(item, "__dask_graph__") or _is_future(item)


def _gives_tables(X: Any) -> bool:
    """Say whether this is an iterable of tables, that can be iterated again."""
    if any(_has(X, name) for name in ("shape", "__array__", "__getitem__")):
        return False
    first = first_of(X)
    return _is_table(first) or (_has(first, "shape") and len(first.shape) == 2)


def _is_table(item: Any) -> bool:
    return sp.issparse(item) or _has(item, "vocabulary")


def _read(path: str | os.PathLike[str]) -> sp.csr_array:
    try:
        return sp.csr_array(sp.load_npz(path))
    except (OSError, ValueError, BadZipFile) as error:
        raise unreadable(path, error) from error
