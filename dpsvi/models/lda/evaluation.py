"""How well topics explain documents: bounds and document completion.

All in nats (base e); perplexities are per token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import gammaln, psi

from dpsvi.models.arrays import aligned
from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.kernels.scores import log_mixtures
from dpsvi.models.lda.passes import Pass
from dpsvi.models.lda.priors import doc_topic_prior_in

__all__ = [
    "Completion",
    "Documents",
    "completed",
    "document_topics",
    "documents_bound",
    "split_tokens",
    "topics_bound",
]


@dataclass
class Documents:
    """Documents to be explained, and how hard to try.

    Attributes
    ----------
    counts : csr_array of shape (n_documents, n_words)
        Canonical, without stored zeros, in the dtype to compute in.
    doc_topic_prior : ndarray of shape (n_topics,)
        α.
    tolerance, max_iterations : float, int
        When variational inference stops on a document.
    n_threads : int
        Threads to use; the result does not depend on it.
    """

    counts: sp.csr_array
    doc_topic_prior: NDArray[np.float64]
    tolerance: float
    max_iterations: int
    n_threads: int

    def inference(self) -> Inference:
        """Return a new state for one thread."""
        return Inference(
            self.counts, self.doc_topic_prior, self.tolerance, self.max_iterations
        )


class _Topics(Pass):
    """Collects γ of every document."""

    def __init__(self, documents: Documents, *given: Any) -> None:
        super().__init__(documents.counts, documents.inference, *given)
        n_topics = documents.doc_topic_prior.size
        self.gammas = np.empty(
            (documents.counts.shape[0], n_topics), documents.counts.data.dtype
        )

    def use(self, batch: NDArray[np.int32], inference: Inference) -> None:
        self.gammas[batch] = inference.gammas[:, : inference.n_topics]


class _Bound(Pass):
    """Collects the evidence lower bound of every document, λ held fixed."""

    def __init__(self, documents: Documents, *given: Any) -> None:
        super().__init__(documents.counts, documents.inference, *given)
        self._prior = documents.doc_topic_prior
        self.bounds = np.zeros(documents.counts.shape[0])

    def use(self, batch: NDArray[np.int32], inference: Inference) -> None:
        counts, prior = self.counts, self._prior
        gamma = inference.gammas[:, : inference.n_topics].astype(float)
        log_theta = psi(gamma) - psi(gamma.sum(axis=1, keepdims=True))
        words = np.empty(batch.size)
        log_mixtures(
            counts.indptr,
            counts.data,
            batch,
            inference.local,
            inference.topics,
            _padded(np.exp(log_theta), inference.n_padded, inference.dtype),
            words,
        )
        self.bounds[batch] = (
            words
            - _shifted(counts, batch, inference)
            + ((prior - gamma) * log_theta + gammaln(gamma) - gammaln(prior)).sum(
                axis=1
            )
            + gammaln(prior.sum())
            - gammaln(gamma.sum(axis=1))
        )


def _shifted(
    counts: sp.csr_array, batch: NDArray[np.int32], inference: Inference
) -> NDArray[np.float64]:
    """What the shifts of unknown words have added to the log mixtures."""
    if not inference.shifts.any():
        return np.zeros(batch.size)
    rows = counts[batch]
    owner = np.repeat(np.arange(batch.size), np.diff(rows.indptr))
    shifts = rows.data * inference.shifts[inference.local].astype(float)
    sums = np.bincount(owner, shifts, minlength=batch.size)
    return np.asarray(sums, dtype=np.float64)


def _padded(values: NDArray[Any], n_padded: int, dtype: Any) -> NDArray[Any]:
    padded = aligned((values.shape[0], n_padded), dtype)
    padded[:, : values.shape[1]] = values
    return padded


def document_topics(
    documents: Documents, parameters: NaturalParameters, scale: float = 1.0
) -> NDArray[Any]:
    """Return γ, of shape (n_documents, n_topics); the prior for empty documents."""
    topics = _Topics(documents, parameters, scale)
    topics.go(documents.n_threads)
    return topics.gammas


def documents_bound(
    documents: Documents, parameters: NaturalParameters, scale: float = 1.0
) -> float:
    """Return the evidence lower bound of the documents in nats (paper section 6.3)."""
    bound = _Bound(documents, parameters, scale)
    bound.go(documents.n_threads)
    return float(bound.bounds.sum())


def topics_bound(components: NDArray[Any], prior: float | NDArray[np.float64]) -> float:
    """Return E[log p(β) - log q(β)] in nats, of all topics together.

    Parameters
    ----------
    components : ndarray of shape (n_topics, n_words)
        λ.
    prior : float or ndarray of the shape of `components`
        Dirichlet prior of the topics, η.
    """
    total = 0.0
    n_words = components.shape[1]
    for k, topic in enumerate(components):
        topic = topic.astype(float)
        log_beta = psi(topic) - psi(topic.sum())
        if isinstance(prior, np.ndarray):
            own: Any = prior[k]
            total += float(gammaln(own.sum()) - gammaln(own).sum())
        else:
            own = prior
            total += gammaln(own * n_words) - n_words * gammaln(own)
        total += float(((own - topic) * log_beta + gammaln(topic)).sum())
        total -= gammaln(topic.sum())
    return float(total)


def split_tokens(
    counts: sp.csr_array, observed_fraction: float, seed: int | None
) -> tuple[sp.csr_array, sp.csr_array]:
    """Split each document's tokens in two at random: observed, and to be predicted.

    Whole counts are split token by token (binomially); of a fractional count the
    fraction stays observed.
    """
    rng = np.random.default_rng(seed)
    whole = np.floor(counts.data).astype(np.int64)
    hidden = rng.binomial(whole, 1.0 - observed_fraction).astype(counts.data.dtype)
    return _with(counts, counts.data - hidden), _with(counts, hidden)


def _with(counts: sp.csr_array, data: NDArray[Any]) -> sp.csr_array:
    part = sp.csr_array((data, counts.indices, counts.indptr), counts.shape, copy=True)
    part.eliminate_zeros()
    return part


class Completion:
    """Document completion: topics from one part of the tokens, scored on the other.

    Parameters
    ----------
    documents : Documents
        Held-out documents.
    observed_fraction : float
        Expected share of the tokens that is observed.
    seed : int or None
        Of the split.

    Attributes
    ----------
    n_tokens : float
        Tokens to predict.
    """

    def __init__(
        self, documents: Documents, observed_fraction: float, seed: int | None
    ) -> None:
        observed, hidden = split_tokens(documents.counts, observed_fraction, seed)
        self._observed = Documents(
            observed,
            documents.doc_topic_prior,
            documents.tolerance,
            documents.max_iterations,
            documents.n_threads,
        )
        self._hidden = hidden
        self.n_tokens = float(hidden.data.sum(dtype=float))
        known = np.zeros(hidden.shape[1], dtype=bool)
        known[hidden.indices] = True
        self._words = np.flatnonzero(known)
        self._local = (np.cumsum(known) - 1)[hidden.indices].astype(np.int32)

    def perplexity(self, parameters: NaturalParameters, scale: float = 1.0) -> float:
        """Return exp of minus the mean log probability of the hidden tokens."""
        return completed(self.log_probability(parameters, scale), self.n_tokens)

    def log_probability(
        self, parameters: NaturalParameters, scale: float = 1.0
    ) -> float:
        """Return the log probability of the hidden tokens together.

        A token w of document d has probability sum_k E[θ_dk] E[β_kw].
        """
        prior = doc_topic_prior_in(parameters, self._observed.doc_topic_prior)
        observed = replace(self._observed, doc_topic_prior=prior)
        gammas = document_topics(observed, parameters, scale)
        n_topics = gammas.shape[1]
        totals = parameters.prior_mass + scale * parameters.totals.sum(axis=0)
        mixtures = gammas / gammas.sum(axis=1, keepdims=True) / totals
        # Times the mean total, to stay in the middle of the floats.
        mean = totals.mean()
        n_padded = parameters.weights.shape[1]
        dtype = parameters.weights.dtype
        topics = parameters.weights[self._words] * dtype.type(scale)
        topics += parameters.prior_of(self._words)
        topics[:, n_topics:] = 0
        logs = np.empty(gammas.shape[0])
        log_mixtures(
            self._hidden.indptr,
            self._hidden.data,
            np.arange(gammas.shape[0], dtype=np.int32),
            self._local,
            topics,
            _padded(mixtures * mean, n_padded, dtype),
            logs,
        )
        return float(logs.sum() - self.n_tokens * np.log(mean))


def completed(log_probability: float, n_tokens: float) -> float:
    """Return the perplexity of document completion.

    Raises
    ------
    ValueError
        If there was nothing to predict.
    """
    if not n_tokens:
        raise ValueError(
            "no token of the held-out documents is left to predict; give more "
            "documents, longer ones, or a smaller observed fraction"
        )
    return float(np.exp(-log_probability / n_tokens))
