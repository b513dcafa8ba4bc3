"""What defines a run of LDA: the model, the local step, the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.arrays import aligned, padded_size
from dpsvi.models.conjugate import Clock, NaturalParameters
from dpsvi.models.lda.priors import Evidence, Learned, TopicParameters

__all__ = ["LDASettings", "empty_parameters", "parameters_of", "set_components"]


@dataclass(frozen=True)
class LDASettings:
    """Everything that workers and master must agree on.

    Attributes
    ----------
    n_words, n_topics : int
        V and K.
    n_documents : int
        N, the number of documents that a mini-batch stands for.
    topic_word_prior : float or ndarray of shape (n_topics, n_words)
        Dirichlet prior of the topics, at least what λ is everywhere; where learning
        begins if it is learned.
    doc_topic_prior : ndarray of shape (n_topics,)
        Dirichlet prior of the documents; likewise.
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
    learned : Learned
        Which priors are learned.
    batches_before : int
        Mini-batches that each worker has done in an earlier run.
    documents_per_shard : float or None
        On average. A worker takes as many steps as others, so the documents of a large
        shard must count for more than those of a small one. None: one shard, or all of
        one size.
    bfloat16_pushes : bool
        Pushes carry numbers of two bytes, and what rounding leaves comes with later
        ones. For slow networks.
    """

    n_words: int
    n_topics: int
    n_documents: float
    topic_word_prior: float | NDArray[np.float64]
    doc_topic_prior: NDArray[np.float64]
    clock: Clock
    inference: Literal["vb", "cvb0"] = "vb"
    learning: Literal["online", "batch"] = "online"
    batch_size: int = 128
    tolerance: float = 1e-3
    max_iterations: int = 100
    dtype: np.dtype[Any] = np.dtype("float32")  # noqa: RUF009 (immutable)
    bfloat16_pushes: bool = False
    documents_per_shard: float | None = None
    learned: Learned = Learned()  # noqa: RUF009 (immutable)
    batches_before: int = 0

    def empty_parameters(self) -> NaturalParameters:
        """Return λ = prior; with nothing learned so far, if there is to be."""
        shape = (self.n_words, self.n_topics)
        empty = empty_parameters(shape, self.dtype, self.topic_word_prior)
        if not self.learned:
            return empty
        return TopicParameters(
            empty.weights,
            empty.totals,
            empty.prior,
            doc_topic_prior=self.doc_topic_prior,
            evidence=Evidence(np.zeros(self.n_topics + 1)),
        )


def empty_parameters(
    shape: tuple[int, int], dtype: Any, prior: float | NDArray[np.float64]
) -> NaturalParameters:
    """Return λ = prior, for (n_words, n_topics)."""
    n_words, n_topics = shape
    padded = (n_words, padded_size(n_topics, dtype))
    if isinstance(prior, np.ndarray):
        given, prior = prior, aligned(padded, dtype)
        prior[:, :n_topics] = given.T
    return NaturalParameters(aligned(padded, dtype), np.zeros((1, n_topics)), prior)


def parameters_of(
    components: NDArray[np.floating], prior: float | NDArray[np.float64]
) -> NaturalParameters:
    """Return λ of shape (n_topics, n_words) in the engine's representation.

    Values below the prior, which no fit gives, become the prior.
    """
    parameters = empty_parameters(components.T.shape, components.dtype, prior)
    set_components(parameters, components)
    return parameters


def set_components(
    parameters: NaturalParameters, components: NDArray[np.floating]
) -> None:
    """Write λ of shape (n_topics, n_words) into parameters at scale one."""
    n_topics, prior = components.shape[0], parameters.prior
    if isinstance(prior, np.ndarray):
        prior = prior[:, :n_topics]
    weights = parameters.weights[:, :n_topics]
    np.subtract(components.T, prior, out=weights, casting="unsafe")
    np.maximum(weights, 0, out=weights)
    parameters.sum_again()
