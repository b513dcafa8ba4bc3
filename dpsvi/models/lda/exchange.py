"""The same topics in other libraries: scikit-learn, gensim, pyLDAvis.

Each library is imported when it is asked for, and need not be installed else.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from importlib import import_module
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, check_random_state

from dpsvi.engine import History
from dpsvi.models.lda.given_priors import check_topic_word_prior
from dpsvi.models.lda.validation import check_prior
from dpsvi.models.lda.vocabulary import in_words_of

__all__ = ["Exchangeable"]

# Of gensim's parameters those that mean the same here, by our names.
_OF_GENSIM = {
    "learning_decay": "decay",
    "learning_offset": "offset",
    "batch_size": "chunksize",
    "max_doc_update_iter": "iterations",
    "mean_change_tol": "gamma_threshold",
    "max_iter": "passes",
}


class Exchangeable:
    """An estimator whose topics go to other libraries, and come from there."""

    components_: NDArray[np.floating]
    n_features_in_: int

    def to_sklearn(self) -> Any:
        """Return scikit-learn's estimator with the same topics.

        Its `transform` gives the same topics of documents, up to the tolerance at
        which inference ends, and its `partial_fit` goes on from here. Parameters that
        scikit-learn has are set; where this one says "auto", to its own defaults. The
        names of the words stay here: scikit-learn would ask sparse matrices for them.

        Returns
        -------
        sklearn.decomposition.LatentDirichletAllocation
            Fitted.

        Raises
        ------
        ValueError
            If topics or words differ in their priors, which scikit-learn does not know.

        Examples
        --------
        >>> from dpsvi import DPSVILatentDirichletAllocation
        >>> model = DPSVILatentDirichletAllocation(2, random_state=0)
        >>> model.fit([[2, 1, 0], [0, 1, 3]]).to_sklearn()
        LatentDirichletAllocation(...)
        """
        from sklearn.decomposition import LatentDirichletAllocation

        check_is_fitted(self)
        model: Any = self
        given = model.get_params(deep=False)
        other = LatentDirichletAllocation()
        own = {
            "n_components": self.components_.shape[0],
            "n_jobs": None,
            "doc_topic_prior": _one_number(model, "doc_topic_prior_"),
            "topic_word_prior": _one_number(model, "topic_word_prior_"),
        }
        shared = (name for name in other.get_params() if name not in own)
        parameters = _chosen(given, {name: name for name in shared}) | own
        other.set_params(**parameters)
        other.doc_topic_prior_ = parameters["doc_topic_prior"]
        other.topic_word_prior_ = parameters["topic_word_prior"]
        other.components_ = np.array(self.components_, order="C")
        other.exp_dirichlet_component_ = np.asarray(
            model.exp_dirichlet_component_, order="C"
        )
        for name in ("n_iter_", "n_batch_iter_", "n_features_in_", "bound_"):
            setattr(other, name, getattr(model, name))
        other.random_state_ = deepcopy(model.random_state_)
        return other

    @classmethod
    def from_sklearn(cls, model: Any) -> Self:
        """Return an estimator with the topics of scikit-learn's.

        Parameters
        ----------
        model : sklearn.decomposition.LatentDirichletAllocation
            Fitted.

        Returns
        -------
        estimator
            With the same parameters, and the others at their defaults. Its `history_`
            is empty.

        Raises
        ------
        TypeError
            If it is another kind of model.
        NotFittedError
            If it has no topics yet.

        Examples
        --------
        >>> from sklearn.decomposition import LatentDirichletAllocation
        >>> from dpsvi import DPSVILatentDirichletAllocation
        >>> model = LatentDirichletAllocation(2, random_state=0)
        >>> model = model.fit([[2, 1, 0], [0, 1, 3]])
        >>> DPSVILatentDirichletAllocation.from_sklearn(model).transform([[1, 0, 0]])
        array([[0.7..., 0.2...]])
        """
        from sklearn.decomposition import LatentDirichletAllocation

        if not isinstance(model, LatentDirichletAllocation):
            raise TypeError(
                f"model is of type {type(model).__name__}; give a fitted "
                "sklearn.decomposition.LatentDirichletAllocation"
            )
        check_is_fitted(model)
        ours = cls._with_topics(
            model.components_,
            model.get_params(deep=False),
            doc_topic_prior=model.doc_topic_prior_,
            topic_word_prior=model.topic_word_prior_,
            words=getattr(model, "feature_names_in_", None),
            random_state=model.random_state_,
        )
        ours.n_iter_, ours.n_batch_iter_ = model.n_iter_, model.n_batch_iter_
        ours._bound = float(getattr(model, "bound_", np.nan))
        found: Self = ours
        return found

    def to_gensim(self, id2word: Mapping[int, str] | None = None) -> Any:
        """Return gensim's model with the same topics.

        Parameters
        ----------
        id2word : mapping of int to str, or gensim.corpora.Dictionary, default=None
            Name of each word number. None: the names that the model was fitted with,
            or else the numbers.

        Returns
        -------
        gensim.models.LdaModel
            Its `get_topics` gives the same probabilities, its `update` goes on.

        Raises
        ------
        ImportError
            If gensim is not installed.
        ValueError
            If `id2word` numbers the words in another way than the model.
        """
        check_is_fitted(self)
        gensim = _imported("gensim.models", "to_gensim", "gensim")
        model: Any = self
        dtype = self.components_.dtype.type
        given = model.get_params(deep=False)
        other = gensim.LdaModel(
            num_topics=self.components_.shape[0],
            id2word=_numbered(model, id2word),
            alpha=_vector(model.doc_topic_prior_, len(self.components_)),
            eta=_vector(model.topic_word_prior_, self.n_features_in_),
            dtype=dtype,
            random_state=given["random_state"],
            **_chosen(given, _OF_GENSIM),
        )
        other.state.sstats = (self.components_ - other.eta).astype(dtype, order="C")
        other.sync_state()
        seen = model.history_["documents"][-1] if len(model.history_) else 0
        # Of these a pass is one part.
        other.num_updates = int(seen)
        other.state.numdocs = int(seen / max(1, model.n_iter_))
        return other

    @classmethod
    def from_gensim(cls, model: Any) -> Self:
        """Return an estimator with the topics of gensim's.

        Parameters
        ----------
        model : gensim.models.LdaModel
            Trained.

        Returns
        -------
        estimator
            Fitted; its `history_` is empty.

        Raises
        ------
        ImportError
            If gensim is not installed.
        TypeError
            If it is another kind of model.
        """
        gensim = _imported("gensim.models", "from_gensim", "gensim")
        if not isinstance(model, gensim.LdaModel):
            raise TypeError(
                f"model is of type {type(model).__name__}; give a trained "
                "gensim.models.LdaModel"
            )
        topics = model.state.get_lambda()
        parameters = {
            ours: getattr(model, theirs) for ours, theirs in _OF_GENSIM.items()
        }
        parameters["learning_offset"] = max(1.0, parameters["learning_offset"])
        found: Any = cls._with_topics(
            topics,
            parameters,
            doc_topic_prior=model.alpha,
            topic_word_prior=model.eta,
            words=_names(model.id2word, topics.shape[1]),
            random_state=model.random_state,
        )
        found.n_iter_ = model.passes
        found.n_batch_iter_ = 1 + -(-model.num_updates // model.chunksize)
        ours: Self = found
        return ours

    def to_pyldavis(self, X: Any = None) -> dict[str, Any]:
        """Return what `pyLDAvis.prepare` takes, to look at the topics in a browser.

        Write ``pyLDAvis.prepare(**model.to_pyldavis(X))``.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, default=None
            Documents, for the sizes of topics and the frequencies of words. None: those
            that the model has counted in fitting, without another pass over documents.
            pyLDAvis uses no more than sums over the documents, so one document per
            topic is given that holds all of its words.

        Returns
        -------
        dict
            With ``topic_term_dists``, ``doc_topic_dists``, ``doc_lengths``, ``vocab``
            and ``term_frequency``.

        Examples
        --------
        >>> from dpsvi import DPSVILatentDirichletAllocation
        >>> model = DPSVILatentDirichletAllocation(2, random_state=0)
        >>> X = [[2, 1, 0], [0, 1, 3]]
        >>> model.fit(X).to_pyldavis(X)["doc_lengths"]
        array([3., 4.])
        """
        check_is_fitted(self)
        model: Any = self
        topics = self.components_.astype(float)
        if X is None:
            counts = np.maximum(topics - model.topic_word_prior_, 0.0)
            shares = np.eye(len(topics))
        else:
            counts = model._check(in_words_of(model, X), whom="to_pyldavis")
            shares = np.asarray(model.transform(X), dtype=float)
            # Again, in the precision that is asked for there.
            shares /= shares.sum(axis=1, keepdims=True)
        words = getattr(model, "feature_names_in_", range(self.n_features_in_))
        return {
            "topic_term_dists": topics / topics.sum(axis=1, keepdims=True),
            "doc_topic_dists": shares,
            "doc_lengths": np.asarray(counts.sum(axis=1, dtype=float)).ravel(),
            "vocab": [str(word) for word in words],
            "term_frequency": np.asarray(counts.sum(axis=0, dtype=float)).ravel(),
        }

    @classmethod
    def _with_topics(
        cls,
        components: NDArray[Any],
        parameters: Mapping[str, Any],
        *,
        doc_topic_prior: Any,
        topic_word_prior: Any,
        words: Any,
        random_state: Any,
    ) -> Any:
        """Return a fitted estimator; `n_jobs` stays ours, it means something else."""
        n_topics, n_words = components.shape
        alpha, eta = _alike(doc_topic_prior), _alike(topic_word_prior)
        check_prior("doc_topic_prior", alpha, n_topics)
        eta = check_topic_word_prior(eta, n_topics, n_words)
        own = {
            "n_jobs": None,
            "n_components": n_topics,
            "doc_topic_prior": alpha,
            "topic_word_prior": eta,
        }
        model: Any = cls(**{**parameters, **own})
        model.components_ = np.array(components)
        model.doc_topic_prior_, model.topic_word_prior_ = alpha, eta
        model.n_features_in_ = n_words
        if words is not None:
            model.feature_names_in_ = np.asarray(words, dtype=object)
        model.random_state_ = check_random_state(deepcopy(random_state))
        model.n_iter_, model.n_batch_iter_ = 0, 1
        model.history_, model._bound = History(), float("nan")
        return model


def _chosen(given: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters by their new names, but for those that are left to us."""
    found = {theirs: given[ours] for ours, theirs in names.items()}
    return {k: v for k, v in found.items() if not (isinstance(v, str) and v == "auto")}


