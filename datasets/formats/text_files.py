"""Texts in files, one after another: lines, or a column of a table."""

from __future__ import annotations

import csv
import io
import json
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

from dpsvi.datasets.files import Bytes
from dpsvi.datasets.formats.uci_lines import bad_file, damage_named
from dpsvi.datasets.on_disk.arrow import needs_arrow

Opener: TypeAlias = Callable[[], AbstractContextManager[tuple[Bytes, str]]]

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class TextFile:
    """Texts of a file that can be gone through again and again.

    Parameters
    ----------
    open : callable
        Opens the file anew; gives it with its name.
    format : str
        ``"text"``: one text to a line; ``"csv"``, ``"jsonl"``, ``"parquet"``.
    column : str or None
        The column that holds the texts; None: the only one, or ``"text"``.
    numbers : bool
        Whether numbers in the column are taken as texts, as in titles.
    """

    open: Opener
    format: str
    column: str | None = None
    numbers: bool = False

    def __iter__(self) -> Iterator[str]:
        with self.open() as (file, where):
            if self.format == "text":
                yield from _lines(file, where)
            elif self.format == "csv":
                yield from _csv(file, where, self.column)
            else:
                read = _jsonl if self.format == "jsonl" else _parquet
                for number, value in read(file, where, self.column):
                    yield _text(value, where, number, self.numbers)


def _lines(file: Bytes, where: str) -> Iterator[str]:
    for number, line in _numbered(file, where):
        yield _decoded(line, where, number).rstrip("\r\n")


def _numbered(file: Bytes, where: str) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their numbers from 1, without a byte order mark."""
    number = 0
    with damage_named(where, lambda: number + 1):
        for line in file:
            number += 1
            yield number, line.removeprefix(BOM_UTF8) if number == 1 else line


def _csv(file: Bytes, where: str, column: str | None) -> Iterator[str]:
    text = io.TextIOWrapper(_any_file(file), encoding="utf-8-sig", newline="")
    # Documents are longer than what the csv module takes for a field by default.
    limit = csv.field_size_limit(sys.maxsize if sys.maxsize < 2**31 else 2**31 - 1)
    try:
        rows = csv.reader(text, strict=True)
        with damage_named(where, lambda: rows.line_num + 1):
            yield from _cells(rows, where, column)
    except csv.Error as error:
        needed = "need comma-separated values"
        raise bad_file(where, rows.line_num, f"found {error}", needed) from error
    except UnicodeDecodeError as error:
        raise bad_file(where, rows.line_num + 1, "found bytes", "need UTF-8") from error
    finally:
        csv.field_size_limit(limit)
        text.detach()


def _cells(rows: Any, where: str, column: str | None) -> Iterator[str]:
    """Yield the texts of a table, whose rows are all as wide as its header."""
    header = next(rows, None)
    if header is None:
        raise bad_file(where, 1, "the file is empty", "need a line of column names")
    place = header.index(_column(column, header, where))
    for row in rows:
        if not row:
            continue
        if len(row) != len(header):
            # More fields than names: most likely a comma in a text without quotes.
            needed = f"need {len(header)}; texts with commas want quotes"
            raise bad_file(where, rows.line_num, f"found {len(row)} fields", needed)
        yield row[place]


def _jsonl(file: Bytes, where: str, column: str | None) -> Iterator[tuple[int, Any]]:
    for number, line in _numbered(file, where):
        if not line.strip():
            continue
        try:
            row = json.loads(_decoded(line, where, number))
        except json.JSONDecodeError as error:
            raise bad_file(where, number, f"found {error.msg}", "need JSON") from error
        except RecursionError as error:
            found = "found objects or lists too deep in one another"
            raise bad_file(where, number, found, "need an object of texts") from error
        if isinstance(row, str) and column is None:
            yield number, row
            continue
        if not isinstance(row, dict):
            raise bad_file(
                where, number, f"found {type(row).__name__}", "need an object"
            )
        yield number, row.get(_column(column, list(row), f"{where}:{number}"))


def _parquet(file: Bytes, where: str, column: str | None) -> Iterator[tuple[int, Any]]:
    pa = needs_arrow()
    try:
        with pa.parquet.ParquetFile(_any_file(file)) as table:
            name = _column(column, table.schema_arrow.names, where)
            row = 0
            for batch in table.iter_batches(_ROWS_AT_ONCE, columns=[name]):
                for text in batch.column(0).to_pylist():
                    row += 1
                    yield row, text
    except pa.ArrowException as error:
        raise ValueError(f"{where}: is no Parquet file ({error}).") from error


def _column(wanted: str | None, columns: list[str], where: str) -> str:
    if wanted is None and len(columns) == 1:
        return columns[0]
    name = "text" if wanted is None else wanted
    if name not in columns:
        known = ", ".join(map(repr, columns))
        raise ValueError(
            f"{where}: there is no column {name!r} of texts; choose one of {known} "
            "(column=, --column)."
        )
    return name


def _text(value: Any, where: str, number: int, numbers: bool) -> str:
    if value is None:
        return ""
    if numbers and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        found = f"found {type(value).__name__} in the column of texts"
        raise bad_file(where, number, found, "need strings")
    return value


def _decoded(line: bytes, where: str, number: int) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"found the byte {line[error.start]:#04x}"
        raise bad_file(where, number, found, "need UTF-8") from error


def _any_file(file: Bytes) -> IO[bytes]:
    return file  # type: ignore[return-value]  # GzipFile is one in all but name
