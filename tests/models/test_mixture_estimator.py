"""`DPSVIGaussianMixture`: what it finds, beside scikit-learn, and what it says."""

from __future__ import annotations

import pickle
from copy import deepcopy
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.mixture import BayesianGaussianMixture

from dpsvi.models.mixture import DPSVIGaussianMixture
from dpsvi.models.mixture.parameters import MixturePrior, Posterior
from dpsvi.models.mixture.problem import statistics_of
from dpsvi.models.mixture.standard import Standard

Array = npt.NDArray[Any]


@cache
def data(name: str) -> tuple[Array, Array]:
    """Rows to learn from, and held-out ones."""
    rng = np.random.default_rng(0)
    if name == "drawn":
        centers = rng.normal(0.0, 4.0, (4, 3))
        # Units far apart must not matter.
        X = centers[rng.integers(4, size=3000)] + rng.normal(size=(3000, 3))
        X = X * [1e-3, 1.0, 1e4] + [5.0, -3.0, 1e5]
    elif name == "digits":
        X = PCA(8, random_state=0).fit_transform(load_digits().data)
    else:
        X = {"iris": load_iris, "wine": load_wine}[name]().data
    X = X[rng.permutation(len(X))]
    cut = len(X) * 3 // 4
    return X[:cut], X[cut:]


def make(**more: Any) -> DPSVIGaussianMixture:
    given = {"n_components": 3, "random_state": 0, "n_jobs": 1} | more
    return DPSVIGaussianMixture(**given)


@cache
def fitted(**more: Any) -> DPSVIGaussianMixture:
    return make(**more).fit(data("drawn")[0])


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
@pytest.mark.parametrize(
    ("name", "n_components"), [("drawn", 4), ("digits", 8), ("wine", 3)]
)
def test_held_out_rows_are_as_likely_as_with_scikit_learn(
    name: str, n_components: int, covariance_type: str
) -> None:
    train, test = data(name)
    given: Any = {"n_components": n_components, "covariance_type": covariance_type}
    theirs = max(
        BayesianGaussianMixture(**given, max_iter=500, random_state=seed)
        .fit(train)
        .score(test)
        for seed in (0, 1)
    )
    ours = max(
        make(**given, random_state=seed).fit(train).score(test) for seed in (0, 1)
    )
    assert ours > theirs - 0.01 * abs(theirs)


@pytest.mark.parametrize("prior", ["dirichlet_process", "dirichlet_distribution"])
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_one_long_step_after_the_other_is_scikit_learns_fit(
    prior: str, covariance_type: str
) -> None:
    # One component: batch learning is in closed form, and both know it.
    train, test = data("iris")
    given: Any = {
        "n_components": 1,
        "covariance_type": covariance_type,
        "weight_concentration_prior_type": prior,
        "mean_precision_prior": 2.0,
        "degrees_of_freedom_prior": 6.0,
        "mean_prior": [5.0, 3.0, 3.0, 1.0],
    }
    theirs = BayesianGaussianMixture(**given, reg_covar=0.0).fit(train)
    ours = make(**given, batch_size=len(train), max_iter=2).fit(train)
    for name in (
        "weights_",
        "means_",
        "covariances_",
        "precisions_",
        "precisions_cholesky_",
        "mean_precision_",
        "degrees_of_freedom_",
        "weight_concentration_",
        "covariance_prior_",
    ):
        one, other = np.asarray(getattr(ours, name)), np.asarray(getattr(theirs, name))
        np.testing.assert_allclose(one, other, rtol=1e-6, err_msg=name)
    assert ours.score(test) == pytest.approx(theirs.score(test), rel=1e-6)


def test_components_that_are_drawn_from_are_found() -> None:
    model = make(n_components=4).fit(data("drawn")[0])
    units = np.array([1e-3, 1.0, 1e4])
    deviations = np.sqrt(model.covariances_.diagonal(axis1=1, axis2=2)) / units
    assert deviations == pytest.approx(np.ones((4, 3)), abs=0.2)
    assert model.weights_ == pytest.approx(np.full(4, 0.25), abs=0.05)
    sample, labels = model.sample(100)
    assert sample.shape == (100, 3)
    assert (model.predict(sample) == labels).mean() > 0.9


@pytest.mark.parametrize(
    ("way", "least"),
    [
        ({"max_iter": 400, "learning_decay": 0.5}, 0.9),
        ({"max_iter": 1000, "learning_decay": 0, "batch_size": 10**6}, 0.98),
    ],
)
def test_components_that_are_not_needed_get_no_weight(
    way: dict[str, Any], least: float
) -> None:
    # Components that share a cluster take long to find out.
    weights = np.sort(make(n_components=8, **way).fit(data("drawn")[0]).weights_)
    # Four drew the data.
    assert weights[4:].sum() > least


