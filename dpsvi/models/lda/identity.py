"""What tells one fit from another, so that a checkpoint goes on with its own alone."""

from __future__ import annotations

import hashlib
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import Saved

__all__ = ["digest_of", "digest_of_array", "identity_of"]

# Entries of a table that are hashed one by one; sums stand for all others.
_HASHED = 1_000_000
_BYTES = 8


def identity_of(model: Any, source: Any, saved: Saved | None) -> dict[str, Any]:
    """Return what a checkpoint of this fit is bound to, beside sizes, rates, priors.

    What cannot be told is not compared: documents that lie on a cluster, seeds that
    are no integers. Then what the checkpoint knows of it stays there.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        To be fitted.
    source : Held, OnDisk or Spread
        The documents.
    saved : Saved or None
        What the checkpoint holds.
    """
    known = {} if saved is None else saved.settings
    told: dict[str, Any] = {"dtype": np.dtype(source.dtype).name}
    if model.inference == "vb":
        told["mean_change_tol"] = float(model.mean_change_tol)
        told["max_doc_update_iter"] = int(model.max_doc_update_iter)
    seed = model.random_state
    maybe = {
        "random_state": int(seed) if isinstance(seed, Integral) else None,
        "documents": source.identity(),
    }
    for name, value in maybe.items():
        value = known.get(name) if value is None else value
        if value is not None:
            told[name] = value
    return told


def digest_of(counts: sp.csr_array) -> str:
    """Return a short name of what a table holds, whatever type its numbers have.

    Of large tables some entries are read, evenly spread, and the sums of all.

    Examples
    --------
    >>> one, other = sp.csr_array([[1, 0, 2]]), sp.csr_array([[1, 2, 0]])
    >>> [digest_of(one) == digest_of(table) for table in (one.astype(float), other)]
    [True, False]
    """
    every = max(1, counts.nnz // _HASHED)
    parts = (
        (np.array(counts.shape), np.int64),
        (counts.indptr, np.int64),
        (counts.indices[::every], np.int64),
        (counts.data[::every], np.float64),
        (counts.indices.sum(dtype=np.int64), np.int64),
        (counts.data.sum(dtype=np.float64), np.float64),
    )
    hashed = hashlib.blake2b(digest_size=_BYTES)
    for part, dtype in parts:
        hashed.update(np.ascontiguousarray(part, dtype=dtype).tobytes())
    return hashed.hexdigest()


def digest_of_array(array: NDArray[Any]) -> str:
    """Return a name of an array: of its type, its shape and every byte.

    Examples
    --------
    >>> zeros = np.zeros(4)
    >>> digest_of_array(zeros) == digest_of_array(zeros.reshape(2, 2))
    False
    """
    kind = f"{array.dtype.str} {array.shape} "
    hashed = hashlib.blake2b(kind.encode(), digest_size=2 * _BYTES)
    # Not a copy, where the array lies in one piece.
    hashed.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hashed.hexdigest()
