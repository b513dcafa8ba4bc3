"""How lost writes are measured."""

from __future__ import annotations

import numpy as np
import pytest

from dpsvi.datasets import make_corpus
from dpsvi.experiments.overwriting import (
    Kept,
    add_ones,
    judge,
    kept_of_bare_additions,
    kept_of_factors,
    kept_of_mixture,
    kept_of_topics,
)
from dpsvi.experiments.topics import TopicStudy


def test_additions_are_counted_number_by_number() -> None:
    array, own = np.zeros(8), np.zeros(8)
    add_ones(array, own, 8000, 3)
    assert array.tolist() == own.tolist()
    assert own.sum() == 8000
    # Everywhere about as often.
    assert own == pytest.approx(np.full(8, 1000.0), rel=0.2)


def test_the_number_that_lost_most_is_told_apart() -> None:
    kept = Kept.of(np.array([50.0, 100.0]), np.array([100.0, 100.0]))
    assert kept == (0.5, 0.75)


def test_one_thread_loses_nothing() -> None:
    assert kept_of_bare_additions(1, 4, times=1000) == (1.0, 1.0)


def test_threads_at_one_number_lose_some_but_not_all() -> None:
    # Long enough to be at it at the same time, on one core as well.
    kept = min(kept_of_bare_additions(4, 1, times=5_000_000).least for _ in range(3))
    assert 0 < kept < 1


def test_models_of_one_thread_are_whole() -> None:
    counts = make_corpus(200, 60, 3, random_state=0).counts
    study = TopicStudy(3, epochs=1, counts=counts)
    for inference in ("vb", "cvb0"):
        assert kept_of_topics(study, 1, inference) == pytest.approx((1, 1), abs=1e-5)
    assert kept_of_factors(study, 1) == pytest.approx((1, 1), abs=1e-5)
    assert kept_of_mixture(1, n_rows=500) == pytest.approx((1, 1), abs=1e-9)


def rows(topics: float = 1.0, least: float = 0.5, mean: float = 0.9999) -> list[dict]:
    spread = {"lowest": least, "highest": 0.6, "runs": 5, "threads": 4}
    kinds = {"1 number": 0.5, "64 numbers": 0.9}
    kinds |= dict.fromkeys(["topics, vb", "Poisson factors"], topics)
    return [
        {"what": what, "kept": kept, "kept_on_average": mean, **spread}
        for what, kept in kinds.items()
    ]


def test_claims_follow_what_was_measured() -> None:
    assert [claim.verdict for claim in judge(rows())] == ["supported"] * 4
    bad = judge(rows(topics=0.98, least=0.0, mean=0.9))
    assert [claim.verdict for claim in bad] == ["not supported"] * 4
