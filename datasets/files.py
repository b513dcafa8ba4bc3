"""Opening what a reader is given, and writing files that are whole or absent."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

PathLike: TypeAlias = str | os.PathLike[str]
Bytes: TypeAlias = IO[bytes] | gzip.GzipFile
Source: TypeAlias = PathLike | Bytes

_TEXT: Any = io.TextIOBase
_GZIP_MAGIC = b"\x1f\x8b"


@contextmanager
def open_bytes(source: Source) -> Iterator[tuple[Bytes, str]]:
    """Open a path, or take an open binary file; unpack gzip, whatever its name.

    Yields the file and the name to use in messages. A file that was handed in
    open stays open.
    """
    if isinstance(source, str | os.PathLike):
        with open(source, "rb") as file, _unpacked(file) as plain:
            yield plain, os.fspath(source)
        return
    if not hasattr(source, "read") or isinstance(source, _TEXT):
        raise TypeError(
            f"cannot read from {source!r}; give a path or a file opened in mode 'rb'."
        )
    with _unpacked(source) as plain:
        yield plain, str(getattr(source, "name", "<file>"))


@contextmanager
def write_whole(path: PathLike) -> Iterator[Bytes]:
    """Write beside `path` and rename at the end, so that no half file is ever seen.

    A path that ends in ``.gz`` is packed, without a time stamp: the same content
    gives the same bytes. After an error nothing is left behind.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(temporary, "xb") as file:
            if target.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                    yield packed
            else:
                yield file
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _unpacked(file: Bytes) -> Iterator[Bytes]:
    if _starts_as_gzip(file):
        with gzip.GzipFile(fileobj=file, mode="rb") as plain:
            yield plain
    else:
        yield file


def _starts_as_gzip(file: Any) -> bool:
    if hasattr(file, "peek"):
        return bytes(file.peek(2)[:2]) == _GZIP_MAGIC
    if not file.seekable():
        # Bytes that were looked at could not be put back.
        return False
    start = file.read(2)
    file.seek(-len(start), os.SEEK_CUR)
    return bytes(start) == _GZIP_MAGIC
