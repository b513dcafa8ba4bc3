"""A fit that is interrupted goes on from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus
from dpsvi.engine import Checkpoint
from dpsvi.engine import checkpoint as module
from dpsvi.models.lda.fitting import Fit
from dpsvi.models.lda.sources import source_for

COUNTS = make_corpus(300, n_topics=4, random_state=0).counts


def make(**more: Any) -> DPSVILatentDirichletAllocation:
    given = {"max_iter": 6, "random_state": 0, "n_jobs": 1, "batch_size": 20, **more}
    return DPSVILatentDirichletAllocation(4, **given)


class Crash(Exception):
    """Stands for a machine that goes down."""


def crash_in(epoch: float) -> Any:
    def callback(progress: Any) -> None:
        if progress.epoch >= epoch:
            raise Crash

    return callback


@pytest.mark.parametrize("learning_method", ["online", "batch"])
def test_a_fit_goes_on_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learning_method: str
) -> None:
    monkeypatch.setattr(module, "_EVERY", 0.0)
    path = tmp_path / "fit.npz"
    model = make(learning_method=learning_method)
    with pytest.raises(Crash) as caught:
        model.fit(COUNTS, checkpoint=path, callbacks=[crash_in(3.0)])
    assert "fit.npz" in "".join(caught.value.__notes__)
    assert not hasattr(model, "components_")
    seen: list[float] = []
    model.fit(COUNTS, checkpoint=path, callbacks=[lambda p: seen.append(p.epoch)])
    assert 2.0 <= seen[0] <= 3.5
    assert seen[-1] == 6.0
    assert model.n_iter_ == 6
    assert model.n_batch_iter_ == 1 + 6 * 15
    whole = make(learning_method=learning_method).fit(COUNTS)
    assert model.perplexity(COUNTS) < 1.03 * whole.perplexity(COUNTS)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["fit.npz"]


def test_the_rates_go_on_too(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=2).fit(COUNTS, checkpoint=path)

    def fit(**more: Any) -> Fit:
        model = make()
        given = {"learning": "online", "n_passes": 6, "n_documents": 300, **more}
        return Fit(model, *source_for(model, COUNTS, "online", whom="fit"), **given)

    rest, whole = fit(checkpoint=Checkpoint(path)), fit()
    assert rest.n_steps == whole.n_steps - 30
    expected = whole.problem.clock.rates[30:]
    np.testing.assert_array_equal(rest.problem.clock.rates, expected)
    assert len(set(expected.tolist())) > 1


def test_a_fit_that_is_done_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    model = make().fit(COUNTS, checkpoint=path)
    again = make().fit(COUNTS, checkpoint=path)
    np.testing.assert_allclose(again.components_, model.components_, rtol=1e-5)
    assert len(again.history_) == 0


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make().fit(COUNTS, checkpoint=path)
    with pytest.raises(ValueError, match=r"'batch_size': 20.*'batch_size': 10"):
        make(batch_size=10).fit(COUNTS, checkpoint=path)
    path.write_text("nonsense")
    with pytest.raises(ValueError, match="is no checkpoint"):
        make().fit(COUNTS, checkpoint=path)
    with pytest.raises(ValueError, match="there is no folder"):
        make().fit(COUNTS, checkpoint=tmp_path / "not" / "there.npz")
