"""`dpsvi fit`: the model that it leaves, what it prints, how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from command_line import CORPUS, WORDS, OnDisk, call, told

import dpsvi
from dpsvi import DPSVILatentDirichletAllocation, datasets
from dpsvi.datasets import write_uci


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The corpus in the UCI format: counts and words."""
    paths = tmp_path / "docword.txt", tmp_path / "vocab.txt"
    write_uci(CORPUS, *paths)
    return paths


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is opened as the corpus in four shards."""
    place = tmp_path / "shards"
    place.mkdir()
    monkeypatch.setattr(datasets, "open_corpus", lambda path: OnDisk(CORPUS))
    return place


def test_a_fit_leaves_the_model_that_python_would_fit(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "out.safetensors"
    options = ["--epochs", 4, "--batch-size", 30, "--threads", 1, "--seed", 5]
    facts = told(
        *("fit", files[0], "--vocab", files[1], "--topics", 3, "-o", path),
        *("--inference", "cvb0", "--hold-out", 0.25, *options),
    )
    train, test = CORPUS.split(0.25, random_state=5)
    expected = DPSVILatentDirichletAllocation(
        3, inference="cvb0", max_iter=4, batch_size=30, n_jobs=1, random_state=5
    ).fit(train, X_val=test)
    model = dpsvi.load(path)
    np.testing.assert_array_equal(model.components_, expected.components_)
    assert model.feature_names_in_.tolist() == WORDS
    assert facts["heldout_perplexity"] == expected.heldout_perplexity(test)
    assert facts["documents"] == 180
    assert facts["held_out_documents"] == 60
    assert (facts["words"], facts["topics"], facts["epochs"]) == (40, 3, 4.0)
    assert facts["model"] == str(path)
    assert facts["reason"] == "completed"


def test_a_fit_in_words(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    done = call("fit", files[0], "-k", 2, "-o", path, "--hold-out", 40, "-t", 1)
    assert done.exit_code == 0, done.output
    assert "2 topics of 200 documents and 40 words, 10.0 epochs in" in done.stdout
    assert "held-out perplexity" in done.stdout
    assert f"model in {path}" in done.stdout
    assert "Training 100%" in done.stderr
    assert not hasattr(dpsvi.load(path), "feature_names_in_")


def test_a_fit_on_a_folder_of_shards(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    facts = told("fit", folder, "-k", 2, "-o", path, "-t", 1, "--hold-out", 0.1)
    assert (facts["documents"], facts["held_out_documents"]) == (216, 24)
    assert dpsvi.load(path).feature_names_in_.tolist() == WORDS


def test_a_fit_on_a_corpus_that_was_saved(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "out.safetensors"
    folder = CORPUS.save(tmp_path / "corpus")
    facts = told("fit", folder, "-k", 2, "-o", path, "-t", 1, "--hold-out", 40)
    assert (facts["documents"], facts["held_out_documents"]) == (200, 40)
    test = datasets.open_corpus(folder).split(40, random_state=0)[1]
    model = dpsvi.load(path)
    assert facts["heldout_perplexity"] == model.heldout_perplexity(test)
    assert model.feature_names_in_.tolist() == WORDS


def test_a_fit_goes_on_from_its_checkpoint(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    common = ["fit", files[0], "-k", 2, "-t", 1, "--batch-size", 24]
    paths = ["-o", tmp_path / "out.safetensors", "--checkpoint", tmp_path / "fit.npz"]
    told(*common, *paths, "--epochs", 2)
    facts = told(*common, *paths, "--epochs", 5)
    assert facts["epochs"] == 5.0
    assert dpsvi.load(paths[1]).n_iter_ == 5
    again = told(*common, *paths, "--epochs", 5)
    assert (again["epochs"], again["seconds"]) == (5.0, facts["seconds"])


def test_a_fit_ends_after_a_time(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    facts = told(
        "fit", files[0], "-k", 2, "-o", path, "--epochs", 100_000, "--max-time", 0.2
    )
    assert facts["reason"] == "max_time"
    assert facts["epochs"] < 100_000


def test_a_fit_ends_after_so_many_documents(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "out.safetensors"
    common = ["fit", files[0], "-k", 2, "-o", path, "--max-documents", 500]
    facts = told(*common, "--epochs", 100)
    assert facts["reason"] == "max_documents"
    assert facts["epochs"] < 100


def test_a_fit_that_says_how_it_goes_on(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    program = "from dpsvi.cli import main; main()"
    path = tmp_path / "out.safetensors"
    given = ["fit", files[0], "-k", 2, "-o", path, "--log", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, given)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["reason"] == "completed"
    begun, ended = done.stderr.splitlines()
    assert "fit begins: documents=" in begun
    assert " reason=completed" in ended


PROGRAM = """
    import sys
    from dpsvi.cli import main

    class Bar:
        said = False

        def __call__(self, progress):
            if not self.said:
                self.said = True
                print("ready", flush=True)

    sys.modules["dpsvi.cli.fit"]._bar = Bar
    try:
        main(["fit", *sys.argv[1:]])
    except SystemExit as end:
        print(end.code)
