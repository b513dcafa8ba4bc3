"""The posterior and the local step of a mixture, against slow references."""

from __future__ import annotations

from typing import Any

import mixture_reference as reference
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpsvi.models.mixture.kernels import add_rows
from dpsvi.models.mixture.parameters import (
    Covariance,
    MixturePrior,
    n_statistics,
    pack,
    unpack,
)
from dpsvi.models.mixture.problem import statistics_of
from dpsvi.models.mixture.standard import Standard, moments, standard_of

Array = npt.NDArray[Any]
FORMS: list[Covariance] = ["full", "diag"]
# Those of the data.
UNITS = Standard(np.zeros(2), np.ones(2))


def prior_of(
    n: int, covariance_type: Covariance, *, stick_breaking: bool = True
) -> MixturePrior:
    rng = np.random.default_rng(7)
    root = rng.normal(size=(n, n)) + 2.0 * np.eye(n)
    covariance = root @ root.T
    if covariance_type == "diag":
        covariance = covariance.diagonal().copy()
    mean = rng.normal(size=n)
    return MixturePrior(
        covariance_type, stick_breaking, 0.7, 1.5, n + 0.5, mean, covariance
    )


def rows_and_shares(n_rows: int, n: int, K: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(n_rows + 10 * n + 100 * K)
    return rng.normal(size=(n_rows, n)), rng.dirichlet(np.ones(K), n_rows)


def statistics(X: Array, shares: Array, *, full: bool) -> Array:
    found = np.array([reference.features(x, full=full) for x in X])
    return found.T @ shares


@given(
    n=st.integers(1, 4),
    K=st.integers(1, 4),
    covariance_type=st.sampled_from(FORMS),
)
@settings(max_examples=20, deadline=None)
def test_posterior_is_bishops(n: int, K: int, covariance_type: Covariance) -> None:
    prior = prior_of(n, covariance_type)
    X, shares = rows_and_shares(30, n, K)
    own = statistics(X, shares, full=prior.full)
    assert own.shape == (n_statistics(n, covariance_type), K)
    found, expected = prior.posterior(own), reference.posterior(prior, X, shares)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    # And backwards.
    np.testing.assert_allclose(prior.statistics(found), own, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("covariance_type", FORMS)
@pytest.mark.parametrize("stick_breaking", [True, False])
@pytest.mark.parametrize(("n_rows", "n", "K"), [(1, 1, 1), (70, 3, 4), (130, 2, 9)])
def test_a_step_is_that_of_the_reference(
    covariance_type: Covariance, stick_breaking: bool, n_rows: int, n: int, K: int
) -> None:
    prior = prior_of(n, covariance_type, stick_breaking=stick_breaking)
    X, shares = rows_and_shares(n_rows, n, K)
    q = prior.posterior(statistics(X, shares, full=prior.full))
    theta = prior.theta(q)
    assert not theta[:, K:].any()
    expected, likelihood = reference.expect(prior, q, X)
    out = np.zeros_like(theta)
    rows = np.arange(n_rows, dtype=np.int32)
    # The rows in other units, which the kernel takes back.
    standard = Standard(np.linspace(-5.0, 9.0, n), np.linspace(0.1, 3.0, n))
    X_given = X * standard.spread + standard.center
    found = add_rows(X_given, rows, *standard, prior.full, theta, K, out)
    assert found == pytest.approx(likelihood, rel=1e-9)
    np.testing.assert_allclose(out[:, :K], expected, rtol=1e-7, atol=1e-9)
    assert not out[:, K:].any()
    # A second call adds; only the rows that are named count.
    add_rows(X_given, rows[:1], *standard, prior.full, theta, K, out)
    once, _ = reference.expect(prior, q, X[:1])
    np.testing.assert_allclose(out[:, :K], expected + once, rtol=1e-7, atol=1e-9)


def test_shares_of_a_row_add_up_to_one() -> None:
    prior = prior_of(2, "full")
    X, shares = rows_and_shares(50, 2, 3)
    far = Standard(np.zeros(2), np.full(2, 0.01))
    found = statistics_of(X, far, prior, statistics(X, shares, full=True))
    # Far out, where all densities are zero in floating point.
    assert found[0].sum() == pytest.approx(50.0)


@pytest.mark.parametrize("covariance_type", FORMS)
def test_packing_loses_nothing(covariance_type: Covariance) -> None:
    full = covariance_type == "full"
    rng = np.random.default_rng(0)
    counts, sums = rng.uniform(size=4), rng.normal(size=(4, 3))
    squares = rng.normal(size=(4, 3, 3) if full else (4, 3))
    if full:
        squares = squares + squares.swapaxes(1, 2)
    parts = unpack(pack(counts, sums, squares, full=full), 3, full=full)
    for one, other in zip(parts, (counts, sums, squares), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_are_expected_and_add_up() -> None:
    counts = np.array([5.0, 0.0, 2.0])
    for stick_breaking in (True, False):
        prior = prior_of(2, "full", stick_breaking=stick_breaking)
        weights = prior.weights(counts)
        assert weights.sum() == pytest.approx(1.0)
        assert weights.argmax() == 0
        found = prior.log_weights(counts)
        np.testing.assert_allclose(found, reference.log_weights(prior, counts))


@pytest.mark.parametrize("covariance_type", FORMS)
def test_what_is_no_covariance_is_lifted(covariance_type: Covariance) -> None:
    # As after additions that were lost between threads.
    prior = prior_of(2, covariance_type)
    X, shares = rows_and_shares(40, 2, 2)
    torn = statistics(X, shares, full=prior.full)
    torn[3:, 0] -= 1e3
    theta = prior.theta(prior.posterior(torn))
    assert np.isfinite(theta).all()
    assert np.isfinite(statistics_of(X, UNITS, prior, torn)).all()
    lifted = prior.lifted(prior.posterior(torn)).covariances
    whole = prior.lifted(prior.posterior(statistics(X, shares, full=prior.full)))
    least = np.linalg.eigvalsh(lifted) if prior.full else lifted
    assert least.min() > 0
    np.testing.assert_array_equal(lifted[1], whole.covariances[1])


@pytest.mark.parametrize("n_rows", [1, 2, 21_845, 21_846, 50_000])
def test_moments_of_rows_far_from_zero(n_rows: int) -> None:
    # Blocks of 65,536 numbers: one, one and a row more, and two and a part.
    rng = np.random.default_rng(0)
    X = rng.normal([1e6, 0.0, -3.0], [1e-3, 1.0, 1e5], (n_rows, 3))
    seen = moments(X)
    np.testing.assert_allclose(seen.mean, X.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(seen.variances, X.var(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(seen.largest, np.abs(X).max(axis=0))


def test_the_last_block_counts_too_when_it_is_looked_for_what_is_too_large() -> None:
    X = np.zeros((70_000, 1))
    X[-1] = 1e200
    with pytest.raises(ValueError, match="feature 0 has numbers too large"):
        standard_of(moments(X))
