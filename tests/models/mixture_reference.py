"""Slow, obvious mixtures of Gaussians: one formula a line, one row at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, logsumexp
from scipy.stats import multivariate_normal

from dpsvi.models.mixture.parameters import MixturePrior, Posterior

Array = npt.NDArray[Any]


def features(x: Array, *, full: bool) -> Array:
    """φ(x)."""
    n = x.size
    products = [x[i] * x[j] for i in range(n) for j in range(i, n if full else i + 1)]
    return np.array([1.0, *x, *products])


def log_weights(prior: MixturePrior, counts: Array) -> Array:
    """E[log π_k], stick by stick."""
    K = counts.size
    if not prior.stick_breaking:
        alpha = prior.concentration + counts
        return np.array([digamma(a) - digamma(alpha.sum()) for a in alpha])
    found = np.zeros(K)
    for k in range(K):
        a = 1.0 + counts[k]
        b = prior.concentration + counts[k + 1 :].sum()
        found[k] += digamma(a) - digamma(a + b)
        found[k + 1 :] += digamma(b) - digamma(a + b)
    return found


def log_joint(prior: MixturePrior, q: Posterior, x: Array) -> Array:
    """E[log π_k N(x | k)] for each component."""
    n, found = x.size, log_weights(prior, q.counts)
    for k in range(q.counts.size):
        nu, beta = q.degrees_of_freedom[k], q.mean_precision[k]
        covariance = q.covariances[k] if prior.full else np.diag(q.covariances[k])
        gauss = multivariate_normal.logpdf(x, q.means[k], covariance)
        halves = sum(digamma(0.5 * (nu - i)) for i in range(n)) + n * np.log(2.0)
        found[k] += gauss - 0.5 * n * np.log(nu) + 0.5 * (halves - n / beta)
    return found


def posterior(prior: MixturePrior, X: Array, shares: Array) -> Posterior:
    """Bishop (2006), Eq. 10.58-10.63, for given responsibilities."""
    K, n = shares.shape[1], X.shape[1]
    b0, v0, m0 = prior.mean_precision, prior.degrees_of_freedom, prior.mean
    W0 = prior.covariance if prior.full else np.diag(prior.covariance)
    counts = shares.sum(axis=0)
    means, covariances = np.zeros((K, n)), np.zeros((K, n, n))
    for k in range(K):
        mean = shares[:, k] @ X / counts[k]
        scatter = sum(
            r * np.outer(x - mean, x - mean)
            for r, x in zip(shares[:, k], X, strict=True)
        )
        means[k] = (b0 * m0 + counts[k] * mean) / (b0 + counts[k])
        drawn = b0 * counts[k] / (b0 + counts[k]) * np.outer(mean - m0, mean - m0)
        covariances[k] = (W0 + scatter + drawn) / (v0 + counts[k])
    if not prior.full:
        covariances = covariances.diagonal(axis1=1, axis2=2).copy()
    return Posterior(counts, b0 + counts, v0 + counts, means, covariances)


def expect(prior: MixturePrior, q: Posterior, X: Array) -> tuple[Array, float]:
    """Expected statistics of rows, and the sum of the log normalisers."""
    total, likelihood = 0.0, 0.0
    for x in X:
        joint = log_joint(prior, q, x)
        likelihood += logsumexp(joint)
        shares = np.exp(joint - logsumexp(joint))
        total = total + np.outer(features(x, full=prior.full), shares)
    return np.asarray(total), likelihood
