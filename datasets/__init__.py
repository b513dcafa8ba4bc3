"""Corpora: reading, making and sharing bags of words.

A `Corpus` is a sparse table of word counts, one row per document, with the
words' names beside it. Everything here makes one or takes one apart; nothing
here knows a model.
"""

from __future__ import annotations

from dpsvi.datasets.corpus import Corpus
from dpsvi.datasets.generators import SyntheticCorpus, make_corpus
from dpsvi.datasets.loaders import load_docstrings
from dpsvi.datasets.uci import read_uci, write_uci

__all__ = [
    "Corpus",
    "SyntheticCorpus",
    "load_docstrings",
    "make_corpus",
    "read_uci",
    "write_uci",
]
