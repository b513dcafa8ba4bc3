"""The estimator among scikit-learn's tools: repeatable, copyable, composable."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import psi
from sklearn import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from small_corpora import (
    assert_same_attributes,
    fitted_attributes,
    make_counts,
    make_model,
    make_table,
)

from dpsvi.datasets import Corpus

X = make_counts()
TEXTS = ["ape bee ape", "cat dog cat", "ape bee bee", "dog dog cat"] * 3

kinds = pytest.mark.parametrize(
    "kind",
    [{"inference": "vb"}, {"inference": "cvb0"}, {"learning_method": "batch"}],
    ids=["vb", "cvb0", "batch"],
)


@kinds
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_thread_repeats_bit_for_bit(kind: dict[str, str], dtype: str) -> None:
    model = make_model(dtype=dtype, **kind)
    first = fitted_attributes(model.fit(X))
    for same in (model, clone(model), pickle.loads(pickle.dumps(model))):
        assert_same_attributes(first, fitted_attributes(same.fit(X)))
    other = make_model(dtype=dtype, random_state=1, **kind).fit(X)
    assert not np.array_equal(first["components_"], other.components_)
    assert first["components_"].dtype == dtype


@kinds
def test_going_on_repeats_bit_for_bit(kind: dict[str, str]) -> None:
    model = make_model(**kind).partial_fit(X)
    copy = pickle.loads(pickle.dumps(model))
    one, two = model.partial_fit(X), copy.partial_fit(X)
    assert_same_attributes(fitted_attributes(one), fitted_attributes(two))


def test_threads_may_share_a_fitted_model() -> None:
    model = make_model(n_jobs=1).fit(X)
    before = fitted_attributes(pickle.loads(pickle.dumps(model)))
    # Of many sizes, so that what belongs to one request would not fit another.
    requests = [X[: 1 + 7 * k % X.shape[0]] for k in range(60)]
    alone = [model.transform(request) for request in requests]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(model.transform, requests))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert_same_attributes(before, fitted_attributes(model))


@kinds
def test_a_pickled_model_is_the_same(kind: dict[str, str]) -> None:
    model = make_model(**kind).fit(X)
    copy = pickle.loads(pickle.dumps(model))
    assert_same_attributes(fitted_attributes(model), fitted_attributes(copy))
    np.testing.assert_array_equal(model.transform(X), copy.transform(X))


def test_in_a_pipeline_behind_a_vectorizer() -> None:
    pipeline = make_pipeline(CountVectorizer(), make_model(2, batch_size=4))
    topics = pipeline.fit_transform(TEXTS)
    assert topics.shape == (12, 2)
    np.testing.assert_allclose(topics.sum(axis=1), 1.0, rtol=1e-5)
    names = pipeline.get_feature_names_out()
    assert [name[-1] for name in names] == ["0", "1"]
    assert np.isfinite(pipeline.score(TEXTS))


def test_a_grid_search_over_a_pipeline() -> None:
    pipeline = make_pipeline(CountVectorizer(), make_model(2, batch_size=4))
    name = pipeline.steps[-1][0]
    grid = {f"{name}__n_components": [1, 2], f"{name}__learning_decay": [0.5, 0.9]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(TEXTS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.best_params_) == set(grid)


def test_data_frames_in_and_out() -> None:
    pd = pytest.importorskip("pandas")
    words = [f"word{i}" for i in range(20)]
    index = [f"document{i}" for i in range(30)]
    frame = pd.DataFrame(make_table(), columns=words, index=index)
    model = make_model().set_output(transform="pandas")
    topics = model.fit_transform(frame)
    assert list(model.feature_names_in_) == words
    assert list(topics.columns) == list(model.get_feature_names_out())
    assert list(topics.index) == index
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame[words[::-1]])


def test_a_corpus_brings_its_words() -> None:
    words = [f"word{i}" for i in range(20)]
    model = make_model().fit(Corpus(X, vocabulary=words))
    assert list(model.feature_names_in_) == words
    best, share = model.topics(n_words=2)[0][0]
    topic = model.components_[0]
    assert best == words[topic.argmax()]
    assert share == pytest.approx(topic.max() / topic.sum(), rel=1e-5)
    np.testing.assert_array_equal(
        model.transform(Corpus(X, vocabulary=words)), model.transform(X)
    )
    with pytest.raises(ValueError, match=r"vocabulary differs.*vocabulary\.align"):
        model.partial_fit(Corpus(X, vocabulary=words[::-1]))
    # Names go when the next data have none.
    assert not hasattr(model.fit(X), "feature_names_in_")
    assert model.topics(1)[0][0][0] == model.components_[0].argmax()


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_partial_fit_continues_the_clock(inference: str) -> None:
    model = make_model(
        inference=inference, batch_size=30, dtype="float64", total_samples=300
    )
    # Of one length each, so that it does not matter which document came first.
    X = np.random.default_rng(0).multinomial(12, np.full(20, 0.05), 30)
    n_tokens, prior = X.sum(), 20 * 3 / 3
    model.partial_fit(X)
    for step in (2, 3, 4):
        before = model.components_.sum() - prior
        model.partial_fit(X)
        assert model.n_batch_iter_ == 1 + step
        rho = (5.0 + step) ** -0.7
        expected = (1 - rho) * before + rho * 300 / 30 * n_tokens
        assert model.components_.sum() - prior == pytest.approx(expected, rel=1e-9)
    assert model.n_iter_ == 0


def test_fit_starts_again_and_partial_fit_goes_on() -> None:
    model = make_model().fit(X)
    assert (model.n_iter_, model.n_batch_iter_) == (3, 1 + 3 * 4)
    model.partial_fit(X)
    assert (model.n_iter_, model.n_batch_iter_) == (3, 1 + 4 * 4)
    again = model.fit(X)
    assert_same_attributes(
        fitted_attributes(again), fitted_attributes(make_model().fit(X))
    )


@kinds
def test_one_topic(kind: dict[str, str]) -> None:
    model = make_model(1, **kind).fit(X)
    np.testing.assert_array_equal(model.transform(X), np.ones((30, 1)))
    gammas = model.transform(X, normalize=False)
    np.testing.assert_allclose(gammas[:, 0], 1.0 + X.sum(axis=1), rtol=1e-5)


@kinds
def test_documents_without_words_and_words_never_seen(kind: dict[str, str]) -> None:
    model = make_model(doc_topic_prior=[0.1, 0.2, 0.7], **kind).fit(X)
    empty = sp.csr_array((2, 20))
    np.testing.assert_allclose(model.transform(empty), [[0.1, 0.2, 0.7]] * 2, rtol=1e-6)
    assert model.score(empty) == pytest.approx(0.0, abs=1e-5)
    unseen = sp.csr_array(np.eye(20)[[1]])
    assert np.isfinite(model.transform(unseen)).all()
    assert np.isfinite(model.score(unseen))
    # What no document holds decays towards the prior.
    assert np.all(model.components_[:, 1] < 1.0)
    assert np.all(model.components_[:, 1] >= model.topic_word_prior_)


@kinds
@pytest.mark.parametrize("factor", [1e6, 1e-3, 0.37])
def test_huge_and_fractional_counts(kind: dict[str, str], factor: float) -> None:
    model = make_model(**kind).fit(X * factor)
    assert np.isfinite(model.components_).all()
    topics = model.transform(X * factor)
    np.testing.assert_allclose(topics.sum(axis=1), 1.0, rtol=1e-5)
    assert np.isfinite(model.perplexity(X * factor))


@kinds
def test_nothing_but_zeros(kind: dict[str, str]) -> None:
    model = make_model(**kind).fit(np.zeros((5, 4)))
    assert np.isfinite(model.components_).all()
    np.testing.assert_allclose(model.transform(np.zeros((2, 4))), 1 / 3, rtol=1e-6)
    with pytest.raises(ValueError, match="documents with words"):
        model.perplexity(np.zeros((2, 4)))


def test_attributes_that_scikit_learn_has() -> None:
    model = make_model(topic_word_prior=0.3).fit(X)
    lam: Any = model.components_.astype(float)
    expected = np.exp(psi(lam) - psi(lam.sum(axis=1, keepdims=True)))
    np.testing.assert_allclose(model.exp_dirichlet_component_, expected, rtol=1e-5)
    assert model.doc_topic_prior_ == pytest.approx(1 / 3)
    assert model.topic_word_prior_ == 0.3
    assert model.bound_ == pytest.approx(model.perplexity(X), rel=1e-5)
    assert model.n_features_in_ == 20
