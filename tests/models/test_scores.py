"""Bounds, perplexities and topics of documents: additive, pure, and scikit-learn's."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import LatentDirichletAllocation
from small_corpora import (
    assert_same_attributes,
    fitted_attributes,
    make_counts,
    make_model,
)

from dpsvi.datasets import make_corpus

X = make_counts(60)
MEASURES = ["transform", "score", "perplexity", "heldout_perplexity"]


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    """scikit-learn's model, fitted, and ours with the same topics."""
    priors = {"doc_topic_prior": 0.2, "topic_word_prior": 0.3}
    # Inference to the end, so that different starts do not show.
    exact = {"mean_change_tol": 1e-9, "max_doc_update_iter": 5000}
    theirs = LatentDirichletAllocation(3, random_state=0, **priors, **exact).fit(X)
    ours = make_model(**priors, **exact)
    ours.components_ = theirs.components_
    ours.n_features_in_ = theirs.n_features_in_
    ours.doc_topic_prior_, ours.topic_word_prior_ = 0.2, 0.3
    return theirs, ours


def test_topics_are_scikit_learns(pair: tuple[Any, Any]) -> None:
    theirs, ours = pair
    one, two = theirs.transform(X), ours.transform(X)
    # The bound has several maxima for some documents: a start decides between them.
    close = np.abs(one - two).max(axis=1) < 1e-4
    assert close.mean() > 0.9
    np.testing.assert_allclose(one.sum(axis=0), two.sum(axis=0), rtol=0.05)
    np.testing.assert_allclose(
        ours.exp_dirichlet_component_, theirs.exp_dirichlet_component_, rtol=1e-6
    )


def test_the_bound_with_the_topics_term_is_scikit_learns(pair: tuple[Any, Any]) -> None:
    theirs, ours = pair
    # Where a document has several maxima the two may pick different ones, whose
    # bounds differ by little.
    for part in (X, X[:7]):
        score = ours.score(part, include_topics_term=True)
        assert score == pytest.approx(theirs.score(part), rel=1e-3)
        perplexity = ours.perplexity(part, include_topics_term=True)
        assert perplexity == pytest.approx(theirs.perplexity(part), rel=5e-3)
    ours.total_samples = theirs.total_samples = 1e4
    sampled = ours.perplexity(X, sub_sampling=True, include_topics_term=True)
    expected = theirs.perplexity(X, sub_sampling=True)
    assert sampled == pytest.approx(expected, rel=5e-3)


def test_the_score_is_a_sum_over_documents() -> None:
    model = make_model(dtype="float64").fit(X)
    parts = [X[:11], X[11:40], X[40:]]
    scores = [model.score(part) for part in parts]
    assert model.score(X) == pytest.approx(sum(scores), rel=1e-9)
    assert model.score(X[::-1]) == pytest.approx(model.score(X), rel=1e-9)


def test_perplexity_is_stable_under_subsetting() -> None:
    model = make_model(dtype="float64").fit(X)
    whole = model.perplexity(X)
    assert model.perplexity(sp.vstack([X, X])) == pytest.approx(whole, rel=1e-9)
    parts = [model.perplexity(X[i : i + 10]) for i in range(0, 60, 10)]
    assert min(parts) < whole < max(parts)
    assert max(parts) < 2 * min(parts)
    assert model.perplexity(X, sub_sampling=True) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_measuring_leaves_the_model_alone(measure: str) -> None:
    model = make_model().fit(X)
    before = fitted_attributes(model)
    first = getattr(model, measure)(X[:9])
    with pytest.raises(ValueError, match="features"):
        getattr(model, measure)(X[:, :9])
    np.testing.assert_array_equal(getattr(model, measure)(X[:9]), first)
    assert_same_attributes(before, fitted_attributes(model))


