"""`DPSVIPoissonFactorization`: what it finds, how well it predicts, what it says."""

from __future__ import annotations

import pickle
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.stats import poisson
from sklearn.decomposition import NMF

from dpsvi.engine import Plan, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.models.placement import placement_for
from dpsvi.models.poisson import DPSVIPoissonFactorization
from dpsvi.models.poisson.fitting import Fit

Array = npt.NDArray[Any]


class Table(NamedTuple):
    """Counts drawn from the model, and held-out ones, each count dealt to a side."""

    train: Array
    seen: Array
    unseen: Array
    components: Array


@cache
def drawn(seed: int = 1, n_rows: int = 1000) -> Table:
    rng = np.random.default_rng(seed)
    components = rng.gamma(0.3, 2.0, (5, 60))
    counts = rng.poisson(rng.gamma(0.3, 1.0, (n_rows + 200, 5)) @ components)
    held_out = counts[n_rows:]
    seen = rng.binomial(held_out, 0.5)
    # Halves of a Poisson count are independent, with the same mean.
    return Table(counts[:n_rows], seen, held_out - seen, components)


def make(**more: Any) -> DPSVIPoissonFactorization:
    return DPSVIPoissonFactorization(**{"n_components": 5, "random_state": 0, **more})


@cache
def fitted(**more: Any) -> DPSVIPoissonFactorization:
    return make(**more).fit(drawn().train)


def likelihood(means: Array, unseen: Array) -> float:
    """Log-likelihood of a row in nats; means of zero count as a thousandth."""
    logarithms = poisson.logpmf(unseen, np.maximum(means, 1e-3))
    return float(logarithms.sum(axis=1).mean())


def predicted(model: Any, table: Table) -> float:
    """How well half of the counts of held-out rows predict the other half."""
    seen = table.seen.astype(float)
    means = model.inverse_transform(model.transform(seen))
    return likelihood(means, table.unseen)


def distance(model: Any, table: Table) -> float:
    """Mean total variation from the true components, in the best matching."""
    found, true = (
        c / c.sum(axis=1, keepdims=True) for c in (model.components_, table.components)
    )
    apart = np.abs(found[:, np.newaxis] - true).sum(axis=2) / 2
    return float(apart[linear_sum_assignment(apart)].mean())


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_known_components_are_found_again(seed: int, n_jobs: int) -> None:
    table = drawn(seed)
    model = make(n_jobs=n_jobs).fit(table.train)
    # Unrelated components are about 0.7 apart; threads end in any order.
    assert distance(model, table) < 0.25
    # The parts add up to the counts.
    means = model.inverse_transform(model.transform(table.train))
    assert means.sum() == pytest.approx(table.train.sum(), rel=0.03)


@pytest.mark.parametrize("seed", [1, 2])
def test_held_out_counts_are_predicted_better_than_by_nmf(seed: int) -> None:
    table = drawn(seed)
    nmf = NMF(
        5,
        beta_loss="kullback-leibler",
        solver="mu",
        init="nndsvda",
        max_iter=300,
        random_state=0,
    )
    nmf.fit(table.train.astype(float))
    ours = predicted(make(n_jobs=1).fit(table.train), table)
    assert ours > predicted(nmf, table)
    # A model that knows the features alone is far behind.
    flat = np.tile(table.train.mean(axis=0) / 2, (200, 1))
    assert ours > likelihood(flat, table.unseen) + 10


def test_threads_find_the_same() -> None:
    one, two = (predicted(fitted(n_jobs=n), drawn()) for n in (1, 2))
    assert two == pytest.approx(one, abs=0.5)


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 0, 1]])
def test_stale_workers_converge(order: list[int]) -> None:
    table = drawn()
    model, counts = make(n_jobs=1), sp.csr_array(table.train.astype(np.float32))
    place = placement_for(model, 1000, "online")
    fit = Fit(model, counts, place, n_passes=20, n_rows=1000)
    plan = Plan(
        total_steps=len(fit.problem.clock.rates),
        n_workers=2,
        master_batch_size=1,
        local_steps=2,
        seed=0,
    )
    result = run(
        fit.problem, [counts[::2], counts[1::2]], plan, backend=Simulated(order)
    )
    assert result.history["staleness_max"].max() >= 1
    for name, value in fit._attributes(result).items():
        setattr(model, name, value)
    model.n_features_in_ = 60
    assert predicted(model, table) > predicted(fitted(n_jobs=1), table) - 0.5


def test_one_thread_repeats_every_bit() -> None:
    for backend in ("local", "simulated"):
        again = make(n_jobs=1, backend=backend).fit(drawn().train)
        first = make(n_jobs=1, backend=backend).fit(drawn().train)
        np.testing.assert_array_equal(again.components_, first.components_)
        np.testing.assert_array_equal(again.component_rates_, first.component_rates_)


def test_the_form_of_a_table_does_not_matter() -> None:
    table = drawn().train[:200].astype(float)
    dense = make(max_iter=3).fit(table)
    for same in (sp.csr_matrix(table), sp.coo_array(table), table.tolist()):
        model = make(max_iter=3).fit(same)
        np.testing.assert_array_equal(model.components_, dense.components_)
        np.testing.assert_array_equal(model.transform(same), dense.transform(table))
        assert model.score(same) == dense.score(table)
    single = make(max_iter=3).fit(table.astype(np.float32))
    assert single.components_.dtype == single.transform(table[:2].astype("f4")).dtype
    assert single.components_.dtype == np.float32
    np.testing.assert_allclose(single.components_, dense.components_, rtol=0.1)


