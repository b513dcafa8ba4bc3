"""Corpora drawn from LDA: their moments are those of the topics they carry."""

from __future__ import annotations

import numpy as np
import pytest

from dpsvi.datasets import Corpus, SyntheticCorpus, make_corpus


def test_counts_approach_their_expectation():
    corpus = make_corpus(400, 12, 3, document_length=5000, random_state=0)
    tokens = np.asarray(corpus.counts.sum(axis=1))
    expected = tokens[:, None] * (corpus.doc_topics @ corpus.topics)
    # Given topics, a document is multinomial: compare in standard deviations.
    share = corpus.doc_topics @ corpus.topics
    deviation = np.sqrt(expected * (1 - share))
    likely = expected > 20
    z = (corpus.counts.toarray() - expected)[likely] / deviation[likely]
    assert likely.sum() > 1000
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=0.06)


def test_priors_have_the_moments_of_dirichlets():
    prior = np.array([0.5, 1.0, 2.5])
    corpus = make_corpus(
        20_000, 4, 3, document_length=1, doc_topic_prior=prior, random_state=1
    )
    mean = prior / prior.sum()
    variance = mean * (1 - mean) / (prior.sum() + 1)
    np.testing.assert_allclose(corpus.doc_topics.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(corpus.doc_topics.var(axis=0), variance, rtol=0.05)


def test_lengths_are_poisson_around_the_mean():
    corpus = make_corpus(20_000, 5, 2, document_length=30, random_state=2)
    lengths = np.asarray(corpus.counts.sum(axis=1))
    assert lengths.mean() == pytest.approx(30, rel=0.01)
    assert lengths.var() == pytest.approx(30, rel=0.05)


def test_given_lengths_are_exact():
    corpus = make_corpus(4, 9, 2, document_length=[0, 1, 7, 300], random_state=0)
    assert corpus.counts.sum(axis=1).tolist() == [0, 1, 7, 300]


def test_sizes_names_and_seed():
    first, again, other = (make_corpus(30, 20, 4, random_state=s) for s in (0, 0, 1))
    assert (first.shape, first.topics.shape) == ((30, 20), (4, 20))
    assert first.vocabulary[:2] == ("word0", "word1")
    np.testing.assert_allclose(first.topics.sum(axis=1), 1)
    assert (first.counts != again.counts).nnz == 0
    assert (first.counts != other.counts).nnz > 0


def test_truth_travels_with_the_documents():
    corpus = make_corpus(30, 20, 4, random_state=0)
    rows = np.array([3, 1])
    chosen = corpus[rows]
    assert isinstance(chosen, SyntheticCorpus)
    np.testing.assert_array_equal(chosen.doc_topics, corpus.doc_topics[rows])
    shards = corpus.shard(3)
    np.testing.assert_array_equal(
        np.concatenate([shard.doc_topics for shard in shards]), corpus.doc_topics
    )
    train, test = corpus.split(5, 0)
    assert (train.doc_topics.shape, test.doc_topics.shape) == ((25, 4), (5, 4))
    assert type(corpus.select_words(n_most_frequent=5)) is Corpus


@pytest.mark.parametrize(
    "options",
    [
        {"n_documents": 0},
        {"n_words": 0},
        {"n_topics": 0},
        {"doc_topic_prior": 0},
        {"doc_topic_prior": [1, 2]},
        {"topic_word_prior": float("nan")},
        {"document_length": -1},
        {"document_length": float("inf")},
        {"document_length": [1, 2]},
    ],
)
def test_bad_arguments_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_corpus(**{"n_documents": 3, **options})


def test_fractional_lengths_are_refused():
    with pytest.raises(ValueError, match="whole"):
        make_corpus(2, document_length=[1, 1.5])


def test_truth_of_another_size_is_refused():
    with pytest.raises(ValueError, match="need"):
        SyntheticCorpus(np.eye(3), topics=np.ones((2, 3)), doc_topics=np.ones((4, 2)))
