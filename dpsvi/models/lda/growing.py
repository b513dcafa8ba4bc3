"""A fitted model learns of words that no document had so far."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from dpsvi.models.lda.given_priors import check_topic_word_prior

__all__ = ["GrowingVocabulary"]


class GrowingVocabulary:
    """Topics that take in more words."""

    n_features_in_: int
    components_: NDArray[np.floating]
    topic_word_prior: Any
    topic_word_prior_: float | NDArray[np.float64]
    _bound: float | sp.csr_array

    def extend_vocabulary(self, words: Iterable[str] | int) -> Self:
        """Add words behind those that the model knows, as if they were never seen.

        In every topic they have the prior and no more; `partial_fit` and all else then
        take documents with these columns too.

        Parameters
        ----------
        words : iterable of str, or int
            Names of the new words; how many there are, if the model was fitted on
            documents without names.

        Returns
        -------
        self
            The estimator, with more columns.

        Raises
        ------
        NotFittedError
            If the model knows no words yet.
        ValueError
            If a word comes twice or is known already, or if `topic_word_prior` is an
            array that says nothing about the new words. The estimator stays as it was.

        Examples
        --------
        >>> from dpsvi import DPSVILatentDirichletAllocation
        >>> from dpsvi.datasets import make_corpus
        >>> corpus = make_corpus(100, n_words=20, n_topics=2, random_state=0)
        >>> model = DPSVILatentDirichletAllocation(2, random_state=0).fit(corpus)
        >>> model.extend_vocabulary(["new", "newer"]).components_.shape
        (2, 22)
        """
        check_is_fitted(self)
        known = getattr(self, "feature_names_in_", None)
        names = None if known is None else _with_names(known, words)
        n_words = self.n_features_in_ + _number(words) if names is None else names.size
        prior = self._prior_for(n_words, names)
        columns = _columns(prior, self.components_, n_words)
        self.components_ = np.concatenate([self.components_, columns], axis=1)
        self.topic_word_prior_ = prior
        self.n_features_in_ = n_words
        if names is not None:
            self.feature_names_in_ = names
        bound = getattr(self, "_bound", None)
        if isinstance(bound, sp.csr_array):
            self._bound = sp.csr_array(
                (bound.data, bound.indices, bound.indptr), (bound.shape[0], n_words)
            )
        return self

    def _prior_for(
        self, n_words: int, names: NDArray[Any] | None
    ) -> float | NDArray[np.float64]:
        """Return the prior of all words, of the old ones as it was in the fit."""
        before = self.topic_word_prior_
        if not isinstance(before, np.ndarray):
            return before
        n_topics, n_known = before.shape
        try:
            prior = check_topic_word_prior(
                self.topic_word_prior, n_topics, n_words, names
            )
        except ValueError as error:
            raise ValueError(
                f"topic_word_prior must go with {n_words} words before the vocabulary "
                f"grows to so many; set_params(topic_word_prior=...) first ({error})"
            ) from error
        wide = np.broadcast_to(prior, (n_topics, n_words))
        return np.concatenate([before, wide[:, n_known:]], axis=1)


def _with_names(known: NDArray[Any], words: Any) -> NDArray[Any]:
    if isinstance(words, str | Integral):
        raise ValueError(
            f"words is {words!r}; the model knows its words by name: give a list of "
            "the new names"
        )
    new = list(words)
    seen = set(known.tolist())
    for word in new:
        if not isinstance(word, str):
            raise ValueError(f"words has {word!r}; give names, which are strings")
        if word in seen:
            raise ValueError(
                f"the word {word!r} is there already; give each new word once, and "
                "none that the model knows"
            )
        seen.add(word)
    return np.concatenate([known, np.array(new, dtype=object)])


def _number(words: Any) -> int:
    if isinstance(words, bool) or not isinstance(words, Integral) or words < 0:
        raise ValueError(
            f"words is {words!r}; the model was fitted on documents without names of "
            "words: give the number of new ones"
        )
    return int(words)


def _columns(
    prior: float | NDArray[np.float64], components: NDArray[Any], n_words: int
) -> NDArray[Any]:
    """Return λ of the new words."""
    n_topics, n_known = components.shape
    if isinstance(prior, np.ndarray):
        return prior[:, n_known:].astype(components.dtype)
    return np.full((n_topics, n_words - n_known), prior, components.dtype)
