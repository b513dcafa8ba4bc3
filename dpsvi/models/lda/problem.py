"""LDA as a `Problem` of the engine: DPSVI, Alg. 3 and 4 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import LocalProblem
from dpsvi.models.conjugate import Clock, NaturalParameters, RowUpdate
from dpsvi.models.lda.kernels.arrays import aligned, padded_size

__all__ = ["LDAProblem"]

# Rows of the global array that are filled at a time.
_BLOCK = 4096


@dataclass(frozen=True)
class LDAProblem:
    """Topics of documents, by variational Bayes or zero-order collapsed inference.

    The parameters are a `NaturalParameters` with a row per word: λ, the Dirichlet
    parameters of the topics.

    Attributes
    ----------
    n_words, n_topics : int
        V and K.
    n_documents : int
        N, the number of documents that a mini-batch stands for.
    topic_word_prior : float
        Dirichlet prior of the topics, at least what λ is everywhere.
    doc_topic_prior : ndarray of shape (n_topics,)
        Dirichlet prior of the documents.
    clock : Clock
        Rates of the local steps, over all workers and threads.
    inference : {"vb", "cvb0"}
        The local step.
    learning : {"online", "batch"}
        Stochastic natural gradient steps, or full coordinate ascent.
    batch_size : int
        Documents of a local step, S.
    tolerance, max_iterations : float, int
        When variational Bayes stops on a document.
    dtype : numpy.dtype
        float32 or float64, of everything but sums.
    """

    n_words: int
    n_topics: int
    n_documents: float
    topic_word_prior: float
    doc_topic_prior: NDArray[np.float64]
    clock: Clock
    inference: Literal["vb", "cvb0"] = "vb"
    learning: Literal["online", "batch"] = "online"
    batch_size: int = 128
    tolerance: float = 1e-3
    max_iterations: int = 100
    dtype: np.dtype[Any] = np.dtype("float32")  # noqa: RUF009 (immutable)

    @property
    def additive(self) -> bool:
        """Online updates are pure additions; a batch update replaces λ."""
        return self.learning == "online"

    def empty_parameters(self) -> NaturalParameters:
        """Return λ = prior."""
        shape = (self.n_words, self.n_topics)
        return _empty_parameters(shape, self.dtype, self.topic_word_prior)

    def initial_parameters(self, rng: np.random.Generator) -> NaturalParameters:
        """Return noise of mean 1 and relative standard deviation 0.1, above the prior.

        The moments of Gamma(100, 1/100), the usual start (Hoffman et al. 2010), from
        uniform numbers, which are ten times as fast to draw.
        """
        parameters = self.empty_parameters()
        mean = max(1.0 - self.topic_word_prior, 0.1)
        width = np.sqrt(0.12)
        for begin in range(0, self.n_words, _BLOCK):
            block = parameters.weights[begin : begin + _BLOCK, : self.n_topics]
            noise = rng.random(block.shape, dtype=np.float32)
            block[:] = mean * (1.0 - width / 2 + width * noise)
        parameters.sum_again()
        return parameters

    def parameters_from(self, components: NDArray[np.floating]) -> NaturalParameters:
        """Return λ as given, of shape (n_topics, n_words)."""
        return parameters_of(components, self.topic_word_prior)

    def open_worker(
        self, shard: sp.csr_array, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalProblem:
        """Open the problem on a shard: counts in CSR, in the problem's dtype."""
        from dpsvi.models.lda.worker import BatchWorker, OnlineWorker

        kind = OnlineWorker if self.learning == "online" else BatchWorker
        return kind(self, shard, n_threads, seed)

    def merge(
        self,
        parameters: NaturalParameters,
        payloads: Sequence[RowUpdate],
        rates: Sequence[float],
    ) -> NaturalParameters:
        """Alg. 3 line 4: add the pushes to the rows that they touch."""
        if self.learning == "batch":
            # The new λ is the sum of the statistics; nothing of the old one stays.
            parameters.weights[:] = 0.0
            parameters.totals[:] = 0.0
        for payload, rate in zip(payloads, rates, strict=True):
            parameters.add(payload, rate)
        return parameters


def _empty_parameters(
    shape: tuple[int, int], dtype: Any, prior: float
) -> NaturalParameters:
    n_words, n_topics = shape
    weights = aligned((n_words, padded_size(n_topics, dtype)), dtype)
    return NaturalParameters(weights, np.zeros((1, n_topics)), prior)


def parameters_of(components: NDArray[np.floating], prior: float) -> NaturalParameters:
    """Return λ of shape (n_topics, n_words) in the engine's representation.

    Values below the prior, which no fit gives, become the prior.
    """
    parameters = _empty_parameters(components.T.shape, components.dtype, prior)
    weights = parameters.weights[:, : components.shape[0]]
    np.subtract(components.T, prior, out=weights, casting="unsafe")
    np.maximum(weights, 0, out=weights)
    parameters.sum_again()
    return parameters
