"""`dpsvi corpus`: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
from click.testing import CliRunner

from dpsvi import datasets
from dpsvi.cli import main
from dpsvi.cli.corpus import _FORMATS
from dpsvi.datasets.conversion import FORMATS

pytest.importorskip("pyarrow")

HEAVY = ("numba", "scipy", "sklearn", "numpy", "pyarrow", "rich", "dpsvi.datasets")


def run(*arguments):
    return CliRunner().invoke(main, ["corpus", *map(str, arguments)])


@pytest.fixture
def docword(tmp_path):
    corpus = datasets.make_corpus(60, 20, 3, random_state=0)
    words = [f"[b]w{word}" for word in range(20)]
    corpus = datasets.Corpus(corpus.counts, vocabulary=words)
    path = tmp_path / "docword.tiny.txt.gz"
    datasets.write_uci(corpus, path, tmp_path / "vocab.tiny.txt")
    return path


def test_help_comes_without_the_heavy_libraries():
    code = (
        "import sys; from dpsvi.cli import main; "
        "main(['corpus', 'convert', '--help'], standalone_mode=False); "
        f"sys.exit(sorted(set({HEAVY}) & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "dpsvi corpus convert reviews.jsonl" in done.stdout


def test_formats_are_those_of_the_library():
    assert _FORMATS == FORMATS


def test_convert_and_info(docword, tmp_path):
    vocab = tmp_path / "vocab.tiny.txt"
    result = run("convert", docword, tmp_path / "c", "--vocab", vocab, "--seed", 7)
    assert result.exit_code == 0, result.output
    assert "random, seed 7" in result.output
    expected = datasets.read_uci(docword, vocab)
    found = datasets.open_corpus(tmp_path / "c")
    assert found.vocabulary == expected.vocabulary
    assert found.n_tokens == expected.n_tokens

    result = run("info", tmp_path / "c")
    assert result.exit_code == 0, result.output
    assert f"{expected.n_tokens:,}" in result.output
    assert "[b]w" in result.output

    facts = json.loads(run("info", tmp_path / "c", "--json").stdout)
    assert facts["documents"] == 60
    assert facts["tokens"] == expected.n_tokens
    assert facts["nonzeros"] == expected.counts.nnz
    most = expected.counts.sum(axis=0).max()
    assert facts["most_frequent"][0]["tokens"] == most


def test_options_reach_the_library(tmp_path):
    rows = [{"body": f"the cat sat {n} w{n}"} for n in range(10)]
    source = tmp_path / "x.data"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ["--format", "jsonl", "--column", "body", "--min-df", 2]
    options += ["--max-df", "0.95", "--stop-words", "none", "--name", "cats"]
    result = run("convert", source, tmp_path / "c", *options)
    assert result.exit_code == 1
    assert "no word is left" in result.output
    options[options.index("0.95")] = "1.0"
    result = run("convert", source, tmp_path / "c", *options, "--no-shuffle", "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert (facts["name"], facts["words"], facts["shuffled"]) == ("cats", 3, False)
    assert facts["seed"] is None
    assert datasets.open_corpus(tmp_path / "c").vocabulary == ("cat", "sat", "the")
    result = run("convert", source, tmp_path / "c", *options)
    assert result.exit_code == 1
    assert "--overwrite" in result.output
    result = run("convert", source, tmp_path / "c", *options, "--overwrite")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("value", ["-1", "1.5", "x", "nan"])
def test_limits_are_numbers_or_shares(tmp_path, value):
    (tmp_path / "t.txt").write_text("cat\n")
    result = run("convert", tmp_path / "t.txt", tmp_path / "c", f"--min-df={value}")
    assert result.exit_code == 2
    assert "neither a whole number nor a share" in result.output


def test_errors_are_told_in_words_and_leave_nothing(docword, tmp_path):
    (tmp_path / "docword.bad.txt").write_text("1\n1\n1\n2 1 1\n")
    before = sorted(os.listdir(tmp_path))
    result = run("convert", tmp_path / "docword.bad.txt", tmp_path / "c")
    assert result.exit_code == 1
    assert "docword.bad.txt:4: found document 2" in result.output
    assert "Traceback" not in result.output
    assert sorted(os.listdir(tmp_path)) == before
    result = run("info", tmp_path)
    assert result.exit_code == 1
    assert "is no corpus on disk" in result.output


INTERRUPTED = """
    import sys, time
    from dpsvi.cli import main
    from dpsvi.datasets.on_disk import writing
    def wait(*arguments):
        print("ready", flush=True)
        time.sleep(60)
    writing.write_facts = wait
    main(["corpus", "convert", *sys.argv[1:]])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to a child")
