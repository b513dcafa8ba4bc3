"""Documents are brought to a model's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.models.lda.vocabulary import Alignment, align

WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=8)


def by_hand(table: Any, corpus: list[str], model: list[str]) -> tuple[Any, int]:
    """One count after another."""
    brought, unknown = np.zeros((table.shape[0], len(model)), dtype=int), 0
    for (document, column), count in np.ndenumerate(table):
        if corpus[column] in model:
            brought[document, model.index(corpus[column])] += count
        else:
            unknown += count
    return brought, unknown


@given(corpus=WORDS, model=st.permutations("abcdefgh"), data=st.data())
def test_against_one_count_after_another(
    corpus: list[str], model: list[str], data: Any
) -> None:
    model = model[: data.draw(st.integers(0, 8))]
    seed = data.draw(st.integers(0, 99))
    table = np.random.default_rng(seed).poisson(0.7, (3, len(corpus)))
    counts, n_unknown = align(sp.csr_array(table), corpus, model)
    expected, n_expected = by_hand(table, corpus, model)
    np.testing.assert_array_equal(counts.toarray(), expected)
    assert n_unknown == n_expected
    assert counts.has_canonical_format
    assert counts.sum() + n_unknown == table.sum()


def test_columns_without_names_are_left_alone() -> None:
    counts = sp.csr_array([[1, 0, 2]])
    for corpus, model in ((None, ["a"]), (["a", "b", "c"], None), (None, None)):
        brought, n_unknown = align(counts, corpus, model)
        np.testing.assert_array_equal(brought.toarray(), counts.toarray())
        assert n_unknown == 0


def test_the_same_words_cost_nothing() -> None:
    counts = sp.csr_array([[1, 0, 2]])
    brought, n_unknown = align(counts, ["a", "b", "c"], np.array(["a", "b", "c"]))
    assert np.shares_memory(brought.data, counts.data)
    assert n_unknown == 0


def test_fractions_and_types() -> None:
    bring = Alignment(["a", "b"], ["b"])
    counts, n_unknown = bring(sp.csr_array(np.array([[0.5, 1.5]], dtype=np.float32)))
    assert counts.dtype == np.float32
    assert counts.toarray().tolist() == [[1.5]]
    assert n_unknown == 0.5
