"""What is no table of counts, and what to do with it instead."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["first_of", "refuse_words", "unreadable"]

_COUNT = (
    "count the words first: dpsvi.datasets.Corpus.from_texts(texts), or scikit-learn's "
    "CountVectorizer"
)
_CONVERT = (
    "convert it first, to a folder that fit takes: dpsvi corpus convert {path} corpus/ "
    "in a shell, or dpsvi.datasets.convert({path!r}, 'corpus')"
)


def first_of(X: Any) -> Any:
    """Return the first item of what can be iterated again; None if there is none."""
    if not isinstance(X, Iterable) or isinstance(X, str | bytes | Mapping):
        return None
    if iter(X) is X or getattr(X, "ndim", 1) != 1:
        return None
    return next(iter(X), None)


def refuse_words(X: Any, whom: str) -> None:
    """Raise ValueError if documents are texts, lists of words, or nothing of the kind.

    Parameters
    ----------
    X : object
        What is to be made a table.
    whom : str
        The caller, for messages.
    """
    first = first_of(X)
    if isinstance(first, str):
        raise ValueError(
            f"{whom} got texts, the first {_short(str(first))}, and needs counts of "
            f"words; {_COUNT}"
        )
    if isinstance(first, list | tuple) and first and isinstance(first[0], str):
        raise ValueError(
            f"{whom} got documents that are lists of words (strings), the first "
            f"{_short(first)}, and needs counts of words; join the words of each with "
            f"spaces and {_COUNT}"
        )
    plain = isinstance(X, list | tuple) or hasattr(X, "__array__")
    if isinstance(X, Iterable) and not plain and not _knows_its_shape(X):
        what = "has no documents"
        if first is not None:
            what = f"gives items of type {type(first).__name__}"
        raise ValueError(
            f"{whom} got a {type(X).__name__} that {what}; its items must be documents "
            "as lists of (word number, count), or tables: matrices of counts or Corpora"
        )


def _knows_its_shape(X: Any) -> bool:
    return any(hasattr(X, name) for name in ("shape", "columns", "keys", "lower"))


def unreadable(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """Return the error to raise about a file that is no block of documents."""
    name, host = os.fspath(path), socket.gethostname()
    begin = f"{_short(name, 200)} cannot be read on host {host}"
    # Unlike a Path, this takes texts of any length.
    if not os.path.exists(name):
        return ValueError(
            f"{begin}: there is no such file or folder; give a folder that dpsvi "
            "corpus convert has written, or `.npz` files of scipy.sparse.save_npz, at "
            "a place that every worker sees under this name. If this is a text, "
            f"{_COUNT}"
        )
    if Path(name).suffix != ".npz":
        return ValueError(
            f"{begin}: it is no `.npz` file of scipy.sparse.save_npz; "
            f"{_CONVERT.format(path=name)}"
        )
    # Of a file that is no archive NumPy says to allow pickles: the last thing to do.
    why = error if isinstance(error, OSError) else "it is damaged, or something else"
    return ValueError(
        f"{begin} ({why}); give `.npz` files of scipy.sparse.save_npz, in a folder "
        "that every worker sees under this name"
    )


def _short(value: Any, length: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"
