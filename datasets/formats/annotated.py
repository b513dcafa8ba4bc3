"""AnnData: counts of genes in cells, or of words in documents, in a .h5ad file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
from scipy import sparse

from dpsvi.datasets.blocks import Block, Stream, block_of
from dpsvi.datasets.files import PathLike, short_name

_ROWS_AT_ONCE = 5000


class AnnDataStream(Stream):
    """The rows of ``X`` in a .h5ad file, read some thousands at a time.

    Parameters
    ----------
    path : path
        The file. Names of observations become titles, names of variables words.

    Raises
    ------
    ImportError
        If anndata is not installed.
    """

    def __init__(self, path: PathLike) -> None:
        try:
            anndata = import_module("anndata")
        except ImportError as error:
            raise ImportError(
                f"'{os.fspath(path)}' is an AnnData file, which needs anndata; it is "
                "not installed. Run: pip install anndata"
            ) from error
        self.name = short_name(os.fspath(path))
        self._data: Any = anndata.read_h5ad(path, backed="r")

    def blocks(self) -> Iterator[Block]:
        """Yield some thousand rows at a time."""
        titles = np.array(self._data.obs_names, dtype=object)
        try:
            for start in range(0, self._data.n_obs, _ROWS_AT_ONCE):
                rows = slice(start, start + _ROWS_AT_ONCE)
                yield block_of(_whole_if_possible(self._data.X[rows]), titles[rows])
        finally:
            self._data.file.close()

    @property
    def n_words(self) -> int:
        """Number of variables."""
        return int(self._data.n_vars)

    @property
    def vocabulary(self) -> tuple[str, ...] | None:
        """Names of the variables."""
        return tuple(map(str, self._data.var_names))


def _whole_if_possible(table: Any) -> sparse.csr_array:
    """Counts are often stored as fractions that are whole."""
    counts = sparse.csr_array(table)
    if counts.dtype.kind == "f" and np.all(counts.data == np.floor(counts.data)):
        counts = counts.astype(np.int64)
    return counts
