"""scikit-learn's callbacks, and the same through our own stand-ins."""

from __future__ import annotations

import contextlib
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
from sklearn import clone
from small_corpora import make_counts, make_model

from dpsvi.models.lda import DPSVILatentDirichletAllocation
from dpsvi.models.lda.callbacks import OwnCallbackSupport, own_with_callbacks

X = make_counts(40)


class OwnLDA(OwnCallbackSupport, DPSVILatentDirichletAllocation):
    """As where scikit-learn has no callbacks."""

    # scikit-learn's own decorators look after callbacks too.
    fit = own_with_callbacks(inspect.unwrap(DPSVILatentDirichletAllocation.fit))


class Diary:
    """Writes down the hooks; asks for an end, or fails, after some epochs."""

    def __init__(self, stop_after: int = 99, fail_after: int = 99) -> None:
        self.stop_after, self.fail_after = stop_after, fail_after
        self.lines: list[tuple[Any, ...]] = []
        self.seen: list[Any] = []

    def _write(self, hook: str, context: Any) -> None:
        parent = None if context.parent is None else context.parent.task_name
        self.lines.append(
            (hook, context.task_name, context.task_id, context.max_subtasks, parent)
        )

    def setup(self, estimator: Any, context: Any) -> None:
        self._write("setup", context)

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        self._write("begin", context)

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any, y: Any, fitted_estimator: Any
    ) -> bool:
        self._write("end", context)
        if context.task_name != "epoch":
            return False
        self.seen.append(fitted_estimator)
        if context.task_id + 1 == self.fail_after:
            raise RuntimeError("enough")
        return context.task_id + 1 >= self.stop_after

    def teardown(self, estimator: Any, context: Any) -> None:
        self._write("teardown", context)


def theirs() -> bool:
    with contextlib.suppress(ImportError):
        import sklearn.callback  # noqa: F401

        return True
    return False


needs_theirs = pytest.mark.skipif(not theirs(), reason="scikit-learn before 1.9")
KINDS = [
    pytest.param(DPSVILatentDirichletAllocation, id="scikit-learn", marks=needs_theirs),
    pytest.param(OwnLDA, id="own"),
]
kinds = pytest.mark.parametrize("kind", KINDS)


def make(kind: Any, **parameters: Any) -> Any:
    return kind(**make_model(**parameters).get_params())


def expected_lines(n_epochs: int) -> list[tuple[Any, ...]]:
    epochs = [
        (hook, "epoch", epoch, 0, "fit")
        for epoch in range(n_epochs)
        for hook in ("begin", "end")
    ]
    fit = ("fit", 0, 3, None)
    inside = [("begin", *fit), *epochs, ("end", *fit)]
    return [("setup", *fit), *inside, ("teardown", *fit)]


@kinds
@pytest.mark.parametrize("parameters", [{}, {"inference": "cvb0", "local_steps": 2}])
def test_hooks_come_in_order(kind: Any, parameters: dict[str, Any]) -> None:
    diary = Diary()
    make(kind, **parameters).set_callbacks(diary).fit(X)
    assert diary.lines == expected_lines(3)


@kinds
def test_a_callback_stops_the_fit(kind: Any) -> None:
    diary = Diary(stop_after=2)
    model = make(kind).set_callbacks(diary).fit(X)
    assert model.n_iter_ == 2
    assert diary.lines == expected_lines(2)


@kinds
def test_the_fitted_estimator_of_an_epoch_is_usable(kind: Any) -> None:
    diary = Diary()
    model = make(kind).set_callbacks(diary).fit(X)
    assert [seen.n_iter_ for seen in diary.seen] == [1, 2, 3]
    scores = [seen.perplexity(X) for seen in diary.seen]
    assert scores[-1] == pytest.approx(model.perplexity(X))
    assert len(set(scores)) == 3
    assert diary.seen[0].n_features_in_ == 20


@kinds
@pytest.mark.parametrize("fitted", [True, False])
def test_errors_tear_down_and_change_nothing(kind: Any, fitted: bool) -> None:
    model = make(kind)
    components = model.fit(X).components_ if fitted else None
    diary, second = Diary(fail_after=2), Diary()
    model.set_callbacks(diary, second)
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(X)
    assert diary.lines[-1][0] == second.lines[-1][0] == "teardown"
    assert getattr(model, "components_", None) is components
    model.set_callbacks().fit(X)
    assert len([line for line in diary.lines if line[0] == "teardown"]) == 1


@kinds
def test_a_bad_fit_tears_down(kind: Any) -> None:
    diary = Diary()
    model = make(kind).set_callbacks(diary)
    with pytest.raises(ValueError, match="Negative"):
        model.fit(-X)
    hooks = [line[0] for line in diary.lines]
    assert hooks.count("setup") == hooks.count("teardown")


@kinds
def test_what_is_no_callback_is_refused(kind: Any) -> None:
    for wrong in (print, Diary, object()):
        with pytest.raises(TypeError):
            make(kind).set_callbacks(wrong)


@kinds
def test_several_are_all_told_and_none_is_in_the_way(kind: Any) -> None:
    one, two = Diary(stop_after=1), Diary()
    model = make(kind).set_callbacks(one, two).fit(X)
    assert one.lines == two.lines == expected_lines(1)
    plain = make(kind, max_iter=1).fit(X)
    np.testing.assert_array_equal(model.components_, plain.components_)


def test_own_callbacks_survive_copies_of_the_model() -> None:
    model = make(OwnLDA).set_callbacks(Diary()).fit(X)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.components_, model.components_)
    clone(model).fit(X)


@needs_theirs
def test_scikit_learns_progress_bar(capsys: Any) -> None:
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    make_model().set_callbacks(ProgressBar()).fit(X)
    assert "fit" in capsys.readouterr().out


@needs_theirs
def test_scikit_learns_scoring_monitor() -> None:
    pytest.importorskip("pandas")
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(
        scoring={"heldout": lambda model, X, y: model.heldout_perplexity(X)}
    )
    model = make_model().set_callbacks(monitor).fit(X, np.zeros(40))
    rows = monitor.get_logs().data
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    assert len(epochs) == model.max_iter
    scores = [row["heldout"] for row in epochs]
    assert scores[-1] == pytest.approx(model.heldout_perplexity(X))
    assert len(set(scores)) == 3


def test_a_model_whose_last_hook_failed_can_be_copied() -> None:
    class Failing:
        def setup(self, estimator: Any, context: Any) -> None:
            pass

        def on_fit_task_begin(self, *given: Any, **named: Any) -> None:
            pass

        def on_fit_task_end(self, *given: Any, **named: Any) -> bool:
            # The end of the fit itself comes after those of its epochs.
            ended.append(1)
            if len(ended) > 3:
                raise ZeroDivisionError
            return False

        def teardown(self, estimator: Any, context: Any) -> None:
            pass

    ended: list[int] = []
    model = make_model(max_iter=3)
    model.set_callbacks(Failing())
    with pytest.raises(ZeroDivisionError):
        model.fit(make_counts())
    model.set_callbacks()
    assert not hasattr(pickle.loads(pickle.dumps(model)), "components_")