def test_ctrl_c_leaves_nothing(docword, tmp_path):
    before = sorted(os.listdir(tmp_path))
    command = [sys.executable, "-c", dedent(INTERRUPTED), docword, tmp_path / "c"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in error
    assert sorted(os.listdir(tmp_path)) == before


def test_the_words_of_a_corpus_without_names_are_numbers(tmp_path):
    datasets.Corpus(np.eye(3, dtype=int) * [[1], [2], [3]]).save(tmp_path / "c")
    facts = json.loads(run("info", tmp_path / "c", "--json").stdout)
    assert [word["word"] for word in facts["most_frequent"]] == ["2", "1", "0"]


@pytest.mark.parametrize("name", ["t.txt.gz", "t.csv.gz", "t.jsonl.gz"])
def test_damaged_gzip_is_told_with_file_and_line(tmp_path, name):
    lines = b"text\nword\n" if "csv" in name else b'"word"\n' * 9
    (tmp_path / name).write_bytes(gzip.compress(lines)[:-9])
    result = run("convert", tmp_path / name, tmp_path / "c")
    assert result.exit_code == 1
    assert re.search(rf"{re.escape(name)}:\d+: the gzip data stop", result.output)
    assert "Aborted!" not in result.output
    assert sorted(os.listdir(tmp_path)) == [name]


def test_texts_in_the_words_of_another_corpus(tmp_path):
    lines = "The CAT sat\nA dog sat\nThe dog, the cat\n"
    (tmp_path / "old.txt").write_text(lines)
    (tmp_path / "new.txt").write_text("dog CAT cat bird\nthe bird sat\n")
    options = ["--stop-words", "none", "--min-df", 2]
    assert (
        run("convert", tmp_path / "old.txt", tmp_path / "old", *options).exit_code == 0
    )
    taken = ["--words-of", tmp_path / "old"]
    options = [*taken, "--no-shuffle", "--json"]
    result = run("convert", tmp_path / "new.txt", tmp_path / "new", *options)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["unknown_tokens"] == 2
    found = datasets.open_corpus(tmp_path / "new").load()
    assert found.vocabulary == ("cat", "dog", "sat", "the")
    assert found.counts.toarray().tolist() == [[2, 1, 0, 0], [0, 0, 1, 1]]
    assert "2, left out" in run("info", tmp_path / "new").output

    options = [*taken, "--min-df", 3]
    result = run("convert", tmp_path / "new.txt", tmp_path / "no", *options)
    assert result.exit_code == 1
    assert "leave out all other options" in result.output


def test_words_are_taken_of_texts_for_texts(docword, tmp_path):
    assert run("convert", docword, tmp_path / "c").exit_code == 0
    (tmp_path / "t.txt").write_text("cat\n")
    taken = ["--words-of", tmp_path / "c"]
    result = run("convert", tmp_path / "t.txt", tmp_path / "no", *taken)
    assert "does not say how its texts were cut" in result.output
    run("convert", tmp_path / "t.txt", tmp_path / "t")
    result = run("convert", docword, tmp_path / "no", "--words-of", tmp_path / "t")
    assert "holds counts, not texts" in result.output
