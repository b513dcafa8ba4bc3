"""Formats beside UCI: round trips, and the place of everything malformed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.datasets import dump_svmlight_file

from dpsvi.datasets import (
    Corpus,
    convert,
    read_ldac,
    read_mm,
    read_svmlight,
    read_vw,
)
from dpsvi.datasets.conversion import guess_format
from dpsvi.datasets.formats import annotated, uci_lines

WHOLE = st.just(0) | st.integers(1, 12) | st.integers(1, 2**31 - 1)
TABLES = hnp.arrays(
    np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=WHOLE
)
FRACTIONS = TABLES.map(lambda table: (table % 1000) / np.float32(4))
ANY = TABLES | FRACTIONS
BLOCKS = st.sampled_from([1, 40, 1 << 18])
EXAMPLES = settings(max_examples=50)


@pytest.fixture(autouse=True)
def default_block(monkeypatch):
    monkeypatch.setattr(uci_lines, "_BLOCK", 1 << 18)


def read_in_blocks(read, text, size, **options):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uci_lines, "_BLOCK", size)
        return read(io.BytesIO(text), **options)


def check(corpus, table):
    n_words = corpus.n_words
    found = corpus.counts.toarray()
    assert corpus.counts.has_canonical_format
    np.testing.assert_array_equal(found, table[:, :n_words])
    assert not np.any(table[:, n_words:])
    whole = np.all(table == np.floor(table))
    assert corpus.counts.dtype == (np.int32 if whole else np.float32)


def pairs(row, first=0):
    return [f"{w + first}:{row[w]:.10g}" for w in np.flatnonzero(row)]


@EXAMPLES
@given(ANY, BLOCKS, st.booleans())
def test_matrix_market_of_scipy(table, size, transpose):
    file = io.BytesIO()
    written = sparse.csc_array(table.T) if transpose else sparse.csr_array(table)
    scipy.io.mmwrite(file, written, comment="a comment", symmetry="general")
    corpus = read_in_blocks(read_mm, file.getvalue(), size, transpose=transpose)
    check(corpus, table)
    assert corpus.shape == table.shape


def test_matrix_market_patterns_and_written_zeros():
    banner = b"%%MatrixMarket matrix coordinate "
    text = banner + b"pattern general\n\n%\n2 3 2\n1 3\n2 1\n"
    assert read_mm(io.BytesIO(text)).counts.toarray().tolist() == [[0, 0, 1], [1, 0, 0]]
    text = banner + b"real general\n2 2 3\n1 2 0.0\n1  1 2e0\n2 2 0.5\n"
    assert read_mm(io.BytesIO(text)).counts.toarray().tolist() == [[2, 0], [0, 0.5]]


@EXAMPLES
@given(ANY, BLOCKS, st.sampled_from(["\n", "\r\n", " \n"]))
def test_ldac(table, size, end):
    lines = [" ".join([str(np.count_nonzero(row)), *pairs(row)]) for row in table]
    text = "".join(line + end for line in lines).encode()
    check(read_in_blocks(read_ldac, text, size), table)
    words = "".join(f"w{w}\n" for w in range(table.shape[1])).encode()
    named = read_in_blocks(read_ldac, text, size, vocab=io.BytesIO(words))
    assert named.shape == table.shape
    assert len(named.vocabulary) == table.shape[1]


@EXAMPLES
@given(ANY, BLOCKS, st.booleans(), st.booleans())
def test_svmlight_of_scikit_learn(table, size, zero_based, comment):
    file = io.BytesIO()
    labels = np.arange(len(table)) - 1
    note = "made by a test" if comment else None
    dump_svmlight_file(table, labels, file, zero_based=zero_based, comment=note)
    options = {"zero_based": zero_based}
    check(read_in_blocks(read_svmlight, file.getvalue(), size, **options), table)


def test_svmlight_labels_queries_and_comments():
    text = b"1,3 qid:7 2:1 1:4 # 9:9\n#\n-0.5\n"
    assert read_svmlight(io.BytesIO(text)).counts.toarray().tolist() == [[4, 1], [0, 0]]


@EXAMPLES
@given(ANY, BLOCKS)
def test_vowpal_wabbit(table, size):
    names = [f"wörd{w}" for w in range(table.shape[1])]
    text = "".join(
        "1 'tag| "
        + " ".join(f"{names[w]}:{row[w]:.10g}" for w in np.flatnonzero(row))
        + "\n"
        for row in table
    )
    corpus = read_in_blocks(read_vw, text.encode(), size)
    columns = [names.index(word) for word in corpus.vocabulary]
    np.testing.assert_array_equal(corpus.counts.toarray(), table[:, columns])
    assert corpus.counts.sum() == pytest.approx(table.sum(dtype=float))


def test_vowpal_wabbit_namespaces():
    text = b"1 2.0 tag|title:2 cat http://x:3 |body cat:1.0 cat\n|body\n"
    corpus = read_vw(io.BytesIO(text))
    assert corpus.vocabulary == ("cat", "http://x")
    assert corpus.counts.toarray().tolist() == [[4, 6], [0, 0]]
    body = read_vw(io.BytesIO(text), namespace="body")
    assert body.counts.toarray().tolist() == [[2], [0]]


MM = "%%MatrixMarket matrix coordinate integer general\n"
REAL = MM.replace("integer", "real")


@pytest.mark.parametrize("size", [1, 1 << 18])
@pytest.mark.parametrize(
    ("read", "text", "line", "message"),
    [
        (read_mm, "", 1, "the file ends here"),
        (read_mm, "1 2 3\n", 1, "found '1 2 3'; need '%%MatrixMarket"),
        (read_mm, MM.replace("integer", "complex"), 1, "found 'complex'"),
        (read_mm, MM.replace("general", "symmetric"), 1, "found 'symmetric'"),
        (read_mm, MM + "2 2\n", 2, "found '2 2'; need the numbers of rows"),
        (read_mm, MM + "2 2 5\n", 2, "found '2 2 5'"),
        (read_mm, MM + "% x\n2 2 2\n1 1 1\n", 5, "the file ends after 1 entries"),
        (read_mm, MM + "2 2 1\n1 1 1\n1 2 1\n", 4, "found entry 2; line 2 promises 1"),
        (read_mm, MM + "2 2 2\n2 1 1\n1 2 1\n", 4, "found document 1 after 2; need"),
        (read_mm, MM + "2 2 1\n3 1 1\n", 3, "found document 3"),
        (read_mm, REAL + "2 2 1\n1 1 -0.5\n", 3, "found count -0.5"),
        (read_mm, REAL + "2 2 1\n1 1.5 1\n", 3, "found '1 1.5 1'"),
        (read_mm, REAL + "2 2 1\n1 1 nan\n", 3, "found '1 1 nan'"),
        (read_mm, REAL + "2 2 1\n1 1 1e999\n", 3, "found '1 1 1e999'"),
        (read_mm, REAL + "2 2 2\n1 1 1\n1 1 1\n", 4, "found document 1, word 1 again"),
        (read_ldac, "1 0:1\n2 0:1\n", 2, "found '2' before 1 pairs"),
        (read_ldac, "1 0:1\nx\n", 2, "found 'x' before 0 pairs"),
        (read_ldac, "1 0:1\n\n0\n", 2, "found an empty line"),
        (read_ldac, "1 0:1\n1 1\n", 2, "found '1'; need 'id:count'"),
        (read_ldac, "1 0:1\n1 0:1:2\n", 2, "found '0:1:2'"),
        (read_ldac, "1 0:1\n1 -1:2\n", 2, "found word -1; need ids from 0"),
        (read_ldac, "1 0:1\n1 1:-2\n", 2, "found count -2"),
        (read_ldac, "1 0:1\n1 1:4294967296\n", 2, "found count 4294967296"),
        (read_ldac, "1 0:1\n1 1:inf\n", 2, "found '1:inf'"),
        (read_ldac, "1 0:1\n1 1.5:2\n", 2, "found '1.5:2'"),
        (read_ldac, "1 0:1\n2 1 :2\n", 2, "found '1'"),
        (read_svmlight, "1 1:1\n1 0:1\n", 2, "found word 0; need ids from 1"),
        (read_svmlight, "1 1:1\n1:1 2:1\n", 2, "found '1:1'; need a label first"),
        (read_svmlight, "1 1:1\n1 a:1\n", 2, "found 'a:1'"),
        (read_vw, "| a\nb c\n", 2, "found 'b c'; need a bar"),
        (read_vw, "| a\n| c:-1\n", 2, "found '-1'; need a count"),
        (read_vw, "| a\n| c:nan\n", 2, "found 'nan'"),
        (read_vw, "| a\n| :3\n", 2, "found ':3'; need a word"),
    ],
)
def test_malformed_file_is_reported_with_its_line(
    tmp_path, monkeypatch, size, read, text, line, message
):
    monkeypatch.setattr(uci_lines, "_BLOCK", size)
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}:{line}: {message}')}"):
        read(path)


def test_bytes_that_are_no_text_are_reported_with_their_line():
    with pytest.raises(ValueError, match=r"<file>:2: found .*; need UTF-8"):
        read_vw(io.BytesIO(b"| a\n| \xff\n"))


def test_a_word_beyond_the_vocabulary():
    with pytest.raises(
        ValueError, match="<file>:1: found word 2; need ids from 0 to 1"
    ):
        read_ldac(io.BytesIO(b"1 2:1\n"), vocab=io.BytesIO(b"a\nb\n"))


@given(st.sampled_from([read_ldac, read_svmlight, read_vw]), st.text("01 :.-e#|\n\ta"))
def test_any_text_gives_a_corpus_or_a_line(read, text):
    message = None
    try:
        read(io.BytesIO(text.encode()))
    except ValueError as error:
        message = str(error)
    assert message is None or re.match(r"<file>:\d+: ", message)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("docword.kos.txt.gz", "uci"),
        ("/a/b.MM.gz", "mm"),
        ("b.txt", "text"),
        ("b.svmlight", "svmlight"),
        ("b.h5ad", "h5ad"),
    ],
)
def test_the_format_is_told_by_the_name(name, format):
    assert guess_format(name) == format


TEXTS = [
    "The cat, the mat; ünd the CAT.",
    "",
    "a dog and 1 cat 22 cats",
    'He said "dogs, cats"\nin two lines',
]


def write(path, rows, format):
    if format == "text":
        data = "\n".join(row.replace("\n", " ") for row in rows).encode()
    elif format == "csv":
        file = io.StringIO(newline="")
        csv.writer(file).writerows([["id", "body"], *enumerate(rows)])
        data = file.getvalue().encode()
    elif format == "jsonl":
        data = "".join(
            json.dumps({"id": 1, "body": row}) + "\n" for row in rows
        ).encode()
    else:
        pa = pytest.importorskip("pyarrow")
        pq = pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"id": range(len(rows)), "body": rows}), path)
        return
    path.write_bytes(packed(data) if path.suffix == ".gz" else data)


def packed(data):
    """Gzip without the time of day, so that names of tests do not change with it."""
    return gzip.compress(data, mtime=0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_df": 2},
        {"max_features": 3, "stop_words": None},
        {"max_df": 0.5, "lowercase": False, "token_pattern": r"\w+"},
    ],
)
@pytest.mark.parametrize(
    "name", ["t.txt", "t.txt.gz", "t.csv", "t.csv.gz", "t.jsonl", "t.parquet"]
)
def test_texts_as_in_memory(tmp_path, name, options):
    pytest.importorskip("pyarrow")
    format = guess_format(name)
    write(tmp_path / name, TEXTS, format)
    column = None if format == "text" else "body"
    found = convert(
        tmp_path / name, tmp_path / "c", column=column, shuffle=False, **options
    ).load()
    expected = Corpus.from_texts(TEXTS, **options)
    assert found.vocabulary == expected.vocabulary
    np.testing.assert_array_equal(found.counts.toarray(), expected.counts.toarray())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"id,text\n1,one\n2,goal, team\n", "3: found 3 fields; need 2"),
        (
            "t.jsonl",
            b'{"text": "a"}\n' + b"[" * 100_000 + b"\n",
            "2: found .* too deep",
        ),
        ("t.txt", b"", "there are no texts"),
        ("t.txt.gz", packed(b"a word\n" * 9)[:-12], "stop early"),
        ("t.csv.gz", packed(b"text\na word\n")[:-12], "stop early"),
        ("t.jsonl.gz", packed(b'{"text": "a"}\n')[:-12], "stop early"),
        ("t.txt.gz", packed(b"a word\n" * 9)[:-6] + b"??????", "damaged"),
    ],
)
def test_malformed_texts_are_reported_with_their_line(tmp_path, name, content, message):
    pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    column = None if name.startswith("t.txt") else "text"
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / name, tmp_path / "c", column=column)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.parquet"])
@pytest.mark.parametrize("shuffle", [True, False])
def test_titles_stay_with_their_texts(tmp_path, name, shuffle):
    pytest.importorskip("pyarrow")
    import pandas as pd

    # Two batches of texts; the number of a text is its only word.
    table = pd.DataFrame(
        {"id": range(1000, 1700), "text": [f"w{i}" for i in range(700)]}
    )
    write_table = {"csv": "to_csv", "jsonl": "to_json", "parquet": "to_parquet"}
    format = guess_format(name)
    more = (
        {"orient": "records", "lines": True} if format == "jsonl" else {"index": False}
    )
    getattr(table, write_table[format])(tmp_path / name, **more)
    found = convert(
        tmp_path / name,
        tmp_path / "c",
        column="text",
        title_column="id",
        shuffle=shuffle,
    ).load()
    words = [found.vocabulary[int(i)] for i in found.counts.indices]
    assert found.documents == tuple(str(1000 + int(word[1:])) for word in words)
    assert (found.documents == tuple(map(str, range(1000, 1700)))) == (not shuffle)


@pytest.mark.parametrize("name", ["t.txt", "t.csv", "t.jsonl", "t.parquet"])
def test_texts_without_titles_bear_their_numbers(tmp_path, name):
    pytest.importorskip("pyarrow")
    texts = [f"w{number}" for number in range(700)]
    write(tmp_path / name, texts, guess_format(name))
    column = None if name == "t.txt" else "body"
    found = convert(tmp_path / name, tmp_path / "c", column=column)
    (titles,) = map(found.titles, range(found.n_shards))
    words = [found.vocabulary[i] for i in found.load().counts.indices]
    assert [f"w{title}" for title in titles] == words != texts


def test_documents_of_a_bag_of_words_bear_their_numbers(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "docword.x.txt"
    path.write_text("4\n3\n3\n1 1 7\n2 2 8\n4 3 9\n")
    found = convert(path, tmp_path / "c", seed=1).load()
    totals = found.counts.sum(axis=1).tolist()
    assert dict(zip(found.documents, totals, strict=True)) == {
        "0": 7,
        "1": 8,
        "2": 0,
        "3": 9,
    }


def test_empty_titles_are_none(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "t.csv").write_text("id,text\na,goal\n,team\n")
    options = {"title_column": "id", "shuffle": False}
    assert convert(tmp_path / "t.csv", tmp_path / "c", **options).load().documents == (
        "a",
        "1",
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "text\ngoal team\n"),
        ("t.jsonl", '{"text": "goal team"}\n'),
        ("t.txt", "goal team\n"),
    ],
)
def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path, name, content):
    pytest.importorskip("pyarrow")
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    found = convert(tmp_path / name, tmp_path / "c", token_pattern=r"\S+").load()
    assert found.vocabulary == ("goal", "team")


@EXAMPLES
@given(
    st.lists(st.text("ab \n", max_size=12), min_size=1, max_size=8),
    st.integers(1, 3) | st.floats(0.0, 1.0),
    st.integers(1, 3) | st.floats(0.0, 1.0),
    st.none() | st.integers(1, 4),
)
def test_words_are_chosen_as_in_memory(texts, min_df, max_df, max_features):
    from dpsvi.datasets.blocks import in_memory
    from dpsvi.datasets.formats.texts import TextStream, Tokens

    options = {"min_df": min_df, "max_df": max_df, "max_features": max_features}
    options |= {"stop_words": None, "token_pattern": "[ab]+"}
    try:
        expected = Corpus.from_texts(texts, **options)
    except ValueError:
        with pytest.raises(ValueError, match="no word is left"):
            in_memory(TextStream(texts, Tokens(**options), "t"))
        return
    found = in_memory(TextStream(texts, Tokens(**options), "t"))
    assert found.vocabulary == expected.vocabulary
    np.testing.assert_array_equal(found.counts.toarray(), expected.counts.toarray())


def test_the_rarest_words_are_forgotten_first(monkeypatch):
    from dpsvi.datasets.blocks import in_memory
    from dpsvi.datasets.formats import texts as module

    monkeypatch.setattr(module, "_MOST_WORDS", 10)
    monkeypatch.setattr(module, "_TEXTS_AT_ONCE", 5)
    texts = [f"often again rare{number}" for number in range(100)]
    tokens = module.Tokens(min_df=50, stop_words=None)
    assert in_memory(module.TextStream(texts, tokens, "t")).vocabulary == (
        "again",
        "often",
    )


@pytest.mark.parametrize(
    ("name", "data", "options", "message"),
    [
        ("t.txt", b"good\nb\xff\n", {}, "t.txt:2: found the byte 0xff; need UTF-8"),
        ("t.csv", b"", {}, "t.csv:1: the file is empty"),
        ("t.csv", b"a,b\nx,y\n", {}, "t.csv: there is no column 'text' .* 'a', 'b'"),
        ("t.csv", b"a,b\nx,y\nz\n", {"column": "b"}, "t.csv:3: found 1 fields"),
        ("t.csv", b'a\n"x" y\n', {}, "t.csv:2: found"),
        ("t.jsonl", b'"word"\n{\n', {}, "t.jsonl:2: found .*; need JSON"),
        ("t.jsonl", b'"word"\n[1]\n', {}, "t.jsonl:2: found list; need an object"),
        ("t.jsonl", b'{"text": 3}\n', {}, "t.jsonl:1: found int in the column"),
        ("t.parquet", b"x" * 99, {}, "t.parquet: is no Parquet file"),
        ("t.what", b"x", {}, "does not tell the format; say it"),
        ("t.txt", b"x", {"vocab": "v"}, "holds its words itself"),
        ("t.txt", b"x", {"column": "v"}, "has no columns"),
        ("t.txt", b"x", {"format": "doc"}, "format is 'doc'; it must be one of uci"),
        ("t.txt", b"the\n", {}, "no word is left of the 0 in 1 texts"),
    ],
)
def test_what_cannot_be_converted_leaves_nothing(
    tmp_path, name, data, options, message
):
    pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / name, tmp_path / "c", **options)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_texts_that_pass_by_once_are_refused(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(
        TypeError, match="list_iterator, which can be gone through once"
    ):
        convert(iter(TEXTS), tmp_path / "c")
    with pytest.raises(TypeError, match="text 1 is of type int"):
        convert(["cat", 3], tmp_path / "c")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        convert(tmp_path / "no.txt", tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_all_bytes(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.txt"
    path.write_text("cat dog\n" * 50_000)
    seen = []
    convert(path, tmp_path / "c", progress=lambda *told: seen.append(told))
    assert len(seen) > 3
    assert seen == sorted(seen)
    assert seen[-1] == (2 * path.stat().st_size,) * 2


def test_anndata_must_be_installed(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setitem(sys.modules, "anndata", None)
    (tmp_path / "x.h5ad").write_bytes(b"")
    with pytest.raises(ImportError, match="pip install anndata"):
        convert(tmp_path / "x.h5ad", tmp_path / "c")


class FakeAnnData:
    """What of AnnData's files is used."""

    def __init__(self, table):
        self.X = sparse.csr_array(table)
        self.n_obs, self.n_vars = table.shape
        self.obs_names = [f"cell{n}" for n in range(self.n_obs)]
        self.var_names = [f"gene{n}" for n in range(self.n_vars)]
        self.file = self
        self.closed = False

    def close(self):
        self.closed = True


@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_anndata(tmp_path, monkeypatch, fraction):
    pytest.importorskip("pyarrow")
    table = np.arange(12.0).reshape(4, 3) * fraction
    fake = FakeAnnData(table)
    module = SimpleNamespace(read_h5ad=lambda path, backed: fake)
    monkeypatch.setitem(sys.modules, "anndata", module)
    monkeypatch.setattr(annotated, "_ROWS_AT_ONCE", 3)
    (tmp_path / "x.h5ad").write_bytes(b"")
    found = convert(tmp_path / "x.h5ad", tmp_path / "c", shuffle=False).load()
    check(found, table)
    assert found.vocabulary == ("gene0", "gene1", "gene2")
    assert found.documents == ("cell0", "cell1", "cell2", "cell3")
    assert fake.closed
