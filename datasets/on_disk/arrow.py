"""Blocks of documents as columns: Parquet shards, and temporary files between passes.

A shard has two list columns, `words` and `counts`, with the same offsets, so it is
compressed sparse rows as it lies there; and `document` if the documents have titles.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.datasets.blocks import Block

# Measured on 3 million entries of encyclopaedia articles, bytes an entry and million
# entries a second on one core: plain 8.1 and 100, delta 2.3 and 71, delta in zstd 2.2
# and 55, plain in zstd 2.8 and 46. Deltas need no further packing.
_ENCODINGS = {"words": "DELTA_BINARY_PACKED", "counts": "DELTA_BINARY_PACKED"}
_ID = b"dpsvi.corpus"


def needs_arrow() -> Any:
    """Import pyarrow, or say how to install it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            "corpora on disk need pyarrow, which is not installed; run: "
            'pip install "dpsvi[corpora]"'
        ) from error
    return pyarrow


def to_batch(block: Block) -> Any:
    """Return a block as a pyarrow RecordBatch; the large arrays are shared."""
    pa = needs_arrow()
    offsets = pa.array(block.indptr.astype(np.int32))
    columns = {}
    for name, values in (("words", block.words), ("counts", block.counts)):
        # Required items: no room for nulls, and none is looked for.
        item = pa.field("element", pa.from_numpy_dtype(values.dtype), nullable=False)
        columns[name] = pa.ListArray.from_arrays(
            offsets, pa.array(values), type=pa.list_(item)
        )
    if block.titles is not None:
        columns["document"] = pa.array(block.titles, type=pa.string())
    fields = [pa.field(name, c.type, nullable=False) for name, c in columns.items()]
    return pa.record_batch(list(columns.values()), schema=pa.schema(fields))


def from_table(table: Any) -> Block:
    """Return a pyarrow Table or RecordBatch of these columns as a block.

    The arrays are copies: views of Arrow's memory could not be written to.
    """
    words, counts = (_one_array(table.column(name)) for name in ("words", "counts"))
    indptr = _numbers(words.offsets).astype(np.int64)
    if not np.array_equal(_numbers(counts.offsets), indptr):
        raise ValueError("the columns words and counts differ in length")
    titles = None
    if "document" in table.schema.names:
        titles = np.array(table.column("document").to_pylist(), dtype=object)
    return Block(
        indptr - indptr[0],
        np.array(_numbers(words.values)[indptr[0] : indptr[-1]]),
        np.array(_numbers(counts.values)[indptr[0] : indptr[-1]]),
        titles,
    )


def write_shard(block: Block, path: Path, identity: str) -> None:
    """Write a block as one Parquet file that names the corpus it belongs to."""
    pa = needs_arrow()
    table = pa.Table.from_batches([to_batch(block)])
    table = table.replace_schema_metadata({_ID: identity.encode()})
    encodings = dict(_ENCODINGS)
    compression = dict.fromkeys((*encodings, "document"), "none")
    if block.counts.dtype == np.float32:
        encodings["counts"], compression["counts"] = "PLAIN", "snappy"
    leaves = {name: f"{name}.list.element" for name in encodings}
    if block.titles is not None:
        compression["document"] = "snappy"
    else:
        del compression["document"]
    pa.parquet.write_table(
        table,
        path,
        row_group_size=max(block.n_documents, 1),
        use_dictionary=False,
        write_statistics=False,
        column_encoding={leaves[name]: kind for name, kind in encodings.items()},
        compression={leaves.get(n, n): kind for n, kind in compression.items()},
    )


def read_shard(path: Path, columns: list[str], identity: str) -> Any:
    """Read columns of a shard as a pyarrow Table, on the calling thread alone.

    Raises
    ------
    ValueError
        If the file is no Parquet file or belongs to another corpus.
    """
    pa = needs_arrow()
    try:
        with pa.parquet.ParquetFile(path) as file:
            found = (file.schema_arrow.metadata or {}).get(_ID, b"")
            if found != identity.encode():
                raise ValueError("it belongs to another corpus")
            return file.read(columns=columns, use_threads=False)
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _one_array(column: Any) -> Any:
    """Join the chunks of a table's column; that of a batch is one array already."""
    chunks = getattr(column, "chunks", [column])
    return chunks[0] if len(chunks) == 1 else column.combine_chunks()


def _numbers(array: Any) -> NDArray[Any]:
    """View the numbers of an array, none of which is missing.

    Its own `to_numpy` imports pandas, which takes a third of a second.
    """
    if array.null_count:
        raise ValueError("a number is missing")
    if not len(array):
        return np.empty(0, array.type.to_pandas_dtype())
    numbers = np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())
    return numbers[array.offset : array.offset + len(array)]
