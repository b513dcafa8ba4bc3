"""The local step of Poisson factorisation, and its kernel, against the textbook."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import poisson_reference as slow
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from dpsvi.models.poisson.inference import RowInference, activities_of
from dpsvi.models.poisson.kernels import means_of_entries
from dpsvi.models.poisson.parameters import parameters_of

Array = npt.NDArray[Any]

CLOSE = {"float32": 1e-4, "float64": 1e-9}
tables = st.tuples(
    st.integers(1, 6), st.integers(1, 9), st.integers(1, 7), st.integers(0, 10**6)
)


def make(size: tuple[int, ...], dtype: str) -> tuple[sp.csr_array, slow.Gammas]:
    """A table with empty rows, and q(β) with very different shapes."""
    n_rows, n_features, n_components, seed = size
    rng = np.random.default_rng(seed)
    counts = rng.poisson(2.0 * rng.gamma(0.3, size=(n_rows, 1)), (n_rows, n_features))
    shapes = 0.2 + rng.gamma(0.3, 10.0, (n_features, n_components))
    rates = 0.5 + rng.gamma(1.0, 10.0, n_components)
    return sp.csr_array(counts.astype(dtype)), slow.Gammas(shapes.astype(dtype), rates)


@given(size=tables, dtype=st.sampled_from(sorted(CLOSE)))
def test_means_of_entries(size: tuple[int, ...], dtype: str) -> None:
    counts, q = make(size, dtype)
    rng = np.random.default_rng(1)
    activities = rng.gamma(1.0, size=(size[0], size[2])).astype(dtype)
    out = np.empty(counts.nnz)
    components = q.mean.astype(dtype)
    means_of_entries(counts.indptr, counts.indices, activities, components, out)
    rows = np.repeat(np.arange(size[0]), np.diff(counts.indptr))
    expected = (activities.astype(float) @ components.T)[rows, counts.indices]
    np.testing.assert_allclose(out, expected, rtol=1e-6)


@given(size=tables, dtype=st.sampled_from(sorted(CLOSE)))
def test_a_local_step_is_coordinate_ascent(size: tuple[int, ...], dtype: str) -> None:
    counts, q = make(size, dtype)
    n_rows, n_features, n_components, _ = size
    a, b, n_iterations = 0.4, 0.7, 3
    parameters = parameters_of(q.shapes, q.rates, 0.1, 0.2)
    inference = RowInference(counts, n_components, a, b, 0.0, n_iterations)
    inference.infer(np.arange(n_rows, dtype=np.int32), parameters, 1.0)
    into = parameters_of(q.shapes, q.rates, 0.1, 0.2)
    into.weights[:] = 0.0
    totals = np.zeros(n_components)
    inference.add_statistics(2.0, into, totals)
    statistics = np.zeros((n_features, n_components))
    dense = counts.toarray().astype(float)
    for x, activities in zip(dense, inference.activities(), strict=True):
        shape, rate, phi = slow.textbook_row(x, q, a, b, n_iterations)
        np.testing.assert_allclose(activities, shape / rate, rtol=CLOSE[dtype])
        statistics += 2.0 * x[:, np.newaxis] * phi
    found = into.weights[:-1, :n_components]
    near = {"rtol": CLOSE[dtype], "atol": 1e-6 * counts.sum() + 1e-12}
    np.testing.assert_allclose(found, statistics, **near)
    np.testing.assert_allclose(totals, statistics.sum(axis=0), **near)
    # Rates are not the local step's to add.
    assert not into.weights[-1].any()


@pytest.mark.parametrize("dtype", sorted(CLOSE))
def test_the_scale_of_a_table_is_nobodys_business(dtype: str) -> None:
    """Components in other units: their activities are in the inverse."""
    counts, q = make((40, 9, 4, 0), dtype)
    given: dict[str, Any] = {"shape": 0.4, "tolerance": 1e-4, "max_iterations": 100}
    results = []
    for unit in (1.0, 1e-12, 1e12):
        parameters = parameters_of(q.shapes, q.rates / unit, 0.1, 0.0)
        found = activities_of(counts, parameters, 1, rate=0.7 * unit, **given)
        results.append(found.astype(float) * unit)
    np.testing.assert_allclose(results[1], results[0], rtol=1e-3)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-3)


def test_activities_do_not_depend_on_threads() -> None:
    counts, q = make((1500, 9, 4, 0), "float32")
    parameters = parameters_of(q.shapes, q.rates, 0.1, 0.2)
    given: dict[str, Any] = {"shape": 0.4, "rate": 1.0}
    given |= {"tolerance": 1e-2, "max_iterations": 50}
    one = activities_of(counts, parameters, 1, **given)
    np.testing.assert_array_equal(activities_of(counts, parameters, 3, **given), one)
    # A row without counts has the mean of its prior.
    rates = 1.0 + q.mean.sum(axis=0)
    empty = np.flatnonzero(np.diff(counts.indptr) == 0)
    assert empty.size
    np.testing.assert_allclose(one[empty], np.tile(0.4 / rates, (empty.size, 1)), 1e-4)


@pytest.mark.parametrize(("n_rows", "n_features"), [(40, 9), (2, 5000)])
def test_activities_are_those_of_a_mini_batch(n_rows: int, n_features: int) -> None:
    """With the words prepared once, and, where few are met, batch by batch."""
    counts, q = make((n_rows, n_features, 4, 0), "float32")
    assert (counts.nnz > n_features) == (n_features == 9)
    parameters = parameters_of(q.shapes, q.rates, 0.1, 0.2)
    given: dict[str, Any] = {"shape": 0.4, "rate": 1.0}
    given |= {"tolerance": 1e-4, "max_iterations": 50}
    inference = RowInference(counts, 4, 0.4, 1.0, 1e-4, 50)
    inference.infer(np.arange(n_rows, dtype=np.int32), parameters, 1.0)
    found = activities_of(counts, parameters, 1, **given)
    np.testing.assert_allclose(found, inference.activities(), rtol=1e-5)
