"""A corpus that stays on disk and is read shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dpsvi.datasets.blocks import Block, joined
from dpsvi.datasets.choices import n_test_documents
from dpsvi.datasets.corpus import Corpus, Seed
from dpsvi.datasets.files import PathLike
from dpsvi.datasets.on_disk.arrow import from_table, needs_arrow, read_shard
from dpsvi.datasets.on_disk.facts import DOCUMENTS, VOCABULARY, Facts, read_facts
from dpsvi.datasets.on_disk.views import Part, cut_out, whole_parts

_REMEDY = "convert the corpus again, or restore the file from a copy"


def open_corpus(path: PathLike) -> CorpusOnDisk:
    """Open a corpus on disk; none of its documents is read yet.

    Parameters
    ----------
    path : path
        The folder that `Corpus.save`, `convert` or ``dpsvi corpus convert`` wrote.

    Returns
    -------
    CorpusOnDisk

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files is missing.
    ValueError
        If a file is damaged, cut short, or of another version of the format.

    Examples
    --------
    >>> import tempfile
    >>> from dpsvi.datasets import Corpus, open_corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = Corpus([[2, 0, 1], [0, 3, 0]], name="tiny").save(f"{folder}/tiny")
    ...     corpus = open_corpus(f"{folder}/tiny")
    ...     corpus, corpus.read(0).sum()
    (CorpusOnDisk('tiny': 2 documents, 3 words, 3 non-zeros, 1 shard), np.int64(6))
    """
    folder = Path(path).absolute()
    facts = read_facts(folder)
    for shard in facts.shards:
        file = folder / DOCUMENTS / shard.file
        if not file.is_file():
            raise FileNotFoundError(f"'{file}' is missing; {_REMEDY}.")
        if file.stat().st_size != shard.bytes:
            raise ValueError(
                f"'{file}' has {file.stat().st_size:,} bytes, not {shard.bytes:,}; "
                f"{_REMEDY}."
            )
    return CorpusOnDisk(folder, facts, whole_parts(facts))


@dataclass(frozen=True, eq=False, repr=False)
class CorpusOnDisk:
    """A corpus in a folder of Parquet files, or some of its documents.

    Made by `open_corpus`. It holds no documents and no open file, so it is sent to
    other processes at no cost; on a cluster all must see the folder by the same path.

    Attributes
    ----------
    path : Path
        The folder, absolute.
    facts : Facts
        What `corpus.json` says of it.
    parts : tuple of Part
        The runs of documents that belong to it, each in one file: its shards.
    """

    path: Path
    facts: Facts
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """A short name for messages and plots."""
        return self.facts.name

    @property
    def shuffled(self) -> bool:
        """Whether the documents were put in random order when they were written."""
        return self.facts.shuffled

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return len(self.parts)

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """Documents in each shard."""
        return tuple(part.stop - part.start for part in self.parts)

    @property
    def n_documents(self) -> int:
        """Number of documents, empty ones included."""
        return sum(self.shard_sizes)

    @property
    def n_words(self) -> int:
        """Number of different words, V in the literature."""
        return self.facts.n_words

    @property
    def shape(self) -> tuple[int, int]:
        """(n_documents, n_words)."""
        return self.n_documents, self.n_words

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the counts, int32 or float32."""
        return np.dtype(self.facts.dtype)

    @property
    def n_nonzeros(self) -> int:
        """Number of pairs of a document and a word in it."""
        return int(self._sums[0])

    @property
    def n_tokens(self) -> int | float:
        """Sum of all counts; a float only if the counts are fractions."""
        total = self._sums[1]
        return int(total) if float(total).is_integer() else total

    @cached_property
    def vocabulary(self) -> tuple[str, ...] | None:
        """The word of each column, read when it is first asked for; None: no names."""
        if not self.facts.words:
            return None
        return tuple(self._word_table().column("word").to_pylist())

    def word_totals(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return in how many documents each word occurs, and how often in all.

        Of the whole corpus on disk, also if this is a part of it.

        Returns
        -------
        n_documents : ndarray of int64, shape (n_words,)
        n_tokens : ndarray of int64 or float64, shape (n_words,)
        """
        table = self._word_table()
        return table.column("documents").to_numpy(), table.column("tokens").to_numpy()

    def __len__(self) -> int:
        return self.n_documents

    def __repr__(self) -> str:
        shards = "shard" if self.n_shards == 1 else "shards"
        return (
            f"{type(self).__name__}({self.name!r}: {self.n_documents:,} documents, "
            f"{self.n_words:,} words, {self.n_nonzeros:,} non-zeros, "
            f"{self.n_shards:,} {shards})"
        )

    def __getstate__(self) -> dict[str, Any]:
        # Not what has been read meanwhile: the words can be many.
        return {"path": self.path, "facts": self.facts, "parts": self.parts}

    def read(self, number: int) -> sparse.csr_array:
        """Read the counts of a shard; may be called by several threads at once.

        Parameters
        ----------
        number : int
            Of the shard, from 0.

        Returns
        -------
        csr_array of int32 or float32, shape (shard_sizes[number], n_words)
            Sorted word ids, no duplicates, no stored zeros.

        Raises
        ------
        IndexError
            If there is no such shard.
        FileNotFoundError, ValueError
            If its file is missing, damaged, or belongs to another corpus.
        """
        return self._table(self._block(number, ["words", "counts"]))

    def titles(self, number: int) -> tuple[str, ...] | None:
        """Read the titles of the documents of a shard; None if there are none."""
        if not self.facts.titles:
            return None
        titles = self._block(number, ["words", "counts", "document"]).titles
        return None if titles is None else tuple(titles)

    def blocks(self) -> Iterator[sparse.csr_array]:
        """Read one shard after the other."""
        for number in range(self.n_shards):
            yield self.read(number)

    def load(self) -> Corpus:
        """Read everything into a corpus in memory."""
        columns = ["words", "counts", *(["document"] if self.facts.titles else [])]
        block = joined(self._block(n, columns) for n in range(self.n_shards))
        return self._corpus(block)

    def sample(self, n: int, seed: Seed = None) -> Corpus:
        """Read `n` documents, chosen at random, into memory.

        Of a corpus that was shuffled a run of documents is read, from a random place
        on: all sets of documents were equally likely to be there. Of any other corpus
        single documents are drawn, and most shards have to be read.

        Parameters
        ----------
        n : int
            Number of documents, at most `n_documents`.
        seed : int, numpy.random.Generator or None
            Of the choice.

        Returns
        -------
        Corpus

        Raises
        ------
        ValueError
            If there are fewer documents.
        """
        if not 0 <= n <= self.n_documents:
            raise ValueError(
                f"cannot draw {n:,} of {self.n_documents:,} documents; n must lie "
                "between 0 and their number."
            )
        rng = np.random.default_rng(seed)
        if self.shuffled:
            start = int(rng.integers(max(self.n_documents, 1)))
            return replace(self, parts=cut_out(self.parts, start, n)[0]).load()
        return self._drawn(np.sort(rng.choice(self.n_documents, n, replace=False)))

    def split(
        self, test_size: float | int = 0.1, random_state: Seed = None
    ) -> tuple[Self, Self]:
        """Split the documents into a training and a test corpus; nothing is read.

        The test corpus is a run of documents that begins at a random place. As the
        documents are in random order, it is a random sample.

        Parameters
        ----------
        test_size : float or int
            Share of the documents, strictly between 0 and 1, or their number.
        random_state : int, numpy.random.Generator or None
            Of the place.

        Returns
        -------
        train, test : CorpusOnDisk, CorpusOnDisk
            Both lie in the same files.

        Raises
        ------
        ValueError
            If the corpus was not shuffled when it was written, there are fewer than
            two documents, or `test_size` leaves one side empty.
        """
        if not self.shuffled:
            raise ValueError(
                f"{self!r} was written without shuffling, so no run of its documents "
                "is a random sample; convert it again with shuffling, or split "
                ".load()."
            )
        n_test = n_test_documents(test_size, self.n_documents)
        start = int(np.random.default_rng(random_state).integers(self.n_documents))
        test, train = cut_out(self.parts, start, n_test)
        return replace(self, parts=train), replace(self, parts=test)

    @cached_property
    def _sums(self) -> tuple[int, float]:
        """Entries and tokens; shards of which only a part belongs to it are read."""
        entries, tokens = 0, 0.0
        for number, part in enumerate(self.parts):
            shard = self.facts.shards[part.shard]
            if part.stop - part.start == shard.documents:
                entries, tokens = entries + shard.nonzeros, tokens + shard.tokens
            else:
                counts = self.read(number)
                entries += counts.nnz
                tokens += float(counts.data.sum(dtype=np.float64))
        return entries, tokens

    def _block(self, number: int, columns: list[str]) -> Block:
        if not 0 <= number < self.n_shards:
            raise IndexError(
                f"there is no shard {number}; {self.name!r} has {self.n_shards}, "
                "numbered from 0."
            )
        part = self.parts[number]
        shard = self.facts.shards[part.shard]
        path = self.path / DOCUMENTS / shard.file
        try:
            block = from_table(read_shard(path, columns, self.facts.identity))
            _check(block, shard.documents, shard.nonzeros, self.n_words)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"'{path}' is missing; {_REMEDY}. On a cluster, all must see it by "
                "this path."
            ) from error
        except (KeyError, ValueError) as error:
            raise ValueError(f"'{path}' cannot be used: {error}; {_REMEDY}.") from error
        if (part.start, part.stop) == (0, shard.documents):
            return block
        return block.between(part.start, part.stop)

    def _table(self, block: Block) -> sparse.csr_array:
        indptr = block.indptr.astype(np.int32)
        shape = block.n_documents, self.n_words
        counts = sparse.csr_array((block.counts, block.words, indptr), shape=shape)
        # Made so by the writer; saves SciPy a pass over the entries.
        counts.has_canonical_format = True
        return counts

    def _corpus(self, block: Block) -> Corpus:
        shape = block.n_documents, self.n_words
        counts = block.counts.astype(self.dtype, copy=False)
        return Corpus(
            sparse.csr_array((counts, block.words, block.indptr), shape=shape),
            vocabulary=self.vocabulary,
            name=self.name,
            documents=None if block.titles is None else tuple(block.titles),
        )

    def _drawn(self, rows: npt.NDArray[np.intp]) -> Corpus:
        columns = ["words", "counts", *(["document"] if self.facts.titles else [])]
        ends = np.cumsum([0, *self.shard_sizes])
        cuts = np.searchsorted(rows, ends)
        parts = [
            self._block(number, columns).rows(rows[first:last] - ends[number])
            for number, (first, last) in enumerate(pairwise(cuts))
            if last > first
        ]
        return self._corpus(joined(parts))

    def _word_table(self) -> Any:
        path = self.path / VOCABULARY
        pa = needs_arrow()
        try:
            with pa.parquet.ParquetFile(path) as file:
                table = file.read(use_threads=False)
        except (FileNotFoundError, pa.ArrowException) as error:
            kind = type(error) if isinstance(error, OSError) else ValueError
            raise kind(f"'{path}' is missing or damaged; {_REMEDY}.") from error
        if table.num_rows != self.n_words:
            raise ValueError(
                f"'{path}' has {table.num_rows:,} words, not {self.n_words:,}; "
                f"{_REMEDY}."
            )
        return table


def _check(block: Block, n_documents: int, n_nonzeros: int, n_words: int) -> None:
    """Raise if a shard is not what `corpus.json` says, or would lead astray."""
    if (block.n_documents, block.n_nonzeros) != (n_documents, n_nonzeros):
        raise ValueError(
            f"it has {block.n_documents:,} documents and {block.n_nonzeros:,} entries, "
            f"not {n_documents:,} and {n_nonzeros:,}"
        )
    # Compiled code that trusts the ids would read beyond its arrays.
    if n_nonzeros and not 0 <= block.words.min() <= block.words.max() < n_words:
        raise ValueError(f"a word id lies outside 0 to {n_words - 1:,}")
