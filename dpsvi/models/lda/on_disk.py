"""Documents that stay on disk: read a few shards at a time, by whoever works on them.

What is needed of a corpus on disk is little: `shard_sizes`, `read(number)`, `shape` and
`vocabulary`, and that it is quickly pickled; `dpsvi.datasets.open_corpus` gives one.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

__all__ = ["DiskShard", "OnDisk", "corpus_on_disk", "lies_on_disk", "pieces_on_disk"]

# Documents that stand for all, where a measure needs documents in memory.
_SAMPLE = 5000


def lies_on_disk(X: Any) -> bool:
    """Say whether documents are a corpus on disk, opened or named by its folder.

    Examples
    --------
    >>> lies_on_disk("counts.npz"), lies_on_disk([[1, 0], [0, 2]])
    (False, False)
    """
    if isinstance(X, str | os.PathLike):
        # Unlike a Path, this takes texts of any length.
        return os.path.isdir(X)
    return hasattr(type(X), "shard_sizes") and hasattr(type(X), "read")


def corpus_on_disk(X: Any) -> Any:
    """Open a corpus on disk, if it is not open already."""
    if isinstance(X, str | os.PathLike):
        from dpsvi.datasets import open_corpus

        return open_corpus(X)
    return X


def pieces_on_disk(X: Any) -> list[DiskShard]:
    """Return a corpus on disk shard by shard; none is read yet."""
    corpus = corpus_on_disk(X)
    return [DiskShard(corpus, [number]) for number in range(len(corpus.shard_sizes))]


@dataclass(frozen=True)
class NamedCounts:
    """Counts of shape (n_documents, n_words), and the word of each column."""

    counts: sp.csr_array
    vocabulary: Sequence[str]


@dataclass(frozen=True)
class DiskShard:
    """A worker's part of a corpus on disk; it travels as a name and some numbers.

    Attributes
    ----------
    corpus : object
        On disk.
    numbers : sequence of int
        Of the shards on disk that belong to it.
    first, every : int
        Of each of those, the documents that do: from the first on, every so many.
    """

    corpus: Any
    numbers: Sequence[int]
    first: int = 0
    every: int = 1

    @property
    def sizes(self) -> list[int]:
        """Documents in each of its pieces."""
        whole = self.corpus.shard_sizes
        return [len(range(self.first, whole[n], self.every)) for n in self.numbers]

    @property
    def shape(self) -> tuple[int, int]:
        """(n_documents, n_words)."""
        return sum(self.sizes), int(self.corpus.shape[1])

    def whole(self) -> sp.csr_array:
        """Read all of it."""
        parts = [self.read(piece) for piece in range(len(self.numbers))]
        return sp.csr_array(sp.vstack(parts, format="csr"))

    def named(self) -> sp.csr_array | NamedCounts:
        """Read all of it, with the words if they have names."""
        if self.corpus.vocabulary is None:
            return self.whole()
        return NamedCounts(self.whole(), self.corpus.vocabulary)

    def read(self, piece: int, dtype: Any = np.float32) -> sp.csr_array:
        """Read a piece, by its number among its own."""
        try:
            counts = self.corpus.read(self.numbers[piece])
        except OSError as error:
            error.add_note(f"on host {socket.gethostname()}")
            raise
        if self.every > 1:
            counts = counts[self.first :: self.every]
        data = counts.data.astype(dtype, copy=False)
        return sp.csr_array((data, counts.indices, counts.indptr), counts.shape)


@dataclass(frozen=True)
class OnDisk:
    """The documents of a fit that stay on disk.

    Attributes
    ----------
    corpus : object
        Opened.
    dtype : dtype
        To compute in.
    """

    corpus: Any
    dtype: np.dtype[Any]

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return int(sum(self.corpus.shard_sizes))

    @property
    def n_words(self) -> int:
        """Number of words, V."""
        return int(self.corpus.shape[1])

    def shards(self, n_workers: int) -> Sequence[DiskShard]:
        """Deal shards on disk to the workers; if they are few, parts of each."""
        n_shards = len(self.corpus.shard_sizes)
        everything = range(n_shards)
        if n_workers == 1:
            return [DiskShard(self.corpus, everything)]
        if n_shards < _SHARDS_A_WORKER * n_workers:
            return [
                DiskShard(self.corpus, everything, worker, n_workers)
                for worker in range(n_workers)
            ]
        return [
            DiskShard(self.corpus, everything[worker::n_workers])
            for worker in range(n_workers)
        ]

    def sample(self, size: int) -> sp.csr_array:
        """Return about so many documents: the first ones, which are any ones."""
        whole = DiskShard(self.corpus, range(len(self.corpus.shard_sizes)))
        parts, missing = [], size
        for piece in range(len(whole.numbers)):
            if missing <= 0:
                break
            parts.append(whole.read(piece, self.dtype)[:missing])
            missing -= parts[-1].shape[0]
        return sp.csr_array(sp.vstack(parts, format="csr"))

    def to_evaluate(self) -> sp.csr_array:
        """Return the documents whose perplexity stands for that of training."""
        return self.sample(_SAMPLE)

    def identity(self) -> str | None:
        """Return what tells these documents from others, if the corpus knows it."""
        name = getattr(getattr(self.corpus, "facts", None), "identity", None)
        if name is None:
            return None
        parts = repr([tuple(part) for part in self.corpus.parts]).encode()
        part = hashlib.blake2b(parts, digest_size=4).hexdigest()
        return f"{self.n_documents} on disk, corpus {name}, part {part}"


# With fewer shards on disk for each worker their sizes would differ too much.
_SHARDS_A_WORKER = 8