def test_one_thread_repeats_every_bit_and_two_find_the_same() -> None:
    train, test = data("drawn")
    again = make().fit(train)
    np.testing.assert_array_equal(again.means_, fitted().means_)
    two = make(n_jobs=2).fit(train)
    assert two.score(test) == pytest.approx(fitted().score(test), rel=0.01)
    random = make(init_params="random", max_iter=60).fit(train)
    assert random.score(test) > make(n_components=1).fit(train).score(test)


def test_what_is_fitted() -> None:
    model = fitted()
    assert model.n_iter_ == 20
    assert model.n_batch_iter_ == 20 * 9
    assert model.converged_
    assert model.history_["amount"][-1] == 20 * len(data("drawn")[0])
    counts = model.degrees_of_freedom_ - model.degrees_of_freedom_prior_
    assert counts.sum() == pytest.approx(len(data("drawn")[0]))
    labels = model.predict(data("drawn")[1])
    np.testing.assert_array_equal(
        labels, model.predict_proba(data("drawn")[1]).argmax(axis=1)
    )
    same = pickle.loads(pickle.dumps(model))
    assert same.score(data("drawn")[1]) == model.score(data("drawn")[1])
    np.testing.assert_array_equal(
        make(max_iter=2).fit_predict(data("drawn")[0]),
        make(max_iter=2).fit(data("drawn")[0]).predict(data("drawn")[0]),
    )


def test_partial_fit_goes_on() -> None:
    train, test = data("drawn")
    model = make(total_samples=len(train), batch_size=200)
    scores = []
    for _ in range(6):
        for part in np.array_split(train, 4):
            model.partial_fit(part)
        scores.append(model.score(test))
    assert model.n_batch_iter_ == 6 * 12
    assert model.n_iter_ == 0
    assert scores[-1] > fitted().score(test) - 0.3
    # What was set since changes nothing that was learned.
    other = deepcopy(model).set_params(mean_precision_prior=50.0, n_components=7)
    one, two = model.partial_fit(train[:1]), other.partial_fit(train[:1])
    np.testing.assert_array_equal(one.means_, two.means_)
    np.testing.assert_array_equal(one.covariances_, two.covariances_)
    with pytest.raises(ValueError, match="is expecting 3 features"):
        model.partial_fit(train[:, :2])


@pytest.mark.parametrize("rows", [1, 8, 300])
def test_a_few_more_rows_leave_a_fit_what_it_was(rows: int) -> None:
    train, test = data("drawn")
    model = deepcopy(fitted(n_components=4))
    before = model.score(test)
    model.partial_fit(train[:rows])
    assert model.score(test) == pytest.approx(before, abs=0.2)
    counts = model.degrees_of_freedom_ - model.degrees_of_freedom_prior_
    assert counts.sum() == pytest.approx(len(train))
    assert model.n_batch_iter_ == fitted(n_components=4).n_batch_iter_ + -(-rows // 256)


def test_a_fit_may_come_to_stand_for_more_rows() -> None:
    train, test = data("drawn")
    model = deepcopy(fitted(n_components=4)).set_params(total_samples=1e6)
    before = model.score(test)
    model.partial_fit(train)
    assert model.score(test) == pytest.approx(before, abs=0.1)
    counts = model.degrees_of_freedom_ - model.degrees_of_freedom_prior_
    assert counts.sum() == pytest.approx(1e6)


@pytest.mark.parametrize("process", ["dirichlet_process", "dirichlet_distribution"])
@pytest.mark.parametrize("covariance_type", ["full", "diag"])
def test_where_scikit_learn_has_converged_a_step_changes_nothing(
    process: Any, covariance_type: Any
) -> None:
    train, _ = data("iris")
    theirs = BayesianGaussianMixture(
        n_components=3,
        covariance_type=covariance_type,
        weight_concentration_prior_type=process,
        reg_covar=0.0,
        tol=1e-13,
        max_iter=5000,
        random_state=0,
    ).fit(train)
    prior = MixturePrior(
        covariance_type,
        process == "dirichlet_process",
        theirs.weight_concentration_prior_,
        theirs.mean_precision_prior_,
        theirs.degrees_of_freedom_prior_,
        theirs.mean_prior_,
        theirs.covariance_prior_,
    )
    counts = theirs.degrees_of_freedom_ - theirs.degrees_of_freedom_prior_
    statistics = prior.statistics(
        Posterior(
            counts,
            theirs.mean_precision_,
            theirs.degrees_of_freedom_,
            theirs.means_,
            theirs.covariances_,
        )
    )
    n_features = train.shape[1]
    units = Standard(np.zeros(n_features), np.ones(n_features))
    found = statistics_of(train, units, prior, statistics)
    np.testing.assert_allclose(found[0], counts, rtol=1e-4)
    np.testing.assert_allclose(found[0], theirs.predict_proba(train).sum(axis=0))
    np.testing.assert_allclose(found, statistics, rtol=1e-3, atol=1e-3)
    assert prior.weights(counts) == pytest.approx(theirs.weights_, rel=1e-4)


def test_time_runs_out() -> None:
    model = make(max_iter=10**4, max_time=0.05, local_steps=1).fit(data("drawn")[0])
    assert model.n_iter_ < 10**4
    assert not model.converged_
    assert np.isfinite(model.means_).all()


def test_a_feature_that_never_changes() -> None:
    train = data("drawn")[0].copy()
    train[:, 1] = 7.0
    model = make(max_iter=3).fit(train)
    assert model.means_[:, 1] == pytest.approx(np.full(3, 7.0))
    assert np.isfinite(model.score(train))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_features_that_follow_from_others(n_jobs: int) -> None:
    rng = np.random.default_rng(0)
    train = data("drawn")[0]
    one_hot = np.eye(3)[rng.integers(3, size=len(train))]
    for singular in (
        np.column_stack([train, train[:, 0]]),
        np.column_stack([train, one_hot]),
        rng.normal(size=(8, 20)),
    ):
        model = make(n_components=2, max_iter=3, n_jobs=n_jobs).fit(singular)
        assert np.linalg.eigvalsh(model.covariances_).min() > 0
        assert np.isfinite(model.score(singular))


@pytest.mark.parametrize("covariance_type", ["full", "diag"])
@pytest.mark.parametrize(("unit", "offset"), [(1e-20, 0.0), (1e20, 0.0), (1.0, 1e9)])
def test_units_and_offsets_do_not_matter(
    covariance_type: str, unit: float, offset: float
) -> None:
    # Numbers that stay what they are when an offset is added.
    train = (data("digits")[0] * 16).round() / 16
    given: Any = {"covariance_type": covariance_type, "max_iter": 3}
    expected = make(**given).fit(train).score_samples(train)
    moved = unit * train + offset
    found = make(**given).fit(moved).score_samples(moved) + 8 * np.log(unit)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("covariance_type", "diag"),
        ("weight_concentration_prior_type", "dirichlet_distribution"),
    ],
)
def test_another_model_cannot_go_on(name: str, value: str) -> None:
    train = data("drawn")[0]
    model = make(max_iter=1).fit(train).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name} is '{value}', and was"):
        model.partial_fit(train)
    assert getattr(model.fit(train), name) == value


