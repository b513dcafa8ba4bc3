"""The documents of a fit: held in this process, or spread over a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from dpsvi.engine import Placement
from dpsvi.models.lda.blocks import (
    assembled,
    blocks_of,
    computed,
    in_blocks,
    lies_elsewhere,
)
from dpsvi.models.lda.identity import digest_of
from dpsvi.models.lda.on_disk import OnDisk, corpus_on_disk, lies_on_disk
from dpsvi.models.lda.spread import (
    Spread,
    need_documents,
    sample_of,
    spread_over,
)
from dpsvi.models.lda.validation import check_words
from dpsvi.models.placement import placement_for

__all__ = ["Held", "Source", "gathered", "source_for"]


@dataclass(frozen=True)
class Held:
    """Documents in this process.

    Attributes
    ----------
    counts : csr_array of shape (n_documents, n_words)
        Checked.
    """

    counts: sp.csr_array

    @property
    def n_documents(self) -> int:
        """Number of documents."""
        return int(self.counts.shape[0])

    @property
    def n_words(self) -> int:
        """Number of words, V."""
        return int(self.counts.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """To compute in."""
        dtype: np.dtype[Any] = self.counts.data.dtype
        return dtype

    def shards(self, n_workers: int) -> Sequence[Any]:
        """Deal the documents to the workers, in turn: each gets a fair sample."""
        if n_workers == 1:
            return [self.counts]
        return [self.counts[worker::n_workers] for worker in range(n_workers)]

    def sample(self, size: int) -> sp.csr_array:
        """Return so many documents, or all, evenly spread."""
        return sample_of(self.counts, size)

    def to_evaluate(self) -> sp.csr_array:
        """Return the documents whose perplexity is that of training."""
        return self.counts

    def identity(self) -> str:
        """Return what tells these documents from others."""
        return f"{self.n_documents} in memory, {digest_of(self.counts)}"


Source = Held | OnDisk | Spread


def source_for(
    model: Any,
    X: Any,
    learning: str,
    *,
    whom: str,
    reset: bool = True,
    client: Any = None,
    automatic: bool = True,
) -> tuple[Source, Placement]:
    """Check documents where they are, and decide where to fit.

    Blocks (see `dpsvi.models.lda.blocks`) that a cluster is to compute or read stay
    there; all else is brought here.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        To be fitted; told number and names of the words, or compared with if not
        `reset`.
    X : object
        As given to `fit`.
    learning, client, automatic : object
        As in `placement_for`.
    whom : str
        The caller, for messages.
    reset : bool, default=True
        Whether the model is new.
    """
    if lies_on_disk(X):
        disk = _on_disk(model, X, whom, reset)
        size = disk.n_documents
        return disk, placement_for(model, size, learning, client, automatic=automatic)
    if not in_blocks(X):
        counts = model._check(X, reset=reset, whom=whom)
    else:
        place = placement_for(model, None, learning, client, automatic=automatic)
        if place.apart and reset and lies_elsewhere(X):
            spread = spread_over(model, X, place, whom)
            return spread, replace(place, n_workers=len(spread.futures))
        counts = gathered(model, X, whom=whom, reset=reset, client=client)
    n_documents = counts.shape[0]
    place = placement_for(model, n_documents, learning, client, automatic=automatic)
    return Held(counts), place


def _on_disk(model: Any, X: Any, whom: str, reset: bool) -> OnDisk:
    """Open a corpus on disk; what is in it was checked when it was written."""
    corpus = corpus_on_disk(X)
    check_words(model, corpus, corpus.vocabulary, reset=reset)
    need_documents(sum(corpus.shard_sizes), whom)
    return OnDisk(corpus, np.dtype(model.dtype or np.float32))


def gathered(
    model: Any,
    X: Any,
    *,
    whom: str,
    reset: bool = False,
    dtype: Any = None,
    client: Any = None,
) -> sp.csr_array:
    """Bring documents here, in blocks or not, and check them."""
    if not in_blocks(X):
        checked: sp.csr_array = model._check(X, reset=reset, whom=whom, dtype=dtype)
        return checked
    blocks = computed(blocks_of(X), client)
    counts = assembled(model, blocks, whom=whom, reset=reset, dtype=dtype)
    need_documents(counts.shape[0], whom)
    return counts