@pytest.mark.parametrize("measure", MEASURES)
def test_parameters_set_after_the_fit_do_not_matter(measure: str) -> None:
    model = make_model().fit(X)
    before = getattr(model, measure)(X)
    model.set_params(n_components=17, doc_topic_prior=3.0, topic_word_prior=9.0)
    np.testing.assert_array_equal(getattr(model, measure)(X), before)
    assert pickle.loads(pickle.dumps(model)).bound_ == make_model().fit(X).bound_


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_do_not_depend_on_threads(measure: str) -> None:
    many = make_counts(1600)  # enough for three threads
    model = make_model(max_iter=1, batch_size=100).fit(many)
    results = []
    for n_jobs in (1, 2, 3, None):
        model.set_params(n_jobs=n_jobs)
        results.append(getattr(model, measure)(many))
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_a_document_is_judged_alone() -> None:
    many = make_counts(1300)
    model = make_model(max_iter=1, batch_size=100, dtype="float64").fit(many)
    alone = [model.transform(many[[d]])[0] for d in (3, 700, 1299)]
    np.testing.assert_allclose(alone, model.transform(many)[[3, 700, 1299]], rtol=1e-9)


def test_gammas_hold_the_tokens() -> None:
    model = make_model(doc_topic_prior=[0.1, 0.2, 0.3], dtype="float64").fit(X)
    gammas = model.transform(X, normalize=False)
    np.testing.assert_allclose(gammas.sum(axis=1), 0.6 + X.sum(axis=1), rtol=1e-9)
    assert np.all(gammas >= [0.1, 0.2, 0.3])
    np.testing.assert_allclose(
        model.transform(X), gammas / gammas.sum(axis=1, keepdims=True), rtol=1e-12
    )


def test_words_that_no_topic_knows_keep_the_bound_finite() -> None:
    # exp(E[log β]) of an unseen word is below the smallest float32.
    tables = {}
    for dtype in ("float32", "float64"):
        model = make_model(topic_word_prior=1e-3, dtype=dtype, max_iter=60).fit(X)
        unseen = sp.csr_array(np.eye(20)[[1, 1]] + X[[2, 3]].toarray())
        tables[dtype] = [model.score(unseen), *model.transform(unseen).ravel()]
    np.testing.assert_allclose(tables["float32"], tables["float64"], rtol=0.02)
    assert -1e4 < tables["float64"][0] < -500


def test_heldout_perplexity_splits_by_the_seed() -> None:
    model = make_model().fit(X)
    assert model.heldout_perplexity(X) == model.heldout_perplexity(X, random_state=0)
    assert model.heldout_perplexity(X) != model.heldout_perplexity(X, random_state=1)
    observed = [
        model.heldout_perplexity(X, observed_fraction=f) for f in (0.1, 0.5, 0.9)
    ]
    assert len(set(observed)) == 3


def test_heldout_perplexity_by_hand() -> None:
    """With one topic there is nothing to infer: the mean log share of hidden tokens."""
    from dpsvi.models.lda.evaluation import split_tokens

    model = make_model(1, dtype="float64").fit(X)
    observed, hidden = split_tokens(X, 0.5, seed=4)
    np.testing.assert_array_equal((observed + hidden).toarray(), X.toarray())
    shares = model.components_[0] / model.components_[0].sum()
    expected = np.exp(-(hidden @ np.log(shares)).sum() / hidden.sum())
    result = model.heldout_perplexity(X, random_state=4)
    assert result == pytest.approx(expected, rel=1e-9)


def test_the_truth_predicts_best_and_one_topic_worst() -> None:
    corpus = make_corpus(900, 150, 5, document_length=60, random_state=1)
    train, test = corpus.split(0.15, random_state=0)
    given = {"doc_topic_prior": 0.1, "batch_size": 50, "max_iter": 20}
    fitted = make_model(5, topic_word_prior=0.05, **given).fit(train)
    unigram = make_model(1, **given).fit(train)
    truth = make_model(5, **given).fit(train)
    truth.components_ = truth.topic_word_prior_ + 1e6 * corpus.topics
    perplexities = [m.heldout_perplexity(test) for m in (truth, fitted, unigram)]
    assert perplexities == sorted(perplexities)
    assert perplexities[1] < 1.15 * perplexities[0]
    assert perplexities[2] > 1.5 * perplexities[0]
