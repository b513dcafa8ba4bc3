"""What is refused, in which words, and that the model stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from small_corpora import (
    assert_same_attributes,
    fitted_attributes,
    make_counts,
    make_model,
    make_table,
)

from dpsvi.datasets import Corpus

X = make_counts()


def spoiled(value: float) -> Any:
    table = make_table()
    table[3, 4] = value
    return table


BAD_DATA = {
    "nan": (spoiled(np.nan), "NaN"),
    "infinite": (spoiled(np.inf), "infinity"),
    "negative": (spoiled(-1.0), r"Negative values.*-1; counts must be at least 0"),
    "sparse negative": (sp.csr_array(spoiled(-1.0)), "Negative values"),
    "sparse nan": (sp.csr_array(spoiled(np.nan)), "NaN"),
    "no documents": (np.zeros((0, 20)), "0 sample"),
    "no words": (np.zeros((20, 0)), "0 feature"),
    "strings": ([["ape", "bee"]], "strings"),
    "one dimension": ([1.0, 2.0], "2D array"),
    "complex": (np.ones((3, 20)) * 1j, "Complex"),
    "None": (None, "None"),
}

BAD_PARAMETERS = {
    "n_components": [0, 2.5],
    "doc_topic_prior": [-1.0, 0.0, [0.1, 0.2], [0.1, 0.2, -1.0], np.nan, np.inf],
    "topic_word_prior": [-1.0, 0.0, np.nan, np.inf],
    "learning_method": ["offline"],
    "learning_decay": [1.5, "fast"],
    "learning_offset": [0.5, "late"],
    "max_iter": [-1],
    "batch_size": [0, "large"],
    "n_jobs": [0],
    "inference": ["gibbs"],
    "local_steps": [0],
    "local_learning_rate": [0.0, 1.5],
    "global_learning_rate": [0.0, np.inf],
    "master_batch_size": [0],
    "max_staleness": [-1],
    "backend": ["mpi"],
    "max_time": [0.0, np.nan],
    "max_documents": [0, -1.0],
    "patience": [0],
    "dtype": ["float16", np.float16, int, str],
    "random_state": ["seed"],
}


def refuse(model: Any, match: str, **arguments: Any) -> None:
    """A fit that fails, on a fitted model and on a new one, changes neither."""
    before = fitted_attributes(model)
    given = dict(arguments)
    data = given.pop("X", X)
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(data, **given)
    after = fitted_attributes(model)
    assert_same_attributes(before, after)
    for name in ("history_", "random_state_"):
        assert before.get(name) is after.get(name)
    assert "_callback_fit_ctx" not in vars(model)


@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.parametrize("fitted", [True, False])
def test_bad_data(case: str, fitted: bool) -> None:
    data, match = BAD_DATA[case]
    model = make_model()
    if fitted:
        model.fit(X)
    refuse(model, match, X=data)
    if case != "None":
        refuse(model, match, X_val=data)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_PARAMETERS.items() for value in values],
)
def test_bad_parameters(name: str, value: Any) -> None:
    model = make_model().fit(X)
    model.set_params(**{name: value})
    refuse(model, name if name != "random_state" else "seed|random_state")
    assert_same_attributes(
        fitted_attributes(model), fitted_attributes(make_model().fit(X))
    )


@pytest.mark.parametrize(
    "method", ["transform", "score", "perplexity", "heldout_perplexity", "partial_fit"]
)
def test_another_width_is_refused(method: str) -> None:
    model = make_model().fit(X)
    before = fitted_attributes(model)
    with pytest.raises(ValueError, match="7 features"):
        getattr(model, method)(X[:, :7])
    assert_same_attributes(before, fitted_attributes(model))
    refuse(model, "7 features", X_val=X[:, :7])


@pytest.mark.parametrize(
    "method", ["transform", "score", "perplexity", "heldout_perplexity", "topics"]
)
def test_not_fitted(method: str) -> None:
    arguments = [] if method == "topics" else [X]
    with pytest.raises(NotFittedError):
        getattr(make_model(), method)(*arguments)


def test_partial_fit_on_bad_data() -> None:
    model = make_model().partial_fit(X)
    before = fitted_attributes(model)
    for data, match in (BAD_DATA["nan"], BAD_DATA["negative"], BAD_DATA["None"]):
        with pytest.raises((ValueError, TypeError), match=match):
            model.partial_fit(data)
    assert_same_attributes(before, fitted_attributes(model))


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_callback(fitted: bool, error: type[BaseException]) -> None:
    model = make_model(local_steps=1)
    if fitted:
        model.fit(X)
    before = fitted_attributes(model)

    def fail(progress: Any) -> None:
        raise error("from the callback")

    with pytest.raises(error, match="from the callback"):
        model.fit(X, callbacks=[fail])
    assert_same_attributes(before, fitted_attributes(model))
    model.fit(X)


def test_counts_beyond_single_precision_say_so() -> None:
    model = make_model().fit(X)
    before = fitted_attributes(model)
    huge = (X * 1e37).astype(np.float32)
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="float64"):
        model.fit(huge)
    assert_same_attributes(before, fitted_attributes(model))


def test_held_out_documents_need_words_left_to_predict() -> None:
    refuse(make_model(), "no token", X_val=np.zeros((3, 20)))
    model = make_model().fit(X)
    for fraction in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="between 0 and 1"):
            model.heldout_perplexity(X, observed_fraction=fraction)


# What is no table of counts.


class Again:
    """Starts anew each time it is iterated over."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __iter__(self) -> Any:
        return iter(self.items)


