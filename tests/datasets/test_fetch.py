"""Downloads, from a server of our own: resumed, checked, and explained when offline."""

from __future__ import annotations

import gzip
import http.server
import threading

import pytest

from dpsvi import datasets
from dpsvi.datasets import fetch

pytest.importorskip("pyarrow")

DOCWORD = gzip.compress(b"2\n3\n3\n1 1 2\n1 3 1\n2 2 4\n", mtime=0)
FILES = {"docword.kos.txt.gz": DOCWORD, "vocab.kos.txt": b"ape\nbee\ncat\n"}


class Archive(http.server.BaseHTTPRequestHandler):
    """Serves `FILES`; can break off, and goes on where it is asked to."""

    def do_GET(self):
        server = self.server
        name = self.path.rpartition("/")[2]
        server.asked.append((name, self.headers.get("Range")))
        content = server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if self.headers.get("If-Range") == server.tag:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("ETag", server.tag)
        self.end_headers()
        stop = server.break_at.pop(name, len(content))
        self.wfile.write(content[start:stop])
        self.close_connection = True

    def log_message(self, *arguments):
        pass


@pytest.fixture
def archive(monkeypatch, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Archive)
    server.files, server.asked, server.break_at = dict(FILES), [], {}
    server.tag = '"one"'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}/bags"
    monkeypatch.setattr(fetch, "ARCHIVE", address)
    monkeypatch.setitem(fetch._SIZES, "kos", fetch._Sizes(2, 3))
    monkeypatch.setenv("DPSVI_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_downloaded_once(archive, tmp_path):
    corpus = datasets.fetch_kos()
    assert corpus.path == tmp_path / "data" / "kos"
    assert (corpus.name, corpus.shape, corpus.n_tokens) == ("kos", (2, 3), 7)
    assert corpus.vocabulary == ("ape", "bee", "cat")
    assert len(datasets.fetch_kos()) == 2
    assert [name for name, _ in archive.asked] == [
        "vocab.kos.txt",
        "docword.kos.txt.gz",
    ]
    left = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert left == [
        "docword.kos.txt.gz",
        "docword.kos.txt.gz.sha256",
        "kos",
        "vocab.kos.txt",
        "vocab.kos.txt.sha256",
    ]


def test_it_goes_on_after_a_break(archive):
    archive.break_at["docword.kos.txt.gz"] = 10
    with pytest.raises(ConnectionError, match="Call again to go on"):
        datasets.fetch_kos()
    assert datasets.fetch_kos().n_tokens == 7
    assert archive.asked[-1] == ("docword.kos.txt.gz", "bytes=10-")


def test_it_starts_anew_if_the_file_has_changed(archive):
    archive.break_at["docword.kos.txt.gz"] = 10
    with pytest.raises(ConnectionError, match="10 of"):
        datasets.fetch_kos()
    archive.tag = '"two"'
    archive.files["docword.kos.txt.gz"] = gzip.compress(b"2\n3\n1\n1 1 9\n")
    assert datasets.fetch_kos().n_tokens == 9


def test_a_part_that_is_all_there(archive, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "docword.kos.txt.gz.part").write_bytes(DOCWORD)
    (data / "docword.kos.txt.gz.part.tag").write_text('"one"')
    assert datasets.fetch_kos().n_tokens == 7


def test_offline_it_says_what_to_put_where(archive, tmp_path):
    archive.files.clear()
    place = tmp_path / "mine"
    with pytest.raises(ConnectionError) as caught:
        datasets.fetch_kos(place)
    assert f"{fetch.ARCHIVE}/vocab.kos.txt" in str(caught.value)
    assert f"put it here: '{place / 'vocab.kos.txt'}'" in str(caught.value)
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    assert datasets.fetch_kos(place).n_tokens == 7


def test_a_file_that_has_changed_is_refused(archive, tmp_path):
    archive.files["docword.kos.txt.gz"] = b"3\n3\n0\n"
    with pytest.raises(ValueError, match=r"holds 3 documents of 3 words, not 2 of 3"):
        datasets.fetch_kos()
    path = tmp_path / "data" / "docword.kos.txt.gz"
    path.write_bytes(DOCWORD)
    with pytest.raises(ValueError, match="is not the file that was downloaded"):
        datasets.fetch_kos()


@pytest.mark.parametrize("name", sorted(fetch._SIZES))
def test_every_corpus_asks_for_its_own_files(archive, name):
    archive.files.clear()
    with pytest.raises(ConnectionError):
        getattr(datasets, f"fetch_{name}")()
    assert archive.asked == [(f"vocab.{name}.txt", None)]
