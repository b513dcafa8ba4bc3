"""The documents of a fit: held in this process, or spread over a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any
from uuid import uuid4

import numpy as np
import scipy.sparse as sp

from dpsvi.models.lda.blocks import (
    assembled,
    blocks_of,
    computed,
    dtype_of,
    in_blocks,
    opened,
)
from dpsvi.models.lda.placement import Placement, placement_for

__all__ = ["Held", "Source", "Spread", "gathered", "source_for"]


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
        return np.dtype(self.counts.data.dtype)

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


@dataclass(frozen=True)
class Spread:
    """Documents that stay on the workers of a cluster.

    Attributes
    ----------
    futures : list
        Of a CSR table per shard.
    n_documents, n_words : int
        Of all of them together.
    dtype : dtype
        To compute in.
    sampled : csr_array
        Some of the documents, brought here.
    """

    futures: list[Any]
    n_documents: int
    n_words: int
    dtype: np.dtype[Any]
    sampled: sp.csr_array

    def shards(self, n_workers: int) -> Sequence[Any]:
        """Return the futures, one per worker."""
        return self.futures

    def sample(self, size: int) -> sp.csr_array:
        """Return so many documents, or all that are here, evenly spread."""
        return sample_of(self.sampled, size)

    def to_evaluate(self) -> sp.csr_array:
        """Return the documents whose perplexity stands for that of training."""
        return self.sampled


Source = Held | Spread

# Documents that are brought here to stand for all.
_SAMPLE = 1000
# Attributes that checking leaves on an estimator.
_ABOUT_WORDS = ("n_features_in_", "feature_names_in_")


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

    Blocks (see `dpsvi.models.lda.blocks`) that go to a cluster stay there, or are read
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
    if not in_blocks(X):
        counts = model._check(X, reset=reset, whom=whom)
    else:
        place = placement_for(model, None, learning, client, automatic=automatic)
        if place.apart and reset:
            return _spread(model, X, place, whom)
        counts = gathered(model, X, whom=whom, reset=reset, client=client)
    n_documents = counts.shape[0]
    place = placement_for(model, n_documents, learning, client, automatic=automatic)
    return Held(counts), place


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
    checking = model if reset else _blank(model, dtype)
    counts = assembled(checking, computed(blocks_of(X), client), whom=whom, dtype=dtype)
    _need_documents(counts.shape[0], whom)
    return counts if reset else gathered(model, counts, whom=whom, dtype=dtype)


def sample_of(counts: sp.csr_array, size: int) -> sp.csr_array:
    """Return documents evenly spread over a table; all, if there are not so many."""
    n_documents = counts.shape[0]
    picked = np.linspace(0, n_documents - 1, min(n_documents, size))
    return counts[picked.astype(int)]


@dataclass(frozen=True)
class _Facts:
    """What is told of a shard: size, words, some documents."""

    n_documents: int
    n_words: int
    names: dict[str, Any]
    free: bool
    sample: sp.csr_array


def _spread(
    model: Any, X: Any, place: Placement, whom: str
) -> tuple[Spread, Placement]:
    """Make a shard per worker of the blocks, on the cluster."""
    from dask import delayed

    dtype = model.dtype
    if dtype is None:
        dtype = np.float64 if dtype_of(X) == np.float64 else np.float32
    blank = delayed(_blank(model, dtype), traverse=False, pure=False)
    blocks, n_shards = blocks_of(X), place.n_workers
    size = _SAMPLE // n_shards + 1
    shards, facts = [], []
    for number in range(n_shards):
        own, cut = slice(number, None, n_shards), slice(None)
        if len(blocks) < n_shards:
            # Everybody gets a part of each.
            own, cut = cut, own
        name = f"{number}-{uuid4().hex}"
        shard = delayed(_shard, name="dpsvi-documents", pure=False)(
            blank, blocks[own], range(len(blocks))[own], cut, whom
        )
        shards.append(
            delayed(itemgetter(0))(shard, dask_key_name=f"dpsvi-shard-{name}")
        )
        facts.append(delayed(_facts)(shard, size, dask_key_name=f"dpsvi-facts-{name}"))
    backend: Any = place.backend
    futures, found = backend.keep(shards, facts)
    full = [i for i, fact in enumerate(found) if fact.n_documents]
    _need_documents(len(full), whom)
    words = _words_of([found[i] for i in full])
    for name, value in words.names.items():
        setattr(model, name, value)
    samples = [found[i].sample for i in full]
    for sample in samples:
        sample.resize(sample.shape[0], words.n_words)
    spread = Spread(
        futures=[futures[i] for i in full],
        n_documents=sum(found[i].n_documents for i in full),
        n_words=words.n_words,
        dtype=np.dtype(dtype),
        sampled=sp.vstack(samples, format="csr"),
    )
    return spread, replace(place, n_workers=len(full))


def _blank(model: Any, dtype: Any) -> Any:
    """A new estimator that can check documents, and is quickly sent."""
    parameters = model.get_params(deep=False)
    quick = {"n_jobs": 1, "random_state": None, "dtype": dtype}
    return type(model)(**{**parameters, **quick})


def _shard(
    blank: Any, blocks: list[Any], numbers: range, cut: slice, whom: str
) -> tuple[sp.csr_array, dict[str, Any], bool]:
    """Check blocks on their worker; return counts, names, and whether width is free."""
    tables = [opened(block) for block in blocks]
    free = all(isinstance(table, list) for table in tables)
    counts = assembled(blank, tables, numbers, whom=whom, dtype=blank.dtype)
    names = {k: v for k, v in vars(blank).items() if k in _ABOUT_WORDS}
    return counts[cut], names, free


def _facts(shard: tuple[sp.csr_array, dict[str, Any], bool], size: int) -> _Facts:
    counts, names, free = shard
    return _Facts(*counts.shape, names, free, sample_of(counts, size))


def _words_of(found: list[_Facts]) -> _Facts:
    """Return the facts of the widest shard, if all are about the same words."""
    widest = max(found, key=lambda fact: fact.n_words)
    known = widest.names.get("feature_names_in_")
    for fact in found:
        if fact.n_words < widest.n_words and not fact.free:
            raise ValueError(
                f"some blocks have {fact.n_words} words, others {widest.n_words}; "
                "bring all to one vocabulary"
            )
        names = fact.names.get("feature_names_in_")
        if not fact.free and not _same(names, known):
            raise ValueError(
                "the blocks have different vocabularies; bring all to the same words, "
                "in one order"
            )
    return widest


def _same(names: Any, others: Any) -> bool:
    if names is None or others is None:
        return names is others
    return np.array_equal(names, others)


def _need_documents(found: int, whom: str) -> None:
    if not found:
        raise ValueError(f"{whom} needs documents; there are none in the blocks")
