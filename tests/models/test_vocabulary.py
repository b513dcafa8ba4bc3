"""Documents are brought to a model's words."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import Corpus, make_corpus, open_corpus
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


# What a model does with a corpus of other words.

NAMES = [f"word{w}" for w in range(30)]
OWN = Corpus(
    make_corpus(120, n_words=30, n_topics=3, random_state=0).counts, vocabulary=NAMES
)


@pytest.fixture(scope="module")
def model() -> Any:
    return DPSVILatentDirichletAllocation(3, n_jobs=1, random_state=0).fit(OWN)


def others(seed: int = 0) -> tuple[Corpus, Corpus]:
    """Documents with other words among them, in another order; the same in ours."""
    order = np.random.default_rng(seed).permutation(30)
    names = [f"new{w}" if w < 4 else NAMES[w] for w in order]
    more = sp.csr_array(np.full((120, 2), 3))
    counts = sp.hstack([OWN.counts[:, order], more], format="csr")
    known = OWN.counts.toarray()
    known[:, :4] = 0
    return Corpus(counts, vocabulary=[*names, "newer", "newest"]), Corpus(
        known, vocabulary=NAMES
    )


READINGS = {
    "transform": lambda model, X: model.transform(X),
    "score": lambda model, X: model.score(X),
    "perplexity": lambda model, X: model.perplexity(X),
    "heldout_perplexity": lambda model, X: model.heldout_perplexity(X),
    "coherence": lambda model, X: model.coherence(X),
    "top_documents": lambda model, X: model.top_documents(X, 3)[0],
    "to_pyldavis": lambda model, X: model.to_pyldavis(X)["term_frequency"],
}


@pytest.mark.parametrize("reading", READINGS)
def test_a_corpus_is_read_in_the_words_of_the_model(model: Any, reading: str) -> None:
    other, known = others()
    read = READINGS[reading]
    before = set(vars(model))
    np.testing.assert_array_equal(read(model, other), read(model, known))
    assert set(vars(model)) == before


@pytest.mark.parametrize("reading", sorted({*READINGS} - {"to_pyldavis"}))
def test_so_is_one_in_blocks_and_one_on_disk(
    model: Any, reading: str, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    other, known = others()
    read = READINGS[reading]
    expected = read(model, [known[:50], known[50:]])
    np.testing.assert_array_equal(read(model, [other[:50], other[50:]]), expected)
    disk = open_corpus(other.save(tmp_path / "other", shuffle=False))
    np.testing.assert_array_equal(read(model, disk), read(model, [known]))


def test_a_corpus_on_disk_with_as_many_other_words(model: Any, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    back = Corpus(OWN.counts[:, ::-1], vocabulary=NAMES[::-1])
    disk = open_corpus(back.save(tmp_path / "back", shuffle=False))
    np.testing.assert_array_equal(model.transform(disk), model.transform(OWN))
    with pytest.raises(ValueError, match="vocabulary differs"):
        DPSVILatentDirichletAllocation(3).fit(OWN, X_val=disk)


def test_what_is_left_out_is_logged(
    model: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other, known = others()
    with caplog.at_level(logging.INFO, "dpsvi.words"):
        model.transform(OWN)
        assert not caplog.records
        model.transform(other)
    _, n_unknown = align(other.counts, other.vocabulary, NAMES)
    assert n_unknown == other.n_tokens - known.n_tokens > 0
    (line,) = caplog.messages
    assert f" {n_unknown} of {other.n_tokens} tokens" in line


def test_of_words_that_are_all_unknown_nothing_is_told(model: Any) -> None:
    strange = Corpus([[1, 2], [0, 3]], vocabulary=["x", "y"])
    nothing = model.transform(sp.csr_array((2, 30)))
    np.testing.assert_array_equal(model.transform(strange), nothing)
    with pytest.raises(ValueError, match="documents with words"):
        model.perplexity(strange)
    # Without names on one side columns must be as many.
    with pytest.raises(ValueError, match="features"):
        model.transform(Corpus([[1, 2]]))
