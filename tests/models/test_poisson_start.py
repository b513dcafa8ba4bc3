"""Where a fit of Poisson factorisation starts, and that it ends well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from dpsvi.datasets import make_corpus
from dpsvi.models.conjugate import Clock
from dpsvi.models.poisson import DPSVIPoissonFactorization
from dpsvi.models.poisson.problem import PoissonProblem
from dpsvi.models.poisson.start import start_from

COUNTS = make_corpus(300, n_words=200, n_topics=5, random_state=0).counts


def problem_of(counts: Any, n_rows: float | None = None) -> PoissonProblem:
    return PoissonProblem(
        n_features=counts.shape[1],
        n_components=5,
        n_rows=n_rows or counts.shape[0],
        row_total=counts.sum() / counts.shape[0],
        clock=Clock(np.full(3, 0.5)),
        dtype=np.dtype("float64"),
    )


def make(seed: int) -> DPSVIPoissonFactorization:
    return DPSVIPoissonFactorization(5, n_jobs=1, random_state=seed)


def test_no_seed_misses_a_part() -> None:
    scores = [make(seed).fit(COUNTS).score(COUNTS) for seed in range(6)]
    # With two components for one part it is lower by a tenth and more.
    assert np.ptp(scores) < 0.005 * abs(np.mean(scores))


def test_a_start_weighs_as_much_as_the_data() -> None:
    problem = problem_of(COUNTS, n_rows=900.0)
    start = start_from(COUNTS, problem, np.random.RandomState(0))
    assert start is not None
    counted = start.shapes(1.0) - problem.component_shape
    assert counted.sum() == pytest.approx(3 * COUNTS.sum())
    assert start.totals.sum() == pytest.approx(3 * COUNTS.sum())
    # Words that nobody uses are nobody's.
    assert (counted[COUNTS.sum(axis=0) == 0] == 0).all()
    # All rows together, as the parts are those of some of them.
    words = counted.sum(axis=1) / 3
    assert np.corrcoef(words, COUNTS.sum(axis=0))[0, 1] > 0.99


def test_the_scale_of_a_start_stands_still() -> None:
    problem = problem_of(COUNTS)
    start = start_from(COUNTS, problem, np.random.RandomState(0))
    assert start is not None
    a, b = problem.activity_shape, problem.activity_rate
    mass, rates = start.mass(1.0), start.rates(1.0)
    counts = mass - problem.n_features * problem.component_shape
    activities = (counts + problem.n_rows * a) / (b + mass / rates)
    np.testing.assert_allclose(problem.component_rate + activities, rates, rtol=1e-9)


def test_without_counts_there_is_none() -> None:
    nothing = sp.csr_array((8, 200))
    state = np.random.RandomState(0)
    assert start_from(nothing, problem_of(nothing), state) is None
    huge = sp.csr_array(np.full((8, 200), 1e308))
    assert start_from(huge, problem_of(COUNTS), state) is None
    model = DPSVIPoissonFactorization(2, max_iter=2, random_state=0).fit(nothing)
    assert np.isfinite(model.components_).all()
