"""A corpus on disk: what is read is what was written, and it is never half there."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpsvi.datasets import (
    Corpus,
    blocks,
    convert,
    make_corpus,
    open_corpus,
)
from dpsvi.datasets.on_disk import shuffling, writing
from dpsvi.datasets.on_disk.facts import FACTS

pa = pytest.importorskip("pyarrow")

TABLES = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9),
    elements=st.just(0) | st.integers(1, 3) | st.integers(1, 2**31 - 1),
)


@pytest.fixture
def small_shards(monkeypatch):
    """Several shards, and more documents than are held at once."""
    monkeypatch.setattr(writing, "SHARD_ENTRIES", 300)
    monkeypatch.setattr(writing, "SHARD_DOCUMENTS", 25)
    monkeypatch.setattr(shuffling, "HELD", 1000)
    monkeypatch.setattr(blocks, "_ENTRIES_AT_ONCE", 70)


@pytest.fixture
def corpus():
    drawn = make_corpus(200, 40, 3, document_length=20, random_state=0)
    words = [f"ä{word}" for word in range(40)]
    titles = [f"title {number}" for number in range(200)]
    return Corpus(drawn.counts, vocabulary=words, name="drawn", documents=titles)


def same(one, two):
    np.testing.assert_array_equal(one.counts.toarray(), two.counts.toarray())
    assert one.counts.dtype == two.counts.dtype
    assert (one.vocabulary, one.documents) == (two.vocabulary, two.documents)
    assert one.name == two.name


@settings(max_examples=40)
@given(TABLES, st.booleans(), st.booleans(), st.sampled_from([np.int32, np.float32]))
def test_round_trip_in_order(tmp_path_factory, table, words, titles, dtype):
    table = table.astype(dtype) * (1 if dtype is np.int32 else dtype(0.5))
    n_documents, n_words = table.shape
    corpus = Corpus(
        table,
        vocabulary=[f"w{w}" for w in range(n_words)] if words else None,
        documents=[f"d{d}" for d in range(n_documents)] if titles else None,
    )
    place = corpus.save(tmp_path_factory.mktemp("c") / "c", shuffle=False)
    opened = open_corpus(place)
    assert opened.shape == table.shape
    assert opened.n_tokens == corpus.n_tokens
    assert opened.n_nonzeros == corpus.counts.nnz
    np.testing.assert_array_equal(opened.load().counts.toarray(), table)
    if n_documents:
        same(opened.load(), corpus)


def test_shards_together_are_the_corpus(tmp_path, small_shards, corpus):
    opened = open_corpus(corpus.save(tmp_path / "c", shuffle=False))
    assert opened.n_shards == len(opened.shard_sizes) == 8
    assert max(opened.shard_sizes) <= 25
    assert sum(opened.shard_sizes) == opened.n_documents == len(opened) == 200
    rows = np.vstack([counts.toarray() for counts in opened.blocks()])
    np.testing.assert_array_equal(rows, corpus.counts.toarray())
    for number, size in enumerate(opened.shard_sizes):
        counts = opened.read(number)
        assert counts.shape == (size, 40)
        assert counts.dtype == np.int32
        # SciPy takes our word for it; here it looks.
        again = type(counts)((counts.data, counts.indices, counts.indptr))
        assert again.has_canonical_format
        assert counts.data.flags.writeable
        assert counts.indices.flags.writeable
        assert len(opened.titles(number)) == size
    same(opened.load(), corpus)
    documents, tokens = opened.word_totals()
    np.testing.assert_array_equal(tokens, corpus.counts.sum(axis=0))
    np.testing.assert_array_equal(documents, (corpus.counts > 0).sum(axis=0))


def test_a_shuffle_moves_whole_documents(tmp_path, small_shards, corpus):
    opened = open_corpus(corpus.save(tmp_path / "c", seed=3))
    found = opened.load()
    assert opened.shuffled
    assert found.documents != corpus.documents
    order = [int(title.split()[1]) for title in found.documents]
    assert sorted(order) == list(range(200))
    same(found, corpus[order])
    again = open_corpus(corpus.save(tmp_path / "again", seed=3)).load()
    same(found, again)
    other = open_corpus(corpus.save(tmp_path / "other", seed=4)).load()
    assert other.documents != found.documents


@pytest.mark.parametrize("held", [1, 20, 10**6])
def test_all_orders_are_equally_likely(tmp_path, monkeypatch, held):
    monkeypatch.setattr(shuffling, "HELD", held)
    monkeypatch.setattr(shuffling, "_N_FILES", 2)
    rows = [
        blocks.block_of(np.diag([1.0] * 3)).between(row, row + 1) for row in range(3)
    ]
    seen = Counter()
    rng = np.random.default_rng(0)
    for number in range(300):
        ordered = shuffling.shuffled(iter(rows), tmp_path / str(number), rng)
        seen[tuple(np.concatenate([block.words for block in ordered]))] += 1
    assert len(seen) == 6
    # Chi squared of 5 degrees of freedom: the 0.1 % quantile.
    assert sum((n - 50) ** 2 / 50 for n in seen.values()) < 20.5


def test_temporary_files_are_gone(tmp_path, small_shards, corpus):
    corpus.save(tmp_path / "c")
    assert os.listdir(tmp_path) == ["c"]
    inside = sorted(os.listdir(tmp_path / "c"))
    assert inside == ["corpus.json", "documents", "vocabulary.parquet"]


def test_fractions_that_come_late(tmp_path, small_shards):
    table = np.ones((400, 5))
    table[-1, -1] = 0.5
    place = tmp_path / "x.vw"
    place.write_text(
        "".join(
            "| " + " ".join(f"w{w}:{n:g}" for w, n in enumerate(r)) + "\n"
            for r in table
        )
    )
    found = convert(place, tmp_path / "c", shuffle=False)
    assert {counts.dtype for counts in found.blocks()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(found.load().counts.toarray(), table)


def by_pandas(folder):
    pandas = pytest.importorskip("pandas")
    return pandas.read_parquet(folder)


def by_polars(folder):
    polars = pytest.importorskip("polars")
    return polars.read_parquet(folder / "*.parquet")


def by_dask(folder):
    pytest.importorskip("pandas")
    frames = pytest.importorskip("dask.dataframe")
    return frames.read_parquet(folder).compute(scheduler="synchronous")


# What Dask asks of the newest pandas.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("read", [by_pandas, by_polars, by_dask])
def test_other_programs_read_the_shards(tmp_path, small_shards, corpus, read):
    frame = read(corpus.save(tmp_path / "c", shuffle=False) / "documents")
    assert list(frame.columns) == ["words", "counts", "document"]
    rows = zip(frame["words"], frame["counts"], strict=True)
    for row, (words, counts) in enumerate(rows):
        np.testing.assert_array_equal(corpus.counts[[row], :].indices, words)
        np.testing.assert_array_equal(corpus.counts[[row], :].data, counts)
    assert tuple(frame["document"]) == corpus.documents


@settings(max_examples=40)
@given(st.integers(1, 199), st.integers(0, 5))
def test_a_split_parts_the_documents(cut_corpus, n_test, seed):
    corpus, opened = cut_corpus
    train, test = opened.split(n_test, random_state=seed)
    assert (train.n_documents, test.n_documents) == (200 - n_test, n_test)
    found = [*train.load().documents, *test.load().documents]
    assert sorted(found) == sorted(corpus.documents)
    assert train.n_nonzeros + test.n_nonzeros == opened.n_nonzeros
    assert train.n_tokens + test.n_tokens == opened.n_tokens
    assert min(train.shard_sizes) > 0
    assert train.vocabulary == corpus.vocabulary


@pytest.fixture(scope="module")
def cut_corpus(tmp_path_factory):
    drawn = make_corpus(200, 40, 3, document_length=20, random_state=0)
    corpus = Corpus(
        drawn.counts, drawn.vocabulary, documents=[str(d) for d in range(200)]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "SHARD_DOCUMENTS", 30)
        place = corpus.save(tmp_path_factory.mktemp("cut") / "c")
    return corpus, open_corpus(place)


def test_what_is_not_shuffled_is_not_split(tmp_path, corpus):
    with pytest.raises(ValueError, match="written without shuffling"):
        open_corpus(corpus.save(tmp_path / "c", shuffle=False)).split()


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_sample(tmp_path, small_shards, corpus, shuffle):
    opened = open_corpus(corpus.save(tmp_path / "c", shuffle=shuffle))
    sample = opened.sample(60, seed=1)
    assert len(set(sample.documents)) == 60
    rows = [int(title.split()[1]) for title in sample.documents]
    same(sample, corpus[rows])
    assert opened.sample(60, seed=2).documents != sample.documents
    assert opened.sample(60, seed=1).documents == sample.documents
    with pytest.raises(ValueError, match="cannot draw 201 of 200"):
        opened.sample(201)


def test_it_is_sent_without_its_documents(tmp_path, small_shards, corpus):
    _, opened = open_corpus(corpus.save(tmp_path / "c")).split(50, random_state=0)
    assert opened.vocabulary
    sent = pickle.dumps(opened)
    assert len(sent) < 3000
    same(pickle.loads(sent).load(), opened.load())


def test_threads_may_read_at_once(tmp_path, small_shards, corpus):
    opened = open_corpus(corpus.save(tmp_path / "c", shuffle=False))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(opened.read, range(opened.n_shards)))
    rows = np.vstack([counts.toarray() for counts in found])
    np.testing.assert_array_equal(rows, corpus.counts.toarray())


def test_nothing_is_replaced_unasked(tmp_path, corpus):
    place = corpus.save(tmp_path / "c")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        corpus[:5].save(place)
    assert len(open_corpus(place)) == 200
    corpus[:5].save(place, overwrite=True)
    assert len(open_corpus(place)) == 5
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(FileExistsError, match="is no corpus on disk"):
        corpus.save(tmp_path / "mine", overwrite=True)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        corpus.save(tmp_path / "no" / "c")
    assert sorted(os.listdir(tmp_path)) == ["c", "mine"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_error_leaves_the_old_corpus(tmp_path, corpus, monkeypatch, error):
    def fail(*arguments):
        raise error

    place = corpus.save(tmp_path / "c")
    monkeypatch.setattr(writing, "write_facts", fail)
    with pytest.raises(type(error)):
        corpus[:5].save(place, overwrite=True)
    assert os.listdir(tmp_path) == ["c"]
    assert len(open_corpus(place)) == 200


KILLED = """
    import sys, time
    from dpsvi.datasets import Corpus
    from dpsvi.datasets.on_disk import writing
    def wait(*arguments):
        print("ready", flush=True)
        time.sleep(60)
    writing.write_facts = wait
    Corpus([[1, 2]]).save(sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks, so nothing is removed")
def test_leftovers_of_a_killed_run_are_removed_by_the_next(tmp_path, corpus):
    command = [sys.executable, "-c", dedent(KILLED), str(tmp_path / "c")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        assert not (tmp_path / "c").exists()
        # A run that goes on is left alone.
        corpus.save(tmp_path / "c")
        assert len(os.listdir(tmp_path)) == 2
        child.send_signal(signal.SIGKILL)
    assert len(os.listdir(tmp_path)) == 2
    corpus.save(tmp_path / "c", overwrite=True)
    assert os.listdir(tmp_path) == ["c"]


def test_killed_between_two_renames(tmp_path, corpus):
    place = corpus.save(tmp_path / "c")
    place.rename(tmp_path / ".c.01234567.old")
    with pytest.raises(FileExistsError):
        corpus[:5].save(place)
    assert len(open_corpus(place)) == 200


def use(place):
    opened = open_corpus(place)
    opened.read(0)
    return opened.vocabulary


def damage(path, change):
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("file", "change", "error", "message"),
    [
        (FACTS, lambda _: b"{", ValueError, "corpus.json' is damaged"),
        (FACTS, lambda _: b"\xff", ValueError, "corpus.json' is damaged"),
        (FACTS, lambda _: b'{"format": "x"}', ValueError, "is not the 'corpus.json'"),
        (
            FACTS,
            lambda text: text.replace(b'"version": 1', b'"version": 7'),
            ValueError,
            "has format version 7; .* reads version 1",
        ),
        (
            FACTS,
            lambda text: text.replace(b'"shards"', b'"shreds"'),
            ValueError,
            "corpus.json' is damaged",
        ),
        (
            "documents/part-00000.parquet",
            lambda content: content[:-100],
            ValueError,
            "part-00000.parquet' has .* bytes, not .*; convert the corpus again",
        ),
        (
            "documents/part-00000.parquet",
            lambda content: b"x" * len(content),
            ValueError,
            "part-00000.parquet' cannot be used: .*; convert the corpus again",
        ),
        (
            "vocabulary.parquet",
            lambda content: b"x" * len(content),
            ValueError,
            "vocabulary.parquet' is missing or damaged; convert the corpus again",
        ),
    ],
)
def test_damage_is_named(tmp_path, corpus, file, change, error, message):
    place = corpus.save(tmp_path / "c")
    damage(place / file, change)
    with pytest.raises(error, match=message):
        use(place)


@pytest.mark.parametrize(
    "file", [FACTS, "documents/part-00000.parquet", "vocabulary.parquet"]
)
def test_what_is_missing_is_named(tmp_path, corpus, file):
    place = corpus.save(tmp_path / "c")
    (place / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"{file}' is missing"):
        use(place)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        open_corpus(tmp_path / "no")


def test_a_corpus_that_changed_meanwhile(tmp_path, corpus):
    place = corpus.save(tmp_path / "c")
    opened = open_corpus(place)
    corpus.save(place, overwrite=True)
    with pytest.raises(ValueError, match="belongs to another corpus"):
        opened.read(0)
    (place / "documents" / "part-00000.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="On a cluster"):
        opened.read(0)
    with pytest.raises(IndexError, match="there is no shard 1"):
        opened.read(1)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (0.5, TypeError)])
