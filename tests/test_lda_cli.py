"""What commands do with a saved model: what they print, and what they leave."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from command_line import CORPUS, WORDS, OnDisk, call, told

from dpsvi import DPSVILatentDirichletAllocation, datasets
from dpsvi.cli import documents as opening
from dpsvi.datasets import Corpus, write_uci

Array = npt.NDArray[Any]


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


@pytest.fixture(scope="module")
def fitted() -> DPSVILatentDirichletAllocation:
    model = DPSVILatentDirichletAllocation(3, n_jobs=1, random_state=0, max_iter=3)
    return model.fit(CORPUS[:200])


@pytest.fixture
def model(fitted: DPSVILatentDirichletAllocation, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    return path


# topics.


def test_topics_are_told(model: Path, fitted: Any) -> None:
    facts = told("topics", model, "-n", 3)
    assert sorted(fact["topic"] for fact in facts) == [0, 1, 2]
    assert sum(fact["share"] for fact in facts) == pytest.approx(1.0)
    shares = [fact["share"] for fact in facts]
    assert shares == sorted(shares, reverse=True)
    for fact in facts:
        expected = fitted.topics(3)[fact["topic"]]
        assert [(w["word"], w["probability"]) for w in fact["words"]] == expected
    told_apart = fitted.topics(3, relevance_weight=0.2)
    for fact in told("topics", model, "-n", 3, "--relevance", 0.2):
        words = [word["word"] for word in fact["words"]]
        assert words == [word for word, _ in told_apart[fact["topic"]]]
    lines = call("topics", model, "-n", 2).stdout.splitlines()
    assert len(lines) == 4
    assert lines[0] == "Topic  Share  Words"
    assert lines[1].endswith(", ".join(w["word"] for w in facts[0]["words"][:2]))
    assert int(lines[1].split()[0]) == facts[0]["topic"]


def test_topics_with_their_coherence(
    files: tuple[Path, Path], folder: Path, model: Path, fitted: Any
) -> None:
    expected = fitted.coherence(CORPUS)
    for corpus in ([folder], [files[0], "--vocab", files[1]], [files[0]]):
        facts = told("topics", model, "--coherence", *corpus)
        for fact in facts:
            assert fact["coherence"] == pytest.approx(expected[fact["topic"]])
    assert "coherence" not in told("topics", model)[0]
    lines = call("topics", model, "--coherence", folder).stdout.splitlines()
    assert lines[0].split() == ["Topic", "Share", "Coherence", "Words"]
    topic, _, score, *_ = lines[1].split()
    assert score == f"{expected[int(topic)]:.2f}"


# evaluate.


def test_a_model_is_measured(
    files: tuple[Path, Path], model: Path, fitted: Any
) -> None:
    facts = told("evaluate", model, files[0], "--vocab", files[1])
    assert facts["heldout_perplexity"] == fitted.heldout_perplexity(CORPUS)
    bound = fitted.score(CORPUS) / CORPUS.n_tokens
    assert facts["bound_per_word"] == pytest.approx(bound, rel=1e-9)
    assert facts["documents"] == 240
    assert (facts["tokens"], facts["unknown_tokens"]) == (CORPUS.n_tokens, 0)
    text = call("evaluate", model, files[0], "--vocab", files[1]).stdout
    assert f"held-out perplexity  {facts['heldout_perplexity']:.2f}" in text
    assert "0, left out" in text


def test_shards_are_measured_one_by_one(folder: Path, model: Path, fitted: Any) -> None:
    facts = told("evaluate", model, folder, "--seed", 3)
    assert facts["documents"] == 240
    assert facts["tokens"] == CORPUS.n_tokens
    rate = facts["documents"] / facts["seconds"]
    assert facts["documents_per_second"] == pytest.approx(rate)
    bound = fitted.score(CORPUS) / CORPUS.n_tokens
    assert facts["bound_per_word"] == pytest.approx(bound, rel=1e-6)
    whole = fitted.heldout_perplexity(CORPUS)
    assert facts["heldout_perplexity"] == pytest.approx(whole, rel=0.05)


def test_large_corpora_are_measured_in_parts(
    files: tuple[Path, Path], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = told("evaluate", model, files[0])
    monkeypatch.setattr(opening, "_DOCUMENTS_AT_ONCE", 100)
    parts = told("evaluate", model, files[0])
    assert parts["documents"] == 240
    assert parts["bound_per_word"] == pytest.approx(whole["bound_per_word"], rel=1e-6)


def other_words(tmp_path: Path) -> tuple[Path, Path, Corpus]:
    """The last documents, with words in another order, and some that are new."""
    test = CORPUS[200:]
    order = np.random.default_rng(0).permutation(40)
    names = [f"new{w}" if w < 5 else WORDS[w] for w in order]
    paths = tmp_path / "docword.new.txt", tmp_path / "vocab.new.txt"
    write_uci(Corpus(test.counts[:, order], vocabulary=names), *paths)
    known = test.counts.toarray()
    known[:, :5] = 0
    return *paths, Corpus(known, vocabulary=WORDS)


def test_words_are_found_by_name(tmp_path: Path, model: Path, fitted: Any) -> None:
    docword, vocab, known = other_words(tmp_path)
    facts = told("evaluate", model, docword, "--vocab", vocab)
    assert facts["heldout_perplexity"] == fitted.heldout_perplexity(known)
    assert facts["tokens"] == known.n_tokens
    assert facts["unknown_tokens"] == CORPUS[200:].n_tokens - known.n_tokens > 0
    output = tmp_path / "theta.npy"
    found = told("transform", model, docword, "--vocab", vocab, "-o", output)
    assert found["unknown_tokens"] == facts["unknown_tokens"]
    np.testing.assert_array_equal(np.load(output), fitted.transform(known))


def test_words_that_are_all_unknown(tmp_path: Path, model: Path) -> None:
    pytest.importorskip("pyarrow")
    strange = Corpus([[2, 3], [0, 4]], vocabulary=["x", "y"]).save(tmp_path / "strange")
    done = call("evaluate", model, strange)
    assert done.exit_code == 1
    said = " ".join(done.output.split())
    assert f"knows none of the words of '{strange}' (9 tokens)" in said
    found = told("transform", model, strange, "-o", tmp_path / "theta.npy")
    assert found["unknown_tokens"] == 9


# The bar.


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["evaluate"], "Measuring"),
        (["transform", "-o", "theta.npy"], "Reading"),
        (["report", "-o", "page.html"], "Reading"),
    ],
)
def test_a_bar_follows_the_documents_in_a_terminal(
    words: list[str],
    shown: str,
    files: tuple[Path, Path],
    folder: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["dpsvi.cli.models"], "_DOCUMENTS_AT_ONCE", 100)
    command, *options = words
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for corpus in (files[0], folder):
        assert call(command, model, corpus, *options).stderr == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    for corpus in (files[0], folder):
        done = call(command, model, corpus, *options)
        assert done.exit_code == 0, done.output
        assert shown in done.stderr
        assert "240/240" in done.stderr
        assert "left" in done.stderr
        assert "240/240" not in done.stdout
        assert call(command, model, corpus, *options, "--json").stderr == ""


def test_a_bar_ends_with_an_error(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: OnDisk, number: int) -> Any:
        raise OSError("shard 0 is gone")

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(OnDisk, "read", read)
    done = call("evaluate", model, folder)
    assert done.exit_code == 1
    # The cursor is back.
    assert "\x1b[?25h" in done.stderr
    assert "Error: shard 0 is gone" in done.stderr


# transform.


def read_back(path: Path) -> Array:
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".csv":
        names = path.read_text(encoding="ascii").splitlines()[0]
        assert names == "document,topic_0,topic_1,topic_2"
        table = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32, ndmin=2)
        numbers, rows = table[:, 0], table[:, 1:]
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        columns = parquet.read_table(path)
        assert columns.column_names == ["document", "topic_0", "topic_1", "topic_2"]
        numbers, *topics = (column.to_numpy() for column in columns.columns)
        assert numbers.dtype == np.int64
        rows = np.stack(topics, axis=1)
    np.testing.assert_array_equal(numbers, np.arange(240))
    return rows


@pytest.mark.parametrize("ending", [".npy", ".csv", ".parquet"])
@pytest.mark.parametrize("on_disk", [True, False])
def test_topics_of_documents_are_written(
    ending: str,
    on_disk: bool,
    files: tuple[Path, Path],
    folder: Path,
    model: Path,
    fitted: Any,
    tmp_path: Path,
) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"theta{ending}"
    facts = told("transform", model, folder if on_disk else files[0], "-o", path)
    rows = read_back(path)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, fitted.transform(CORPUS))
    assert (facts["documents"], facts["topics"]) == (240, 3)
    assert facts["documents_per_second"] > 0
    assert facts["output"] == str(path)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_rows_have_the_titles_of_their_documents(
    ending: str, model: Path, fitted: Any, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    titles = [f'about "{number}", and more' for number in range(240)]
    titled = Corpus(CORPUS.counts, vocabulary=WORDS, documents=titles)
    path = tmp_path / f"theta{ending}"
    folder = titled.save(tmp_path / "corpus", seed=1)
    assert told("evaluate", model, folder)["tokens"] == CORPUS.n_tokens
    told("transform", model, folder, "-o", path)
    read = pd.read_csv if ending == ".csv" else pd.read_parquet
    table = read(path).set_index("document")
    assert table.index.tolist() != titles
    rows = table.loc[titles].to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(rows, fitted.transform(CORPUS))


def test_a_table_in_words(folder: Path, model: Path, tmp_path: Path) -> None:
    done = call("transform", model, folder, "-o", tmp_path / "theta.csv", "-t", 1)
    assert "240 documents, 3 topics, " in done.stdout
    assert "documents/s; 0 unknown words left out" in done.stdout


def test_a_broken_shard_leaves_no_table(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(self: OnDisk, number: int) -> Any:
        if number == 2:
            raise OSError("shard 2 is gone")
        return self._shards[number].counts

    monkeypatch.setattr(OnDisk, "read", read)
    for ending in (".csv", ".npy", ".parquet"):
        path = tmp_path / f"theta{ending}"
        done = call("transform", model, folder, "-o", path)
        assert done.exit_code == 1
        assert "Error: shard 2 is gone" in done.output
    assert {found.name for found in tmp_path.iterdir()} == {model.name, folder.name}


# report.


def test_a_page_is_written(
    files: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    done = call("report", model, "-o", path, "--title", "My topics")
    assert done.exit_code == 0, done.output
    page = path.read_text(encoding="utf-8")
    assert "My topics" in page
    assert "<dt>documents</dt>" not in page
    assert call("report", model, files[0], "-o", path).exit_code == 0
    assert "<dt>documents</dt><dd>240</dd>" in path.read_text(encoding="utf-8")


def test_a_page_reads_no_more_documents_than_it_shows(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = OnDisk(CORPUS)
    monkeypatch.setattr(datasets, "open_corpus", lambda path: corpus)
    monkeypatch.setattr(sys.modules["dpsvi.cli.models"], "_ENOUGH_DOCUMENTS", 100)
    path = tmp_path / "page.html"
    assert call("report", model, folder, "-o", path).exit_code == 0
    assert corpus.n_sampled == 100
    page = path.read_text(encoding="utf-8")
    assert "<dt>documents</dt><dd>240</dd>" in page
    assert f"<dt>words in all</dt><dd>{CORPUS.n_tokens:,}</dd>" in page
    assert "sample of 100 documents" in page
    assert "title of " in page


def test_a_page_for_programs(
    files: tuple[Path, Path], model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    docword, vocab, known = other_words(tmp_path)
    facts = told("report", model, docword, "--vocab", vocab, "-o", path)
    assert facts["report"] == str(path)
    assert (facts["topics"], facts["words"]) == (3, 40)
    assert facts["documents"] == facts["sampled_documents"] == 40
    assert facts["tokens"] == CORPUS[200:].n_tokens
    assert facts["unknown_tokens"] == CORPUS[200:].n_tokens - known.n_tokens
    facts = told("report", model, "-o", path)
    assert facts["documents"] is facts["tokens"] is facts["unknown_tokens"] is None


# Mistakes.


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["topics", "nothing"], 2, "does not exist"),
        (["topics", "vocab.txt"], 1, "damaged, or no safetensors file"),
        (["topics", "model.safetensors", "-n", 0], 2, "--words"),
        (["topics", "model.safetensors", "--vocab", "vocab.txt"], 2, "--coherence"),
        (["topics", "model.safetensors", "--coherence", "small.txt"], 1, "2 words and"),
        (["evaluate", "model.safetensors", "nothing"], 2, "does not exist"),
        (["evaluate", "model.safetensors", "vocab.txt"], 1, "a folder of shards, or a"),
        (
            ["transform", "model.safetensors", "vocab.txt", "-o", "theta.csv"],
            1,
            "dpsvi corpus convert vocab.txt FOLDER",
        ),
        (["evaluate", "model.safetensors", "small.txt"], 1, "2 words and the model 40"),
        (
            ["evaluate", "model.safetensors", "shards", "--vocab", "vocab.txt"],
            1,
            "leave out --vocab",
        ),
        (["evaluate", "model.safetensors", "empty.txt"], 1, "no token"),
        (
            ["transform", "model.safetensors", "docword.txt", "-o", "theta.txt"],
            2,
            "does not end in .parquet or .csv or .npy",
        ),
        (
            ["transform", "model.safetensors", "docword.txt", "-o", "no/theta.csv"],
            2,
            "there is no folder 'no'",
        ),
    ],
)
def test_mistakes(
    words: list[Any],
    code: int,
    message: str,
    files: tuple[Path, Path],
    folder: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.txt").write_text("1\n2\n1\n1 1 1\n", encoding="ascii")
    Path("empty.txt").write_text("1\n40\n0\n", encoding="ascii")
    before = sorted(found.name for found in tmp_path.iterdir())
    done = call(*words)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert sorted(found.name for found in tmp_path.iterdir()) == before


def test_parquet_without_pyarrow(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = call("transform", model, folder, "-o", tmp_path / "theta.parquet")
    assert done.exit_code == 1
    assert 'pip install "dpsvi[corpora]"' in done.output


@pytest.mark.parametrize(
    "command", ["fit", "topics", "evaluate", "transform", "report"]
)
def test_help_has_an_example(command: str) -> None:
    done = call(command, "--help")
    assert done.exit_code == 0
    assert f"dpsvi {command} " in done.output.split("Example:")[1]
    assert command in call("--help").output
