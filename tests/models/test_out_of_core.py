"""Documents on disk are read a few shards at a time, and none is left out."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus, open_corpus
from dpsvi.models.lda.on_disk import DiskShard, OnDisk, lies_on_disk
from dpsvi.models.lda.streaming import DiskBatches, batches_of

CORPUS = make_corpus(600, n_topics=4, random_state=0)
COUNTS = CORPUS.counts
SEED = np.random.SeedSequence(5)


class Shelf:
    """Stands for a corpus on disk: says what was read, and when."""

    def __init__(self, counts: Any, sizes: list[int]) -> None:
        self.vocabulary: tuple[str, ...] | None = None
        self.shape = counts.shape
        self._sizes = sizes
        edges = np.cumsum([0, *sizes])
        self._parts = [counts[a:b] for a, b in pairwise(edges)]
        self.reads: Counter[int] = Counter()
        self.readers: set[str] = set()

    @property
    def shard_sizes(self) -> list[int]:
        return self._sizes

    def read(self, number: int) -> sp.csr_array:
        self.reads[number] += 1
        self.readers.add(threading.current_thread().name)
        return self._parts[number]


class Broken(Shelf):
    def read(self, number: int) -> sp.csr_array:
        raise FileNotFoundError("no file part-00000")


def shelf(*sizes: int) -> Shelf:
    return Shelf(COUNTS[: sum(sizes)], list(sizes))


def numbered(n: int) -> sp.csr_array:
    """A table whose row i holds the number i + 1, so that documents can be told."""
    return sp.csr_array(np.arange(1, n + 1, dtype=np.float32)[:, None])


def make(**more: Any) -> DPSVILatentDirichletAllocation:
    given = {"max_iter": 4, "random_state": 0, "n_jobs": 1, "batch_size": 32, **more}
    return DPSVILatentDirichletAllocation(4, **given)


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(1, 12),
    st.booleans(),
)
def test_an_epoch_has_every_document_once(
    sizes: list[int], batch_size: int, shuffled: bool
) -> None:
    n_documents = sum(sizes)
    shard = DiskShard(Shelf(numbered(n_documents), sizes), range(len(sizes)))
    seed = SEED if shuffled else None
    batches = DiskBatches(shard, batch_size, seed, np.float32)
    for epoch in range(3):
        seen: list[float] = []
        for batch in range(batches.n_batches):
            counts, rows = batches[epoch * batches.n_batches + batch]
            assert 1 <= rows.size <= batch_size
            seen.extend(counts[rows].data)
        if shuffled:
            seen.sort()
        assert seen == list(range(1, n_documents + 1))


def test_the_order_follows_from_the_seed_alone() -> None:
    def order(numbers: list[int]) -> dict[int, list[float]]:
        shard = DiskShard(Shelf(numbered(60), [20, 20, 20]), range(3))
        batches = batches_of(shard, 7, SEED, np.float32)
        got = {}
        for number in numbers:
            counts, rows = batches[number]
            got[number] = counts[rows].data.tolist()
        return got

    forward = order(list(range(27)))
    assert order(list(reversed(range(27)))) == forward
    assert forward[0] != forward[9]


def test_few_shards_are_in_memory_and_each_is_read_once_an_epoch() -> None:
    corpus = shelf(*[50] * 12)
    batches = DiskBatches(DiskShard(corpus, range(12)), 25, SEED, np.float32)
    for number in range(24):
        batches[number]
        assert len(batches._pieces) <= 4
    # One piece of the next epoch is on its way.
    assert sum(corpus.reads.values()) in (12, 13)
    assert all(name.startswith("dpsvi-reader") for name in corpus.readers)


def test_the_reader_ends_with_its_worker() -> None:
    before = set(threading.enumerate())
    batches = DiskBatches(DiskShard(shelf(50, 50), range(2)), 25, SEED, np.float32)
    batches[0]
    [reader] = set(threading.enumerate()) - before
    assert reader.name.startswith("dpsvi-reader")
    del batches
    reader.join(10)
    assert not reader.is_alive()


@pytest.mark.parametrize("n_workers", [1, 2, 3])
@pytest.mark.parametrize("n_shards", [1, 4, 30])
def test_workers_share_all_documents(n_workers: int, n_shards: int) -> None:
    corpus = Shelf(numbered(20 * n_shards), [20] * n_shards)
    source = OnDisk(corpus, np.dtype(np.float32))
    shards = source.shards(n_workers)
    assert len(shards) == n_workers
    found = np.concatenate([shard.whole().data for shard in shards])
    assert sorted(found) == list(range(1, 20 * n_shards + 1))
    sizes = [shard.shape[0] for shard in shards]
    assert max(sizes) - min(sizes) <= 20
    assert source.n_documents == sum(sizes)


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_a_fit_from_disk_is_as_good(inference: str) -> None:
    """The best of a few: a seed decides in which optimum a small fit ends."""
    seeds = [make(inference=inference, max_iter=10, random_state=i) for i in range(4)]
    held = [clone(model).fit(COUNTS) for model in seeds]
    read = [clone(model).fit(shelf(*[100] * 6)) for model in seeds]
    best, other = (
        min(model.heldout_perplexity(COUNTS) for model in fitted)
        for fitted in (held, read)
    )
    assert other == pytest.approx(best, rel=0.03)
    assert read[0].n_features_in_ == COUNTS.shape[1]
    assert read[0].n_batch_iter_ == held[0].n_batch_iter_
    again = clone(seeds[0]).fit(shelf(*[100] * 6))
    np.testing.assert_array_equal(again.components_, read[0].components_)


def test_one_shard_in_its_own_order_is_a_fit_in_memory() -> None:
    """Batch learning does not shuffle, so that both do the same sums."""
    held = make(learning_method="batch").fit(COUNTS)
    read = make(learning_method="batch").fit(shelf(*[100] * 6))
    np.testing.assert_allclose(read.components_, held.components_, rtol=1e-4)


@pytest.mark.parametrize("backend", ["local", "simulated"])
def test_threads_and_held_out_documents(backend: str) -> None:
    model = make(n_jobs=2, backend=backend, total_samples=600)
    model.fit(shelf(*[100] * 6), X_val=shelf(50, 50))
    assert np.isfinite(model.history_["heldout_perplexity"]).any()
    model.partial_fit(shelf(100, 100))
    assert model.transform(shelf(20, 30)).shape == (50, 4)
    whole = model.perplexity(COUNTS[:150])
    assert model.perplexity(shelf(100, 50)) == pytest.approx(whole, rel=1e-5)


def test_a_checkpoint_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=2).fit(shelf(300, 300), checkpoint=path)
    model = make(max_iter=3).fit(shelf(300, 300), checkpoint=path)
    assert model.n_iter_ == 3


def test_words_are_compared() -> None:
    named = shelf(100, 100)
    named.vocabulary = tuple(f"w{i}" for i in range(COUNTS.shape[1]))
    model = make().fit(named)
    assert model.feature_names_in_[3] == "w3"
    other = shelf(100, 100)
    other.vocabulary = tuple(f"v{i}" for i in range(COUNTS.shape[1]))
    with pytest.raises(ValueError, match="vocabulary differs"):
        model.partial_fit(other)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(Shelf(COUNTS[:, :50], [600]))


def test_a_file_that_is_gone_is_an_error_and_not_a_wait() -> None:
    model = make()
    with pytest.raises(FileNotFoundError, match="part-00000") as caught:
        model.fit(Broken(COUNTS, [300, 300]))
    assert "on host" in "".join(caught.value.__notes__)
    assert not hasattr(model, "components_")


def test_without_documents() -> None:
    with pytest.raises(ValueError, match="fit needs documents"):
        make().fit(Shelf(COUNTS[:0], [0]))


def test_what_lies_on_disk(tmp_path: Path) -> None:
    assert lies_on_disk(tmp_path)
    assert lies_on_disk(str(tmp_path))
    assert lies_on_disk(shelf(5))
    assert not lies_on_disk(COUNTS)
    assert not lies_on_disk(tmp_path / "x.npz")


def test_a_corpus_is_named_by_its_folder(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    corpus = open_corpus(CORPUS.save(tmp_path / "corpus"))
    rest, held_out = corpus.split(50, random_state=0)
    model = make().fit(tmp_path / "corpus")
    assert model.feature_names_in_.tolist() == list(CORPUS.vocabulary or ())
    assert model.transform(str(tmp_path / "corpus")).shape == (600, 4)
    model.fit(rest, X_val=held_out)
    assert model.heldout_perplexity(held_out) < 100
    assert model.coherence(rest).shape == (4,)
