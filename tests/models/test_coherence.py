"""Coherence of topics against counting by hand; matching topics of two models."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus
from dpsvi.models.lda.coherence import coherence, count_meetings
from dpsvi.models.lda.matching import match_topics, stability


def tables() -> st.SearchStrategy[Any]:
    return st.integers(0, 2**31).map(
        lambda seed: np.random.default_rng(seed).poisson(
            0.6, (np.random.default_rng(seed).integers(1, 20), 8)
        )
    )


def by_hand(table: Any, words: list[int], measure: str) -> float:
    sets = [{w for w in range(table.shape[1]) if row[w]} for row in table]
    total, n = 0.0, 0
    for w, v in combinations(words, 2):
        d_w = sum(w in s for s in sets)
        d_v = sum(v in s for s in sets)
        both = sum(w in s and v in s for s in sets)
        if measure == "u_mass":
            if d_w:
                total, n = total + math.log((both + 1) / d_w), n + 1
        elif d_w and d_v:
            D = len(sets)
            if both == D:
                score = 1.0
            elif not both:
                score = -1.0
            else:
                score = math.log(both * D / (d_w * d_v)) / -math.log(both / D)
            total, n = total + score, n + 1
    return total / n if n else math.nan


@pytest.mark.parametrize("measure", ["npmi", "u_mass"])
@given(table=tables(), cut=st.integers(0, 20))
def test_coherence_is_what_counting_gives(measure: Any, table: Any, cut: int) -> None:
    words = np.array([[0, 1, 2, 3], [7, 2, 5, 0], [4, 6, 1, 3]])
    blocks = [sp.csr_array(table[:cut]), sp.csr_array(table[cut:])]
    expected = [by_hand(table, topic.tolist(), measure) for topic in words]
    np.testing.assert_allclose(coherence(words, blocks, measure), expected, atol=1e-12)


def test_meetings() -> None:
    table = sp.csr_array([[1, 0, 2], [3, 1, 0], [0, 0, 0]])
    n_documents, meetings = count_meetings(np.array([0, 2]), [table])
    assert n_documents == 3
    assert meetings.tolist() == [[2, 1], [1, 1]]


def test_true_topics_go_together_better_than_mixed_ones() -> None:
    corpus = make_corpus(500, n_topics=5, random_state=0)
    true = np.argsort(-corpus.topics, axis=1)[:, :8]
    mixed = true.T.reshape(true.shape)
    for measure in ("npmi", "u_mass"):
        good = coherence(true, [corpus.counts], measure).mean()  # type: ignore[arg-type]
        assert good > coherence(mixed, [corpus.counts], measure).mean()  # type: ignore[arg-type]


def test_bad_questions() -> None:
    words = np.array([[0, 1]])
    with pytest.raises(ValueError, match="measure is 'c_v'"):
        coherence(words, [sp.csr_array(np.eye(2))], "c_v")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs documents"):
        coherence(words, [])


@given(st.integers(0, 2**31), st.integers(2, 6), st.integers(0, 3))
def test_a_permutation_is_found(seed: int, n_topics: int, n_more: int) -> None:
    rng = np.random.default_rng(seed)
    topics = rng.dirichlet(np.full(30, 0.1), n_topics + n_more)
    order = rng.permutation(n_topics + n_more)[:n_topics]
    found = match_topics(topics[order], topics)
    np.testing.assert_array_equal(found.second, order)
    np.testing.assert_allclose(found.similarity, 1.0)


def test_stability_of_seeds() -> None:
    counts = make_corpus(400, n_topics=3, random_state=0).counts
    models = [
        DPSVILatentDirichletAllocation(3, random_state=seed, n_jobs=1).fit(counts)
        for seed in range(3)
    ]
    found = stability(models)
    assert found.shape == (3,)
    assert (found > 0.5).all()
    assert stability([models[0], models[0]]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="two or more"):
        stability(models[:1])


def test_models_about_different_words() -> None:
    with pytest.raises(ValueError, match="3 and 4 of them"):
        match_topics(np.ones((2, 3)), np.ones((2, 4)))


def test_documents_in_blocks_give_the_same() -> None:
    corpus = make_corpus(300, n_topics=3, random_state=0)
    model = DPSVILatentDirichletAllocation(3, random_state=0, n_jobs=1)
    model.fit(corpus.counts)
    blocks = [corpus.counts[:120], corpus.counts[120:121], corpus.counts[121:]]
    whole = model.coherence(corpus.counts, n_words=5)
    np.testing.assert_allclose(model.coherence(blocks, n_words=5), whole)
    assert whole.shape == (3,)
    documents, shares = model.top_documents(corpus.counts, 4)
    topics = model.transform(corpus.counts)
    for k in range(3):
        order = np.argsort(-topics[:, k], kind="stable")[:4]
        np.testing.assert_array_equal(documents[k], order)
        np.testing.assert_array_equal(shares[k], topics[order, k])
    again, _ = model.top_documents(blocks, 4)
    np.testing.assert_array_equal(again, documents)
    with pytest.raises(ValueError, match="features"):
        model.coherence(np.ones((2, 3)))
