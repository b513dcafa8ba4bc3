"""What goes on during a fit, and who may end it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_corpora import (
    assert_same_attributes,
    fitted_attributes,
    make_counts,
    make_model,
)

from dpsvi.engine import Master
from dpsvi.models import placement
from dpsvi.models.lda import fitting
from dpsvi.models.lda.evaluation import Completion
from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.sources import source_for

X = make_counts(40)  # five mini-batches of eight
FIVE_EPOCHS = {"max_iter": 5, "local_steps": 1}


@pytest.mark.parametrize("inference", ["vb", "cvb0"])
def test_what_a_callback_sees(inference: str) -> None:
    seen: list[Any] = []
    components: list[Any] = []

    def look(progress: Any) -> None:
        seen.append(progress)
        components.append(progress.components_)

    model = make_model(inference=inference, **FIVE_EPOCHS)
    model.fit(X, callbacks=[look])
    assert len(seen) == 25
    times = [progress.time for progress in seen]
    assert times == sorted(times)
    assert times[0] >= 0
    np.testing.assert_allclose([p.epoch for p in seen], np.arange(1, 26) / 5)
    np.testing.assert_allclose([p.documents for p in seen], 8.0 * np.arange(1, 26))
    assert {p.max_iter for p in seen} == {5}
    assert {p.heldout_perplexity for p in seen} == {None}
    assert {p.staleness for p in seen} == {0.0}
    assert all(p.documents_per_second > 0 for p in seen)
    # Copies, each of its own moment.
    assert components[0].shape == (3, 20)
    assert not np.array_equal(components[0], components[-1])
    np.testing.assert_array_equal(components[-1], model.components_)


def test_looking_changes_nothing() -> None:
    watched = make_model(**FIVE_EPOCHS)
    watched.fit(X, X_val=X[:5], callbacks=[lambda progress: progress.components_])
    alone = make_model(**FIVE_EPOCHS).fit(X)
    np.testing.assert_array_equal(watched.components_, alone.components_)


@pytest.mark.parametrize("stop_at", [1, 4, 5, 7])
def test_a_callback_stops_a_fit_at_what_it_saw(stop_at: int) -> None:
    seen: list[Any] = []

    def stop(progress: Any) -> bool:
        seen.append(progress.components_)
        return len(seen) == stop_at

    told: list[Any] = []
    model = make_model(**FIVE_EPOCHS).fit(X, callbacks=[stop, told.append])
    assert len(seen) == len(told) == stop_at
    assert model.n_iter_ == stop_at // 5
    assert model.n_batch_iter_ == 1 + stop_at
    np.testing.assert_array_equal(model.components_, seen[-1])


def test_only_true_stops() -> None:
    model = make_model().fit(X, callbacks=[lambda progress: 1, lambda progress: "on"])
    assert model.n_iter_ == 3


@pytest.mark.parametrize("method", ["online", "batch"])
def test_early_stopping_counts_right(method: str) -> None:
    model = make_model(
        learning_method=method, max_iter=9, evaluate_every=2, perp_tol=1e9
    )
    model.fit(X)
    # Two measurements, two epochs apart, are the fewest to compare.
    assert model.n_iter_ == 4
    assert model.n_batch_iter_ == 1 + 4 * 5
    unbroken = make_model(learning_method=method, max_iter=4).fit(X)
    np.testing.assert_array_equal(model.components_, unbroken.components_)


def test_no_epochs_at_all() -> None:
    model = make_model(max_iter=0).fit(X)
    assert (model.n_iter_, model.n_batch_iter_) == (0, 1)
    assert np.isfinite(model.transform(X)).all()


def test_held_out_perplexity_in_the_history() -> None:
    held_out = make_counts(15, seed=1)
    model = make_model(max_iter=1, dtype="float64").fit(X, X_val=held_out)
    measured = model.history_["heldout_perplexity"][-1]
    assert measured == pytest.approx(model.heldout_perplexity(held_out), rel=1e-9)
    model = make_model(**FIVE_EPOCHS).fit(X, X_val=held_out)
    measured = model.history_["heldout_perplexity"]
    documents = model.history_["documents"]
    assert len(measured) == 25
    # At least once an epoch, and not at every push.
    at = documents[np.isfinite(measured)]
    assert np.diff(at, prepend=0.0).max() <= 40
    assert len(at) < 25
    alone = make_model(**FIVE_EPOCHS).fit(X)
    assert np.isnan(alone.history_["heldout_perplexity"]).all()


def test_columns_of_the_history() -> None:
    history = make_model(**FIVE_EPOCHS).fit(X, X_val=X[:5]).history_
    names = ("time", "version", "documents", "heldout_perplexity", "staleness", "bytes")
    assert history.columns[:6] == names
    assert np.all(np.diff(history["time"]) >= 0)
    assert history["version"].tolist() == list(range(1, 26))


@pytest.mark.parametrize("patience", [1, 3])
def test_patience(patience: int, monkeypatch: pytest.MonkeyPatch) -> None:
    measurements = iter([10.0, 8.0, 9.0, 8.5, 8.0, 8.0, *[20.0] * 99])
    monkeypatch.setattr(Completion, "perplexity", lambda *_: next(measurements))
    model = make_model(max_iter=50, patience=patience).fit(X, X_val=X[:5])
    measured = model.history_["heldout_perplexity"]
    # The second is best; an equal one is no new best.
    assert np.isfinite(measured).sum() == 2 + patience
    assert np.isfinite(measured[-1])


def test_time_limit() -> None:
    model = make_model(max_iter=100_000, max_time=0.2).fit(X)
    assert 0 < model.n_iter_ < 100_000
    assert model.n_batch_iter_ == 1 + round(model.history_["documents"][-1] / 8)
    # In simulated seconds, of about one a round.
    model = make_model(backend="simulated", max_time=3.5, **FIVE_EPOCHS).fit(X)
    assert model.n_batch_iter_ - 1 < 8


def test_a_budget_of_documents() -> None:
    model = make_model(max_iter=5, max_documents=100).fit(X)
    assert model.stop_reason_ == "max_documents"
    # Whole mini-batches, of eight.
    assert model.history_["documents"][-1] == 104.0
    assert model.n_iter_ == 2
    enough = make_model(max_iter=2, max_documents=1000).fit(X)
    assert (enough.stop_reason_, enough.n_iter_) == ("completed", 2)
    for most, passes in ((1, 1), (100, 2)):
        batch = make_model(learning_method="batch", max_documents=most, max_iter=5)
        assert batch.fit(X).n_iter_ == passes


def test_callbacks_know_the_budget() -> None:
    seen: list[Any] = []
    make_model(max_iter=5, max_documents=100).fit(X, callbacks=[seen.append])
    assert {progress.total_documents for progress in seen} == {104.0}
    assert seen[-1].share_done == 1.0


def test_how_many_documents_converged() -> None:
    """Of each round the share that needed fewer iterations than allowed."""
    some_words = X[np.flatnonzero(np.asarray(X.sum(axis=1)).ravel())]
    few = make_model(max_doc_update_iter=1, mean_change_tol=1e-9).fit(some_words)
    assert set(few.history_["converged"].tolist()) == {0.0}
    many = make_model(max_doc_update_iter=1000, mean_change_tol=1e-2).fit(X)
    assert set(many.history_["converged"].tolist()) == {1.0}
    some = make_model(max_doc_update_iter=20, mean_change_tol=1e-3).fit(X)
    assert 0.0 < some.history_["converged"].mean() < 1.0
    assert "converged" not in make_model(inference="cvb0").fit(X).history_.columns


def test_simulated_threads_give_every_bit_again() -> None:
    many = make_counts(1600)  # enough for three threads
    model = make_model(backend="simulated", n_jobs=3, batch_size=100, max_iter=2)
    first = fitted_attributes(model.fit(many))
    assert_same_attributes(first, fitted_attributes(model.fit(many)))
    alone = make_model(batch_size=100, max_iter=2).fit(many)
    assert not np.array_equal(first["components_"], alone.components_)


@pytest.mark.parametrize("evaluate_every", [-1, 2])
def test_lines_on_the_way(evaluate_every: int, capsys: Any) -> None:
    make_model(verbose=1, evaluate_every=evaluate_every).fit(X)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"epoch {epoch} of 3" for epoch in (1, 2, 3)
    ]
    told = ["training perplexity" in line for line in lines]
    assert told == [False, evaluate_every == 2, False]
    make_model().fit(X)
    assert capsys.readouterr().out == ""


def test_no_pass_over_all_documents_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    inferred = {"training": 0, "measuring": 0}
    ascend = Inference._ascend

    def counted(self: Any, documents: Any, noise: int) -> int:
        inferred["training" if noise else "measuring"] += documents.size
        return ascend(self, documents, noise)

    monkeypatch.setattr(Inference, "_ascend", counted)
    many = make_counts(4000)
    model = make_model(max_iter=2, batch_size=100).fit(many)
    assert inferred == {"training": 2 * 4000, "measuring": 0}
    assert model.bound_ > 1
    assert inferred == {"training": 2 * 4000, "measuring": 1000}


def test_many_threads_at_a_high_rate_stay_in_range(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step of each thread at rate 0.9 must not let the scale fall out of float32."""
    monkeypatch.setattr(placement, "n_threads_for", lambda n_jobs, n_documents: 64)
    model = make_model(local_learning_rate=1.0, max_iter=50)
    given = source_for(model, X, "online", whom="fit")
    fit = fitting.Fit(model, *given, learning="online", n_passes=50, n_documents=40)
    scales, plan = fit.problem.clock.log_scale, fit.plan(0)
    parameters = fit.problem.initial_parameters(np.random.default_rng(0))
    master = Master(fit.problem, parameters, plan)
    assert plan.round_steps >= 64
    while steps := master.snapshot(plan.round_steps, shared=True).steps:
        # A unit of e^20, and a step at rate 0.9.
        assert scales[steps.start] - scales[steps.stop] <= 20.0 + np.log(10.0)
    assert master.counters.steps_reserved == plan.total_steps
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.fit(X).components_).all()


INTERRUPTED = """
    import sys
    import numpy as np
    from dpsvi import DPSVILatentDirichletAllocation

    def ready(progress):
        if not told:
            told.append(1)
            print("ready", flush=True)

    told = []
    X = np.random.default_rng(0).poisson(0.5, (1000, 50))
    model = DPSVILatentDirichletAllocation(
        5, max_iter=20_000, n_jobs=int(sys.argv[1]), batch_size=100, local_steps=2,
        learning_offset=5.0, learning_decay=0.7,
    )
    model.fit(X, callbacks=[ready])
    print(0 < model.n_batch_iter_ < 1_000_000, np.isfinite(model.components_).all())
    print(model.transform(X).shape, model.partial_fit(X) is model)
"""


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_leaves_the_model_so_far(
    press_ctrl_c: Callable[..., list[str]], n_jobs: int
) -> None:
    printed = press_ctrl_c(INTERRUPTED, n_jobs)
    assert printed == ["True True", "(1000, 5) True"]
