"""Priors for each word: arrays and seed words."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from scipy.special import gammaln, psi
from sklearn.base import clone
from small_corpora import make_counts, make_model

from dpsvi.datasets import make_corpus
from dpsvi.models.lda.given_priors import check_topic_word_prior

Array = npt.NDArray[Any]
CORPUS = make_corpus(600, 300, 3, topic_word_prior=0.1, random_state=0)
WORDS = CORPUS.vocabulary
# Frequent words of each topic that others hardly have.
TELLING = np.argsort(-(CORPUS.topics**2) / CORPUS.topics.sum(axis=0), axis=1)[:, :4]
inferences = pytest.mark.parametrize("inference", ["vb", "cvb0"])


def make(**more: Any) -> Any:
    given = {"max_iter": 8, "batch_size": "auto", "learning_decay": "auto"}
    return make_model(3, **{**given, "learning_offset": "auto", **more})


def distances(model: Any, order: list[int]) -> Array:
    """Total variation between the topics and true ones, in a given order."""
    found = model.components_ / model.components_.sum(axis=1, keepdims=True)
    apart: Array = np.abs(found - CORPUS.topics[order]).sum(axis=1) / 2
    return apart


@inferences
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_seeded_words_end_in_their_topic(inference: str, order: list[int]) -> None:
    seeds: dict[Any, Any] = {"default": 0.1}
    for number, true in enumerate(order):
        seeds[number] = [WORDS[word] for word in TELLING[true]]
    model = make(inference=inference, topic_word_prior=seeds).fit(CORPUS)
    for number, true in enumerate(order):
        assert np.all(model.components_[:, TELLING[true]].argmax(axis=0) == number)
    # With four words of each the topics come where they were asked for.
    assert np.all(distances(model, order) < 0.25), distances(model, order)


@inferences
@pytest.mark.parametrize("learning_method", ["online", "batch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_topics_follow_a_prior_that_knows_them(
    inference: str, learning_method: str, dtype: str
) -> None:
    prior = 0.05 + 200.0 * CORPUS.topics[[1, 2, 0]]
    kind = {"inference": inference, "learning_method": learning_method, "dtype": dtype}
    model = make(topic_word_prior=prior, **kind).fit(CORPUS)
    assert np.all(distances(model, [1, 2, 0]) < 0.12)
    np.testing.assert_array_equal(model.topic_word_prior_, prior)
    assert np.all(model.components_ >= prior * (1 - 1e-5))
    assert model.components_.dtype == dtype


@inferences
def test_equal_numbers_for_all_words_are_one_number(inference: str) -> None:
    X = make_counts()
    one = make(inference=inference, topic_word_prior=0.2, dtype="float64").fit(X)
    for prior in (np.full(20, 0.2), np.full((3, 20), 0.2)):
        model = clone(one).set_params(topic_word_prior=prior).fit(X)
        np.testing.assert_allclose(model.components_, one.components_, rtol=1e-6)
        np.testing.assert_allclose(model.score(X), one.score(X), rtol=1e-8)
        with_topics = {"include_topics_term": True}
        np.testing.assert_allclose(
            model.score(X, **with_topics), one.score(X, **with_topics), rtol=1e-8
        )
        np.testing.assert_allclose(
            model.heldout_perplexity(X), one.heldout_perplexity(X), rtol=1e-8
        )
        np.testing.assert_allclose(model.transform(X), one.transform(X), rtol=1e-6)


def test_the_bound_of_the_topics_by_the_textbook() -> None:
    prior = np.random.default_rng(0).gamma(1.0, 1.0, (3, 20)) + 0.01
    X = make_counts()
    model = make(topic_word_prior=prior, dtype="float64").fit(X)
    lam = model.components_
    log_beta = psi(lam) - psi(lam.sum(axis=1, keepdims=True))
    expected = ((prior - lam) * log_beta + gammaln(lam) - gammaln(prior)).sum()
    expected += (gammaln(prior.sum(axis=1)) - gammaln(lam.sum(axis=1))).sum()
    term = model.score(X, include_topics_term=True) - model.score(X)
    assert term == pytest.approx(expected)


def test_partial_fit_keeps_the_seeds() -> None:
    seeds = {"default": 0.1, 2: [WORDS[word] for word in TELLING[0]]}
    model = make(topic_word_prior=seeds, total_samples=600)
    for _ in range(6):
        model.partial_fit(CORPUS)
    assert np.all(model.components_[:, TELLING[0]].argmax(axis=0) == 2)


def test_words_are_found_by_name_or_by_number() -> None:
    expected = np.full((2, 3), 0.5)
    expected[1, [0, 2]] += [7.0, 100.0]
    seeds = {1: {"b": 7.0}}, {1: ["a"]}
    names = np.array(["b", "c", "a"], dtype=object)
    found = [check_topic_word_prior(given, 2, 3, names) for given in seeds]
    np.testing.assert_array_equal(np.maximum(*found), expected)
    by_number = check_topic_word_prior({1: {0: 7.0, np.int64(2): 100.0}}, 2, 3)
    np.testing.assert_array_equal(by_number, expected)
    table = pd.DataFrame(make_counts().toarray()[:, :3], columns=["b", "c", "a"])
    model = make_model(2, topic_word_prior=seeds[1]).fit(table)
    np.testing.assert_array_equal(model.topic_word_prior_, found[1])


def test_clones_keep_the_seeds() -> None:
    seeds = {"default": 0.1, 0: ["a"]}
    assert clone(make(topic_word_prior=seeds)).topic_word_prior == seeds


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ({3: ["a"]}, "0 to 2"),
        ({-1: ["a"]}, "0 to 2"),
        ({"sport": ["a"]}, "'sport'"),
        ({0: ["b"]}, "no such word"),
        ({0: "a"}, "list of words"),
        ({0: 5.0}, "list of words"),
        ({0: {"a": 0.0}}, "'a'"),
        ({0: {"a": "much"}}, "'a'"),
        ({0: {"a": np.inf}}, "'a'"),
        ({"default": -1.0}, "'default'"),
        ({"default": None}, "'default'"),
        (np.ones(4), "5"),
        (np.ones((3, 4)), r"\(3, 5\)"),
        (np.ones((5, 3)), r"\(3, 5\)"),
        (np.zeros((3, 5)), "positive"),
        (np.full(5, np.nan), "positive"),
        ([1.0, 1.0, 1.0, 1.0, -1.0], "positive"),
    ],
    ids=str,
)
def test_priors_that_cannot_be_are_refused(prior: Any, message: str) -> None:
    table = pd.DataFrame(make_counts().toarray()[:, :5], columns=list("axyzw"))
    model = make(topic_word_prior=prior)
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(table)
    assert "topic_word_prior" in str(caught.value)
    assert not hasattr(model, "components_")


def test_seed_words_need_names() -> None:
    with pytest.raises(ValueError, match="without names"):
        make(topic_word_prior={0: ["goal"]}).fit(make_counts())