"""


def test_ctrl_c_saves_the_model_so_far(
    files: tuple[Path, Path], tmp_path: Path, press_ctrl_c: Callable[..., list[str]]
) -> None:
    path = tmp_path / "out.safetensors"
    forever = ["-k", 2, "-o", path, "--epochs", 200_000, "-t", 1, "--hold-out", 20]
    lines = press_ctrl_c(PROGRAM, files[0], *forever)
    assert lines[-1] == "130"
    assert lines[-2] == f"interrupted; model in {path}"
    assert "2 topics of 220 documents" in lines[-3]
    assert dpsvi.load(path).components_.shape == (2, 40)


TERMINATED = """
    import os, signal, sys
    from dpsvi.cli import main

    class Bar:
        def __call__(self, progress):
            for _ in range(2):  # Some send it twice.
                os.kill(os.getpid(), signal.SIGTERM)

    sys.modules["dpsvi.cli.fit"]._bar = Bar
    main(["fit", *sys.argv[1:]])
"""
UNHEARD = """
    import signal
    signal.signal(signal.SIGINT, signal.SIG_IGN)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM to catch")
@pytest.mark.parametrize("before", ["", UNHEARD], ids=["", "Ctrl-C is ignored"])
def test_sigterm_saves_model_and_checkpoint(
    before: str, files: tuple[Path, Path], tmp_path: Path
) -> None:
    path, kept = tmp_path / "out.safetensors", tmp_path / "fit.npz"
    forever = ["-k", 2, "-o", path, "--epochs", 200_000, "-t", 1, "--checkpoint", kept]
    program = dedent(before) + dedent(TERMINATED)
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, [files[0], *forever])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 143, done.stderr
    assert done.stderr == ""
    assert done.stdout.endswith(f"interrupted; model in {path}\n")
    assert dpsvi.load(path).n_batch_iter_ > 1
    assert kept.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM to catch")
def test_sigterm_while_reading_leaves_nothing(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*paths: Any) -> None:
        signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(datasets, "read_uci", read)
    done = call("fit", files[0], "-k", 2, "-o", tmp_path / "out.safetensors")
    assert done.exit_code == 143
    assert not (tmp_path / "out.safetensors").exists()
    assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))


