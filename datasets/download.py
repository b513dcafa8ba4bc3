"""Files from the network: resumed after a break, whole or absent, with a checksum."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20
_TIMEOUT = 60.0


def download(url: str, path: Path) -> None:
    """Download a file, or go on with a download that was broken off.

    The SHA-256 checksum of what came is written beside the file, for `sha256sum -c`.

    Raises
    ------
    ConnectionError
        If the file cannot be had, or the connection breaks off; what has come is kept
        for the next call.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    tag = path.with_name(f"{path.name}.part.tag")
    try:
        with _request(url, part, tag) as answer:
            _receive(answer, part, tag)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ConnectionError(
            f"cannot download {url} ({_reason(error)}). Call again to go on with it; "
            f"or fetch that file where there is a network, and put it here: '{path}'."
        ) from error
    checksum = sha256(part)
    _checksum_file(path).write_text(f"{checksum}  {path.name}\n", encoding="utf-8")
    tag.unlink(missing_ok=True)
    part.replace(path)


def check_download(path: Path) -> None:
    """Raise ValueError if a file is not what was downloaded.

    A file without a checksum beside it, put there by hand, is taken as it is.
    """
    written = _checksum_file(path)
    if not written.is_file():
        return
    expected = written.read_text(encoding="utf-8").split()[0]
    if sha256(path) != expected:
        raise ValueError(
            f"'{path}' is not the file that was downloaded: its SHA-256 checksum "
            f"differs from that in '{written}'. Remove both and call again."
        )


def sha256(path: Path) -> str:
    """Return the checksum of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _request(url: str, part: Path, tag: Path) -> Any:
    """Ask for what is missing, or for all if the file has changed meanwhile."""
    request = urllib.request.Request(url)
    if part.is_file() and tag.is_file():
        request.add_header("Range", f"bytes={part.stat().st_size}-")
        request.add_header("If-Range", tag.read_text(encoding="utf-8"))
    try:
        return urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
    # All there already, or more than all: once more from the start.
    part.unlink()
    return urllib.request.urlopen(url, timeout=_TIMEOUT)


def _receive(answer: Any, part: Path, tag: Path) -> None:
    resumed = answer.status == http.client.PARTIAL_CONTENT
    # Without a strong tag a resumed file might be put together of two versions.
    name = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
    if name and not name.startswith("W/"):
        tag.write_text(name, encoding="utf-8")
    else:
        tag.unlink(missing_ok=True)
    length = answer.headers.get("Content-Length")
    with open(part, "ab" if resumed else "wb") as file:
        wanted = None if length is None else file.tell() + int(length)
        while block := answer.read(_BLOCK):
            file.write(block)
        if wanted is not None and file.tell() != wanted:
            raise ConnectionError(f"{file.tell():,} of {wanted:,} bytes came")


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", "")) or str(error) or type(error).__name__


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")
