"""Writing a corpus on disk: shards of documents, the words, and the facts."""

from __future__ import annotations

import operator
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.datasets.blocks import Block, Stream, joined, numbered
from dpsvi.datasets.files import PathLike
from dpsvi.datasets.on_disk.arrow import needs_arrow, write_shard
from dpsvi.datasets.on_disk.facts import (
    DOCUMENTS,
    VOCABULARY,
    Facts,
    Shard,
    is_corpus,
    write_facts,
)
from dpsvi.datasets.on_disk.folders import check_target, whole_folder
from dpsvi.datasets.on_disk.shuffling import in_order, shuffled

# Of a shard: some 6 MB on disk and 20 MB in memory, 50 ms to read.
SHARD_ENTRIES = 2_500_000
SHARD_DOCUMENTS = 200_000


def write_corpus(
    stream: Stream,
    path: PathLike,
    *,
    shuffle: bool,
    seed: int,
    overwrite: bool,
    name: str | None = None,
    numbers: bool = False,
) -> Path:
    """Write a stream of documents as a corpus on disk; see `convert`.

    Returns
    -------
    Path
        The folder, absolute.
    """
    seed = checked_seed(seed)
    needs_arrow()
    target = Path(path).absolute()
    with whole_folder(target, overwrite=overwrite, may_replace=is_corpus) as folder:
        writer = _Writer(folder)
        temporary = folder / "temporary"
        given = stream.blocks()
        # Numbered before they are shuffled: after it nobody knows them any more.
        blocks = writer.watched(numbered(given) if numbers else given)
        if shuffle:
            ordered = shuffled(blocks, temporary, np.random.default_rng(seed))
        else:
            ordered = in_order(blocks, temporary)
        for block in _cut(ordered):
            writer.add(block)
        shutil.rmtree(temporary, ignore_errors=True)
        title = stream.name if name is None else name
        writer.finish(stream, title, seed if shuffle else None)
    return target


def check_place(path: PathLike, *, overwrite: bool) -> None:
    """Raise at once if a corpus cannot be written here; see `convert`."""
    target = Path(path).absolute()
    check_target(target, overwrite=overwrite, may_replace=is_corpus)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"there is no folder '{target.parent}'; make it first.")


def checked_seed(seed: Any) -> int:
    """Return a seed that can be written down, or raise."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed is {seed!r}; give a whole number from 0.") from None
    if number < 0:
        raise ValueError(f"seed is {number}; give a whole number from 0.")
    return number


def _cut(blocks: Iterator[Block]) -> Iterator[Block]:
    """Cut a run of documents into shards: full ones, and one last."""
    held: list[Block] = []
    entries = documents = 0
    for block in blocks:
        start = 0
        while start < block.n_documents:
            room = block.indptr[start] + SHARD_ENTRIES - entries
            stop = int(np.searchsorted(block.indptr, room, side="right")) - 1
            stop = min(stop, start + SHARD_DOCUMENTS - documents, block.n_documents)
            # A document that is larger than a shard gets one of its own.
            stop = max(stop, start if held else start + 1)
            if stop > start:
                held.append(block.between(start, stop))
                entries += held[-1].n_nonzeros
                documents += stop - start
                start = stop
            if start < block.n_documents:
                yield joined(held)
                held, entries, documents = [], 0, 0
    if held:
        yield joined(held)


class _Writer:
    """Writes shards and counts what is in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identity = secrets.token_hex(16)
        self._shards: list[Shard] = []
        self._whole = True
        self._titles = False
        self._found_in = np.zeros(0, dtype=np.int64)
        self._tokens = np.zeros(0, dtype=np.float64)
        (folder / DOCUMENTS).mkdir()

    def watched(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """Pass blocks on; notice whether all counts are whole numbers."""
        for block in blocks:
            self._whole = self._whole and block.counts.dtype == np.int32
            self._titles = self._titles or block.titles is not None
            yield block

    @property
    def _dtype(self) -> type[np.int32 | np.float32]:
        return np.int32 if self._whole else np.float32

    def add(self, block: Block) -> None:
        """Write a shard; the whole input has been seen by now."""
        counts = block.counts.astype(self._dtype, copy=False)
        block = Block(block.indptr, block.words, counts, block.titles)
        file = f"part-{len(self._shards):05d}.parquet"
        path = self._folder / DOCUMENTS / file
        write_shard(block, path, self._identity)
        tokens = float(counts.sum(dtype=np.float64))
        size = path.stat().st_size
        shard = Shard(file, block.n_documents, block.n_nonzeros, _plain(tokens), size)
        self._shards.append(shard)
        self._found_in = _sum(self._found_in, np.bincount(block.words))
        self._tokens = _sum(self._tokens, np.bincount(block.words, weights=counts))

    def finish(self, stream: Stream, name: str, seed: int | None) -> None:
        """Write the words and the facts."""
        self._write_words(stream.vocabulary, stream.n_words)
        facts = Facts(
            identity=self._identity,
            name=name,
            n_words=stream.n_words,
            dtype=np.dtype(self._dtype).name,
            words=stream.vocabulary is not None,
            titles=self._titles,
            shuffled=seed is not None,
            seed=seed,
            shards=tuple(self._shards),
            tokens=stream.tokens,
            unknown_tokens=stream.n_unknown_tokens,
        )
        write_facts(facts, self._folder)

    def _write_words(self, words: tuple[str, ...] | None, n_words: int) -> None:
        pa = needs_arrow()
        columns: dict[str, Any] = {} if words is None else {"word": pa.array(words)}
        columns["documents"] = _sum(np.zeros(n_words, np.int64), self._found_in)
        tokens = _sum(np.zeros(n_words), self._tokens)
        columns["tokens"] = tokens.astype(np.int64) if self._whole else tokens
        pa.parquet.write_table(
            pa.table(columns), self._folder / VOCABULARY, compression="snappy"
        )


def _sum(old: npt.NDArray[Any], new: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Add two arrays; the shorter one goes on with zeros."""
    if new.size > old.size:
        old = np.pad(old, (0, new.size - old.size))
    old[: new.size] += new
    return old


def _plain(total: float) -> float:
    """A whole number if it is one, as JSON should show it."""
    return int(total) if total.is_integer() else total
