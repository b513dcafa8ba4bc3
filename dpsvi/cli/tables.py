"""Tables of topics per document in files, written a part at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine.files import whole_file

__all__ = ["ENDINGS", "table_file"]

#: Writes some rows, an array of shape (n_rows, n_topics), and the documents' titles.
Write: TypeAlias = Callable[[NDArray[Any], Sequence[str] | None], None]


@contextmanager
def table_file(
    path: Path, shape: tuple[int, int], dtype: Any, *, titled: bool = False
) -> Iterator[Write]:
    """Write a table, whole or not at all; its ending names the format.

    Parameters
    ----------
    path : Path
        Ends in `.parquet`, `.csv` or `.npy`. The first two name their columns
        topic_0, topic_1 and so on, behind a column document: titles, or numbers from 0.
    shape : tuple of int
        (n_documents, n_topics).
    dtype : dtype
        Of the rows.
    titled : bool, default=False
        Whether the documents have titles; `.npy` has no place for titles or numbers.

    Yields
    ------
    callable
        Takes the next rows, and the titles of these documents or None.

    Raises
    ------
    ImportError
        If pyarrow is not installed and the ending is `.parquet`.
    """
    table = _FORMATS[path.suffix]
    with whole_file(path) as part, table(part, shape, dtype, titled) as write:
        yield write


@contextmanager
def _npy(
    path: Path, shape: tuple[int, int], dtype: Any, titled: bool
) -> Iterator[Write]:
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield lambda rows, titles: rows.tofile(file)


@contextmanager
def _csv(
    path: Path, shape: tuple[int, int], dtype: Any, titled: bool
) -> Iterator[Write]:
    digits = np.finfo(dtype).precision + 3
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(_names(shape[1]))
        named = _Named()

        def write(rows: NDArray[Any], titles: Sequence[str] | None) -> None:
            cells = ([f"{share:.{digits}g}" for share in row] for row in rows.tolist())
            names = named(titles, len(rows))
            lines.writerows(
                [name, *row] for name, row in zip(names, cells, strict=True)
            )

        yield write


@contextmanager
def _parquet(
    path: Path, shape: tuple[int, int], dtype: Any, titled: bool
) -> Iterator[Write]:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter
    except ImportError as error:
        raise ImportError(
            'files that end in .parquet need pyarrow: pip install "dpsvi[corpora]"; or '
            "choose .csv or .npy"
        ) from error
    kind = pa.string() if titled else pa.int64()
    kinds = [kind, *([pa.from_numpy_dtype(dtype)] * shape[1])]
    schema = pa.schema(list(zip(_names(shape[1]), kinds, strict=True)))
    named = _Named()
    with ParquetWriter(path, schema) as file:

        def write(rows: NDArray[Any], titles: Sequence[str] | None) -> None:
            columns = [list(named(titles, len(rows))), *rows.T]
            file.write_table(pa.table(columns, schema=schema))

        yield write


class _Named:
    """Names documents: by their titles, or by their numbers."""

    def __init__(self) -> None:
        self._seen = 0

    def __call__(
        self, titles: Sequence[str] | None, n_documents: int
    ) -> Sequence[str] | range:
        first, self._seen = self._seen, self._seen + n_documents
        return range(first, self._seen) if titles is None else titles


def _names(n_topics: int) -> list[str]:
    return ["document", *(f"topic_{topic}" for topic in range(n_topics))]


_FORMATS = {".parquet": _parquet, ".csv": _csv, ".npy": _npy}

#: Endings that name a format.
ENDINGS = tuple(_FORMATS)
