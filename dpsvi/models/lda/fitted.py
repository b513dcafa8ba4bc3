"""What a fitted model can do: describe documents, score them, show its topics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import psi
from sklearn.utils.validation import check_is_fitted

from dpsvi.models.conjugate import NaturalParameters
from dpsvi.models.lda import evaluation
from dpsvi.models.lda.blocks import in_blocks
from dpsvi.models.lda.fitting import documents_of, perplexity
from dpsvi.models.lda.lazy import sum_over_blocks
from dpsvi.models.lda.relevance import relevance
from dpsvi.models.lda.settings import parameters_of
from dpsvi.models.lda.validation import check_counts
from dpsvi.models.lda.vocabulary import in_words_of

__all__ = ["FittedTopics"]


class FittedTopics:
    """The methods of `DPSVILatentDirichletAllocation` that need a fitted model.

    All follow from `components_` and the priors, so that they work on any λ put there.
    A corpus with names is brought to the model's words: others are left out, and their
    number is logged at level INFO of "dpsvi.words".
    Where the documents are blocks of Dask's, what comes back is a Dask array: nothing
    is computed yet, and later each block where it lies. A score has the shape ().
    """

    components_: NDArray[np.floating]
    topic_word_prior_: float | NDArray[np.float64]
    n_features_in_: int
    total_samples: float
    dtype: Any
    # The documents to compute `bound_` from, until it is asked for.
    _bound: float | sp.csr_array

    def score(
        self, X: Any, y: Any = None, *, include_topics_term: bool = False
    ) -> float:
        """Return the evidence lower bound of documents in nats, summed over them.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
            Counts of words in documents.
        y : Ignored
            Present for scikit-learn's conventions.
        include_topics_term : bool, default=False
            Add E[log p(β) - log q(β)], as scikit-learn does. It belongs to the model
            and not to the documents, however few of them there are.
        """
        check_is_fitted(self)
        term = self._topics_term() if include_topics_term else 0.0

        def finish(sums: NDArray[np.float64]) -> float:
            return float(sums[0]) + term

        score: float = self._total(X, "_bound_sums", 3, finish, whom="score")
        return score

    def perplexity(
        self, X: Any, sub_sampling: bool = False, *, include_topics_term: bool = False
    ) -> float:
        """Return exp of minus the bound per token.

        A bound on perplexity from below the likelihood; see `heldout_perplexity` for
        the measure to choose models by.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
            Counts of words in documents.
        sub_sampling : bool, default=False
            Count the documents as `total_samples`; matters only together with the
            topics term.
        include_topics_term : bool, default=False
            See `score`; True gives scikit-learn's number.
        """
        check_is_fitted(self)
        term = self._topics_term() if include_topics_term else 0.0
        n_samples = self.total_samples if sub_sampling else None

        def finish(sums: NDArray[np.float64]) -> float:
            bound, n_tokens, n_documents = sums
            if not n_tokens:
                raise ValueError(
                    "perplexity needs documents with words; there are none"
                )
            times = 1.0 if n_samples is None else n_samples / n_documents
            return float(np.exp(-(times * bound + term) / (times * n_tokens)))

        found: float = self._total(X, "_bound_sums", 3, finish, whom="perplexity")
        return found

    def heldout_perplexity(
        self,
        X: Any,
        *,
        observed_fraction: float = 0.5,
        random_state: int | None = 0,
    ) -> float:
        """Return the perplexity of document completion.

        The tokens of each document are split in two at random; the document's topics
        come from the one part, and the other is scored: exp of minus the mean log of
        sum_k E[θ_k] E[β_kw] over its tokens.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
            Counts of words in documents that the model was not fitted on.
        observed_fraction : float, default=0.5
            Expected share of the tokens that is observed, between 0 and 1.
        random_state : int or None, default=0
            Seed of the split; the same for models that are to be compared.
        """
        if not 0 < observed_fraction < 1:
            raise ValueError(
                f"observed_fraction is {observed_fraction}; it must be between 0 and 1"
            )
        check_is_fitted(self)
        split = {"observed_fraction": observed_fraction, "seed": random_state}

        def finish(sums: NDArray[np.float64]) -> float:
            return evaluation.completed(float(sums[0]), float(sums[1]))

        found: float = self._total(
            X, "_completion_sums", 2, finish, seeded="seed", **split
        )
        return found

    def topics(
        self, n_words: int = 10, *, relevance_weight: float = 1.0
    ) -> list[list[tuple[Any, float]]]:
        """Return the words of each topic.

        Parameters
        ----------
        n_words : int, default=10
            Words per topic.
        relevance_weight : float, default=1.0
            1: the most probable words come first. Less: also those that are rare in
            other topics; 0.6 reads well. See `dpsvi.models.lda.relevance`.

        Returns
        -------
        list of list of (word, probability)
            Words are names if the model was fitted with names, else column numbers.

        Raises
        ------
        ValueError
            If `relevance_weight` is not between 0 and 1.
        """
        check_is_fitted(self)
        if not 0 <= relevance_weight <= 1:
            raise ValueError(
                f"relevance_weight is {relevance_weight}; it must be between 0 and 1"
            )
        words = getattr(self, "feature_names_in_", np.arange(self.n_features_in_))
        sizes = self.components_.sum(axis=1, dtype=float)
        scores: NDArray[np.floating] = self.components_
        if relevance_weight < 1:
            probabilities = self.components_ / sizes[:, np.newaxis]
            scores = relevance(probabilities, sizes / sizes.sum(), relevance_weight)
        table = []
        for topic, score, size in zip(self.components_, scores, sizes, strict=True):
            best = np.argsort(-score, kind="stable")[:n_words]
            share = topic[best] / size
            table.append(list(zip(words[best].tolist(), share.tolist(), strict=True)))
        return table

    @property
    def bound_(self) -> float:
        """Perplexity of the training documents, of at most 1,000 of them.

        Computed when it is first asked for: a fit does not pay for it.
        """
        check_is_fitted(self)
        if not isinstance(self._bound, float):
            documents = documents_of(self, self._bound, fitted=True)
            parameters = parameters_of(self.components_, self.topic_word_prior_)
            self._bound = perplexity(documents, parameters)
        return self._bound

    def __getstate__(self) -> Any:
        # Training documents never leave the process with a pickled model.
        if hasattr(self, "_bound"):
            _ = self.bound_
        return super().__getstate__()

    @property
    def exp_dirichlet_component_(self) -> NDArray[Any]:
        """exp(E[log β]), of the shape of `components_`."""
        check_is_fitted(self)
        totals = self.components_.sum(axis=1, dtype=float)
        log_beta = psi(self.components_) - psi(totals)[:, np.newaxis]
        topics: NDArray[Any] = np.exp(log_beta).astype(self.components_.dtype)
        return topics

    def _check(
        self, X: Any, *, whom: str, reset: bool = False, dtype: Any = None
    ) -> sp.csr_array:
        """Return checked counts; not to `reset` means to compare with the model."""
        if dtype is None:
            dtype = self.dtype if reset else self.components_.dtype
        whom = f"{type(self).__name__}.{whom}"
        return check_counts(self, X, reset=reset, whom=whom, dtype=dtype)

    def _fitted(
        self, X: Any, whom: str
    ) -> tuple[evaluation.Documents, NaturalParameters]:
        """Return checked documents and λ, to be used at scale one."""
        check_is_fitted(self)
        counts = self._check(in_words_of(self, X), whom=whom)
        documents = documents_of(self, counts, fitted=True)
        return documents, parameters_of(self.components_, self.topic_word_prior_)

    def _total(
        self,
        X: Any,
        method: str,
        n_sums: int,
        finish: Callable[[NDArray[np.float64]], float],
        seeded: str | None = None,
        **options: Any,
    ) -> Any:
        """Apply a method that sums over documents, to blocks lazily, and finish."""
        if in_blocks(X):
            return sum_over_blocks(self, X, method, n_sums, finish, seeded, **options)
        return finish(getattr(self, method)(X, **options))

    def _bound_sums(self, X: Any, whom: str) -> NDArray[np.float64]:
        """Evidence lower bound, tokens, documents."""
        documents, parameters = self._fitted(X, whom)
        bound = evaluation.documents_bound(documents, parameters)
        n_tokens = documents.counts.data.sum(dtype=float)
        return np.array([bound, n_tokens, documents.counts.shape[0]])

    def _completion_sums(
        self, X: Any, observed_fraction: float, seed: int | None
    ) -> NDArray[np.float64]:
        """Log probability of the hidden tokens, and their number."""
        documents, parameters = self._fitted(X, "heldout_perplexity")
        split = evaluation.Completion(documents, observed_fraction, seed)
        return np.array([split.log_probability(parameters), split.n_tokens])

    def _topics_term(self) -> float:
        return evaluation.topics_bound(self.components_, self.topic_word_prior_)
