"""A few documents of a corpus with the topics that the model sees in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.report.topics import Floats, printable

__all__ = ["Example", "Mention", "choose"]

#: Topics named for each document; the rest is summed up.
N_NAMED = 3
_N_WORDS = 28


@dataclass(frozen=True)
class Mention:
    """A word of a document.

    Attributes
    ----------
    text : str
    count : float
        How often the document has it.
    rank : int
        Place among the document's topics of the one that explains it best, from 0;
        `N_NAMED` stands for all the topics that are not named.
    """

    text: str
    count: float
    rank: int


@dataclass(frozen=True)
class Example:
    """A document and its topics.

    Attributes
    ----------
    title : str
    n_tokens : float
    topics : tuple of (int, float)
        Number and share of the largest topics, at most `N_NAMED`.
    rest : float
        Share of all other topics together.
    words : tuple of Mention
        The most frequent words, most frequent first.
    """

    title: str
    n_tokens: float
    topics: tuple[tuple[int, float], ...]
    rest: float
    words: tuple[Mention, ...]


def choose(
    counts: Any,
    mixtures: Floats,
    topics: Floats,
    vocabulary: Sequence[str],
    titles: Sequence[str] | None,
    n_examples: int,
) -> tuple[Example, ...]:
    """Take a typical document of each of the largest topics.

    Typical: of the documents with this main topic that are not short, the one in
    which its share is the median. So nothing is picked to look good.

    Parameters
    ----------
    counts : csr_array of shape (n_documents, n_words)
    mixtures : ndarray of shape (n_documents, n_topics)
        Topics of each document; rows sum to 1.
    topics : ndarray of shape (n_topics, n_words)
        Word probabilities; rows sum to 1.
    vocabulary : sequence of str, length n_words
    titles : sequence of str, length n_documents, or None
    n_examples : int

    Returns
    -------
    tuple of Example
        At most `n_examples`.
    """
    lengths = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    sizes = lengths @ mixtures
    rows = [
        _typical(mixtures, lengths, topic)
        for topic in np.argsort(-sizes, kind="stable")[:n_examples]
    ]
    return tuple(
        Example(
            title=f"Document {row}" if titles is None else printable(titles[row]),
            n_tokens=float(lengths[row]),
            topics=_named(mixtures[row]),
            rest=1.0 - sum(share for _, share in _named(mixtures[row])),
            words=_mentions(counts, row, mixtures[row], topics, vocabulary),
        )
        for row in rows
        if row is not None
    )


def _typical(mixtures: Floats, lengths: Floats, topic: int) -> int | None:
    own = mixtures.argmax(axis=1) == topic
    rows = np.flatnonzero(own & (lengths > 0) & (lengths >= np.median(lengths)))
    if not rows.size:
        return None
    by_share = rows[np.argsort(mixtures[rows, topic], kind="stable")]
    return int(by_share[by_share.size // 2])


def _named(mixture: Floats) -> tuple[tuple[int, float], ...]:
    largest = np.argsort(-mixture, kind="stable")[:N_NAMED]
    return tuple((int(k), float(mixture[k])) for k in largest)


def _mentions(
    counts: Any,
    row: int,
    mixture: Floats,
    topics: Floats,
    vocabulary: Sequence[str],
) -> tuple[Mention, ...]:
    start, stop = counts.indptr[row], counts.indptr[row + 1]
    numbers, found = counts.indices[start:stop], counts.data[start:stop]
    frequent = np.argsort(-found, kind="stable")[:_N_WORDS]
    numbers, found = numbers[frequent], found[frequent]
    ranks = _ranks(mixture[:, None] * topics[:, numbers], mixture)
    return tuple(
        Mention(printable(vocabulary[word]), float(count), int(rank))
        for word, count, rank in zip(numbers, found, ranks, strict=True)
    )


def _ranks(joint: Floats, mixture: Floats) -> npt.NDArray[np.intp]:
    """Return the place, among the document's topics, of each word's best topic."""
    place = np.empty(mixture.size, dtype=np.intp)
    place[np.argsort(-mixture, kind="stable")] = np.arange(mixture.size)
    ranks: npt.NDArray[np.intp] = np.minimum(place[joint.argmax(axis=0)], N_NAMED)
    return ranks
