"""The numbers of a report."""

from __future__ import annotations

import numpy as np
import pytest
from fake_models import (
    WORDS,
    FakeModel,
    falling_history,
    long_history,
    three_topics,
)
from scipy import sparse

from dpsvi.datasets import Corpus
from dpsvi.report import summarise
from dpsvi.report.examples import N_NAMED

CORPUS = Corpus(
    [[9, 1, 0, 0, 0, 0], [0, 0, 2, 4, 0, 0], [1, 0, 0, 0, 0, 3], [0, 0, 5, 0, 5, 0]],
    vocabulary=WORDS,
    documents=("first", "second", "third", "fourth"),
)


def test_shares_count_the_tokens_of_the_corpus():
    summary = summarise(three_topics(), CORPUS)
    shares = {topic.number: topic.share for topic in summary.topics}
    assert shares == pytest.approx({0: 11 / 30, 1: 11 / 30, 2: 8 / 30}, abs=1e-5)
    assert (summary.n_documents, summary.n_tokens, summary.n_words) == (4, 30, 6)
    assert summary.n_sampled == 4


def test_pace():
    pace = summarise(three_topics(history=long_history())).pace
    assert len(pace.edges) == 1 + len(pace.documents_per_second) == 11
    assert pace.documents_per_second == pytest.approx([10.0] * 5 + [20.0] * 5)
    assert pace.staleness == (0.0,) * 5 + (2.0,) * 5
    assert summarise(three_topics(history=falling_history())).pace is None
    assert summarise(three_topics()).pace is None


def test_merges_at_one_time_make_no_infinite_pace():
    history = long_history()
    history.append(time=7.5, documents=150.0, staleness=0.0)
    pace = summarise(three_topics(history=history)).pace
    assert np.isfinite(pace.documents_per_second).all()


def test_without_a_corpus_the_shares_are_the_models_own():
    model = three_topics()
    summary = summarise(model)
    assert model.transformed == []
    assert [topic.number for topic in summary.topics] == [0, 1, 2]
    assert summary.topics[0].share == pytest.approx(90.4 / 130.2)
    assert summary.n_documents is None
    assert summary.examples == ()


def test_a_large_corpus_is_sampled():
    model = three_topics()
    summary = summarise(model, CORPUS, max_documents=2)
    assert model.transformed == [2]
    assert (summary.n_documents, summary.n_sampled) == (4, 2)
    titles = {example.title for example in summary.examples}
    assert titles <= set(CORPUS.documents)


def test_examples_show_the_words_with_the_topics_that_explain_them():
    summary = summarise(three_topics(), CORPUS)
    (example,) = (e for e in summary.examples if e.title == "fourth")
    assert {number for number, share in example.topics if share > 0.4} == {1, 2}
    assert example.n_tokens == 10
    assert example.rest == pytest.approx(0.0)
    named = [number for number, _ in example.topics]
    found = {mention.text: named[mention.rank] for mention in example.words}
    assert found == {"cat": 1, "eel": 2}


def test_topics_that_are_not_named_are_summed_up():
    n_topics = N_NAMED + 2
    model = FakeModel(np.eye(n_topics, 6) + 0.01)
    (example, *_) = summarise(model, sparse.csr_array([[1] * n_topics + [0]])).examples
    assert example.title == "Document 0"
    assert example.rest == pytest.approx(2 / n_topics, abs=1e-3)
    assert sorted(mention.rank for mention in example.words) == [0, 1, 2, 3, 3]


def test_an_example_is_typical_neither_the_purest_nor_the_most_mixed():
    counts = [[8 - k, 0, k, 0, 0, 0] for k in (0, 1, 3)]
    (example,) = summarise(three_topics(), np.array(counts), n_examples=1).examples
    assert example.title == "Document 1"


def test_empty_documents_are_no_examples():
    counts = np.array([[0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    titles = [example.title for example in summarise(three_topics(), counts).examples]
    assert titles == ["Document 1"]


def test_the_curve_has_the_rows_that_were_measured():
    summary = summarise(three_topics(history=falling_history()))
    points = [(p.time, p.documents, p.perplexity) for p in summary.curve]
    assert points == [(1.0, 20.0, 5.5), (2.0, 40.0, 2.25)]
    assert summary.perplexity == 2.25
    assert (summary.seconds, summary.documents_seen) == (2.5, 50.0)


def test_without_a_history_there_is_no_curve():
    summary = summarise(three_topics())
    assert summary.curve == ()
    assert (summary.perplexity, summary.seconds) == (None, None)


def test_words_come_from_the_model_or_the_corpus_or_are_numbered():
    bare = three_topics(words=None)
    assert summarise(three_topics()).topics[0].label(1) == "ape"
    labels = {topic.label(1) for topic in summarise(bare, CORPUS).topics}
    assert labels == {"ape", "cat", "eel"}
    assert summarise(bare).topics[0].label(1) == "word 0"


def test_long_settings_are_cut():
    settings = summarise(three_topics()).settings
    assert settings["n_components"] == "3"
    assert len(settings["note"]) == 60


def test_a_model_without_topics_is_refused():
    with pytest.raises(ValueError, match="call fit"):
        summarise(object())


def test_a_corpus_of_other_words_is_refused():
    with pytest.raises(ValueError, match="has 2 words and the model 6"):
        summarise(three_topics(), np.ones((3, 2)))
