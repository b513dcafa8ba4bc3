"""The UCI format: round trips, and an exact place for everything malformed."""

from __future__ import annotations

import gzip
import io
import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpsvi.datasets import Corpus, read_uci, write_uci
from dpsvi.datasets.formats import uci_lines

TABLES = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8),
    elements=st.just(0) | st.integers(1, 12) | st.integers(1, 2**31 - 1),
)
WORDS = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1
)
GOOD = b"3\n4\n5\n1 1 2\n1 3 1\n3 2 10\n3 3 123\n3 4 1\n"
TABLE = [[2, 0, 1, 0], [0, 0, 0, 0], [0, 10, 123, 1]]


def read(text: bytes, **options):
    return read_uci(io.BytesIO(text), **options)


@given(TABLES, st.data(), st.sampled_from(["", ".gz"]))
def test_round_trip(tmp_path_factory, table, data, suffix):
    n_words = table.shape[1]
    words = data.draw(st.lists(WORDS, min_size=n_words, max_size=n_words))
    folder = tmp_path_factory.mktemp("uci")
    paths = folder / f"docword.tiny.txt{suffix}", folder / f"vocab.txt{suffix}"
    write_uci(Corpus(table, vocabulary=words), *paths)
    corpus = read_uci(*paths)
    np.testing.assert_array_equal(corpus.counts.toarray(), table)
    assert (corpus.shape, corpus.vocabulary) == (table.shape, tuple(words))
    assert corpus.name == "tiny"
    assert sorted(os.listdir(folder)) == sorted(path.name for path in paths)


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 18])
@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD[:-1],
        GOOD + b"\n \n",
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"\n", b" \n"),
        GOOD.replace(b" ", b"\t"),
        gzip.compress(GOOD, mtime=0),
    ],
)
def test_white_space_and_block_size_do_not_matter(monkeypatch, text, size):
    monkeypatch.setattr(uci_lines, "_BLOCK", size)
    assert read(text).counts.toarray().tolist() == TABLE


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_counts_have_the_type_asked_for(dtype):
    counts = read(GOOD, dtype=dtype).counts
    assert counts.dtype == dtype
    assert counts.toarray().tolist() == TABLE


def test_words_of_a_document_may_come_in_any_order():
    corpus = read(b"1\n3\n3\n1 3 7\n1 1 5\n1 2 6\n")
    assert corpus.counts.toarray().tolist() == [[5, 6, 7]]


def test_an_open_file_stays_open(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(GOOD)
    with open(path, "rb") as file:
        assert read_uci(file).n_documents == 3
        assert not file.closed


@pytest.mark.parametrize("size", [1, 9, 1 << 18])
@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (GOOD, b"", 1, "the file ends here; need the number of documents D"),
        (GOOD, b"3\n4\n", 3, "the file ends here; need the number of entries NNZ"),
        (b"3\n4\n5", b"3 4\n5", 1, "found '3 4'"),
        (b"3\n4\n5", b"3\n-4\n5", 2, "found '-4'; need the number of words W"),
        (b"3\n4\n5", b"3\n4.0\n5", 2, "found '4.0'"),
        (
            b"3\n4\n5",
            b"3\n4294967296\n5",
            2,
            "found 4,294,967,296; need the number of words W",
        ),
        (b"3\n4\n5", b"3\n4\n13", 3, "found 13 entries; 3 documents of 4 words"),
        (b"1 3 1", b"1 3", 5, "found '1 3'; need 'doc word count'"),
        (b"1 3 1", b"1 3 1 1", 5, "found '1 3 1 1'"),
        (b"1 3 1", b"", 5, "found an empty line"),
        (b"1 3 1", b"1 3 x", 5, "found '1 3 x'"),
        (b"1 3 1", b"1 3 1.5", 5, "found '1 3 1.5'"),
        (b"1 3 1", b"1 3 -1", 5, "found '1 3 -1'"),
        (b"1 3 1", b"1 3 1\x00", 5, "found '1 3 1"),
        (b"1 3 1", b"1 3 " + b"9" * 30, 5, "found '1 3 999"),
        (b"1 3 1", b"1 3 0", 5, "found count 0; need a count from 1"),
        (b"1 3 1", b"1 3 2147483648", 5, "found count 2147483648"),
        (b"3 2 10", b"4 2 10", 6, "found document 4; need a document from 1 to 3"),
        (b"1 1 2", b"0 1 2", 4, "found document 0"),
        (b"3 2 10", b"3 5 10", 6, "found word 5; need a word from 1 to 4"),
        (b"3 2 10", b"3 0 10", 6, "found word 0"),
        (b"3 3 123", b"2 3 123", 7, "found document 2 after 3"),
        (b"3 4 1", b"3 2 1", 8, "found document 3, word 2 again, as on line 6"),
        (b"3 4 1\n", b"", 8, "the file ends after 4 entries; line 3 promises 5"),
        (b"3\n4\n5", b"3\n4\n4", 8, "found entry 5; line 3 promises 4"),
        (b"1 3 1", b"5" * 2000, 5, "found '5555"),
        # Two faults: the first one in the file is reported.
        (b"1 3 1\n3 2 10", b"1 9 1\n3 x 10", 5, "found word 9"),
    ],
)
def test_malformed_file_is_reported_with_its_line(
    tmp_path, monkeypatch, size, old, new, line, message
):
    monkeypatch.setattr(uci_lines, "_BLOCK", size)
    path = tmp_path / "docword.bad.txt"
    path.write_bytes(GOOD.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}:{line}: {message}')}"):
        read_uci(path)


