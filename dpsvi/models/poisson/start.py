"""Where a fit of Poisson factorisation starts: short factorisations of some rows."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.decomposition import NMF

from dpsvi.models.poisson.parameters import FactorParameters
from dpsvi.models.poisson.problem import PoissonProblem

__all__ = ["start_from"]

# Rows that are looked at, starts of which the best is taken, and sweeps of each.
_ROWS, _STARTS, _SWEEPS = 500, 4, 20
# What is left of the parts: more, and parts of few rows are learned by heart.
_TRUST = 0.5


def start_from(
    counts: sp.csr_array, problem: PoissonProblem, random_state: np.random.RandomState
) -> FactorParameters | None:
    """Return components that are half mean row, half part of some rows.

    From components that differ by noise, mini-batches end with one component for two
    parts about every second time. Multiplicative updates are slower, and seldom merge
    parts: some rows are factorised by them, and the best of a few starts is taken.

    Parameters
    ----------
    counts : csr_array of shape (n_rows, n_features)
        All rows.
    problem : PoissonProblem
        Whose parameters to return.
    random_state : RandomState
        Draws rows and starts.

    Returns
    -------
    FactorParameters or None
        None, where sums are 0 or overflow: the fit itself tells of the latter.
    """
    n_rows = counts.shape[0]
    chosen = random_state.permutation(n_rows)[:_ROWS]
    sample = sp.csr_matrix(counts[np.sort(chosen)], dtype=np.float64)
    with np.errstate(over="ignore"):
        mean_row = np.asarray(counts.sum(axis=0, dtype=np.float64)).ravel()
        total = mean_row.sum()
    if not (sample.nnz and sample.max() > 0 and np.isfinite(total)):
        return None
    mean_row /= total
    parts, masses = _best_parts(sample, problem.n_components, random_state)
    explained = problem.n_rows * problem.row_total * masses
    parameters = problem.empty_parameters()
    shapes = explained * (_TRUST * parts + (1 - _TRUST) * mean_row).T
    rates = np.array([problem.balanced_rate(each) for each in explained])
    rates -= problem.component_rate
    parameters.weights[:-1, : problem.n_components] = shapes
    parameters.weights[-1, : problem.n_components] = np.maximum(rates, 0.0)
    parameters.sum_again()
    return parameters


def _best_parts(
    sample: sp.csr_matrix, n_parts: int, random_state: np.random.RandomState
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return parts that sum to one, and the share of the counts that each explains."""
    found = [_factorised(sample, n_parts, random_state) for _ in range(_STARTS)]
    model, activities = min(found, key=lambda pair: pair[0].reconstruction_err_)
    components = model.components_
    sums = np.maximum(components.sum(axis=1), np.finfo(float).tiny)
    masses = activities * sums
    return components / sums[:, np.newaxis], masses / masses.sum()


def _factorised(
    sample: sp.csr_matrix, n_parts: int, random_state: np.random.RandomState
) -> tuple[NMF, NDArray[np.float64]]:
    """Return a short factorisation, and the sums of its activities."""
    made = NMF(
        n_parts,
        init="random",
        solver="mu",
        beta_loss="kullback-leibler",
        # All sweeps: there is nothing to warn of.
        tol=0.0,
        max_iter=_SWEEPS,
        random_state=random_state,
    )
    activities = made.fit_transform(sample)
    return made, activities.sum(axis=0)
