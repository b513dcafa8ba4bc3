"""A run on disk is whole, is that of one run, and is found by who reads the error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpsvi.engine import Checkpoint, Saved


def test_a_half_written_file_never_takes_the_place_of_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.npz"
    kept = Checkpoint(path)
    kept.save(Saved({"weights": np.ones((2, 3))}, {"steps": 5}))

    def fail(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        kept.save(Saved({"weights": np.zeros((2, 3))}, {"steps": 9}))
    saved = Checkpoint(path).saved
    assert saved is not None
    assert saved.counters == {"steps": 5}
    assert saved.arrays["weights"].tolist() == [[1.0] * 3] * 2
    assert [found.name for found in tmp_path.iterdir()] == ["run.npz"]


def test_a_file_belongs_to_one_run(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    new = Checkpoint(path, "fit")
    new.define({"size": 3, "rule": "sum"})
    new.save(Saved({}, {}))
    Checkpoint(path, "fit").define({"size": 3, "rule": "sum", "later": 1})
    with pytest.raises(ValueError, match=r"of a fit with {'size': 3}, .* {'size': 4}"):
        Checkpoint(path, "fit").define({"size": 4, "rule": "sum"})


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 half a file"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"run.npz' is no checkpoint"):
        Checkpoint(path)
    np.savez(path, other=np.ones(2))
    with pytest.raises(ValueError, match="is no checkpoint"):
        Checkpoint(path)
    with pytest.raises(ValueError, match="there is no folder"):
        Checkpoint(tmp_path / "not" / "there.npz")


def test_errors_name_the_file_once_there_is_one(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.npz", "fit")
    with pytest.raises(KeyError) as caught, checkpoint.named_in_errors():
        raise KeyError
    assert not getattr(caught.value, "__notes__", [])
    checkpoint.save(Saved({}, {}))
    with pytest.raises(KeyError) as caught, checkpoint.named_in_errors():
        raise KeyError
    assert "run.npz" in caught.value.__notes__[0]
