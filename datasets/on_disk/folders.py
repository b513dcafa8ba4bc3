"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

_LOCK = ".lock"


@contextmanager
def whole_folder(
    target: Path, *, overwrite: bool, may_replace: Callable[[Path], bool]
) -> Iterator[Path]:
    """Give a hidden folder beside `target` to fill, and rename it at the end.

    After an error nothing is left behind. What a killed process has left behind is
    removed here by the next one that writes to the same `target`.

    Parameters
    ----------
    target : Path
        Must not exist, unless it is an empty folder.
    overwrite : bool
        Whether it may exist, and be replaced at the end.
    may_replace : callable
        Says of an existing folder whether it is of the kind that is written: nothing
        else is ever replaced.

    Raises
    ------
    FileNotFoundError
        If the folder that it is to lie in does not exist.
    FileExistsError
        If it exists and must not be replaced.
    """
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{target.parent}'; make it first.")
    _clean(target)
    check_target(target, overwrite=overwrite, may_replace=may_replace)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    temporary.mkdir()
    try:
        with open(temporary / _LOCK, "wb") as lock:
            _try_lock(lock)
            yield temporary
            _flush(temporary)
        (temporary / _LOCK).unlink()
        check_target(target, overwrite=overwrite, may_replace=may_replace)
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_target(
    target: Path, *, overwrite: bool, may_replace: Callable[[Path], bool]
) -> None:
    """Raise if `target` is there and must not be replaced."""
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    if not target.is_dir() or not may_replace(target):
        raise FileExistsError(
            f"'{target}' exists and is no corpus on disk; it is left as it is. Choose "
            "another name."
        )
    if not overwrite:
        raise FileExistsError(
            f"'{target}' exists; choose another name, or ask to overwrite it "
            "(overwrite=True, --overwrite)."
        )


def _swap(temporary: Path, target: Path) -> None:
    """Put the new folder in the place of an older one, or leave that there."""
    if not target.exists():
        temporary.rename(target)
        return
    old = target.with_name(f".{target.name}.{secrets.token_hex(4)}.old")
    target.rename(old)
    try:
        temporary.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _clean(target: Path) -> None:
    """Remove what killed processes have left beside `target`."""
    for old in _beside(target, ".old"):
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            # Killed between the two renames: the older corpus is whole.
            old.rename(target)
    for part in _beside(target, ".part"):
        # A folder without a lock has just been made, or is all but empty.
        with suppress(OSError), open(part / _LOCK, "rb+") as lock:
            if _try_lock(lock):
                shutil.rmtree(part, ignore_errors=True)


def _beside(target: Path, ending: str) -> list[Path]:
    start = f".{target.name}."
    return [
        path
        for path in target.parent.iterdir()
        if path.name.startswith(start)
        and path.name.endswith(ending)
        and len(path.name) == len(start) + 8 + len(ending)
    ]


def _try_lock(file: IO[Any]) -> bool:
    """Lock a file until it is closed or the process ends; False if another has."""
    try:
        import fcntl
    except ImportError:  # Windows: nothing is known, so nothing is removed
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _flush(folder: Path) -> None:
    """Wait for the disk: else a crash could leave the new name on half a folder."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb+") as file:
                os.fsync(file.fileno())
