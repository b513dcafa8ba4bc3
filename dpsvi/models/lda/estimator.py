"""`DPSVILatentDirichletAllocation`: the scikit-learn face of DPSVI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from dpsvi.engine import Checkpoint
from dpsvi.engine.files import PathLike
from dpsvi.models.awaiting import awaited, is_asynchronous
from dpsvi.models.lda import evaluation
from dpsvi.models.lda.blocks import in_blocks
from dpsvi.models.lda.callbacks import CallbackSupport, with_callbacks
from dpsvi.models.lda.epochs import EpochHooks
from dpsvi.models.lda.exchange import Exchangeable
from dpsvi.models.lda.fitted import FittedTopics
from dpsvi.models.lda.fitting import Fit
from dpsvi.models.lda.growing import GrowingVocabulary
from dpsvi.models.lda.lazy import rows_of_blocks
from dpsvi.models.lda.reading import TopicReading
from dpsvi.models.lda.saving import Persistent
from dpsvi.models.lda.sources import gathered, source_for
from dpsvi.models.lda.validation import check_prior, is_one_shot

__all__ = ["DPSVILatentDirichletAllocation"]

_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")


class DPSVILatentDirichletAllocation(
    CallbackSupport,
    FittedTopics,
    GrowingVocabulary,
    TopicReading,
    Persistent,
    Exchangeable,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Latent Dirichlet allocation by distributed, parallel variational inference.

    Finds topics in counts of words, by stochastic natural gradients on lock-free
    threads (DPSVI, Mohamad et al. 2022). Takes the place of scikit-learn's
    `LatentDirichletAllocation`: the same parameters, methods and attributes, and more.

    Parameters
    ----------
    n_components : int, default=10
        Number of topics, K.
    doc_topic_prior : float, array-like of shape (n_components,) or "auto", default=None
        Dirichlet prior of the topics of a document, α. None: ``1 / n_components``.
        "auto": learned, with a number for each topic (Wallach et al. 2009).
    topic_word_prior : float, array-like, dict or "auto", default=None
        Dirichlet prior of the words of a topic, η. None: ``1 / n_components``. "auto":
        learned, one number. An array of shape (n_features,) has a number for each
        word, one of shape (n_components, n_features) for each topic and word. A dict
        gives seed words to topics, as lists, or with weights: in how many places of
        the topic the word counts as seen already, 100 by default; "default" is the
        prior of all else: ``{"default": 0.1, 0: ["goal", "team"], 1: {"vote": 50}}``.
    learning_method : {"online", "batch"}, default="online"
        Stochastic steps from mini-batches, or coordinate ascent on all documents at
        once. `partial_fit` is always online.
    learning_decay : float in [0, 1] or "auto", default="auto"
        κ of the rate of a step, ``(learning_offset + t) ** -learning_decay`` for the
        steps t = 1, 2, ... of the model's life; online learning only. "auto" leaves
        this and the three other "auto" below to us.
    learning_offset : float of at least 1 or "auto", default="auto"
        τ₀ of the rate of a step. Large values make the first steps count less.
    max_iter : int, default=10
        Passes of `fit` over the documents, at most.
    batch_size : int or "auto", default="auto"
        Documents of a mini-batch, S.
    evaluate_every : int, default=-1
        Passes between two measurements of training perplexity; below 1 for never.
    total_samples : float, default=1e6
        Number of documents, N, that those given to `partial_fit` are a part of.
    perp_tol : float, default=0.1
        `fit` ends when training perplexity changes by less between measurements.
    mean_change_tol : float, default=1e-2
        Inference on a document ends when the mean absolute change of its γ is less.
        Not used by ``inference="cvb0"`` while fitting.
    max_doc_update_iter : int, default=100
        Iterations on a document, at most; as `mean_change_tol`.
    n_jobs : int or None, default=None
        Lock-free threads, p in the paper, at most: small corpora get fewer. None: all
        cores. Fits are reproducible to the bit on one thread only; `transform` and all
        measures on any number.
    verbose : int, default=0
        Above 0: a line on the standard output after each pass.
    random_state : int, RandomState or None, default=None
        Seed of the first topics, of the order of documents and of random starts.
    inference : {"vb", "cvb0"}, default="vb"
        What a local step does. "vb": variational Bayes, scikit-learn's model (Hoffman
        et al. 2010). "cvb0": collapsed variational Bayes of order zero (after Foulds
        et al. 2013): one pass over a document, and usually a lower perplexity.
        `transform` and all measures use variational Bayes.
    local_steps : int or "auto", default="auto"
        Mini-batches of each thread between pull and push, B in the paper. Callbacks
        and measurements come after pushes.
    master_batch_size : int or None, default=None
        Pushes that the master merges at once, M in the paper. None: the number of
        workers, which is one in this process.
    local_learning_rate : float in (0, 1] or None, default=None
        Rate of all local steps, in place of `learning_decay` and `learning_offset`:
        ρ_t of Eq. 52, the local rate of Alg. 4.
    global_learning_rate : float or None, default=None
        What the master multiplies each push by, ρ in Alg. 3. None: 1.
    max_staleness : int or None, default=None
        Pushes that are staler than this many versions are dropped. None: no bound.
    backend : {"auto", "local", "dask", "simulated"}, default="auto"
        Where the work of `fit` is done. "local": in this process; "dask": on the
        cluster of a Dask client; "auto": on the cluster if there is a client, given or
        current, else here; "simulated": on one thread, step by step, for tests.
    max_time : float or None, default=None
        Seconds after which `fit` ends. None: no limit.
    max_documents : float or None, default=None
        Documents, counted again in every pass, after which `fit` ends; "batch" learning
        ends with a pass, the first at the earliest. None: no limit.
    patience : int or None, default=None
        `fit` ends after this many measurements on `X_val` in a row without a new
        best. The topics are those at the end, not at the best measurement.
    dtype : {"float32", "float64"} or None, default=None
        What to compute in. None: float64 for input in float64, else float32.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Dirichlet parameters of the topics, λ; divide rows by their sums for
        probabilities of words.
    exp_dirichlet_component_ : ndarray of shape (n_components, n_features)
        exp(E[log β]), computed when asked for.
    doc_topic_prior_ : float or ndarray of shape (n_components,)
        α as used, or as learned.
    topic_word_prior_ : float or ndarray of shape (n_components, n_features)
        η as used, or as learned.
    bound_ : float
        Training perplexity at the end, from the bound; of at most 1,000 documents,
        and computed when asked for.
    history_ : dpsvi.engine.History
        A row per merge: training seconds, version, documents seen, held-out
        perplexity, staleness, bytes, iterations per document, share of documents that
        converged within `max_doc_update_iter`; with learned priors also the sum of α
        and η.
    n_iter_ : int
        Whole passes of `fit` over the documents.
    stop_reason_ : str
        Why the last fit ended: "completed", "max_time", "max_documents", "stopped" (by
        a callback, or for lack of progress), or "interrupted" (by Ctrl-C).
    n_batch_iter_ : int
        One more than the mini-batches seen in the life of the model.
    n_features_in_ : int
        Number of words, V.
    feature_names_in_ : ndarray of shape (n_features,)
        The words, if the documents came with names.
    random_state_ : RandomState
        As used, for `partial_fit` to go on.

    References
    ----------
    Mohamad, Alamri, Bouchachia (2022). Scaling up stochastic gradient descent for
    non-convex optimisation. Machine Learning. arXiv 2210.02882.

    Hoffman, Blei, Bach (2010). Online learning for latent Dirichlet allocation. NIPS.

    Wallach, Mimno, McCallum (2009). Rethinking LDA: why priors matter. NIPS.

    Foulds, Boyles, DuBois, Smyth, Welling (2013). Stochastic collapsed variational
    Bayesian inference for latent Dirichlet allocation. KDD.

    Examples
    --------
    >>> from dpsvi import DPSVILatentDirichletAllocation
    >>> from dpsvi.datasets import make_corpus
    >>> corpus = make_corpus(500, n_words=100, n_topics=5, random_state=0)
    >>> train, test = corpus.split(0.1, random_state=0)
    >>> model = DPSVILatentDirichletAllocation(5, n_jobs=1, random_state=0)
    >>> model.fit(train).components_.shape
    (5, 100)
    >>> model.transform(test).shape
    (50, 5)
    >>> len(model.topics(n_words=3)), len(model.topics(n_words=3)[0])
    (5, 3)

    Topics predict unseen words far better than chance, one in a hundred:

    >>> model.heldout_perplexity(test) < 50
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_components": [_COUNT],
        "doc_topic_prior": [None, _POSITIVE, StrOptions({"auto"}), "array-like"],
        "topic_word_prior": [
            None,
            _POSITIVE,
            StrOptions({"auto"}),
            "array-like",
            dict,
        ],
        "learning_method": [StrOptions({"batch", "online"})],
        "learning_decay": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "learning_offset": [
            Interval(Real, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [_COUNT, StrOptions({"auto"})],
        "evaluate_every": [Interval(Integral, None, None, closed="neither")],
        "total_samples": [_POSITIVE],
        "perp_tol": [Interval(Real, 0, None, closed="left")],
        "mean_change_tol": [Interval(Real, 0, None, closed="left")],
        "max_doc_update_iter": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [None, Integral],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "inference": [StrOptions({"vb", "cvb0"})],
        "local_steps": [_COUNT, StrOptions({"auto"})],
        "master_batch_size": [None, _COUNT],
        "local_learning_rate": [None, Interval(Real, 0, 1, closed="right")],
        "global_learning_rate": [None, _POSITIVE],
        "max_staleness": [None, Interval(Integral, 0, None, closed="left")],
        "backend": [StrOptions({"auto", "local", "dask", "simulated"})],
        "max_time": [None, _POSITIVE],
        "max_documents": [None, _POSITIVE],
        "patience": [None, _COUNT],
        "dtype": [None, StrOptions({"float32", "float64"}), type, np.dtype],
    }

    def __init__(
        self,
        n_components: int = 10,
        *,
        doc_topic_prior: float | Any = None,
        topic_word_prior: float | Any = None,
        learning_method: Literal["batch", "online"] = "online",
        learning_decay: float | str = "auto",
        learning_offset: float | str = "auto",
        max_iter: int = 10,
        batch_size: int | str = "auto",
        evaluate_every: int = -1,
        total_samples: float = 1e6,
        perp_tol: float = 1e-1,
        mean_change_tol: float = 1e-2,
        max_doc_update_iter: int = 100,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        inference: Literal["vb", "cvb0"] = "vb",
        local_steps: int | str = "auto",
        master_batch_size: int | None = None,
        local_learning_rate: float | None = None,
        global_learning_rate: float | None = None,
        max_staleness: int | None = None,
        backend: Literal["auto", "local", "dask", "simulated"] = "auto",
        max_time: float | None = None,
        max_documents: float | None = None,
        patience: int | None = None,
        dtype: Any = None,
    ) -> None:
        self.n_components = n_components
        self.doc_topic_prior = doc_topic_prior
        self.topic_word_prior = topic_word_prior
        self.learning_method = learning_method
        self.learning_decay = learning_decay
        self.learning_offset = learning_offset
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.evaluate_every = evaluate_every
        self.total_samples = total_samples
        self.perp_tol = perp_tol
        self.mean_change_tol = mean_change_tol
        self.max_doc_update_iter = max_doc_update_iter
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state
        self.inference = inference
        self.local_steps = local_steps
        self.master_batch_size = master_batch_size
        self.local_learning_rate = local_learning_rate
        self.global_learning_rate = global_learning_rate
        self.max_staleness = max_staleness
        self.backend = backend
        self.max_time = max_time
        self.max_documents = max_documents
        self.patience = patience
        self.dtype = dtype

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        client: Any = None,
        X_val: Any = None,
        callbacks: Iterable[Any] | None = None,
        checkpoint: PathLike | None = None,
    ) -> Self:
        """Learn topics from documents.

        Ctrl-C ends the fit early and leaves the model so far.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
            Counts of words in documents, non-negative; fractions are welcome. Or
            documents that are lists of (word number, count), as in gensim, also from an
            object that can be iterated again and again. Or blocks: a
            Dask array, data frame or bag, or a list whose items are matrices, Corpora,
            `Delayed`, futures, or paths of `.npz` files of `scipy.sparse.save_npz`.
            With a cluster, blocks are computed and read there and never come here; give
            as many as there are workers, or more. Without `dtype=` it then computes in
            float32, but for a Dask array in float64.
        y : Ignored
            Present for scikit-learn's conventions.
        client : distributed.Client, default=None
            Fit on its cluster: a worker on each Dask worker, with as many lock-free
            threads as that has, unless `n_jobs` is above 0 and says how many. None: see
            `backend`. With an asynchronous client write ``await model.fit(...)``;
            cancelling that leaves the estimator as it was.
        X_val : like X, default=None
            Held-out documents. Their perplexity by document completion is measured
            during the fit, and stands in `history_`; see `patience`.
        callbacks : iterable of callable, default=None
            Each is called with a `FitProgress` several times an epoch; one that
            returns True stops the fit. See `set_callbacks` for scikit-learn's own.
        checkpoint : str or path, default=None
            An `.npz` file. The fit is saved there twice a minute and at the end, each
            time as a whole. If the file exists already, the fit goes on from it; one of
            other documents, priors, tolerance, dtype or integer seed is an error.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid; the estimator stays as it was.
        """
        if is_asynchronous(client):
            given = {"client": client, "X_val": X_val, "callbacks": callbacks}
            return awaited(self, X, y, checkpoint=checkpoint, **given)  # type: ignore[return-value]
        with _unchanged_on_error(self):
            # What is cheap to find wrong comes before documents are read.
            check_prior("doc_topic_prior", self.doc_topic_prior, self.n_components)
            kept = None if checkpoint is None else Checkpoint(checkpoint, "fit")
            learning = self.learning_method
            source, place = source_for(self, X, learning, whom="fit", client=client)
            held_out = None
            if X_val is not None:
                held_out = gathered(
                    self, X_val, whom="fit as X_val", dtype=source.dtype, client=client
                )
            fit = Fit(
                self,
                source,
                place,
                learning=learning,
                n_passes=self.max_iter,
                n_documents=source.n_documents,
                max_documents=self.max_documents,
                checkpoint=kept,
            )
            epochs = EpochHooks(self, fit, X, y)
            random_state = check_random_state(self.random_state)
            self._take(
                random_state,
                fit.run(
                    random_state,
                    epochs=epochs,
                    held_out=held_out,
                    callbacks=tuple(callbacks or ()),
                ),
            )
            epochs.close()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on learning from more documents, one pass over them.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
            Counts of words in documents, taken as a part of `total_samples` documents.
            Or a generator of such tables: one is read after another.
        y : Ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        self
            The estimator, fitted so far.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid; the estimator stays as it was.
        """
        if is_one_shot(X):
            with _unchanged_on_error(self):
                for part in X:
                    self.partial_fit(part)
                check_is_fitted(self, msg="there was nothing to fit: X has no tables")
            return self
        with _unchanged_on_error(self):
            first = not hasattr(self, "components_")
            source, place = source_for(
                self, X, "online", whom="partial_fit", reset=first, automatic=False
            )
            fit = Fit(
                self,
                source,
                place,
                learning="online",
                n_passes=1,
                n_documents=float(self.total_samples),
                first_step=0 if first else self.n_batch_iter_ - 1,
                going_on=not first,
            )
            start = None if first else fit.problem.parameters_from(self.components_)
            random_state = (
                check_random_state(self.random_state)
                if first
                else deepcopy(self.random_state_)
            )
            n_iter = 0 if first else self.n_iter_
            attributes = fit.run(random_state, start=start)
            # Passes are counted by `fit` alone.
            self._take(random_state, {**attributes, "n_iter_": n_iter})
        return self

    def transform(self, X: Any, *, normalize: bool = True) -> NDArray[Any]:
        """Return the topics of documents.

        Deterministic, whatever `n_jobs`. A document without words gets the prior.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_documents, n_words)
            Counts of words in documents. The words of a Corpus are found by name;
            those that the model does not know are left out, see `align`.
        normalize : bool, default=True
            Whether rows sum to one; else they are the variational Dirichlet
            parameters γ.

        Returns
        -------
        ndarray of shape (n_documents, n_components)
            A row per document. Of blocks of Dask's (see `fit`) a Dask array, of which
            nothing is computed yet.
        """
        check_is_fitted(self)
        if in_blocks(X):
            rows: NDArray[Any] = rows_of_blocks(
                self, X, "transform", normalize=normalize
            )
            return rows
        documents, parameters = self._fitted(X, "transform")
        gammas = evaluation.document_topics(documents, parameters)
        if normalize:
            gammas /= gammas.sum(axis=1, keepdims=True)
        return gammas

    def fit_transform(
        self, X: Any, y: Any = None, *, normalize: bool = True, **fit_params: Any
    ) -> NDArray[Any]:
        """Fit, then return the topics of the same documents; see `transform`."""
        if is_asynchronous(fit_params.get("client")):
            raise ValueError(
                "with an asynchronous client write: await model.fit(X, client=client); "
                "and then model.transform(X)"
            )
        fitted: Self = self.fit(X, y, **fit_params)
        return fitted.transform(X, normalize=normalize)

    def _take(
        self, random_state: np.random.RandomState, attributes: dict[str, Any]
    ) -> None:
        self.random_state_ = random_state
        for name, value in attributes.items():
            setattr(self, name, value)

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32", "float64"]
        return tags


@contextmanager
def _unchanged_on_error(estimator: Any) -> Iterator[None]:
    """Give the estimator its old attributes back if anything goes wrong."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        kept = {k: v for k, v in vars(estimator).items() if k.startswith("_")}
        kept.pop("_bound", None)
        vars(estimator).clear()
        vars(estimator).update({**kept, **before})
        raise