@given(st.lists(st.tuples(*[st.integers(0, 10**19)] * 3), min_size=1, max_size=30))
def test_fast_and_slow_parsers_agree(rows):
    text = b"".join(b"%d %d %d\n" % row for row in rows)
    lines = uci_lines.Lines(io.BytesIO(text), "x")
    fast = uci_lines._parse_regular(np.frombuffer(text, dtype=np.uint8))
    slow, error = uci_lines._parse_any(text, lines, len(rows))
    assert (fast is None) == (error is not None)
    if fast is not None:
        np.testing.assert_array_equal(fast, np.array(rows).T)
        np.testing.assert_array_equal(slow, np.array(rows).T)


@given(st.binary(max_size=60) | st.text("0123 \n-x", max_size=60).map(str.encode))
def test_any_bytes_give_a_corpus_or_a_value_error(text):
    message = None
    try:
        corpus = read(b"3\n4\n2\n" + text)
    except ValueError as error:
        message = str(error)
    if message is None:
        assert corpus.counts.nnz == 2
    else:
        assert re.match(r"<file>:\d+: ", message)


def test_truncated_gzip_is_named():
    rng = np.random.default_rng(0)
    table = rng.integers(1, 1000, size=(50, 50))
    lines = [b"%d %d %d\n" % (i + 1, j + 1, table[i, j]) for i, j in np.ndindex(50, 50)]
    packed = gzip.compress(b"50\n50\n2500\n" + b"".join(lines))
    with pytest.raises(ValueError, match=r"<file>:\d+: the gzip data stop early"):
        read(packed[: len(packed) // 2])
    damaged = packed[:2000] + bytes([packed[2000] ^ 255]) + packed[2001:]
    with pytest.raises(ValueError, match=r"<file>:\d+: the gzip data are damaged"):
        read(damaged)


@pytest.mark.parametrize(
    ("vocab", "line", "message"),
    [
        (b"a\nb\nc\n", 4, "found 3 words"),
        (b"a\nb\nc\nd\ne\n", 5, "found 5 words"),
        (b"", 1, "found 0 words"),
        (b"a\n\nc\nd\n", 2, "found an empty line"),
        (b"a\nb\n\xff\nd\n", 3, "found the byte 0xff"),
    ],
)
def test_malformed_vocabulary_is_reported_with_its_line(tmp_path, vocab, line, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(vocab)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}:{line}: {message}')}"):
        read(GOOD, vocab=path)


def test_vocabulary_with_windows_line_ends():
    words = io.BytesIO("ä\r\nb c\r\nd\r\ne".encode())
    assert read(GOOD, vocab=words).vocabulary == ("ä", "b c", "d", "e")


def test_bad_arguments_are_refused():
    with pytest.raises(TypeError, match="float64"):
        read(GOOD, dtype=np.float64)
    with pytest.raises(TypeError, match="'rb'"):
        read_uci(io.StringIO("3"))
    with pytest.raises(FileNotFoundError):
        read_uci("no such file")


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (Corpus([[0.5, 1]], vocabulary=["a", "b"]), "not whole"),
        (Corpus([[1, 1]]), "no vocabulary"),
        (Corpus([[1, 1]], vocabulary=["a", "b\n"]), "word 1 is"),
        (Corpus([[1, 1]], vocabulary=["a", ""]), "word 1 is"),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(tmp_path, corpus, message):
    with pytest.raises(ValueError, match=message):
        write_uci(corpus, tmp_path / "docword.txt", tmp_path / "vocab.txt")
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "docword.txt"
    path.write_bytes(b"old")

    def fail(corpus):
        yield (1, 1, 1)
        raise OSError("disk full")

    monkeypatch.setattr("dpsvi.datasets.formats.uci._entries", fail)
    with pytest.raises(OSError, match="disk full"):
        write_uci(Corpus([[1]]), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_packed_files_repeat_byte_for_byte(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_uci(Corpus([[1, 2]]), tmp_path / name)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
