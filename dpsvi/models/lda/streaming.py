"""Mini-batches of documents in memory, or read from disk while others are worked on."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, TypeAlias
from weakref import finalize

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.models.lda.on_disk import DiskShard
from dpsvi.models.minibatches import MiniBatches

__all__ = ["Batches", "DiskBatches", "HeldBatches", "batches_of"]

# Pieces in memory: threads may stand in two, one is on its way, and one more for the
# words of the next round.
_KEPT = 4
# Seconds in which a disk must have answered.
_PATIENCE = 300.0


class HeldBatches:
    """Mini-batches of documents in memory; see `MiniBatches` for their order."""

    def __init__(
        self,
        counts: sp.csr_array,
        batch_size: int,
        seed: np.random.SeedSequence | None,
    ) -> None:
        self._counts = counts
        self._rows = MiniBatches(counts.shape[0], batch_size, seed)

    def __getitem__(self, number: int) -> tuple[sp.csr_array, NDArray[np.int32]]:
        """Return a table, and which of its rows make the mini-batch."""
        return self._counts, self._rows[number]


class _Loaded(NamedTuple):
    """A piece of the shard in memory, and the order of its documents in an epoch."""

    counts: sp.csr_array
    order: NDArray[np.int32]


class DiskBatches:
    """Mini-batches of documents on disk.

    Pieces follow one another in a new order every epoch, and so do the documents of
    each: the corpus was shuffled when it was written, so this is as good as shuffling
    all. A thread of its own reads the next piece beforehand.

    Parameters
    ----------
    shard : DiskShard
        Of one worker.
    batch_size : int
        Largest number of documents in a mini-batch.
    seed : numpy.random.SeedSequence or None
        Of the shuffling; None keeps the order of the documents.
    dtype : dtype
        Of the counts.
    """

    def __init__(
        self,
        shard: DiskShard,
        batch_size: int,
        seed: np.random.SeedSequence | None,
        dtype: Any,
    ) -> None:
        self._shard, self._seed, self._dtype = shard, seed, dtype
        self._sizes = np.array(shard.sizes)
        n_documents = int(self._sizes.sum())
        self.n_batches = max(1, -(-n_documents // batch_size))
        self._edges = np.arange(self.n_batches + 1) * n_documents // self.n_batches
        self._lock = threading.Lock()
        self._pieces: OrderedDict[tuple[int, int], Future[_Loaded]] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, "dpsvi-reader")
        finalize(self, self._reader.shutdown, wait=False, cancel_futures=True)

    def __getitem__(self, number: int) -> tuple[sp.csr_array, NDArray[np.int32]]:
        """Return a table, and which of its rows make the mini-batch."""
        epoch, batch = divmod(number, self.n_batches)
        found = list(self._parts(epoch, *self._edges[batch : batch + 2]))
        if len(found) == 1:
            return found[0]
        # It reaches over the end of a piece.
        counts = sp.vstack([counts[rows] for counts, rows in found], format="csr")
        return counts, np.arange(counts.shape[0], dtype=np.int32)

    def _parts(
        self, epoch: int, begin: int, end: int
    ) -> Iterator[tuple[sp.csr_array, NDArray[np.int32]]]:
        """Yield what the documents of an epoch from `begin` to `end` are made of."""
        ends = np.cumsum(self._sizes[self._order(epoch)])
        place = int(np.searchsorted(ends, begin, side="right"))
        while begin < end:
            first = ends[place - 1] if place else 0
            stop = min(end, ends[place])
            loaded = self._at(epoch, place)
            yield loaded.counts, loaded.order[begin - first : stop - first]
            begin, place = stop, place + 1

    def _at(self, epoch: int, place: int) -> _Loaded:
        """Return the piece at a place of an epoch, and have the next one read."""
        following = (epoch, place + 1)
        if place + 1 == self._sizes.size:
            following = (epoch + 1, 0)
        with self._lock:
            wanted = self._asked_for(epoch, place)
            self._asked_for(*following)
            while len(self._pieces) > _KEPT:
                self._pieces.popitem(last=False)
        return wanted.result(_PATIENCE)

    def _asked_for(self, epoch: int, place: int) -> Future[_Loaded]:
        key = (epoch, place)
        if key not in self._pieces:
            self._pieces[key] = self._reader.submit(self._load, epoch, place)
        self._pieces.move_to_end(key)
        return self._pieces[key]

    def _load(self, epoch: int, place: int) -> _Loaded:
        piece = int(self._order(epoch)[place])
        counts = self._shard.read(piece, self._dtype)
        order = np.arange(counts.shape[0], dtype=np.int32)
        if self._seed is not None:
            self._generator(epoch, piece).shuffle(order)
        return _Loaded(counts, order)

    def _order(self, epoch: int) -> NDArray[np.intp]:
        """Return the pieces in their order of an epoch."""
        if self._seed is None:
            return np.arange(self._sizes.size)
        return self._generator(epoch).permutation(self._sizes.size)

    def _generator(self, *keys: int) -> np.random.Generator:
        seed = self._seed
        if seed is None:
            raise ValueError("there is no seed to shuffle by")
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *keys))
        return np.random.default_rng(own)


Batches: TypeAlias = HeldBatches | DiskBatches


def batches_of(
    shard: sp.csr_array | DiskShard,
    batch_size: int,
    seed: np.random.SeedSequence | None,
    dtype: Any,
) -> Batches:
    """Return the mini-batches of a worker's shard, wherever that is."""
    if isinstance(shard, DiskShard):
        return DiskBatches(shard, batch_size, seed, dtype)
    return HeldBatches(shard, batch_size, seed)