def test_the_score_is_the_likelihood_of_the_means() -> None:
    model, table = fitted(n_jobs=1), drawn().seen
    means = model.inverse_transform(model.transform(table))
    expected = poisson.logpmf(table, means).sum(axis=1).mean()
    assert model.score(table) == pytest.approx(expected, rel=1e-5)
    assert model.score(table) > make(n_components=1).fit(drawn().train).score(table)


def test_what_is_fitted() -> None:
    model = fitted(n_jobs=1)
    assert model.components_.shape == (5, 60)
    assert model.component_rates_.shape == (5,)
    # Shapes are the prior and counts.
    shapes = model.components_ * model.component_rates_[:, np.newaxis]
    assert shapes.min() >= 0.3 * (1 - 1e-6)
    assert shapes.sum() == pytest.approx(0.3 * 300 + drawn().train.sum(), rel=0.1)
    assert model.n_iter_ == 20
    assert model.n_batch_iter_ == 160
    assert model.n_features_in_ == 60
    assert model.history_["amount"][-1] == 20 * 1000
    assert model.get_feature_names_out().tolist() == [
        f"dpsvipoissonfactorization{k}" for k in range(5)
    ]
    same = pickle.loads(pickle.dumps(model))
    assert same.score(drawn().seen) == model.score(drawn().seen)


def test_set_priors_do_not_change_what_was_fitted() -> None:
    model = make(n_jobs=1, max_iter=3).fit(drawn().train)
    before = model.transform(drawn().seen)
    model.set_params(component_shape=50.0, component_rate=0.1)
    np.testing.assert_allclose(model.transform(drawn().seen), before, rtol=1e-4)


def test_partial_fit_goes_on() -> None:
    table = drawn()
    # Some starts take longer than others; this one is of the quick ones.
    model = make(n_jobs=1, total_samples=1000, batch_size=125, random_state=2)
    parts, scores = np.array_split(table.train, 4), []
    for _ in range(5):
        for part in parts:
            model.partial_fit(part)
        scores.append(predicted(model, table))
    assert model.n_batch_iter_ == 5 * 8
    assert model.n_iter_ == 0
    assert scores[-1] > scores[0]
    assert scores[-1] > predicted(fitted(n_jobs=1), table) - 1.0
    # Components are as many as there are, whatever was set since.
    model.set_params(n_components=3).partial_fit(parts[0])
    assert model.components_.shape == (5, 60)
    with pytest.raises(ValueError, match="is expecting 60 features"):
        model.partial_fit(parts[0][:, :9])


@pytest.mark.parametrize("rows", [1, 8, 300])
@pytest.mark.parametrize("total", [None, 1e6])
def test_a_few_more_rows_leave_a_fit_what_it_was(
    rows: int, total: float | None
) -> None:
    table = drawn()
    model = deepcopy(fitted(n_jobs=1)).set_params(total_samples=total)
    model.partial_fit(table.train[:rows])
    assert predicted(model, table) > predicted(fitted(n_jobs=1), table) - 1.0
    steps = model.n_batch_iter_ - fitted(n_jobs=1).n_batch_iter_
    assert steps == -(-rows // 256)


@pytest.mark.parametrize("backend", ["local", "simulated"])
def test_priors_are_those_of_the_first_rows(backend: str) -> None:
    first = make(n_jobs=1, max_iter=3, backend=backend).fit(drawn().train)
    other = deepcopy(first).set_params(component_shape=50.0, component_rate=9.0)
    one, two = (it.partial_fit(drawn().train[:100]) for it in (first, other))
    np.testing.assert_array_equal(one.components_, two.components_)


def test_time_runs_out() -> None:
    assert fitted(n_jobs=1).converged_
    model = make(max_iter=10**4, max_time=0.05, local_steps=1).fit(drawn().train)
    assert model.n_iter_ < 10**4
    assert not model.converged_
    assert np.isfinite(model.components_).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_components": 0}, "n_components"),
        ({"activity_shape": 0.0}, "activity_shape"),
        ({"component_rate": -1.0}, "component_rate"),
        ({"learning_decay": 1.5}, "learning_decay"),
        ({"batch_size": "some"}, "batch_size"),
        ({"backend": "cloud"}, "backend"),
    ],
)
def test_a_wrong_parameter_is_named(wrong: dict[str, Any], message: str) -> None:
    model = make(**wrong)
    with pytest.raises(ValueError, match=message):
        model.fit(drawn().train)
    assert not hasattr(model, "components_")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_failed_fit_leaves_the_model_as_it_was(method: str) -> None:
    model = make(max_iter=2).fit(drawn().train)
    before = dict(vars(model))
    for wrong, message in [
        (-drawn().train, "Negative values in data passed to"),
        (np.full((3, 60), np.nan), "NaN"),
        (np.full((600, 60), 1e38, np.float32), "no longer finite"),
    ]:
        with pytest.raises((ValueError, FloatingPointError), match=message):
            getattr(model, method)(wrong)
        assert vars(model) == before


def test_an_activity_for_each_component_is_needed() -> None:
    with pytest.raises(ValueError, match="has 4 columns; give one for each of the 5"):
        fitted(n_jobs=1).inverse_transform(np.ones((2, 4)))


def test_on_a_cluster_as_well_as_here(cluster_client: Any) -> None:
    table = drawn(4, 2000)
    here = make(backend="local", n_jobs=1).fit(table.train)
    there = make().fit(table.train, client=cluster_client)
    assert there.history_["bytes"][-1] > 0 == here.history_["bytes"][-1]
    assert there.n_iter_ == 20
    assert predicted(there, table) > predicted(here, table) - 0.5
    with pytest.raises(ValueError, match="backend is 'local'"):
        make(backend="local").fit(table.train, client=cluster_client)