def test_bad_seeds(tmp_path, corpus, seed, error):
    with pytest.raises(error, match="seed is"):
        corpus.save(tmp_path / "c", seed=seed)
    assert os.listdir(tmp_path) == []


def test_opening_needs_no_pyarrow(tmp_path, corpus):
    place = corpus.save(tmp_path / "c")
    code = """
        import sys
        sys.modules["pyarrow"] = None
        from dpsvi.datasets import Corpus, open_corpus
        corpus = open_corpus(sys.argv[1])
        assert corpus.n_documents == 200
        for use in (lambda: corpus.read(0), lambda: Corpus([[1]]).save("x")):
            try:
                use()
            except ImportError as error:
                assert 'pip install "dpsvi[corpora]"' in str(error)
            else:
                sys.exit("no error")
    """
    subprocess.run(
        [sys.executable, "-c", dedent(code), str(place)], check=True, cwd=tmp_path
    )
    assert os.listdir(tmp_path) == ["c"]


def test_corpora_of_older_releases_are_read(tmp_path, corpus):
    place = corpus.save(tmp_path / "c", shuffle=False)
    facts = json.loads((place / FACTS).read_text())
    del facts["tokens"], facts["unknown_tokens"]
    (place / FACTS).write_text(json.dumps(facts))
    same(open_corpus(place).load(), corpus)
    assert open_corpus(place).facts.tokens is None
