"""The table that a run leaves behind."""

from __future__ import annotations

import builtins
import pickle
from typing import Any

import numpy as np
import pytest

from dpsvi.engine import History


def make_history(n_rows: int = 3) -> History:
    history = History()
    for number in range(n_rows):
        history.append(time=number / 2, version=number)
    history.append(time=9.0, version=9, perplexity=100.0)
    return history


def test_columns_are_arrays_with_gaps_as_nan() -> None:
    history = make_history()
    assert history.columns == ("time", "version", "perplexity")
    np.testing.assert_array_equal(history["version"], [0, 1, 2, 9])
    assert history["version"].dtype == np.int64
    np.testing.assert_array_equal(history["perplexity"], [np.nan] * 3 + [100.0])
    with pytest.raises(KeyError, match="no column 'loss'; there are time, version"):
        history["loss"]


def test_rows_are_dicts_of_what_they_have() -> None:
    rows = list(make_history(1))
    assert rows == [
        {"time": 0.0, "version": 0},
        {"time": 9.0, "version": 9, "perplexity": 100.0},
    ]
    assert len(make_history(1)) == 2


def test_equality_is_by_content() -> None:
    assert make_history() == make_history()
    assert make_history() != make_history(2)
    assert make_history() != "history"
    other = make_history(2)
    other.append(time=1.0, version=2)
    assert other != make_history()


def test_round_trips() -> None:
    history = make_history()
    assert pickle.loads(pickle.dumps(history)) == history
    assert History.from_dict(history.to_dict()) == history
    with pytest.raises(ValueError, match="shorter"):
        History.from_dict({"time": [1.0, 2.0], "version": [1]})


def test_only_numbers_are_taken() -> None:
    history = History()
    with pytest.raises(TypeError, match="topics is 'many'"):
        history.append(topics="many")  # type: ignore[arg-type]
    assert len(history) == 0


def test_representation_shows_the_last_rows() -> None:
    assert repr(History()) == "History()"
    lines = repr(make_history(10)).splitlines()
    assert lines[0].split() == ["time", "version", "perplexity"]
    assert lines[-2].split() == ["9", "9", "100"]
    assert lines[-1] == "(last 5 of 11 rows)"
    assert len(lines) == 7


def test_to_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = make_history().to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["version"].tolist() == [0, 1, 2, 9]


def test_to_pandas_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_pandas(name: str, *rest: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError(name)
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match="to_pandas needs pandas"):
        make_history().to_pandas()
