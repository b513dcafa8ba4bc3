"""Opening what a reader is given, and writing files that are whole or absent."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable, Iterator
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
        yield plain, source_name(source)


def source_name(source: Source) -> str:
    """Return the name of a source to use in messages."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "<file>"))


def short_name(where: str) -> str:
    """Name a corpus after its file: without folder, endings and ``docword.``."""
    name = Path(where).name.removesuffix(".gz")
    stem = name.rpartition(".")[0] or name
    return stem.removeprefix("docword.")


class Watched(io.FileIO):
    """A file that tells how many bytes of it are read, before they are unpacked."""

    def __init__(self, path: PathLike, told: Callable[[int], None]) -> None:
        super().__init__(os.fspath(path), "rb")
        self._told = told

    def readinto(self, buffer: Any) -> int:
        """Read, and tell."""
        count = super().readinto(buffer) or 0
        self._told(count)
        return count


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