def test_priors_are_taken_and_learned(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    common = ["fit", files[0], "-k", 2, "-o", path, "-t", 1, "--epochs", 4]
    told(*common, "--doc-topic-prior", 0.3, "--topic-word-prior", "0.02")
    model = dpsvi.load(path)
    assert (model.doc_topic_prior_, model.topic_word_prior_) == (0.3, 0.02)
    told(*common, "--doc-topic-prior", "auto", "--topic-word-prior", "auto")
    model = dpsvi.load(path)
    assert model.doc_topic_prior_.shape == (2,)
    assert model.doc_topic_prior == model.topic_word_prior == "auto"
    told(*common)
    assert dpsvi.load(path).doc_topic_prior_ == 0.5


def test_seed_words_begin_topics(files: tuple[Path, Path], tmp_path: Path) -> None:
    path, seeds = tmp_path / "out.safetensors", tmp_path / "seeds.txt"
    seeds.write_text("word3, word7\n\nword11 word3\n", encoding="utf-8")
    told(
        *("fit", files[0], "--vocab", files[1], "-k", 3, "-o", path, "-t", 1),
        *("--seed-words", seeds, "--topic-word-prior", 0.25),
    )
    prior = dpsvi.load(path).topic_word_prior_
    expected = np.full((3, 40), 0.25)
    for topic, word in ((0, 3), (0, 7), (2, 11), (2, 3)):
        expected[topic, word] += 100.0
    np.testing.assert_array_equal(prior, expected)


def test_patience_ends_a_fit(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    common = ["fit", files[0], "-k", 2, "-o", path, "-t", 1, "--hold-out", 40]
    facts = told(*common, "--patience", 1, "--epochs", 5000, "--inference", "cvb0")
    assert facts["reason"] == "stopped"
    assert facts["epochs"] < 5000


def test_ctrl_c_while_reading_leaves_nothing(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*paths: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets, "read_uci", read)
    done = call("fit", files[0], "-k", 2, "-o", tmp_path / "out.safetensors")
    assert done.exit_code == 130
    assert "Aborted!" in done.stderr
    assert not (tmp_path / "out.safetensors").exists()


def test_a_fit_on_a_cluster(
    files: tuple[Path, Path], tmp_path: Path, cluster_client: Any
) -> None:
    address = cluster_client.scheduler.address
    table = tmp_path / "scheduler.json"
    table.write_text(json.dumps({"address": address}), encoding="utf-8")
    for where in (["--scheduler", address], ["--scheduler-file", table]):
        path = tmp_path / "out.safetensors"
        told("fit", files[0], "-k", 2, "-o", path, "-t", 1, *where)
        assert dpsvi.load(path).history_["bytes"][-1] > 0


FIT = ["docword.txt", "-k", 2, "-o", "out"]
#: What stands beside the corpus.
BESIDE = {
    "t.csv": "title,body\none,goal team\n",
    "empty.json": "{}",
    "list.json": "[1]",
    "wrong.json": '{"address": 7}',
    "seeds.txt": "word1\nball",
    "blank.txt": "\n \n",
}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["docword.txt", "-o", "out"], 2, "--topics"),
        (["t.csv", "-k", 2, "-o", "out"], 1, "dpsvi corpus convert t.csv FOLDER"),
        (["docword.txt", "-k", 2], 2, "--output"),
        (["docword.txt", "-k", 2, "-o", "no/out"], 2, "there is no folder 'no'"),
        (
            ["docword.txt", "-k", 2, "-o", "out", "--hold-out", 1.5],
            2,
            "neither a number of documents",
        ),
        (
            ["docword.txt", "-k", 2, "-o", "out", "--hold-out", 0],
            2,
            "neither a number of documents",
        ),
        (
            ["docword.txt", "-k", 2, "-o", "out", "--hold-out", 240],
            1,
            "--hold-out 240 leaves none of the 240 documents to fit",
        ),
        (
            [
                *("docword.txt", "-k", 2, "-o", "out"),
                *("--scheduler", "tcp://a:1", "--scheduler-file", "vocab.txt"),
            ],
            2,
            "not both",
        ),
        *(
            ([*FIT, *more], code, message)
            for more, code, message in (
                (["--scheduler", "garbage"], 1, "'garbage', which is no address"),
                (["--scheduler", "tcp://a"], 1, "missing port number"),
                (["--scheduler", "smtp://a:1"], 1, "it names smtp"),
                (["--scheduler", ":8786"], 1, "no host"),
                (["--scheduler-file", "vocab.txt"], 1, "'vocab.txt' has not been wri"),
                (["--scheduler-file", "empty.json"], 1, "KeyError: 'address'"),
                (["--scheduler-file", "list.json"], 1, 'JSON with an "address"'),
                (["--scheduler-file", "wrong.json"], 1, "address in 'wrong.json' is 7"),
                (["--patience", 3], 2, "--hold-out"),
                (["--doc-topic-prior", "0"], 2, "neither a number above 0"),
                (["--topic-word-prior", "much"], 2, "'much' is neither a number"),
                (["--topic-word-prior", "nan"], 2, "'nan' is neither a number"),
                (["--seed-words", "seeds.txt"], 1, "give them with --vocab"),
                (["--seed-words", "vocab.txt"], 2, "40 topics and --topics is 2"),
                (["--seed-words", "blank.txt"], 2, "'blank.txt' has no words"),
                (
                    ["--seed-words", "seeds.txt", "--topic-word-prior", "auto"],
                    2,
                    "cannot be learned",
                ),
                (
                    ["--vocab", "vocab.txt", "--seed-words", "seeds.txt"],
                    1,
                    "the seed word 'ball' in topic 1",
                ),
            )
        ),
        (
            ["docword.txt", "-k", 2, "-o", "out", "--checkpoint", "vocab.txt"],
            1,
            "no checkpoint",
        ),
    ],
)
def test_mistakes(
    words: list[Any],
    code: int,
    message: str,
    files: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in BESIDE.items():
        Path(name).write_text(text, encoding="utf-8")
    done = call("fit", *words)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.output.replace("│", " ").split())
    assert "Traceback" not in done.output
    there = {found.name for found in tmp_path.iterdir()}
    assert there == {f.name for f in files} | set(BESIDE)
