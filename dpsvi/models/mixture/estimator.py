"""`DPSVIGaussianMixture`: the scikit-learn face of Gaussian mixtures."""

from __future__ import annotations

from copy import copy, deepcopy
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.mixture import BayesianGaussianMixture
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from dpsvi.models.awaiting import is_asynchronous
from dpsvi.models.minibatches import SMALL
from dpsvi.models.mixture.fitting import Fit
from dpsvi.models.mixture.parameters import Covariance, MixturePrior, Posterior
from dpsvi.models.mixture.priors import prior_for
from dpsvi.models.mixture.standard import Standard, moments, standard_of
from dpsvi.models.placement import placement_for
from dpsvi.models.unchanged import unchanged_on_error

__all__ = ["DPSVIGaussianMixture"]

_POSITIVE = Interval(Real, 0, None, closed="neither")
_COUNT = Interval(Integral, 1, None, closed="left")


class DPSVIGaussianMixture(BayesianGaussianMixture):
    """Bayesian Gaussian mixture by distributed stochastic variational inference.

    The model, the priors and what is fitted are those of scikit-learn's
    `BayesianGaussianMixture`, and so are `predict`, `predict_proba`, `score`,
    `score_samples` and `sample`. Fitting is not: mini-batches instead of whole passes,
    on lock-free threads here or on the workers of a Dask cluster (DPSVI, Mohamad et
    al. 2022).

    Parameters
    ----------
    n_components : int, default=1
        Number of Gaussians, K. Those that are not needed lose their weight, but those
        that share a cluster take long to find out: give ``max_iter=400,
        learning_decay=0.5``. For a small table: ``max_iter=1000, batch_size=len(X),
        learning_decay=0``, which is nearly coordinate ascent, as in scikit-learn.
    covariance_type : {"full", "diag"}, default="full"
        A covariance matrix for each component, or variances only.
    max_iter : int, default=20
        Passes over the rows.
    batch_size : int or "auto", default="auto"
        Rows of a local step, S in the paper. "auto": an eighth of the rows, or fewer
        if there are many threads, and at most 16,384.
    learning_offset : float, default=1.0
        Steps t = 1, 2, ... have the rates ``(learning_offset + t) ** -learning_decay``;
        those above 0.9 are cut to 0.9.
    learning_decay : float, default=0.7
        In [0, 1]; above 0.5 steps converge in the limit.
    init_params : {"kmeans", "random"}, default="kmeans"
        How a sample of at most 10,000 rows is dealt to the components to begin with.
        Components that begin alike, as with "random", take hundreds of passes
        (`max_iter`) to part.
    weight_concentration_prior_type : {"dirichlet_process", "dirichlet_distribution"}, \
default="dirichlet_process"
        Prior of the weights.
    weight_concentration_prior : float or None, default=None
        Its concentration: the lower, the fewer components are used. None: 1 / K.
    mean_precision_prior : float or None, default=None
        How much the prior of the means weighs, in rows. None: 1.
    mean_prior : array-like of shape (n_features,) or None, default=None
        Where the means are believed to be. None: at the mean of the data.
    degrees_of_freedom_prior : float or None, default=None
        How much the prior of the covariances weighs, in rows; above n_features - 1.
        None: n_features.
    covariance_prior : array-like or None, default=None
        Of shape (n_features, n_features), or (n_features,) for "diag". None: the
        covariance of the data.
    n_jobs : int or None, default=None
        Lock-free threads, p in the paper, at most: small tables get fewer. None: all
        cores. Fits are reproducible to the bit on one thread only.
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
    total_samples : float or None, default=None
        Rows that those given to `partial_fit` stand for. None: as many as the model
        has been fitted to, or a million if `partial_fit` begins it.
    random_state : int, RandomState or None, default=None
        Seed of the start and of the order of rows. Say ``n_jobs=1``, too, for a fit
        that is the same to the bit.

    Attributes
    ----------
    weights_ : ndarray of shape (n_components,)
        Expected weights.
    means_ : ndarray of shape (n_components, n_features)
        Means of the components.
    covariances_ : ndarray of shape (n_components, n_features[, n_features])
        Their covariances, or variances.
    precisions_, precisions_cholesky_ : ndarrays of the same shape
        Their inverses, and the Cholesky factors of these.
    weight_concentration_, mean_precision_, degrees_of_freedom_ : ndarrays
        Of the posterior, as scikit-learn has them.
    weight_concentration_prior_, mean_precision_prior_, mean_prior_, \
degrees_of_freedom_prior_, covariance_prior_ : float or ndarray
        The priors that were used.
    converged_ : bool
        Whether all passes were done: there was no Ctrl-C and no end of `max_time`. No
        likelihood is watched.
    history_ : dpsvi.engine.History
        A row per merge: seconds, version, rows seen as "amount", staleness, bytes.
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

    See Also
    --------
    sklearn.mixture.BayesianGaussianMixture : Whole passes; also "tied" and "spherical".

    References
    ----------
    Mohamad, Alamri, Bouchachia (2022). Scaling up stochastic gradient descent for
    non-convex optimisation. Machine Learning. arXiv 2210.02882.

    Bishop (2006). Pattern recognition and machine learning, section 10.2.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsvi.models.mixture import DPSVIGaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(-3, 1, (500, 2)), rng.normal(3, 1, (500, 2))])
    >>> model = DPSVIGaussianMixture(2, random_state=0).fit(X)
    >>> np.sort(model.means_[:, 0]).round().tolist()
    [-3.0, 3.0]
    >>> model.predict([[-2.0, -4.0], [4.0, 2.0]]).tolist() in ([0, 1], [1, 0])
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "n_components": [_COUNT],
        "covariance_type": [StrOptions({"full", "diag"})],
        "max_iter": [_COUNT],
        "batch_size": [_COUNT, StrOptions({"auto"})],
        "learning_offset": [Interval(Real, 0, None, closed="left")],
        "learning_decay": [Interval(Real, 0, 1, closed="both")],
        "init_params": [StrOptions({"kmeans", "random"})],
        "weight_concentration_prior_type": [
            StrOptions({"dirichlet_process", "dirichlet_distribution"})
        ],
        "weight_concentration_prior": [None, _POSITIVE],
        "mean_precision_prior": [None, _POSITIVE],
        "mean_prior": [None, "array-like"],
        "degrees_of_freedom_prior": [None, _POSITIVE],
        "covariance_prior": [None, "array-like"],
        "n_jobs": [None, Integral],
        "local_steps": [_COUNT, StrOptions({"auto"})],
        "master_batch_size": [None, _COUNT],
        "backend": [StrOptions({"auto", "local", "dask", "simulated"})],
        "max_time": [None, _POSITIVE],
        "total_samples": [None, _POSITIVE],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: Covariance = "full",
        max_iter: int = 20,
        batch_size: int | str = "auto",
        learning_offset: float = 1.0,
        learning_decay: float = 0.7,
        init_params: Literal["kmeans", "random"] = "kmeans",
        weight_concentration_prior_type: Literal[
            "dirichlet_process", "dirichlet_distribution"
        ] = "dirichlet_process",
        weight_concentration_prior: float | None = None,
        mean_precision_prior: float | None = None,
        mean_prior: ArrayLike | None = None,
        degrees_of_freedom_prior: float | None = None,
        covariance_prior: ArrayLike | None = None,
        n_jobs: int | None = None,
        local_steps: int | str = "auto",
        master_batch_size: int | None = None,
        backend: Literal["auto", "local", "dask", "simulated"] = "auto",
        max_time: float | None = None,
        total_samples: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        # The base class has parameters that have no sense here.
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_offset = learning_offset
        self.learning_decay = learning_decay
        self.init_params = init_params
        self.weight_concentration_prior_type = weight_concentration_prior_type
        self.weight_concentration_prior = weight_concentration_prior
        self.mean_precision_prior = mean_precision_prior
        self.mean_prior = mean_prior
        self.degrees_of_freedom_prior = degrees_of_freedom_prior
        self.covariance_prior = covariance_prior
        self.n_jobs = n_jobs
        self.local_steps = local_steps
        self.master_batch_size = master_batch_size
        self.backend = backend
        self.max_time = max_time
        self.total_samples = total_samples
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, client: Any = None) -> Self:
        """Learn components from rows.

        Ctrl-C ends the fit early and leaves the model so far.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            At least as many rows as components. Computed in float64.
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
            If numbers are too large to be squared; likewise.
        """
        if is_asynchronous(client):
            raise ValueError(
                "the client is asynchronous; give one that is not, made by Client(...) "
                "without asynchronous=True"
            )
        with unchanged_on_error(self):
            rows = self._checked(X, reset=True)
            place = placement_for(self, rows.shape[0], "online", client)
            standard, prior = self._coordinates(rows)
            random_state = check_random_state(self.random_state)
            fit = Fit(
                self,
                rows,
                prior,
                standard,
                place,
                n_passes=self.max_iter,
                n_rows=rows.shape[0],
            )
            self._take(prior, standard, random_state, fit.run(random_state))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on learning from more rows, one pass over them.

        In this process, unless `backend` is "dask". The number of components and the
        priors are those of the first rows, whatever was set since.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Taken as a part of `total_samples` rows, and as one mini-batch up to 256;
            at first at least as many as components.
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
            If numbers are too large to be squared; likewise.
        """
        first = not hasattr(self, "means_")
        with unchanged_on_error(self):
            rows = self._checked(X, reset=first)
            place = placement_for(self, rows.shape[0], "online", automatic=False)
            start, n_iter = None, 0
            n_rows = self.total_samples or (1e6 if first else self._n_rows)
            if first:
                standard, prior = self._coordinates(rows)
                random_state = check_random_state(self.random_state)
            else:
                self._check_same_model()
                prior, standard = self._prior, self._standard
                # They are of so many rows.
                start = n_rows / self._n_rows * self._statistics()
                n_iter = self.n_iter_
                random_state = deepcopy(self.random_state_)
            fit = Fit(
                self,
                rows,
                prior,
                standard,
                place,
                n_passes=1,
                n_rows=n_rows,
                start=start,
                first_step=0 if first else self.n_batch_iter_,
                least_batch=SMALL,
            )
            # Passes are counted by `fit` alone.
            found = {**fit.run(random_state), "n_iter_": n_iter}
            self._take(prior, standard, random_state, found)
        return self

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Fit, and return the most probable component of each row.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            As `fit` takes them.
        y : Ignored
            Present for scikit-learn's conventions.

        Returns
        -------
        ndarray of shape (n_rows,)
            Numbers of components.
        """
        labels: NDArray[np.int64] = self.fit(X).predict(X)
        return labels

    def _checked(self, X: Any, *, reset: bool) -> NDArray[np.float64]:
        least = 2 if reset else 1
        rows: NDArray[np.float64] = validate_data(
            self, X, dtype=np.float64, order="C", reset=reset, ensure_min_samples=least
        )
        if reset and rows.shape[0] < self.n_components:
            raise ValueError(
                f"X has {rows.shape[0]} rows; n_components = {self.n_components} needs "
                "at least as many"
            )
        return rows

    def _coordinates(self, rows: NDArray[np.float64]) -> tuple[Standard, MixturePrior]:
        """Coordinates to compute in, and the prior in those of the data."""
        seen = moments(rows)
        standard = standard_of(seen)
        return standard, prior_for(self, rows, seen, standard)

    def _check_same_model(self) -> None:
        """Parameters that decide what the fitted attributes are must stay."""
        process = self._prior.stick_breaking
        for name, had in {
            "covariance_type": self._prior.covariance_type,
            "weight_concentration_prior_type": "dirichlet_process"
            if process
            else "dirichlet_distribution",
        }.items():
            if getattr(self, name) != had:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}, and was {had!r} when this "
                    "model was begun; set it back, or begin anew with fit"
                )

    def _estimate_log_prob(self, X: Any, **given: Any) -> Any:
        # Squares are expanded there, and would cancel far from zero.
        near, center = copy(self), self._standard.center
        near.means_ = self.means_ - center
        return super(DPSVIGaussianMixture, near)._estimate_log_prob(X - center, **given)

    def _statistics(self) -> NDArray[np.float64]:
        """Return the expected statistics behind the fitted attributes."""
        counts = self.degrees_of_freedom_ - self.degrees_of_freedom_prior_
        posterior = Posterior(
            counts,
            self.mean_precision_,
            self.degrees_of_freedom_,
            self.means_,
            self.covariances_,
        )
        prior = self._standard.prior(self._prior)
        statistics: NDArray[np.float64] = prior.statistics(
            self._standard.posterior(posterior)
        )
        return statistics

    def _take(
        self,
        prior: MixturePrior,
        standard: Standard,
        random_state: np.random.RandomState,
        found: dict[str, Any],
    ) -> None:
        """Set the fitted attributes, as scikit-learn names them."""
        from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

        posterior: Posterior = found.pop("posterior")
        roots = _compute_precision_cholesky(posterior.covariances, self.covariance_type)
        if prior.stick_breaking:
            concentration: Any = prior.sticks(posterior.counts)
        else:
            concentration = prior.concentration + posterior.counts
        full = prior.full
        attributes = {
            "weights_": prior.weights(posterior.counts),
            "weight_concentration_": concentration,
            "mean_precision_": posterior.mean_precision,
            "degrees_of_freedom_": posterior.degrees_of_freedom,
            "means_": posterior.means,
            "covariances_": posterior.covariances,
            "precisions_cholesky_": roots,
            "precisions_": roots @ roots.swapaxes(1, 2) if full else roots**2,
            "weight_concentration_prior_": prior.concentration,
            "mean_precision_prior_": prior.mean_precision,
            "mean_prior_": prior.mean,
            "degrees_of_freedom_prior_": prior.degrees_of_freedom,
            "covariance_prior_": prior.covariance,
            "random_state_": random_state,
            "_prior": prior,
            "_standard": standard,
            **found,
        }
        for name, value in attributes.items():
            setattr(self, name, value)
