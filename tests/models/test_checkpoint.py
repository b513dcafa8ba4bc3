"""A fit that is interrupted goes on from its file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.datasets import make_corpus, open_corpus
from dpsvi.engine import Checkpoint, Saved
from dpsvi.engine import checkpoint as module
from dpsvi.engine.lockfree import Steps
from dpsvi.models.lda import identity
from dpsvi.models.lda.fitting import Fit
from dpsvi.models.lda.sources import Held, source_for

COUNTS = make_corpus(300, n_topics=4, random_state=0).counts


def make(**more: Any) -> DPSVILatentDirichletAllocation:
    given = {"max_iter": 6, "random_state": 0, "n_jobs": 1, "batch_size": 20, **more}
    return DPSVILatentDirichletAllocation(4, **given)


class Crash(Exception):
    """Stands for a machine that goes down."""


def save_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EVERY", 0.0)
    monkeypatch.setattr(module, "_PAUSE", 0.0)


def crash_in(epoch: float) -> Any:
    def callback(progress: Any) -> None:
        if progress.epoch >= epoch:
            raise Crash

    return callback


@pytest.mark.parametrize("learning_method", ["online", "batch"])
def test_a_fit_goes_on_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learning_method: str
) -> None:
    save_always(monkeypatch)
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


def assert_same_fit(one: Any, other: Any) -> None:
    """Bit for bit, all that does not tell the time."""
    np.testing.assert_array_equal(one.components_, other.components_)
    np.testing.assert_array_equal(one.doc_topic_prior_, other.doc_topic_prior_)
    assert one.topic_word_prior_ == other.topic_word_prior_
    assert (one.n_iter_, one.n_batch_iter_) == (other.n_iter_, other.n_batch_iter_)
    assert one.history_.columns == other.history_.columns


KINDS = [
    {"inference": "vb"},
    {"inference": "cvb0"},
    {"inference": "vb", "learning_method": "batch"},
    {"inference": "vb", "doc_topic_prior": "auto", "topic_word_prior": "auto"},
    {"inference": "cvb0", "doc_topic_prior": "auto", "topic_word_prior": "auto"},
    # Rates that make the units change on the way.
    {"inference": "cvb0", "local_learning_rate": 0.6},
]


@pytest.mark.parametrize("given", KINDS, ids=str)
def test_a_crash_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    save_always(monkeypatch)
    path = tmp_path / "fit.npz"
    more = {"evaluate_every": 2, **given}
    for epoch in (0.4, 2.3, 2.9, 5.0):
        with pytest.raises(Crash):
            make(**more).fit(
                COUNTS, checkpoint=path, X_val=COUNTS[:50], callbacks=[crash_in(epoch)]
            )
    again, whole = make(**more), make(**more)
    again.fit(COUNTS, checkpoint=path, X_val=COUNTS[:50], callbacks=[lambda _: None])
    whole.fit(COUNTS, X_val=COUNTS[:50], callbacks=[lambda _: None])
    assert_same_fit(again, whole)
    for column in ("version", "documents", "heldout_perplexity", "staleness"):
        np.testing.assert_array_equal(again.history_[column], whole.history_[column])
    assert (np.diff(again.history_["time"]) > 0).all()


@pytest.mark.parametrize("given", KINDS, ids=str)
@pytest.mark.parametrize("at", [7, 33])
def test_ctrl_c_in_the_middle_of_a_round_changes_nothing(
    tmp_path: Path, given: dict[str, Any], at: int
) -> None:
    path, calls = tmp_path / "fit.npz", count()
    real = Steps.__next__

    def deal(steps: Any) -> int:
        step = real(steps)
        if next(calls) == at:
            signal.raise_signal(signal.SIGINT)
        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Steps, "__next__", deal)
        broken = make(**given).fit(COUNTS, checkpoint=path)
    assert broken.stop_reason_ == "interrupted"
    assert broken.n_batch_iter_ < 1 + 6 * 15
    again = make(**given).fit(COUNTS, checkpoint=path)
    assert_same_fit(again, make(**given).fit(COUNTS))


def test_a_checkpoint_that_is_dear_is_written_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 100.0, 102.0, 102.0 + 150.0, 102.0 + 250.0])
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr(module, "time", clock)
    kept = Checkpoint(tmp_path / "run.npz")
    kept.save(Saved({}, {}))
    assert [kept.due(), kept.due()] == [False, True]


def test_kill_9_at_any_moment_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    code = Path(__file__).with_name("fit_for_ever.py")
    rng = np.random.default_rng()
    steps = []

    def written() -> int:
        return path.stat().st_mtime_ns if path.exists() else 0

    for _ in range(4):
        before, patience = written(), time.monotonic() + 60.0
        with subprocess.Popen([sys.executable, code, path]) as fit:
            while written() == before and time.monotonic() < patience:
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.2))
            fit.kill()
        saved = Checkpoint(path).saved
        assert saved is not None
        steps.append(saved.counters["steps"])
    assert all(np.diff([0, *steps]) > 0)


def test_the_rates_go_on_too(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=2).fit(COUNTS, checkpoint=path)

    def fit(**more: Any) -> Fit:
        model = make()
        given = {"learning": "online", "n_passes": 6, "n_documents": 300, **more}
        return Fit(model, *source_for(model, COUNTS, "online", whom="fit"), **given)

    rest, whole = fit(checkpoint=Checkpoint(path)), fit()
    assert rest.plan(0).steps_before == rest.problem.batches_before == 30
    expected = whole.problem.clock.rates
    np.testing.assert_array_equal(rest.problem.clock.rates, expected)
    assert len(set(expected.tolist())) > 1


def test_a_fit_that_is_done_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    model = make().fit(COUNTS, checkpoint=path)
    again = make().fit(COUNTS, checkpoint=path)
    assert_same_fit(again, model)


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


OTHER = make_corpus(300, n_topics=4, random_state=1).counts


@pytest.mark.parametrize(
    ("counts", "given", "named"),
    [
        (OTHER, {}, "documents"),
        (COUNTS[::-1], {}, "documents"),
        (COUNTS, {"random_state": 1}, "random_state"),
        (COUNTS, {"random_state": np.int64(1)}, "random_state"),
        (COUNTS, {"doc_topic_prior": 0.3}, "doc_topic_prior"),
        (COUNTS, {"doc_topic_prior": [0.1, 0.2, 0.3, 0.4]}, "doc_topic_prior"),
        (COUNTS, {"doc_topic_prior": "auto"}, "doc_topic_prior"),
        (COUNTS, {"topic_word_prior": 0.3}, "topic_word_prior"),
        (COUNTS, {"mean_change_tol": 1e-4}, "mean_change_tol"),
        (COUNTS, {"max_doc_update_iter": 7}, "max_doc_update_iter"),
        (COUNTS, {"dtype": "float64"}, "dtype"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused_by_name(
    tmp_path: Path, counts: Any, given: dict[str, Any], named: str
) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=1, dtype="float32").fit(COUNTS, checkpoint=path)
    before = path.read_bytes()
    model = make(**{"max_iter": 2, "dtype": "float32", **given})
    with pytest.raises(ValueError, match=f"the checkpoint of a fit with {{'{named}'"):
        model.fit(counts, checkpoint=path)
    assert path.read_bytes() == before
    assert not hasattr(model, "components_")


def test_what_leaves_the_fit_the_same_may_differ(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=1).fit(COUNTS, checkpoint=path)
    more = {"max_time": 1000.0, "max_documents": 2400, "patience": 50, "verbose": 0}
    again = make(max_iter=2, **more).fit(COUNTS.copy(), checkpoint=path)
    assert again.n_iter_ == 2
    # No integer: nothing to compare, and the seed of before goes on to count.
    again = make(max_iter=3, random_state=None).fit(COUNTS, checkpoint=path)
    assert_same_fit(again, make(max_iter=3).fit(COUNTS))
    with pytest.raises(ValueError, match="random_state"):
        make(random_state=1).fit(COUNTS, checkpoint=path)


def test_cvb0_asks_for_no_tolerance(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=1, inference="cvb0").fit(COUNTS, checkpoint=path)
    model = make(max_iter=2, inference="cvb0", mean_change_tol=0.1)
    assert model.fit(COUNTS, checkpoint=path).n_iter_ == 2


def test_a_checkpoint_that_knows_less_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=1).fit(COUNTS, checkpoint=path)
    kept = Checkpoint(path)
    assert kept.saved is not None
    known = dict(kept.saved.settings)
    for name in ("documents", "random_state", "dtype", "mean_change_tol"):
        del known[name]
    kept._settings = known
    kept.save(kept.saved)
    assert make(max_iter=2).fit(COUNTS, checkpoint=path).n_iter_ == 2
    with pytest.raises(ValueError, match="documents"):
        make(max_iter=3).fit(OTHER, checkpoint=path)


def test_documents_that_cannot_be_told_leave_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "fit.npz"
    make(max_iter=1).fit(COUNTS, checkpoint=path)
    with monkeypatch.context() as patch:
        patch.setattr(Held, "identity", lambda self: None)
        make(max_iter=2).fit(COUNTS, checkpoint=path)
    with pytest.raises(ValueError, match="documents"):
        make(max_iter=3).fit(OTHER, checkpoint=path)


def test_of_large_tables_every_number_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_HASHED", 50)
    whole = identity.digest_of(COUNTS)
    assert COUNTS.nnz > 500
    for place in (0, 1, 7, COUNTS.nnz - 1):
        other = COUNTS.copy()
        other.data[place] += 1
        assert identity.digest_of(other) != whole
    assert identity.digest_of(COUNTS.astype(np.float64)) == whole


def test_a_corpus_on_disk_is_told_by_its_name_and_part(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "fit.npz"
    corpus = make_corpus(300, n_topics=4, random_state=0)
    folder = corpus.save(tmp_path / "one")
    one = open_corpus(folder)
    other = open_corpus(corpus.save(tmp_path / "other"))
    train, _ = one.split(0.1, random_state=0)
    make(max_iter=1).fit(train, checkpoint=path)
    again, _ = open_corpus(folder).split(0.1, random_state=0)
    assert make(max_iter=2).fit(again, checkpoint=path).n_iter_ == 2
    for wrong in (one.split(0.1, random_state=2)[0], other.split(0.1, 0)[0]):
        with pytest.raises(ValueError, match="'documents': '270 on disk, corpus"):
            make(max_iter=2).fit(wrong, checkpoint=path)
