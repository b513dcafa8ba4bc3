"""Documents that stay on the workers of a cluster: a shard for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import uuid4

import numpy as np
import scipy.sparse as sp

from dpsvi.engine import Placement
from dpsvi.models.lda.blocks import assembled, blocks_of, dtype_of, opened

__all__ = ["Spread", "need_documents", "sample_of", "spread_over"]

# Documents that are brought here to stand for all.
_SAMPLE = 1000
# Attributes that checking leaves on an estimator.
_ABOUT_WORDS = ("n_features_in_", "feature_names_in_")


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

    def identity(self) -> None:
        """Return nothing: to read all documents for that would be too dear."""


@dataclass(frozen=True)
class _Facts:
    """What is told of a shard: size, words, some documents."""

    n_documents: int
    n_words: int
    names: dict[str, Any]
    free: bool
    sample: sp.csr_array


def spread_over(model: Any, X: Any, place: Placement, whom: str) -> Spread:
    """Make a shard per worker of blocks, on the cluster.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        To be fitted; told number and names of the words.
    X : object
        Documents in blocks.
    place : Placement
        With a cluster, and the number of its workers.
    whom : str
        The caller, for messages.

    Raises
    ------
    ValueError
        If a block is not valid, blocks are not about the same words, or there are no
        documents.
    """
    dtype = model.dtype
    if dtype is None:
        dtype = np.float64 if dtype_of(X) == np.float64 else np.float32
    backend: Any = place.backend
    tasks = _tasks(_blank_of(model, dtype), blocks_of(X), place.n_workers, whom)
    futures, found = backend.keep(*tasks)
    pairs = zip(futures, found, strict=True)
    full = [(future, fact) for future, fact in pairs if fact.n_documents]
    need_documents(len(full), whom)
    facts = [fact for _, fact in full]
    words = _words_of(facts)
    for name in _ABOUT_WORDS:
        vars(model).pop(name, None)
    vars(model).update(words.names)
    for fact in facts:
        fact.sample.resize(fact.sample.shape[0], words.n_words)
    return Spread(
        futures=[future for future, _ in full],
        n_documents=sum(fact.n_documents for fact in facts),
        n_words=words.n_words,
        dtype=np.dtype(dtype),
        sampled=sp.vstack([fact.sample for fact in facts], format="csr"),
    )


def _tasks(
    blank: Any, blocks: list[Any], n_shards: int, whom: str
) -> tuple[list[Any], list[Any]]:
    """Return delayed shards, and delayed facts about them."""
    from dask import delayed

    blank = delayed(blank, traverse=False, pure=False)
    if len(blocks) < n_shards:
        # They are opened more than once, and an iterator only gives once.
        blocks = [delayed(_listed, pure=False)(block) for block in blocks]
    size = _SAMPLE // n_shards + 1
    shards, facts = [], []
    for number in range(n_shards):
        own, cut = slice(number, None, n_shards), slice(None)
        if len(blocks) < n_shards:
            # Everybody gets a part of each.
            own, cut = cut, own
        name = f"{number}-{uuid4().hex}"
        both = delayed(_shard, name="dpsvi-documents", pure=False)(
            blank, blocks[own], range(len(blocks))[own], cut, whom
        )
        shards.append(delayed(itemgetter(0))(both, dask_key_name=f"dpsvi-shard-{name}"))
        facts.append(delayed(_facts)(both, size, dask_key_name=f"dpsvi-facts-{name}"))
    return shards, facts


def _shard(
    blank: Any, blocks: list[Any], numbers: range, cut: slice, whom: str
) -> tuple[sp.csr_array, dict[str, Any], bool]:
    """Check blocks on their worker; return counts, names, and whether width is free."""
    # Other shards of this process are being checked too.
    blank = copy(blank)
    tables = [opened(block) for block in blocks]
    free = all(isinstance(table, list) for table in tables)
    counts = assembled(blank, tables, numbers, whom=whom, dtype=blank.dtype)
    names = {k: v for k, v in vars(blank).items() if k in _ABOUT_WORDS}
    return counts[cut], names, free


def _listed(block: Any) -> Any:
    return list(block) if isinstance(block, Iterator) else block


def _facts(shard: tuple[sp.csr_array, dict[str, Any], bool], size: int) -> _Facts:
    counts, names, free = shard
    n_documents, n_words = counts.shape
    return _Facts(n_documents, n_words, names, free, sample_of(counts, size))


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


def sample_of(counts: sp.csr_array, size: int) -> sp.csr_array:
    """Return documents evenly spread over a table; all, if there are not so many."""
    n_documents = counts.shape[0]
    picked = np.linspace(0, n_documents - 1, min(n_documents, size))
    return counts[picked.astype(int)]


def _blank_of(model: Any, dtype: Any) -> Any:
    """A new estimator that can check documents, and is quickly sent."""
    parameters = model.get_params(deep=False)
    quick = {"n_jobs": 1, "random_state": None, "dtype": dtype}
    return type(model)(**{**parameters, **quick})


def need_documents(found: int, whom: str) -> None:
    """Raise ValueError if there are none."""
    if not found:
        raise ValueError(f"{whom} needs documents; there are none in the blocks")
