"""Corpus: checks of its fields, and the ways to cut it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from dpsvi.datasets import Corpus

TABLES = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.integers(0, 3),
)


def titled(table):
    return Corpus(table, documents=[f"title {row}" for row in range(len(table))])


def test_counts_become_canonical_and_the_input_stays():
    # Row 0 unsorted with a duplicate of word 2, and a stored zero in row 1.
    given_counts = sparse.csr_matrix(
        (np.array([1, 2, 3, 0]), np.array([2, 0, 2, 1]), np.array([0, 3, 4])),
        shape=(2, 3),
    )
    corpus = Corpus(given_counts)
    assert corpus.counts.toarray().tolist() == [[2, 0, 4], [0, 0, 0]]
    assert corpus.counts.indices.tolist() == [0, 2]
    assert corpus.counts.indices.dtype == np.int32
    assert given_counts.indices.tolist() == [2, 0, 2, 1]


def test_canonical_counts_are_shared_not_copied():
    counts = sparse.csr_array(np.eye(3, dtype=np.float32))
    assert np.shares_memory(Corpus(counts).counts.data, counts.data)


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (bool, np.int32),
        (np.int8, np.int32),
        (np.int64, np.int32),
        (np.uint64, np.int32),
        (np.float32, np.float32),
        (np.float64, np.float32),
    ],
)
def test_dtype_is_int32_or_float32(dtype, kept):
    assert Corpus(np.eye(2, dtype=dtype)).counts.dtype == kept


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_array, sparse.coo_array])
def test_duplicates_do_not_wrap_around_in_a_narrow_type(form):
    entries = np.array([100, 100], dtype=np.int8), (np.zeros(2, int), np.zeros(2, int))
    if form is not sparse.coo_array:
        entries = entries[0], np.zeros(2, int), np.array([0, 2])
    assert Corpus(form(entries, shape=(1, 1))).n_tokens == 200


@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        ([[1, 0], [0, -2]], ValueError, r"counts\[1, 1\] is -2"),
        ([[1.0, np.nan]], ValueError, r"counts\[0, 1\] is nan"),
        ([[np.inf]], ValueError, r"counts\[0, 0\] is inf"),
        ([[2**31]], ValueError, "between 0 and 2147483647"),
        ([1, 2], ValueError, "1 dimension"),
        ([[1j]], TypeError, "real numbers"),
        ([["a"]], TypeError, "real numbers"),
    ],
)
def test_bad_counts_are_refused(counts, error, message):
    with pytest.raises(error, match=message):
        Corpus(counts)


def test_cancelling_duplicates_are_still_negative():
    entries = np.array([3, -3]), np.array([0, 0]), np.array([0, 2])
    with pytest.raises(ValueError, match=r"counts\[0, 0\] is -3"):
        Corpus(sparse.csr_array(entries, shape=(1, 1)))


def test_word_ids_out_of_range_are_refused():
    counts = sparse.csr_array(np.eye(2, dtype=np.int32))
    counts.indices[1] = 7
    with pytest.raises(ValueError, match="ind"):
        Corpus(counts)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a"], ValueError, "1 names but the counts have 2 words"),
        ("ab", TypeError, "sequence of strings"),
        (["a", 3], TypeError, r"vocabulary\[1\] is 3"),
    ],
)
def test_bad_vocabulary_is_refused(names, error, message):
    with pytest.raises(error, match=message):
        Corpus(np.eye(2), vocabulary=names)


def test_fields_cannot_be_set():
    with pytest.raises(AttributeError):
        Corpus(np.eye(2)).name = "other"


def test_repr_is_one_line_with_the_sizes():
    corpus = Corpus([[1000, 1], [0, 2]], name="small")
    assert repr(corpus) == "Corpus('small': 2 documents, 2 words, 1,003 tokens)"


def test_fractional_tokens_stay_fractional():
    assert Corpus([[0.5, 0.25]]).n_tokens == 0.75


@given(TABLES, st.data())
def test_indexing_is_numpy_indexing_of_rows(table, data):
    corpus = titled(table)
    n = len(table)
    index = data.draw(
        st.one_of(
            st.slices(n),
            hnp.arrays(np.int64, st.integers(0, 6), elements=st.integers(-n, n - 1)),
            hnp.arrays(bool, n),
        )
    )
    chosen = corpus[index]
    np.testing.assert_array_equal(chosen.counts.toarray(), table[index])
    assert list(chosen.documents) == list(np.array(corpus.documents)[index])


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (0, TypeError),
        ([0.5], TypeError),
        ([2], IndexError),
        ([-3], IndexError),
        ([True], IndexError),
    ],
)
def test_bad_index_is_refused(index, error):
    with pytest.raises(error):
        Corpus(np.eye(2))[index]


@given(TABLES.filter(lambda table: len(table) > 1), st.data(), st.integers(0, 9))
def test_split_parts_the_documents(table, data, seed):
    n = len(table)
    size = data.draw(st.integers(1, n - 1) | st.floats(0.01, 0.99))
    train, test = titled(table).split(size, seed)
    wanted = size if isinstance(size, int) else min(max(round(size * n), 1), n - 1)
    assert len(test) == wanted
    titles = {title: row for row, title in enumerate(titled(table).documents)}
    rows = [[titles[title] for title in part.documents] for part in (train, test)]
    assert sorted(rows[0] + rows[1]) == list(range(n))
    assert rows == [sorted(rows[0]), sorted(rows[1])]
    np.testing.assert_array_equal(test.counts.toarray(), table[rows[1]])


def test_split_follows_the_seed():
    corpus = titled(np.eye(50, dtype=int))
    tests = [corpus.split(10, seed)[1].documents for seed in (0, 0, 1)]
    assert tests[0] == tests[1] != tests[2]


@pytest.mark.parametrize("size", [0, 4, 0.0, 1.0, -0.5, True, "a", float("nan")])
def test_split_refuses_a_size_that_leaves_a_side_empty(size):
    with pytest.raises(ValueError, match="test_size"):
        Corpus(np.eye(4)).split(size)


def test_one_document_cannot_be_split():
    with pytest.raises(ValueError, match="cannot be split"):
        Corpus(np.eye(1)).split()


@given(TABLES, st.data())
def test_shards_are_contiguous_balanced_and_never_empty(table, data):
    n = data.draw(st.integers(1, len(table)))
    corpus = titled(table)
    shards = corpus.shard(n)
    assert len(shards) == n
    assert min(map(len, shards)) >= 1
    assert [t for shard in shards for t in shard.documents] == list(corpus.documents)
    np.testing.assert_array_equal(
        np.concatenate([shard.counts.toarray() for shard in shards]), table
    )
    largest = np.count_nonzero(table, axis=1).max()
    assert max(s.counts.nnz for s in shards) <= corpus.counts.nnz / n + largest


def test_equal_documents_give_equal_shards():
    shards = Corpus(np.ones((12, 5), dtype=int)).shard(4)
    assert [len(shard) for shard in shards] == [3, 3, 3, 3]


def test_shards_share_the_memory_of_the_corpus():
    corpus = Corpus(np.ones((4, 3), dtype=np.int32))
    assert all(
        np.shares_memory(shard.counts.data, corpus.counts.data)
        for shard in corpus.shard(2)
    )


@pytest.mark.parametrize("n", [0, 5])
def test_shard_refuses_too_few_and_too_many(n):
    with pytest.raises(ValueError, match="shards"):
        Corpus(np.eye(4)).shard(n)


@given(TABLES, st.integers(0, 9))
def test_shuffle_moves_documents_with_their_titles(table, seed):
    shuffled = titled(table).shuffle(seed)
    rows = [int(title.split()[1]) for title in shuffled.documents]
    assert sorted(rows) == list(range(len(table)))
    np.testing.assert_array_equal(shuffled.counts.toarray(), table[rows])


def test_shuffle_does_shuffle():
    corpus = titled(np.eye(50, dtype=int))
    assert corpus.shuffle(0).documents != corpus.documents


def test_select_words_by_documents_and_frequency():
    table = [[1, 1, 9, 0, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 1]]
    corpus = Corpus(table, vocabulary=list("abcde"), documents=["x", "y", "z"])
    assert corpus.select_words().vocabulary == tuple("abce")
    assert corpus.select_words(min_documents=2).vocabulary == tuple("abe")
    assert corpus.select_words(max_document_share=2 / 3).vocabulary == tuple("bce")
    # b and e tie at two tokens: the earlier wins.
    top = corpus.select_words(n_most_frequent=3)
    assert top.vocabulary == tuple("abc")
    assert top.counts.toarray().tolist() == [[1, 1, 9], [1, 1, 0], [1, 0, 0]]
    assert top.documents == corpus.documents


@pytest.mark.parametrize(
    "options",
    [{"min_documents": 9}, {"max_document_share": 1.5}, {"n_most_frequent": 0}],
)
def test_select_words_refuses(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Corpus(np.eye(3)).select_words(**options)


def test_from_texts_counts_words():
    corpus = Corpus.from_texts(
        ["The ape saw a bee and a bee", "", "Ape!"], documents=["x", "y", "z"]
    )
    assert corpus.vocabulary == ("ape", "bee", "saw")
    assert corpus.counts.toarray().tolist() == [[1, 2, 1], [0, 0, 0], [1, 0, 0]]
    assert corpus.documents == ("x", "y", "z")
    assert corpus.counts.dtype == np.int32


def test_from_texts_passes_its_options_on():
    texts = ["Aa bb Cc", "Aa bb", "Aa dd"]
    options = {"lowercase": False, "stop_words": ["dd"], "min_df": 2, "max_df": 0.9}
    assert Corpus.from_texts(texts, **options).vocabulary == ("bb",)
    short = Corpus.from_texts(texts, token_pattern=r"[A-Z]", lowercase=False)
    assert short.vocabulary == ("A", "C")
    assert Corpus.from_texts(texts, max_features=1).vocabulary == ("aa",)


@pytest.mark.parametrize("texts", ["one text", ["a b", 3]])
def test_from_texts_refuses_what_is_no_list_of_texts(texts):
    with pytest.raises(TypeError, match="text"):
        Corpus.from_texts(texts)


def test_import_loads_no_scikit_learn():
    code = "import sys, dpsvi.datasets; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
