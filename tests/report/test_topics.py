"""Relevance, order and map of topics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.models.lda.relevance import relevance
from dpsvi.report.topics import describe, place


def random_topics(seed, n_topics, n_words=12):
    rng = np.random.default_rng(seed)
    return (
        rng.dirichlet(np.full(n_words, 0.3), n_topics) * 0.999 + 0.001 / n_words,
        rng.dirichlet(np.ones(n_topics)),
    )


@pytest.mark.parametrize("weight", [0.0, 0.6, 1.0])
def test_relevance_is_the_formula_of_the_paper(weight):
    topics, shares = random_topics(0, 3)
    scores = relevance(topics, shares, weight)
    for k in range(3):
        for w in range(topics.shape[1]):
            overall = sum(shares[j] * topics[j, w] for j in range(3))
            lift = topics[k, w] / overall
            expected = weight * math.log(topics[k, w]) + (1 - weight) * math.log(lift)
            assert scores[k, w] == pytest.approx(expected)


def test_a_word_of_all_topics_ranks_below_a_word_of_its_own():
    topics = np.array([[0.5, 0.4, 0.1], [0.5, 0.1, 0.4]])
    first, second = describe(topics, np.array([0.45, 0.55]), ["both", "a", "b"], 2)
    assert (first.number, second.number) == (1, 0)
    assert [word.text for word in first.words] == ["b", "both"]
    assert [word.text for word in second.words] == ["a", "both"]
    assert second.words[0].probability == 0.4
    assert second.label() == "a, both"


def test_control_characters_do_not_reach_the_reader():
    (topic,) = describe(np.ones((1, 1)), np.ones(1), ["a\n\x00b"], 5)
    assert topic.label() == "a  b"


@given(seed=st.integers(0, 1000), n_topics=st.integers(1, 40))
def test_circles_on_the_map_have_the_areas_and_places_are_finite(seed, n_topics):
    topics, shares = random_topics(seed, n_topics)
    centres, radii = place(topics, shares)
    assert centres.shape == (n_topics, 2)
    assert np.isfinite(centres).all()
    np.testing.assert_allclose(radii**2 / radii.max() ** 2, shares / shares.max())


@pytest.mark.parametrize("n_topics", [2, 5, 20, 60])
def test_circles_on_the_map_do_not_overlap(n_topics):
    centres, radii = place(*random_topics(3, n_topics))
    distances = np.linalg.norm(centres[:, None] - centres[None, :], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (distances > 0.98 * (radii[:, None] + radii[None, :])).all()


def test_similar_topics_lie_close_together():
    topics = np.array(
        [
            [0.6, 0.3, 0.05, 0.05],
            [0.5, 0.4, 0.05, 0.05],
            [0.05, 0.05, 0.5, 0.4],
            [0.05, 0.05, 0.3, 0.6],
        ]
    )
    centres, _ = place(topics, np.full(4, 0.25))
    distances = np.linalg.norm(centres[:, None] - centres[None, :], axis=2)
    assert distances[0, 1] < distances[0, 2]
    assert distances[2, 3] < distances[1, 3]


def test_equal_topics_still_get_places_of_their_own():
    centres, _ = place(np.full((5, 3), 1 / 3), np.full(5, 0.2))
    assert len(np.unique(centres.round(6), axis=0)) == 5