FROM_TEXTS = r"Corpus\.from_texts"
NO_COUNTS = {
    "a table of texts": ("t.csv", r"dpsvi corpus convert t\.csv .*\.convert\('t.csv'"),
    "docword": ("docword.x.txt", r"dpsvi corpus convert docword\.x\.txt"),
    "in a list": (["t.csv"], r"dpsvi corpus convert t\.csv"),
    "missing": ("missing", r"'missing' .*no such file or folder"),
    "missing npz": ("missing.npz", "no such file or folder"),
    "broken": ("broken.npz", r"'broken\.npz' cannot be read .*damaged.*save_npz"),
    "an empty folder": ("empty", "no corpus on disk.*dpsvi corpus convert"),
    "texts": (["goal team", "vote"], FROM_TEXTS),
    "one text": ("goal team", FROM_TEXTS),
    "long texts": (["goal team " * 500], FROM_TEXTS),
    "an array of texts": (
        np.array(["goal team"]),
        f"'goal team'.*{FROM_TEXTS}",
    ),
    "texts again and again": (Again("goal team", "vote"), f"got texts.*{FROM_TEXTS}"),
    "words": ([["goal", "team"], ["vote"]], f"lists of words.*{FROM_TEXTS}"),
    "words again": (Again(["goal", "team"]), f"lists of words.*{FROM_TEXTS}"),
    "nothing again": (Again(), "Again that has no documents"),
    "numbers again": (Again(1, 2), "items of type int; its items must be"),
}


@pytest.mark.parametrize("what", NO_COUNTS)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_what_is_no_counts_is_told_what_to_do(
    what: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,b\n1,2\n", encoding="ascii")
    Path("docword.x.txt").write_text("1\n2\n1\n1 1 1\n", encoding="ascii")
    Path("broken.npz").write_text("nonsense", encoding="ascii")
    Path("empty").mkdir()
    data, message = NO_COUNTS[what]
    model = make_model().fit(X)
    before = fitted_attributes(model)
    with pytest.raises((ValueError, FileNotFoundError), match=f"(?s){message}"):
        getattr(model, method)(data)
    assert_same_attributes(fitted_attributes(model), before)


@pytest.mark.parametrize("kind", ["pairs", "matrices", "tables", "corpora"])
def test_what_starts_anew_is_taken(kind: str) -> None:
    tables = [X[:10], X[10:]]
    items: list[Any] = {
        "pairs": [list(enumerate(row)) for row in X.toarray().tolist()],
        "matrices": tables,
        "tables": [table.toarray() for table in tables],
        "corpora": [Corpus(table) for table in tables],
    }[kind]
    model = make_model(dtype="float32").fit(Again(*items))
    expected = make_model(dtype="float32").fit(X)
    np.testing.assert_array_equal(model.components_, expected.components_)
    for method in ("transform", "score", "coherence"):
        one, other = (getattr(m, method) for m in (model, expected))
        np.testing.assert_allclose(one(Again(*items)), other(X), rtol=1e-6)
