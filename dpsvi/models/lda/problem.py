"""LDA as a `Problem` of the engine: DPSVI, Alg. 3 and 4 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import LocalProblem
from dpsvi.models.conjugate import NaturalParameters, Rows
from dpsvi.models.lda.priors import (
    TopicParameters,
    gathered_in,
    learn,
    with_priors,
)
from dpsvi.models.lda.settings import LDASettings, set_components
from dpsvi.models.lda.worker import BatchWorker, OnlineWorker

__all__ = ["LDAProblem"]

# Rows of the global array that are filled at a time.
_BLOCK = 1024


class LDAProblem(LDASettings):
    """Topics of documents, by variational Bayes or zero-order collapsed inference.

    The parameters are a `NaturalParameters` with a row per word: λ, the Dirichlet
    parameters of the topics. See `LDASettings` for what defines it.
    """

    #: What the amount of an update counts.
    unit: ClassVar[str] = "documents"

    @property
    def additive(self) -> bool:
        """Online updates are pure additions; a batch update replaces λ."""
        return self.learning == "online"

    def initial_parameters(self, rng: np.random.Generator) -> NaturalParameters:
        """Return noise of mean 1 and relative standard deviation 0.1, above the prior.

        The moments of Gamma(100, 1/100), the usual start (Hoffman et al. 2010), from
        uniform numbers, which are ten times as fast to draw.
        """
        parameters = self.empty_parameters()
        mean = max(1.0 - float(np.median(self.topic_word_prior)), 0.1)
        width = 0.12**0.5
        noise = np.empty((_BLOCK, self.n_topics), dtype=np.float32)
        for begin in range(0, self.n_words, _BLOCK):
            block = parameters.weights[begin : begin + _BLOCK, : self.n_topics]
            drawn = noise[: block.shape[0]]
            rng.random(out=drawn, dtype=np.float32)
            drawn *= mean * width
            np.add(drawn, mean * (1.0 - width / 2), out=block)
        if isinstance(self.topic_word_prior, np.ndarray):
            # Where the prior tells topics apart, no noise is to blur it.
            parameters.weights[np.ptp(self.topic_word_prior, axis=0) > 0] = 0.0
        parameters.sum_again()
        return parameters

    def parameters_from(self, components: NDArray[np.floating]) -> NaturalParameters:
        """Return λ as given, of shape (n_topics, n_words)."""
        parameters = self.empty_parameters()
        set_components(parameters, components)
        return parameters

    def open_worker(
        self, shard: sp.csr_array, n_threads: int, seed: np.random.SeedSequence
    ) -> LocalProblem:
        """Open the problem on a shard: counts in CSR, in the problem's dtype."""
        kind = OnlineWorker if self.learning == "online" else BatchWorker
        return kind(self, shard, n_threads, seed)

    def extract(
        self, parameters: NaturalParameters, request: NDArray[np.int32] | slice | None
    ) -> Rows | NaturalParameters:
        """Copy the rows of some words, or everything."""
        if request is not None:
            rows = parameters.take(request)
            return rows if not self.learned else with_priors(rows, parameters)
        # The one worker of batch learning reads λ while nobody writes it.
        return parameters if self.learning == "batch" else deepcopy(parameters)

    def merge(
        self,
        parameters: NaturalParameters,
        payloads: Sequence[Rows],
        rates: Sequence[float],
    ) -> NaturalParameters:
        """Alg. 3 line 4: add the pushes to the rows that they touch."""
        if self.learning == "batch":
            # The new λ is the sum of the statistics; nothing of the old one stays.
            parameters.weights[:] = 0.0
            parameters.totals[:] = 0.0
        for payload, rate in zip(payloads, rates, strict=True):
            parameters.add(payload, rate)
        if isinstance(parameters, TopicParameters):
            learn(
                parameters,
                [news for payload in payloads if (news := gathered_in(payload))],
                self.learned,
                self.n_documents,
                afresh=self.learning == "batch",
            )
        return parameters
