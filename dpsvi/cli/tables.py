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
        topic_0, topic_1 and so on, behind a column document for the titles.
    shape : tuple of int
        (n_documents, n_topics).
    dtype : dtype
        Of the rows.
    titled : bool, default=False
        Whether the documents have titles; `.npy` has no place for them.

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
        lines.writerow(_names(shape[1], titled))

        def write(rows: NDArray[Any], titles: Sequence[str] | None) -> None:
            cells = ([f"{share:.{digits}g}" for share in row] for row in rows.tolist())
            if titles is not None:
                cells = (
                    [title, *row] for title, row in zip(titles, cells, strict=True)
                )
            lines.writerows(cells)

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
    kinds = [*([pa.string()] * titled), *([pa.from_numpy_dtype(dtype)] * shape[1])]
    schema = pa.schema(list(zip(_names(shape[1], titled), kinds, strict=True)))
    with ParquetWriter(path, schema) as file:

        def write(rows: NDArray[Any], titles: Sequence[str] | None) -> None:
            columns = [*([] if titles is None else [list(titles)]), *rows.T]
            file.write_table(pa.table(columns, schema=schema))

        yield write


def _names(n_topics: int, titled: bool) -> list[str]:
    topics = [f"topic_{topic}" for topic in range(n_topics)]
    return ["document", *topics] if titled else topics


_FORMATS = {".parquet": _parquet, ".csv": _csv, ".npy": _npy}

#: Endings that name a format.
ENDINGS = tuple(_FORMATS)
