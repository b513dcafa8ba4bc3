"""Priors that are learned during a fit, on every backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.special import psi
from sklearn.base import clone
from small_corpora import assert_same_attributes, fitted_attributes, make_counts

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import SyntheticCorpus, make_corpus
from dpsvi.engine import Checkpoint, Plan, run
from dpsvi.models.conjugate import Clock
from dpsvi.models.lda import priors
from dpsvi.models.lda.priors import (
    Evidence,
    Gathered,
    Learned,
    TopicParameters,
    learn,
    symmetric_step,
)
from dpsvi.models.lda.problem import LDAProblem

Array = npt.NDArray[Any]
TRUE = np.array([0.04, 0.1, 0.25])
CORPUS = make_corpus(
    1500,
    300,
    3,
    document_length=80,
    doc_topic_prior=TRUE,
    topic_word_prior=0.1,
    random_state=1,
)
inferences = pytest.mark.parametrize("inference", ["vb", "cvb0"])


def make(**more: Any) -> DPSVILatentDirichletAllocation:
    given: dict[str, Any] = {
        "doc_topic_prior": "auto",
        "topic_word_prior": "auto",
        "max_iter": 6,
        "n_jobs": 1,
        "random_state": 0,
        "batch_size": 100,
    }
    return DPSVILatentDirichletAllocation(3, **{**given, **more})


def in_true_order(model: Any, corpus: SyntheticCorpus) -> Array:
    """The learned prior of the true topics, each matched to the topic next to it."""
    found = model.components_ / model.components_.sum(axis=1, keepdims=True)
    apart = np.abs(found[:, np.newaxis] - corpus.topics).sum(axis=2)
    order = linear_sum_assignment(apart.T)[1]
    learned: Array = model.doc_topic_prior_[order]
    return learned


@inferences
def test_a_known_prior_is_found(inference: str) -> None:
    model = make(inference=inference, max_iter=20).fit(CORPUS)
    ratio = in_true_order(model, CORPUS) / TRUE
    # Point estimates of topics leave a little less for the prior than there is.
    assert np.all((ratio > 0.65) & (ratio < 1.25)), ratio


def test_the_prior_of_words_is_found() -> None:
    for true in (0.03, 0.3):
        corpus = make_corpus(
            1000, 100, 3, document_length=80, topic_word_prior=true, random_state=0
        )
        model = make(doc_topic_prior=0.1, max_iter=20).fit(corpus)
        assert 0.5 * true < model.topic_word_prior_ < 2.0 * true


@inferences
@pytest.mark.parametrize(
    "kind",
    [
        {"backend": "local"},
        {"backend": "simulated", "local_steps": 2},
        {"learning_method": "batch"},
        {"dtype": "float64"},
        {"doc_topic_prior": 0.1},
        {"topic_word_prior": 0.05},
    ],
    ids=str,
)
def test_every_way_of_fitting_learns(inference: str, kind: dict[str, Any]) -> None:
    model = make(inference=inference, **kind).fit(CORPUS)
    check_learned(model, CORPUS)


def check_learned(model: Any, corpus: Any) -> None:
    """Priors have moved if they were to, are told of, and are used."""
    given = model.get_params()
    if given["doc_topic_prior"] == "auto":
        assert model.doc_topic_prior_.shape == (3,)
        assert np.all(model.doc_topic_prior_ != 1 / 3)
        assert np.ptp(model.doc_topic_prior_) > 0
        nothing = model.transform(sp.csr_array((1, 300)), normalize=False)[0]
        np.testing.assert_allclose(nothing, model.doc_topic_prior_, rtol=1e-6)
    else:
        assert model.doc_topic_prior_ == given["doc_topic_prior"]
    if given["topic_word_prior"] == "auto":
        assert isinstance(model.topic_word_prior_, float)
        assert model.topic_word_prior_ != 1 / 3
    else:
        assert model.topic_word_prior_ == given["topic_word_prior"]
    assert np.all(model.components_ >= model.topic_word_prior_ * (1 - 1e-6))
    told = model.history_["doc_topic_prior_sum"]
    begin = 1.0 if given["doc_topic_prior"] == "auto" else 0.3
    assert told[0] == pytest.approx(begin)
    assert model.heldout_perplexity(corpus) < 150
    assert np.isfinite(model.bound_)


@inferences
def test_a_cluster_learns(inference: str, cluster_client: Any) -> None:
    near = 0.05 + 300.0 * CORPUS.topics
    for topic_word_prior in ("auto", near):
        given = {"topic_word_prior": topic_word_prior, "max_iter": 12}
        model = make(inference=inference, **given)
        model.fit(CORPUS, client=cluster_client)
        assert np.all(model.doc_topic_prior_ != 1 / 3)
        assert np.ptp(model.doc_topic_prior_) > 0
    ratio = in_true_order(model, CORPUS) / TRUE
    assert np.all((ratio > 0.5) & (ratio < 1.6)), ratio


@pytest.mark.parametrize("backend", ["local", "simulated"])
def test_several_workers_learn_together(backend: str) -> None:
    n_steps = 30 * 15
    problem = LDAProblem(
        n_words=300,
        n_topics=3,
        n_documents=1500.0,
        topic_word_prior=1 / 3,
        doc_topic_prior=np.full(3, 1 / 3),
        clock=Clock((16.0 + np.arange(n_steps)) ** -0.5),
        batch_size=100,
        learned=Learned(doc_topic=True, topic_word=True),
    )
    counts = sp.csr_array(CORPUS.counts.astype(np.float32))
    shards = [counts[0::2], counts[1::2]]
    plan = Plan(total_steps=n_steps, n_workers=2, local_steps=3, seed=0)
    result = run(problem, shards, plan, backend=backend)
    learned = result.parameters
    # Everything that was pushed has been heard once.
    assert learned.evidence.documents == result.counters.merged
    assert learned.prior < 0.2
    ratio = np.sort(learned.doc_topic_prior) / TRUE
    assert np.all((ratio > 0.5) & (ratio < 1.5)), ratio


def test_several_threads_learn_the_same() -> None:
    given = {"max_iter": 20}
    one, two = make(**given).fit(CORPUS), make(n_jobs=2, **given).fit(CORPUS)
    ratio = in_true_order(one, CORPUS) / in_true_order(two, CORPUS)
    np.testing.assert_allclose(ratio, 1.0, atol=0.3)


@inferences
def test_until_priors_move_a_fit_is_the_one_with_fixed_priors(
    inference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priors, "_WAIT", np.inf)
    monkeypatch.setattr(priors, "_LONGEST_WAIT", np.inf)
    X = make_counts()
    learning = make(inference=inference, batch_size=8).fit(X)
    given = {"doc_topic_prior": 1 / 3, "topic_word_prior": 1 / 3, "batch_size": 8}
    fixed = make(inference=inference, **given).fit(X)
    np.testing.assert_array_equal(learning.components_, fixed.components_)
    assert learning.topic_word_prior_ == fixed.topic_word_prior_
    np.testing.assert_array_equal(learning.doc_topic_prior_, np.full(3, 1 / 3))


def test_a_fit_with_fixed_priors_gathers_nothing() -> None:
    model = make(doc_topic_prior=0.1, topic_word_prior=0.1).fit(CORPUS)
    assert "doc_topic_prior_sum" not in model.history_.columns
    assert model._prior_evidence is None


def test_partial_fit_goes_on_from_what_was_learned() -> None:
    whole = make(total_samples=1500, max_iter=10).fit(CORPUS)
    in_parts = clone(whole)
    before: list[float] = []
    for _ in range(10):
        for part in (CORPUS.counts[:700], CORPUS.counts[700:]):
            in_parts.partial_fit(part)
            before.append(float(np.sum(in_parts.doc_topic_prior_)))
            assert in_parts._prior_evidence[-2] == pytest.approx(
                750 * len(before), abs=50
            )
    assert before[0] == 1.0
    # Nothing starts again from the beginning.
    assert np.all(np.array(before[8:]) < 0.9)
    assert in_parts.topic_word_prior_ == pytest.approx(whole.topic_word_prior_, rel=0.5)


@pytest.mark.parametrize("learning_method", ["online", "batch"])
def test_a_checkpoint_keeps_what_was_learned(
    tmp_path: Path, learning_method: str
) -> None:
    path, given = tmp_path / "fit.npz", {"learning_method": learning_method}
    first = make(**given).fit(CORPUS, checkpoint=path)
    saved = Checkpoint(path).saved
    assert saved is not None
    np.testing.assert_array_equal(
        saved.arrays["doc_topic_prior"], first.doc_topic_prior_
    )
    assert float(saved.arrays["topic_word_prior"]) == first.topic_word_prior_
    done = make(**given).fit(CORPUS, checkpoint=path)
    np.testing.assert_array_equal(done.doc_topic_prior_, first.doc_topic_prior_)
    np.testing.assert_allclose(done.components_, first.components_, rtol=1e-5)
    longer = make(**given, max_iter=8).fit(CORPUS, checkpoint=path)
    told = longer.history_["doc_topic_prior_sum"]
    assert told[len(done.history_)] == pytest.approx(first.doc_topic_prior_.sum())
    with pytest.raises(ValueError, match="checkpoint"):
        make(**given, topic_word_prior=0.1).fit(CORPUS, checkpoint=path)


def test_measurements_use_the_priors_of_the_moment() -> None:
    train, held_out = CORPUS.split(0.2, random_state=0)
    model = make().fit(train, X_val=held_out)
    last = model.history_["heldout_perplexity"][-1]
    assert last == pytest.approx(model.heldout_perplexity(held_out), rel=1e-3)


def test_a_refit_starts_afresh() -> None:
    model = make(max_iter=3)
    once = fitted_attributes(model.fit(CORPUS))
    assert_same_attributes(once, fitted_attributes(model.fit(CORPUS)))


def slow_learning(tables: list[Array], documents: list[float], memory: float) -> Array:
    """Averages of tables by the definition: an exponential decay per document."""
    seen, kept = 0.0, np.zeros_like(tables[0])
    for found, number in zip(tables, documents, strict=True):
        span = min(memory, seen / 2)
        kept = (np.exp(-number / span) * kept if span else 0.0) + found
        seen += number
    return np.asarray(kept[:-1] / kept[-1])


def test_the_step_of_the_documents_prior() -> None:
    rng = np.random.default_rng(0)
    parameters = TopicParameters(
        np.zeros((7, 4), np.float32),
        np.zeros((1, 4)),
        0.1,
        doc_topic_prior=np.ones(4),
        evidence=Evidence(np.zeros(5)),
    )
    tables = [rng.gamma(2.0, 1.0, 5) * 100 for _ in range(9)]
    documents = [1000.0, 10.0, 400.0, 3000.0, 20.0, 800.0, 1000.0, 100.0, 900.0]
    for found, number in zip(tables, documents, strict=True):
        news = [Gathered(found, number, 0.0)]
        learn(parameters, news, Learned(doc_topic=True), 2000.0)
        waits = parameters.evidence.documents < 4000
        assert np.all(parameters.doc_topic_prior == 1.0) == waits
    expected = slow_learning(tables, documents, 1000.0)
    np.testing.assert_allclose(parameters.doc_topic_prior, expected)
    assert parameters.prior == 0.1


def test_the_step_of_the_words_prior_climbs_to_the_best() -> None:
    rng = np.random.default_rng(0)
    topics = rng.dirichlet(np.full(60, 0.4), 30)
    counts = rng.poisson(2000 * topics).astype(float)

    def slope(prior: float) -> float:
        """Of the log probability of whole counts, by the textbook."""
        each = (psi(counts + prior) - psi(prior)).sum()
        sums = counts.sum(axis=1)
        return float(each - 60 * (psi(sums + 60 * prior) - psi(60 * prior)).sum())

    prior = 3.0
    for _ in range(200):
        prior = symmetric_step(prior, counts.T, counts.sum(axis=1), 60)
    # Counts of one and two are taken for uncertain ones, which tells a little less.
    assert slope(0.8 * prior) > 0 > slope(1.25 * prior)
    # All words, or some that stand for all: the same but for chance.
    some = symmetric_step(prior, counts.T[::2], counts.sum(axis=1), 60)
    assert some == pytest.approx(prior, rel=0.1)


def test_priors_stay_within_bounds() -> None:
    parameters = TopicParameters(
        np.zeros((3, 2)), np.zeros((1, 2)), 0.1,
        doc_topic_prior=np.ones(2), evidence=Evidence(np.zeros(3)),
    )  # fmt: skip
    learned = Learned(doc_topic=True, topic_word=True)
    learn(parameters, [Gathered(np.array([0.0, 1e9, 1.0]), 1e4, 0.0)], learned, 10.0)
    np.testing.assert_array_equal(parameters.doc_topic_prior, [1e-4, 1e2])
    # Nothing known of any word: nothing to learn from.
    assert parameters.prior == 0.1


@pytest.mark.parametrize("name", ["doc_topic_prior", "topic_word_prior"])
@pytest.mark.parametrize("value", ["automatic", "", "AUTO"])
def test_other_words_than_auto_are_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        make(**{name: value}).fit(CORPUS)