def _vector(prior: Any, size: int) -> NDArray[Any]:
    return np.full(size, prior) if np.ndim(prior) == 0 else np.array(prior)


def _alike(prior: Any) -> Any:
    """Return one number in place of many that are the same."""
    values = np.asarray(prior, dtype=float)
    return values if np.ptp(values) else float(values.flat[0])


def _one_number(model: Any, name: str) -> float:
    prior = np.asarray(getattr(model, name))
    if np.ptp(prior):
        raise ValueError(
            f"{name} has the values {np.unique(prior)[:5]}, and scikit-learn knows "
            "only one value for all; fit with one number, or use to_gensim"
        )
    return float(prior.flat[0])


def _numbered(model: Any, id2word: Mapping[int, str] | None) -> Mapping[int, str]:
    """Return the names of the word numbers, as gensim wants them."""
    n_words = model.n_features_in_
    own = getattr(model, "feature_names_in_", None)
    if id2word is None:
        return dict(enumerate(map(str, range(n_words) if own is None else own)))
    theirs = _names(id2word, n_words)
    if len(id2word) != n_words or theirs is None:
        raise ValueError(
            f"id2word has {len(id2word)} words, and the model {n_words}, with the "
            f"numbers 0 to {n_words - 1}; give the one that the documents were made "
            "with"
        )
    if own is not None and list(map(str, own)) != theirs:
        raise ValueError(
            "id2word numbers the words in another way than the documents of the fit; "
            "leave it out, or give the one that they were made with"
        )
    return id2word


def _names(id2word: Any, n_words: int) -> list[str] | None:
    """Return the words in order; None if a number has no name."""
    if type(id2word).__name__ == "FakeDict":
        return None
    names = [id2word.get(number) for number in range(n_words)]
    return None if None in names else names


def _imported(module: str, whom: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{whom} needs {package}: pip install {package}") from error
