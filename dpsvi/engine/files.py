"""Files that are whole or absent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

__all__ = ["PathLike", "whole_file"]

PathLike: TypeAlias = str | os.PathLike[str]


@contextmanager
def whole_file(path: PathLike) -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it at the end.

    An older file is replaced in one step, once the new one is on the disk. After an
    error nothing is left behind.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{target.parent}'; make it first.")
    # The ending is kept: writers of pictures choose the format by it.
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait for the disk: else a crash could leave the new name on half a file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
