"""The bag-of-words corpora of the UCI archive: downloaded once, then on disk.

Newman (2008), "Bag of Words", UCI Machine Learning Repository.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from dpsvi.datasets.conversion import convert
from dpsvi.datasets.files import PathLike
from dpsvi.datasets.on_disk.disk import CorpusOnDisk, open_corpus
from dpsvi.datasets.on_disk.facts import is_corpus

ARCHIVE = "https://archive.ics.uci.edu/ml/machine-learning-databases/bag-of-words"


class _Sizes(NamedTuple):
    documents: int
    words: int


_SIZES = {
    "enron": _Sizes(39_861, 28_102),
    "kos": _Sizes(3_430, 6_906),
    "nips": _Sizes(1_500, 12_419),
    "nytimes": _Sizes(300_000, 102_660),
    "pubmed": _Sizes(8_200_000, 141_043),
}


def fetch_nytimes(folder: PathLike | None = None) -> CorpusOnDisk:
    """New York Times articles: 300,000 documents, 102,660 words; 223 MB to download.

    The first call downloads the files of the UCI archive and writes a corpus on disk
    beside them, its documents in random order; later calls open that. A download that
    breaks off goes on where it stopped. The archive publishes no checksums: the number
    of documents and words is checked, and the checksum of the first download is
    written beside it and checked when the file is used again.

    Parameters
    ----------
    folder : path or None
        Where the files go; None: the folder that the environment variable
        ``DPSVI_DATA`` names, else ``~/.cache/dpsvi``.

    Returns
    -------
    CorpusOnDisk

    Raises
    ------
    ConnectionError
        If the files cannot be downloaded; the message says which file to put where.
    ValueError
        If a file is damaged or not the one that is known.
    """
    return _fetch("nytimes", folder)


def fetch_pubmed(folder: PathLike | None = None) -> CorpusOnDisk:
    """Abstracts of PubMed: 8,200,000 documents, 141,043 words; see `fetch_nytimes`."""
    return _fetch("pubmed", folder)


def fetch_enron(folder: PathLike | None = None) -> CorpusOnDisk:
    """Emails of Enron: 39,861 documents, 28,102 words; see `fetch_nytimes`."""
    return _fetch("enron", folder)


def fetch_kos(folder: PathLike | None = None) -> CorpusOnDisk:
    """Entries of Daily Kos: 3,430 documents, 6,906 words; see `fetch_nytimes`."""
    return _fetch("kos", folder)


def fetch_nips(folder: PathLike | None = None) -> CorpusOnDisk:
    """Papers of NIPS: 1,500 documents, 12,419 words; see `fetch_nytimes`."""
    return _fetch("nips", folder)


def cache_folder() -> Path:
    """Return where downloads are kept: ``DPSVI_DATA``, else ``~/.cache/dpsvi``."""
    named = os.environ.get("DPSVI_DATA")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "dpsvi"


def _fetch(name: str, folder: PathLike | None) -> CorpusOnDisk:
    # Imported here: few who read corpora load any.
    from dpsvi.datasets.download import check_download, download

    place = cache_folder() if folder is None else Path(folder)
    target = place / name
    if is_corpus(target):
        return open_corpus(target)
    place.mkdir(parents=True, exist_ok=True)
    docword, vocab = place / f"docword.{name}.txt.gz", place / f"vocab.{name}.txt"
    for path in (vocab, docword):
        if path.is_file():
            check_download(path)
        else:
            download(f"{ARCHIVE}/{path.name}", path)
    _check_sizes(docword, _SIZES[name])
    return convert(docword, target, format="uci", vocab=vocab, name=name)


def _check_sizes(docword: Path, known: _Sizes) -> None:
    """Look at the header before the work of hours."""
    from dpsvi.datasets.files import open_bytes
    from dpsvi.datasets.formats.uci_lines import Lines

    with open_bytes(docword) as (file, where):
        lines = Lines(file, where)
        documents, words = (lines.number(what) for what in ("D", "W"))
    if (documents, words) != known:
        raise ValueError(
            f"'{docword}' holds {documents:,} documents of {words:,} words, not "
            f"{known.documents:,} of {known.words:,}: it is not the file of the UCI "
            "archive. Remove it and call again."
        )
