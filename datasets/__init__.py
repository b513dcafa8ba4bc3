"""Corpora: reading, making, sharing and storing bags of words.

A `Corpus` is a sparse table of word counts, one row per document, with the
words' names beside it; a `CorpusOnDisk` is one that stays in a folder and is read
shard by shard. Everything here makes one or takes one apart; nothing here knows a
model.
"""

from __future__ import annotations

from dpsvi.datasets.conversion import convert
from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.fetch import (
    fetch_enron,
    fetch_kos,
    fetch_nips,
    fetch_nytimes,
    fetch_pubmed,
)
from dpsvi.datasets.formats.ldac import read_ldac
from dpsvi.datasets.formats.matrix_market import read_mm
from dpsvi.datasets.formats.svmlight import read_svmlight
from dpsvi.datasets.formats.uci import read_uci, write_uci
from dpsvi.datasets.formats.vowpal import read_vw
from dpsvi.datasets.generators import SyntheticCorpus, make_corpus
from dpsvi.datasets.loaders import load_docstrings
from dpsvi.datasets.on_disk.disk import CorpusOnDisk, open_corpus

__all__ = [
    "Corpus",
    "CorpusOnDisk",
    "SyntheticCorpus",
    "convert",
    "fetch_enron",
    "fetch_kos",
    "fetch_nips",
    "fetch_nytimes",
    "fetch_pubmed",
    "load_docstrings",
    "make_corpus",
    "open_corpus",
    "read_ldac",
    "read_mm",
    "read_svmlight",
    "read_uci",
    "read_vw",
    "write_uci",
]