def test_what_cannot_be_squared_is_told() -> None:
    train = data("drawn")[0].copy()
    train[5:7, 1] = 1e160, -2e160
    with pytest.raises(ValueError, match=r"feature 1 .* up to 2e.160; scale it down"):
        make().fit(train)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"covariance_prior": 1.0}, "must be None or an array-like"),
        ({"n_components": 0}, "n_components"),
        ({"covariance_type": "tied"}, "covariance_type"),
        ({"learning_decay": 1.5}, "learning_decay"),
        ({"init_params": "best"}, "init_params"),
        ({"degrees_of_freedom_prior": 1.5}, "must be above n_features - 1 = 2"),
        ({"mean_prior": [0.0, 1.0]}, r"mean_prior has the shape \(2,\)"),
        ({"covariance_prior": np.eye(2)}, r"these data need \(3, 3\)"),
        ({"covariance_prior": -np.eye(3)}, "symmetric and positive definite"),
        (
            {"covariance_prior": -np.ones(3), "covariance_type": "diag"},
            "must be above 0",
        ),
        ({"n_components": 5000}, "needs at least as many"),
    ],
)
def test_a_wrong_parameter_is_named(wrong: dict[str, Any], message: str) -> None:
    model = make(**wrong)
    with pytest.raises(ValueError, match=message):
        model.fit(data("drawn")[0])
    assert not hasattr(model, "means_")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_the_model_as_it_was(method: str) -> None:
    model = make(max_iter=2).fit(data("drawn")[0])
    before = dict(vars(model))
    for wrong, message in [
        (np.full((9, 3), np.nan), "NaN"),
        (np.zeros((9, 0)), "0 feature"),
    ]:
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(wrong)
        assert vars(model) == before


def test_on_a_cluster_as_well_as_here(cluster_client: Any) -> None:
    train, test = data("drawn")
    here = make(n_components=4, backend="local").fit(train)
    there = make(n_components=4).fit(train, client=cluster_client)
    assert there.history_["bytes"][-1] > 0 == here.history_["bytes"][-1]
    assert there.score(test) == pytest.approx(here.score(test), rel=0.01)
    with pytest.raises(ValueError, match="backend is 'local'"):
        make(backend="local").fit(train, client=cluster_client)


def test_rows_are_not_changed_whatever_their_layout() -> None:
    X = data("drawn")[0]
    given = X.copy()
    plain = make(n_jobs=1).fit(given)
    np.testing.assert_array_equal(given, X)
    given.flags.writeable = False
    for same in (given, np.asfortranarray(X), X[:, ::-1].copy()[:, ::-1]):
        np.testing.assert_array_equal(make(n_jobs=1).fit(same).means_, plain.means_)
