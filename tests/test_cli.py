"""The command: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import dpsvi
from dpsvi import datasets
from dpsvi.cli import main
from dpsvi.cli.show import training_summary
from dpsvi.engine.history import History

HEAVY = ("numba", "scipy", "sklearn", "matplotlib", "jinja2", "rich", "dpsvi.report")


class FakeEstimator:
    """Takes the place of the estimator: learns nothing, calls back as it does."""

    made = ()

    def __init__(self, n_components=10, **options):
        self.n_components = n_components
        self.options = options
        vars(self).update(options)
        self.rounds = 4
        type(self).made = (*self.made, self)

    def fit(self, X, y=None, *, X_val=None, callbacks=()):
        self.sizes = len(X), len(X_val)
        rng = np.random.default_rng(0)
        self.components_ = rng.random((self.n_components, X.n_words)) + 0.1
        self.feature_names_in_ = np.array(X.vocabulary, dtype=object)
        self.history_ = History()
        for number in range(1, self.rounds + 1):
            perplexity = 100.0 / number
            progress = SimpleNamespace(
                time=0.1 * number,
                epoch=self.max_iter * number / 4,
                max_iter=self.max_iter,
                documents=10 * number,
                documents_per_second=100.0,
                heldout_perplexity=perplexity if number > 1 else None,
                total_documents=40,
                seconds_left=None,
                share_done=number / 4,
                version=number,
                staleness=0.0,
                n_workers=None,
            )
            for callback in callbacks:
                callback(progress)
            self.history_.append(
                time=progress.time,
                documents=progress.documents,
                heldout_perplexity=perplexity,
            )
        return self

    def transform(self, X):
        return np.full((X.shape[0], self.n_components), 1 / self.n_components)


@pytest.fixture
def corpus(monkeypatch):
    corpus = datasets.make_corpus(60, 30, 3, random_state=0)
    corpus = datasets.Corpus(
        corpus.counts, vocabulary=[f"[b]word{w}" for w in range(corpus.n_words)]
    )
    monkeypatch.setattr(datasets, "load_docstrings", lambda: corpus)
    return corpus


@pytest.fixture
def estimator(monkeypatch):
    class Estimator(FakeEstimator):
        made = ()

    name = "DPSVILatentDirichletAllocation"
    monkeypatch.setitem(vars(dpsvi), name, Estimator)
    return Estimator


def demo(*arguments):
    return CliRunner().invoke(main, ["demo", *map(str, arguments)])


def test_help_and_version_come_without_the_heavy_libraries():
    code = (
        "import sys; from dpsvi.cli import main; "
        "main(['demo', '--help'], standalone_mode=False); "
        f"sys.exit(sorted(set({HEAVY}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "dpsvi demo --topics 30" in done.stdout


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert dpsvi.__version__ in result.output


def test_demo_with_the_real_estimator(corpus, tmp_path):
    path = tmp_path / "r.html"
    result = demo("--topics", 3, "--epochs", 2, "--threads", 1, "--output", path)
    assert result.exit_code == 0, result.output
    assert "Held-out perplexity" in result.output
    assert "[b]word" in result.output
    assert str(path) in result.output
    assert "Topic 2" in path.read_text(encoding="utf-8")


def test_options_reach_the_estimator(corpus, estimator, tmp_path):
    options = ["-k", 5, "--inference", "cvb0", "-t", 3, "--seed", 7, "--epochs", 9]
    result = demo(*options, "--max-time", 2.5, "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    (model,) = estimator.made
    assert model.n_components == 5
    assert model.options == {
        "inference": "cvb0",
        "n_jobs": 3,
        "random_state": 7,
        "max_iter": 9,
        "max_time": 2.5,
    }
    assert model.sizes == (54, 6)


def test_a_full_run_and_a_stopped_run_tell_so(corpus, estimator, tmp_path):
    path = tmp_path / "r.html"
    assert "20.0 of 20 epochs in 0.4 s" in demo("-o", path).output
    path.unlink()
    estimator.fit = lambda self, *a, **k: stop_early(self, *a, **k)
    result = demo("-o", path)
    assert result.exit_code == 0
    assert "stopped after 10.0 of 20 epochs in 0.2 s" in result.output
    assert path.exists()


def stop_early(self, *arguments, **options):
    self.rounds = 2
    return FakeEstimator.fit(self, *arguments, **options)


def test_a_missing_folder_is_a_usage_error_before_any_work(
    estimator, monkeypatch, tmp_path
):
    monkeypatch.setattr(datasets, "load_docstrings", pytest.fail)
    result = demo("-o", tmp_path / "no" / "r.html")
    assert result.exit_code == 2
    assert "there is no folder" in result.output
    assert estimator.made == ()


@pytest.mark.parametrize("option", ["--topics", "--threads", "--epochs", "--max-time"])
def test_nothing_but_positive_numbers(option):
    assert demo(option, 0).exit_code == 2


def test_a_failure_is_told_in_one_line(corpus, estimator, tmp_path):
    def fit(self, *arguments, **options):
        raise ValueError("too few documents")

    estimator.fit = fit
    result = demo("-o", tmp_path / "r.html")
    assert result.exit_code == 1
    assert "Error: too few documents" in result.output
    assert "Traceback" not in result.output


def test_ctrl_c_while_reading_ends_the_command(estimator, monkeypatch, tmp_path):
    def read():
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "load_docstrings", read)
    result = demo("-o", tmp_path / "r.html")
    assert result.exit_code == 1
    assert "Aborted!" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("share", "summary"),
    [
        (1.0, "4.0 of 4 epochs in 0.4 s"),
        (0.9, "stopped after 4.0 of 4 epochs in 0.4 s"),
    ],
)
def test_what_a_fit_has_done(share: float, summary: str) -> None:
    last = SimpleNamespace(epoch=4.0, time=0.4, share_done=share)
    assert training_summary(last, max_iter=4).startswith(summary)


def test_a_fit_that_has_done_nothing() -> None:
    summary = training_summary(None, max_iter=4)
    assert summary == "stopped before the first documents were through"
