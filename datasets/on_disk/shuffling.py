"""Random order for documents that do not fit into memory.

Each document goes to one of many temporary files, chosen at random; then each file is
read, its documents are put in random order, and it is gone. All orders are equally
likely (Rao 1961, Sandelius 1962). A file that is still too large is treated likewise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from dpsvi.datasets.blocks import Block, joined
from dpsvi.datasets.on_disk.arrow import from_table, needs_arrow, to_batch

# In entries: what is held in memory at once, some 8 bytes each and a few copies.
HELD = 8_000_000
_SCATTERED_AT_ONCE = 2_000_000
_N_FILES = 64
# A document costs memory too: its place, its title.
_ENTRIES_A_DOCUMENT = 16


def shuffled(
    blocks: Iterator[Block], folder: Path, rng: np.random.Generator
) -> Iterator[Block]:
    """Yield all documents in random order.

    Parameters
    ----------
    blocks : iterator of Block
        Used up before the first block is yielded.
    folder : Path
        Where temporary files may go; made if needed.
    rng : numpy.random.Generator
        Of the order.
    """
    held, whole = _hold(blocks)
    if whole:
        block = joined(held)
        if block.n_documents:
            yield block.rows(rng.permutation(block.n_documents))
        return
    spools = _scatter(chain(held, blocks), folder, rng)
    del held
    for spool in spools:
        inner = folder / f"{spool.path.name}.parts"
        yield from shuffled(spool.blocks(), inner, rng)
        spool.path.unlink()


def in_order(blocks: Iterator[Block], folder: Path) -> Iterator[Block]:
    """Yield all documents as they come, but use up `blocks` before the first."""
    held, whole = _hold(blocks)
    if whole:
        yield from held
        return
    folder.mkdir(parents=True, exist_ok=True)
    spool = _Spool(folder / "documents")
    for block in chain(held, blocks):
        spool.add(block)
    del held
    spool.close()
    yield from spool.blocks()


def grouped(blocks: Iterator[Block], n_entries: int) -> Iterator[Block]:
    """Join small blocks to larger ones of about so many entries."""
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        if sum(map(_size, held)) >= n_entries:
            yield joined(held)
            held = []
    if held:
        yield joined(held)


def _hold(blocks: Iterator[Block]) -> tuple[list[Block], bool]:
    """Take blocks while they fit into memory; say whether these were all."""
    held, size = [], 0
    for block in blocks:
        held.append(block)
        size += _size(block)
        # A single document cannot be split further, however large it is.
        if size > HELD and sum(b.n_documents for b in held) > 1:
            return held, False
    return held, True


def _size(block: Block) -> int:
    return block.n_nonzeros + _ENTRIES_A_DOCUMENT * block.n_documents


def _scatter(
    blocks: Iterator[Block], folder: Path, rng: np.random.Generator
) -> list[_Spool]:
    folder.mkdir(parents=True, exist_ok=True)
    spools = [_Spool(folder / f"{number:02d}") for number in range(_N_FILES)]
    try:
        for block in grouped(blocks, min(_SCATTERED_AT_ONCE, HELD)):
            chosen = rng.integers(_N_FILES, size=block.n_documents)
            order = np.argsort(chosen, kind="stable")
            ends = np.searchsorted(chosen[order], np.arange(_N_FILES + 1))
            ranked = block.rows(order)
            for spool, start, stop in zip(spools, ends[:-1], ends[1:], strict=True):
                if stop > start:
                    spool.add(ranked.between(int(start), int(stop)))
    finally:
        for spool in spools:
            spool.close()
    return [spool for spool in spools if spool.path.exists()]


class _Spool:
    """A temporary file: blocks are written now and read back later."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._whole = True
        self._writer: Any = None

    def add(self, block: Block) -> None:
        """Append a block."""
        self._whole = self._whole and block.counts.dtype == np.int32
        # Holds int32 and float32 exactly: which it is may only be known at the end.
        wide = block.counts.astype(np.float64)
        batch = to_batch(Block(block.indptr, block.words, wide, block.titles))
        if self._writer is None:
            self._writer = needs_arrow().ipc.new_stream(str(self.path), batch.schema)
        self._writer.write_batch(batch)

    def close(self) -> None:
        """End writing."""
        if self._writer is not None:
            self._writer.close()

    def blocks(self) -> Iterator[Block]:
        """Yield what was written."""
        dtype = np.int32 if self._whole else np.float32
        with needs_arrow().ipc.open_stream(str(self.path)) as batches:
            for batch in batches:
                block = from_table(batch)
                counts = block.counts.astype(dtype)
                yield Block(block.indptr, block.words, counts, block.titles)
