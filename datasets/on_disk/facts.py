"""`corpus.json`: what is known of a corpus on disk before any of it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

FACTS = "corpus.json"
VOCABULARY = "vocabulary.parquet"
DOCUMENTS = "documents"
_FORMAT = "dpsvi corpus"
_VERSION = 1


class Shard(NamedTuple):
    """One file of documents: its name, its documents, entries, tokens and bytes."""

    file: str
    documents: int
    nonzeros: int
    tokens: float
    bytes: int


@dataclass(frozen=True)
class Facts:
    """What `corpus.json` holds.

    Attributes
    ----------
    identity : str
        A random name; each shard bears it, so that folders cannot be mixed up.
    name : str
        A short name for messages and plots.
    n_words : int
        Number of words, V.
    dtype : str
        Of the counts: ``"int32"`` or ``"float32"``.
    words, titles : bool
        Whether the words have names, and the documents titles.
    shuffled : bool
        Whether the documents were put in random order.
    seed : int or None
        Of that order.
    shards : tuple of Shard
        In order.
    tokens : dict or None
        How texts were cut to words; None if there were none, or it is not known.
    unknown_tokens : int or None
        Tokens left out because they are no words of the corpus whose words were
        taken.
    """

    identity: str
    name: str
    n_words: int
    dtype: str
    words: bool
    titles: bool
    shuffled: bool
    seed: int | None
    shards: tuple[Shard, ...]
    tokens: dict[str, Any] | None = None
    unknown_tokens: int | None = None


def write_facts(facts: Facts, folder: Path) -> None:
    """Write `corpus.json`; sums stand in it for people and other programs."""
    shards = [shard._asdict() for shard in facts.shards]
    sums = {
        "n_documents": sum(shard.documents for shard in facts.shards),
        "n_tokens": sum(shard.tokens for shard in facts.shards),
        "n_nonzeros": sum(shard.nonzeros for shard in facts.shards),
    }
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        **asdict(facts),
        **sums,
        "shards": shards,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / FACTS).write_text(f"{text}\n", encoding="utf-8")


def is_corpus(folder: Path) -> bool:
    """Say whether a folder is a corpus on disk, of whatever version."""
    try:
        content = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("format") == _FORMAT


def read_facts(folder: Path) -> Facts:
    """Read and check `corpus.json`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it is no corpus.
    ValueError
        If the file is damaged or of another version.
    """
    path = folder / FACTS
    if not folder.is_dir():
        raise FileNotFoundError(
            f"there is no folder '{folder}'; make it with Corpus.save or with "
            "'dpsvi corpus convert'. On a cluster, all must see it by this path."
        )
    try:
        text = path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"'{folder}' is no corpus on disk: '{path}' is missing. Make it with "
            "Corpus.save or with 'dpsvi corpus convert'."
        ) from error
    try:
        content = json.loads(text)
        _check_version(content, path)
        return _facts_of(content)
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"'{path}' is damaged ({type(error).__name__}: {error}); convert the "
            "corpus again, or restore the file from a copy."
        ) from error


def _check_version(content: Mapping[str, Any], path: Path) -> None:
    if content["format"] != _FORMAT:
        raise ValueError(f"'{path}' is not the '{FACTS}' of a corpus on disk.")
    if content["version"] != _VERSION:
        raise ValueError(
            f"'{path}' has format version {content['version']!r}; this dpsvi "
            f"reads version {_VERSION}. Convert the corpus again, or update dpsvi."
        )


def _facts_of(content: Mapping[str, Any]) -> Facts:
    shards = tuple(Shard(**shard) for shard in content["shards"])
    if not all(isinstance(value, str) for value in (content["name"], content["dtype"])):
        raise TypeError("name and dtype must be text")
    if not all(isinstance(n, int) and n >= 0 for s in shards for n in s[1:3]):
        raise TypeError("sizes must be whole numbers")
    # Corpora of older releases do not have these.
    late: dict[str, Any] = {
        field: content.get(field) for field in ("tokens", "unknown_tokens")
    }
    fields = set(Facts.__dataclass_fields__) - {"shards", *late}
    return Facts(**{field: content[field] for field in fields}, shards=shards, **late)
