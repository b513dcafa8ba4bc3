"""Slow and obvious versions of what the kernels do, in the paper's notation.

λ is word-major here: a row per word, a column per topic, no padding, no scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import psi

from dpsvi.models.lda.kernels import active as active_topics
from dpsvi.models.lda.kernels import cvb0, vb

Array = npt.NDArray[Any]


def exp_psi(x: Array, shift: float | Array = 0.0) -> Array:
    """exp(E[log x]) but for the normalising factor."""
    return np.exp(psi(np.asarray(x, dtype=float)) + shift)


def expected_topics(lam: Array) -> Array:
    """exp(E[log β_kw]) under q(β) = Dirichlet(λ)."""
    return exp_psi(lam) / exp_psi(lam.sum(axis=0))


def document(counts: sp.csr_array, d: int) -> tuple[Array, Array]:
    """Words of a document and how often they occur."""
    row = slice(counts.indptr[d], counts.indptr[d + 1])
    return counts.indices[row], counts.data[row].astype(float)


def random_start(share: float, n_topics: int, state: int) -> tuple[Array, int]:
    """Expected counts 3 share u², u uniform from Knuth's generator; next state."""
    start = np.empty(n_topics)
    for k in range(n_topics):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        start[k] = 3.0 * share * ((state >> 40) / 2.0**24) ** 2
    return start, state


def infer_document(
    n: Array, beta: Array, alpha: Array, start: Array, tol: float, max_iter: int
) -> tuple[Array, Array, int]:
    """Eq. 44: γ, the expected counts per word and topic, and the iterations."""
    gamma = alpha + start
    # What double precision cannot tell from rounding.
    tol = max(tol, vb._ROUNDING * np.finfo(float).eps * n.sum() / alpha.size)
    iterations, change = 0, np.inf
    while iterations < max_iter and change >= tol:
        phi = beta * exp_psi(gamma)
        phi *= n[:, np.newaxis] / (phi.sum(axis=1, keepdims=True) + 1e-300)
        last, gamma = gamma, alpha + phi.sum(axis=0)
        change = np.abs(gamma - last).mean()
        iterations += 1
        active = gamma > alpha + active_topics._USED
        left = max_iter - 1 - iterations
        few = 2 * active.sum() <= alpha.size
        if change >= tol and iterations >= vb._ON_ALL and left > 0 and few:
            rest = (beta * exp_psi(last))[:, ~active].sum(axis=1)
            gamma, done = refine(n, beta, alpha, gamma, rest, active, tol, left)
            iterations += done
    return gamma, phi, iterations


def refine(
    n: Array,
    beta: Array,
    alpha: Array,
    gamma: Array,
    rest: Array,
    active: Array,
    tol: float,
    max_iter: int,
) -> tuple[Array, int]:
    """γ after the active topics alone have converged, and the iterations."""
    gamma, beta = gamma.copy(), beta[:, active]
    iterations, change, step = 0, np.inf, np.zeros(beta.shape[1])
    while iterations < max_iter and change >= tol:
        phi = beta * exp_psi(gamma[active])
        phi *= (n / (rest + phi.sum(axis=1) + 1e-300))[:, np.newaxis]
        last = gamma[active]
        plain = alpha[active] + phi.sum(axis=0) - last
        change = np.abs(plain).sum() / alpha.size
        step = active_topics._STRIDE * plain + active_topics._MOMENTUM * step
        gamma[active] = np.maximum(last + step, alpha[active])
        step = gamma[active] - last
        iterations += 1
    return gamma, iterations


def vb_step(
    counts: sp.csr_array,
    documents: Array,
    lam: Array,
    alpha: Array,
    tol: float,
    max_iter: int,
    noise: int = 0,
) -> tuple[Array, Array, int]:
    """One mini-batch: expected counts of shape λ (Eq. 52), γ, and iterations."""
    topics, statistics = expected_topics(lam), np.zeros_like(lam)
    gammas, iterations, state = [], 0, noise
    for d in documents:
        words, n = document(counts, d)
        share = n.sum() / alpha.size
        start = np.full(alpha.size, share)
        if noise:
            start, state = random_start(share, alpha.size, state)
        gamma, phi, done = infer_document(n, topics[words], alpha, start, tol, max_iter)
        statistics[words] += phi
        gammas.append(gamma)
        iterations += done
    return statistics, np.array(gammas), iterations


def cvb0_document(
    words: Array, n: Array, lam: Array, alpha: Array, totals: Array, rates: Array
) -> Array:
    """Responsibilities of a document's words, by zero-order collapsed inference."""
    beta = lam[words] / totals
    # Running average of alpha + expected counts, over groups of four words; the last
    # may be smaller.
    h = alpha + np.full(alpha.size, n.sum() / alpha.size)
    groups = [slice(j, j + 4) for j in range(0, n.size, 4)]
    for number, group in enumerate(groups):
        phi = h * beta[group]
        phi /= phi.sum(axis=1, keepdims=True)
        r = min(rates[min(number, rates.size - 1)] * n[group].sum(), 0.9)
        mean = n[group] @ phi / n[group].sum()
        h = (1 - r) * h + r * (alpha + n.sum() * mean)
    phi = h * beta
    phi /= phi.sum(axis=1, keepdims=True)
    # A word is judged by the mixture without its own share.
    without = np.maximum(h - cvb0._EXCLUSION * n[:, np.newaxis] * phi, alpha)
    phi = without * beta
    return phi / phi.sum(axis=1, keepdims=True)


def cvb0_step(
    counts: sp.csr_array,
    documents: Array,
    lam: Array,
    eta: float,
    alpha: Array,
    rates: Array,
    rho: float,
    token: float,
) -> Array:
    """λ after a textbook step for each of some documents; a token weighs ρ N.

    The totals that inference reads are renewed now and then.
    """
    lam = lam.copy()
    for i, d in enumerate(documents):
        if i % cvb0._REFRESH == 0:
            totals = lam.sum(axis=0)
        words, n = document(counts, d)
        statistics = np.zeros_like(lam)
        phi = cvb0_document(words, n, lam, alpha, totals, rates)
        statistics[words] = n[:, np.newaxis] * phi
        lam = (1.0 - rho) * lam + rho * eta + token * statistics
    return lam


def svi_update(lam: Array, eta: float, rho: float, scaled_counts: Array) -> Array:
    """Eq. 52 as Hoffman et al. (2013) write it."""
    return (1.0 - rho) * lam + rho * (eta + scaled_counts)
