"""The corpora of the race, shuffled and split the same way every time.

Files are looked for in one folder, given by ``--data`` or by the environment variable
``DPSVI_BENCH_DATA``; README.md lists them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

SPLIT_SEED = 20221


class Split(NamedTuple):
    """Documents to train on, to tune on, and to report on.

    Attributes
    ----------
    train, validation, test : csr_matrix of shape (n_documents, n_words)
        Whole-number counts. Every word occurs in `train`.
    """

    train: sparse.csr_matrix
    validation: sparse.csr_matrix
    test: sparse.csr_matrix


class Source(NamedTuple):
    """How a corpus is read, and how it is cut."""

    read: Callable[[Path], sparse.csr_matrix]
    n_held_out: int
    n_train: int | None  # None: all that is left


def _uci(name: str) -> Callable[[Path], sparse.csr_matrix]:
    def read(folder: Path) -> sparse.csr_matrix:
        from dpsvi.datasets import read_uci

        return read_uci(_existing(folder / f"docword.{name}.txt.gz")).counts

    return read


def _npz(name: str) -> Callable[[Path], sparse.csr_matrix]:
    return lambda folder: sparse.load_npz(_existing(folder / f"{name}.npz"))


CORPORA = {
    "kos": Source(_uci("kos"), n_held_out=400, n_train=None),
    "20ng": Source(_uci("20ng5k"), n_held_out=2000, n_train=None),
    "wikipedia": Source(_npz("wikipedia"), n_held_out=2000, n_train=60_000),
}


def data_folder(given: str | None = None) -> Path:
    """The folder with the corpora: the one given, or that of DPSVI_BENCH_DATA.

    Raises
    ------
    FileNotFoundError
        If neither names an existing folder.
    """
    folder = given or os.environ.get("DPSVI_BENCH_DATA", "")
    if not folder or not Path(folder).is_dir():
        raise FileNotFoundError(
            f"no folder of corpora at {folder!r}: give --data FOLDER or set "
            "DPSVI_BENCH_DATA (benchmarks/README.md lists the files)"
        )
    return Path(folder)


def load(name: str, folder: Path, n_train: int | None = None) -> Split:
    """Read a corpus and cut it into training, validation and test documents.

    Parameters
    ----------
    name : {"kos", "20ng", "wikipedia"}
        The corpus.
    folder : Path
        From `data_folder`.
    n_train : int or None
        Number of training documents; None for the corpus's own number.

    Returns
    -------
    Split
        Shuffled with a fixed seed. Empty documents are left out, and so are words
        that no training document has: no system could know them, and dense systems
        would pay for their columns.
    """
    source = CORPORA[name]
    counts = sparse.csr_matrix(source.read(folder))
    counts = counts[np.flatnonzero(np.diff(counts.indptr))]
    counts = counts[np.random.default_rng(SPLIT_SEED).permutation(counts.shape[0])]
    held = source.n_held_out
    stop = counts.shape[0]
    if limit := n_train or source.n_train:
        stop = min(stop, 2 * held + limit)
    return _without_unseen_words(
        counts[2 * held : stop], counts[:held], counts[held : 2 * held]
    )


def _without_unseen_words(*parts: sparse.csr_matrix) -> Split:
    """Keep the words of the first part, and the documents that still have any."""
    words = np.flatnonzero(np.bincount(parts[0].indices, minlength=parts[0].shape[1]))
    kept = [sparse.csr_matrix(part[:, words]) for part in parts]
    return Split(*(part[np.flatnonzero(np.diff(part.indptr))] for part in kept))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; benchmarks/README.md says what it is"
        )
    return path
