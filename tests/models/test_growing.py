"""Words that come later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from small_corpora import assert_same_attributes, fitted_attributes, make_counts
from small_corpora import make_model as make

from dpsvi.datasets import Corpus, make_corpus

CORPUS = make_corpus(300, 40, 3, document_length=40, random_state=0)
NEW = ["new", "newer"]
priors = pytest.mark.parametrize(
    "prior", [0.2, "auto", {"default": 0.2, 0: [CORPUS.vocabulary[3]]}], ids=str
)


def wider(counts: Any, n_new: int, seed: int = 0) -> sp.csr_array:
    """The same documents, in which the new words come too."""
    new = np.random.default_rng(seed).poisson(1.0, (counts.shape[0], n_new))
    return sp.csr_array(sp.hstack([counts, sp.csr_array(new.astype(counts.dtype))]))


@priors
@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_new_words_are_learned(prior: Any, inference: str) -> None:
    model = make(inference=inference, topic_word_prior=prior, total_samples=300)
    model.partial_fit(CORPUS)
    before = model.components_.copy()
    assert model.extend_vocabulary(NEW) is model
    np.testing.assert_array_equal(model.components_[:, :40], before)
    eta = model.topic_word_prior_
    new = eta[:, 40:] if isinstance(eta, np.ndarray) else np.full((3, 2), eta)
    np.testing.assert_array_equal(model.components_[:, 40:], new.astype(before.dtype))
    assert model.n_features_in_ == 42
    assert model.feature_names_in_.tolist() == [*CORPUS.vocabulary, *NEW]
    counts = wider(CORPUS.counts, 2)
    grown = Corpus(counts, [*CORPUS.vocabulary, *NEW])
    assert np.isfinite(model.perplexity(grown))
    for _ in range(5):
        model.partial_fit(grown)
    # As often as in the documents.
    share = model.components_[:, 40:].sum() / model.components_.sum()
    assert share == pytest.approx(counts[:, 40:].sum() / counts.sum(), rel=0.25)


def test_words_never_seen_change_nothing() -> None:
    model = make(dtype="float64").fit(CORPUS)
    before, topics = model.transform(CORPUS.counts), model.topics(5)
    model.extend_vocabulary(NEW)
    padded = sp.csr_array(sp.hstack([CORPUS.counts, sp.csr_array((300, 2))]))
    # Only the sums of the topics know.
    np.testing.assert_allclose(model.transform(padded), before, atol=1e-3)
    assert [[word for word, _ in t] for t in model.topics(5)] == [
        [word for word, _ in t] for t in topics
    ]
    assert np.isfinite(model.bound_)
    with pytest.raises(ValueError, match="features"):
        model.transform(CORPUS.counts)


def test_growing_in_two_steps_is_growing_once() -> None:
    one, two = (make().fit(CORPUS) for _ in range(2))
    one.extend_vocabulary(["a", "b", "c"])
    two.extend_vocabulary(["a"]).extend_vocabulary(word for word in "bc")
    assert_same_attributes(fitted_attributes(one), fitted_attributes(two))


def test_without_names_a_number_is_enough() -> None:
    model = make().fit(make_counts())
    model.extend_vocabulary(4)
    assert model.components_.shape == (3, 24)
    assert not hasattr(model, "feature_names_in_")
    model.partial_fit(wider(make_counts(), 4))
    assert model.extend_vocabulary(0).n_features_in_ == 24


def test_an_array_must_know_the_new_words() -> None:
    prior = np.random.default_rng(0).random((3, 42)) + 0.1
    model = make(topic_word_prior=prior[:, :40]).fit(CORPUS)
    before = fitted_attributes(model)
    with pytest.raises(ValueError, match="set_params"):
        model.extend_vocabulary(NEW)
    assert_same_attributes(before, fitted_attributes(model))
    model.set_params(topic_word_prior=prior).extend_vocabulary(NEW)
    np.testing.assert_array_equal(model.topic_word_prior_, prior)
    model.partial_fit(Corpus(wider(CORPUS.counts, 2), [*CORPUS.vocabulary, *NEW]))
    assert model.components_.shape == (3, 42)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["new", "new"], "'new' is there already"),
        (["new", CORPUS.vocabulary[0]], "is there already"),
        (["new", 3], "3"),
        ("new", "list"),
        (2, "by name"),
    ],
    ids=str,
)
def test_words_that_cannot_be_are_refused(words: Any, message: str) -> None:
    model = make().fit(CORPUS)
    before = fitted_attributes(model)
    with pytest.raises(ValueError, match=message):
        model.extend_vocabulary(words)
    assert_same_attributes(before, fitted_attributes(model))


@pytest.mark.parametrize("words", [["new"], -1, True, 1.5], ids=str)
def test_without_names_only_numbers_are_taken(words: Any) -> None:
    model = make().fit(make_counts())
    with pytest.raises(ValueError, match="number of new ones"):
        model.extend_vocabulary(words)
    assert model.n_features_in_ == 20


def test_a_model_that_knows_no_words_cannot_grow() -> None:
    with pytest.raises(NotFittedError):
        make().extend_vocabulary(NEW)
