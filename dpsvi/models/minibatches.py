"""Which documents make a mini-batch: every document once an epoch, newly shuffled."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

__all__ = ["SMALL", "MiniBatches", "automatic_size"]

#: Rows given to `partial_fit` that are one mini-batch.
SMALL = 256


class MiniBatches:
    """An endless sequence of mini-batches over one shard.

    The order of an epoch depends on the seed and the number of the epoch alone, so it
    does not matter which thread asks first. Mini-batches of an epoch differ by at most
    one document in size: a small last one would count as much as the others.

    Parameters
    ----------
    n_documents : int
        Size of the shard.
    batch_size : int
        Largest number of documents in a mini-batch, S in the paper.
    seed : numpy.random.SeedSequence or None
        Of the shuffling; None keeps the order of the documents.

    Examples
    --------
    >>> batches = MiniBatches(5, 2, seed=None)
    >>> [batches[i].tolist() for i in range(4)]
    [[0], [1, 2], [3, 4], [0]]
    """

    def __init__(
        self, n_documents: int, batch_size: int, seed: np.random.SeedSequence | None
    ) -> None:
        self.n_batches = max(1, -(-n_documents // batch_size))
        self._edges = np.arange(self.n_batches + 1) * n_documents // self.n_batches
        self._n_documents = n_documents
        self._seed = seed
        self._lock = threading.Lock()
        # Threads may stand in two neighbouring epochs.
        self._orders: dict[int, NDArray[np.int32]] = {}

    def __getitem__(self, number: int) -> NDArray[np.int32]:
        """Return the documents of a mini-batch, counted over all epochs."""
        epoch, batch = divmod(number, self.n_batches)
        order = self._orders.get(epoch)
        if order is None:
            order = self._shuffle(epoch)
        return order[self._edges[batch] : self._edges[batch + 1]]

    def _shuffle(self, epoch: int) -> NDArray[np.int32]:
        with self._lock:
            if epoch not in self._orders:
                self._orders.pop(epoch - 2, None)
                order = np.arange(self._n_documents, dtype=np.int32)
                if self._seed is not None:
                    keys = (*self._seed.spawn_key, epoch)
                    seed = np.random.SeedSequence(self._seed.entropy, spawn_key=keys)
                    np.random.default_rng(seed).shuffle(order)
                self._orders[epoch] = order
            return self._orders[epoch]


def automatic_size(n_rows: int, in_flight: int, *, least: int, most: int) -> int:
    """Return S such that every thread of every worker has work in each epoch.

    Examples
    --------
    >>> automatic_size(1000, 2, least=1, most=1024)
    125
    """
    size = n_rows // max(8, 2 * in_flight)
    return max(least, min(size, most))
