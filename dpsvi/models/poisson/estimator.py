"""`DPSVIPoissonFactorization`: the scikit-learn face of Poisson factorisation."""

from __future__ import annotations

from copy import deepcopy
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import gammaln
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from dpsvi.models.awaiting import is_asynchronous
from dpsvi.models.lda.validation import check_counts
from dpsvi.models.minibatches import SMALL
from dpsvi.models.placement import n_threads_for, placement_for
from dpsvi.models.poisson.fitting import Fit
from dpsvi.models.poisson.inference import activities_of
from dpsvi.models.poisson.kernels import means_of_entries
from dpsvi.models.poisson.parameters import FactorParameters, parameters_of
from dpsvi.models.unchanged import unchanged_on_error

__all__ = ["DPSVIPoissonFactorization"]

_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")


class DPSVIPoissonFactorization(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Bayesian Poisson matrix factorisation by distributed variational inference.

    Counts are explained as sums of few non-negative parts, as in NMF with the
    Kullback-Leibler loss, but with Gamma priors on both factors, which are averaged
    over instead of fitted (Gopalan, Hofman, Blei 2013):

        x_dv ~ Poisson(sum_k theta_dk beta_kv)
        theta_dk ~ Gamma(activity_shape, activity_rate)
        beta_kv ~ Gamma(component_shape, component_rate)

    Fitted by stochastic natural gradients on lock-free threads (DPSVI, Mohamad et al.
    2022). What is not counted costs nothing: a step takes time by the entries above
    zero.

    Parameters
    ----------
    n_components : int, default=10
        Number of parts, K.
    activity_shape : float, default=0.3
        Shape of the prior of the activities θ. Below 1 a row uses few components.
    activity_rate : float, default=1.0
        Rate of the prior of the activities. As the rate of β, it only decides how
        their product is divided between them, and how strong the priors are.
    component_shape : float, default=0.3
        Shape of the prior of the components β. Below 1 a component has few features.
    component_rate : float, default=1.0
        Rate of the prior of the components.
    max_iter : int, default=20
        Passes over the rows.
    batch_size : int or "auto", default="auto"
        Rows of a local step, S in the paper. "auto": an eighth of the rows, or fewer
        if there are many threads, and at most 1024.
    learning_offset : float, default=1.0
        Steps t = 1, 2, ... have the rates ``(learning_offset + t) ** -learning_decay``;
        those above 0.9 are cut to 0.9.
    learning_decay : float, default=0.7
        In [0, 1]; above 0.5 steps converge in the limit.
    n_jobs : int or None, default=None
        Lock-free threads, p in the paper, at most: small tables get fewer. None: all
        cores. Fits are reproducible to the bit on one thread only; `transform` and
        `score` on any number.
    local_steps : int or "auto", default="auto"
        Mini-batches of each thread between pull and push, B in the paper.
    master_batch_size : int or None, default=None
        Pushes that the master merges at once, M in the paper. None: the number of
        workers, which is one in this process.
    backend : {"auto", "local", "dask", "simulated"}, default="auto"
        Where the work of `fit` is done. "local": in this process; "dask": on the
        cluster of a Dask client; "auto": on the cluster if there is a client, given or
        current, else here; "simulated": on one thread, step by step, for tests.
    max_time : float or None, default=None
        Seconds after which `fit` ends. None: no limit.
    row_tol : float, default=0.01
        Inference of a row stops when the shapes of its activities, which are in
        counts, change by less than this on average. So the scale of the data matters,
        also beside the priors: do not norm rows.
    max_row_iter : int, default=100
        Iterations on a row, at most.
    total_samples : float or None, default=None
        Rows that those given to `partial_fit` stand for. None: as many as the model
        has been fitted to, or a million if `partial_fit` begins it.
    random_state : int, RandomState or None, default=None
        Seed of the first components, of the order of rows and of random starts.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        E[β], the mean of the components.
    component_rates_ : ndarray of shape (n_components,)
        Rates of q(β); ``components_ * component_rates_[:, None]`` are its shapes.
    history_ : dpsvi.engine.History
        A row per merge: seconds, version, rows seen as "amount", staleness, bytes,
        iterations per row.
    converged_ : bool
        Whether all passes were done: there was no Ctrl-C and no end of `max_time`. No
        likelihood is watched.
    n_iter_ : int
        Whole passes of `fit` over the rows.
    n_batch_iter_ : int
        Mini-batches seen in the life of the model.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if the rows came with names.
    random_state_ : RandomState
        As used, for `partial_fit` to go on.

    References
    ----------
    Gopalan, Hofman, Blei (2013). Scalable recommendation with Poisson factorization.
    arXiv 1311.1704.

    Mohamad, Alamri, Bouchachia (2022). Scaling up stochastic gradient descent for
    non-convex optimisation. Machine Learning. arXiv 2210.02882.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsvi.models.poisson import DPSVIPoissonFactorization
    >>> rng = np.random.default_rng(0)
    >>> parts = np.kron(np.eye(3), np.ones(4))
    >>> X = rng.poisson(rng.gamma(0.5, 8.0, (300, 3)) @ parts)
    >>> model = DPSVIPoissonFactorization(3, random_state=0).fit(X)
    >>> activities = model.transform(X)
    >>> activities.shape, model.components_.shape
    ((300, 3), (3, 12))

    The product of the two is the mean of the counts:

    >>> means = model.inverse_transform(activities)
    >>> bool(abs(means.sum() / X.sum() - 1) < 0.05)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_components": [_COUNT],
        "activity_shape": [_POSITIVE],
        "activity_rate": [_POSITIVE],
        "component_shape": [_POSITIVE],
        "component_rate": [_POSITIVE],
        "max_iter": [_COUNT],
        "batch_size": [_COUNT, StrOptions({"auto"})],
        "learning_offset": [Interval(Real, 0, None, closed="left")],
        "learning_decay": [Interval(Real, 0, 1, closed="both")],
        "n_jobs": [None, Integral],
        "local_steps": [_COUNT, StrOptions({"auto"})],
        "master_batch_size": [None, _COUNT],
        "backend": [StrOptions({"auto", "local", "dask", "simulated"})],
        "max_time": [None, _POSITIVE],
        "row_tol": [Interval(Real, 0, None, closed="left")],
        "max_row_iter": [_COUNT],
        "total_samples": [None, _POSITIVE],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 10,
        *,
        activity_shape: float = 0.3,
        activity_rate: float = 1.0,
        component_shape: float = 0.3,
        component_rate: float = 1.0,
        max_iter: int = 20,
        batch_size: int | str = "auto",
        learning_offset: float = 1.0,
        learning_decay: float = 0.7,
        n_jobs: int | None = None,
        local_steps: int | str = "auto",
        master_batch_size: int | None = None,
        backend: Literal["auto", "local", "dask", "simulated"] = "auto",
        max_time: float | None = None,
        row_tol: float = 1e-2,
        max_row_iter: int = 100,
        total_samples: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.activity_shape = activity_shape
        self.activity_rate = activity_rate
        self.component_shape = component_shape
        self.component_rate = component_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_offset = learning_offset
        self.learning_decay = learning_decay
        self.n_jobs = n_jobs
        self.local_steps = local_steps
        self.master_batch_size = master_batch_size
        self.backend = backend
        self.max_time = max_time
        self.row_tol = row_tol
        self.max_row_iter = max_row_iter
        self.total_samples = total_samples
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, client: Any = None) -> Self:
        """Learn components from rows of counts.

        Ctrl-C ends the fit early and leaves the model so far.

        Parameters
        ----------
        X : array-like, sparse matrix, DataFrame or Corpus, (n_rows, n_features)
            Counts, or fractions of them; not negative. Integers are computed in
            float32, give float64 for more digits.
        y : Ignored
            Present for scikit-learn's conventions.
        client : distributed.Client, default=None
            Fit on its cluster, with a worker on each Dask worker. None: see `backend`.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid; the estimator stays as it was.
        FloatingPointError
            If the counts are too large for the precision; likewise.
        """
        if is_asynchronous(client):
            raise ValueError(
                "the client is asynchronous; give one that is not, made by Client(...) "
                "without asynchronous=True"
            )
        with unchanged_on_error(self):
            counts = check_counts(self, X, reset=True, whom="fit")
            place = placement_for(self, counts.shape[0], "online", client)
            fit = Fit(
                self, counts, place, n_passes=self.max_iter, n_rows=counts.shape[0]
            )
            random_state = check_random_state(self.random_state)
            self._take(random_state, fit.run(random_state))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on learning from more rows, one pass over them.

        In this process, unless `backend` is "dask". The number of components and their
        priors are those of the first rows, whatever was set since.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            Non-negative, taken as a part of `total_samples` rows, and as one
            mini-batch up to 256.
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
        FloatingPointError
            If the counts are too large for the precision; likewise.
        """
        first = not hasattr(self, "components_")
        with unchanged_on_error(self):
            counts = check_counts(self, X, reset=first, whom="partial_fit")
            place = placement_for(self, counts.shape[0], "online", automatic=False)
            start, random_state, n_iter = None, check_random_state(self.random_state), 0
            n_rows = self.total_samples or (1e6 if first else self._n_rows)
            if not first:
                # What was found is of so many rows.
                share = n_rows / self._n_rows
                start = self._parameters(counts.data.dtype).enlarged(share)
                random_state, n_iter = deepcopy(self.random_state_), self.n_iter_
            fit = Fit(
                self,
                counts,
                place,
                n_passes=1,
                n_rows=n_rows,
                start=start,
                first_step=0 if first else self.n_batch_iter_,
                least_batch=SMALL,
            )
            # Passes are counted by `fit` alone.
            found = fit.run(random_state)
            self._take(random_state, {**found, "n_iter_": n_iter})
        return self

    def transform(self, X: Any) -> NDArray[np.floating]:
        """Return the activities of the components in rows.

        Deterministic, whatever `n_jobs`.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            Non-negative.

        Returns
        -------
        ndarray of shape (n_rows, n_components)
            E[θ].
        """
        check_is_fitted(self)
        counts = check_counts(self, X, reset=False, whom="transform")
        return self._activities(counts)

    def inverse_transform(self, X: Any) -> NDArray[np.floating]:
        """Return the means of the counts of rows with given activities.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_components)
            As `transform` returns them.

        Returns
        -------
        ndarray of shape (n_rows, n_features)
            The means of the Poisson distributions.

        Raises
        ------
        ValueError
            If X has not one column per component.
        """
        check_is_fitted(self)
        activities = check_array(X, dtype=[np.float64, np.float32])
        n_components = self.components_.shape[0]
        if activities.shape[1] != n_components:
            raise ValueError(
                f"X has {activities.shape[1]} columns; give one for each of the "
                f"{n_components} components, as transform does"
            )
        means: NDArray[np.floating] = activities @ self.components_
        return means

    def score(self, X: Any, y: Any = None) -> float:
        """Return the log-likelihood of a row in nats, on average.

        That of Poisson distributions with the means E[θ] E[β], with E[θ] as `transform`
        finds it from the same rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            Non-negative.
        y : Ignored
            Present for scikit-learn's conventions.
        """
        check_is_fitted(self)
        counts = check_counts(self, X, reset=False, whom="score")
        activities = self._activities(counts)
        logarithms = counts.data.astype(float)
        components = np.ascontiguousarray(self.components_.T)
        means_of_entries(
            counts.indptr, counts.indices, activities, components, logarithms
        )
        np.log(logarithms, out=logarithms)
        likelihood = counts.data @ logarithms - gammaln(counts.data + 1.0).sum()
        # Empty entries count with their means, the sums of which need no table.
        totals = activities.sum(axis=0, dtype=float)
        likelihood -= totals @ self.components_.sum(axis=1, dtype=float)
        return float(likelihood / counts.shape[0])

    def _activities(self, counts: sp.csr_array) -> NDArray[np.floating]:
        return activities_of(
            counts,
            self._parameters(counts.data.dtype),
            n_threads_for(self.n_jobs, counts.shape[0]),
            shape=self.activity_shape,
            rate=self.activity_rate,
            tolerance=self.row_tol,
            max_iterations=self.max_row_iter,
        )

    def _parameters(self, dtype: Any) -> FactorParameters:
        """Return q(β) as fitted, for the engine and its kernels."""
        rates = self.component_rates_
        shapes = (self.components_ * rates[:, np.newaxis]).T.astype(dtype)
        return parameters_of(shapes, rates, *self._component_prior)

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
