"""What a table of topics says: its words, its sizes and where topics lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpsvi.models.lda.relevance import relevance

__all__ = ["RELEVANCE_WEIGHT", "Topic", "Word", "describe", "place"]

Floats = npt.NDArray[np.float64]

#: Weight of a word's probability against its lift; the value that readers found
#: easiest to interpret in Sievert & Shirley (2014).
RELEVANCE_WEIGHT = 0.6

# The map is one unit wide; circles together cover about this much of it.
_COVERED = 0.5
_ROUNDS_OF_SPREADING = 200


@dataclass(frozen=True)
class Word:
    """A word of a topic.

    Attributes
    ----------
    text : str
    probability : float
        Of the word in its topic, 0 to 1.
    """

    text: str
    probability: float


@dataclass(frozen=True)
class Topic:
    """A topic to be read by people.

    Attributes
    ----------
    number : int
        Row of the topic in `components_`.
    share : float
        Of all tokens, 0 to 1.
    words : tuple of Word
        By falling relevance.
    """

    number: int
    share: float
    words: tuple[Word, ...]

    def label(self, n_words: int = 2) -> str:
        """Return the first words, as in ``"plot, axes"``."""
        return ", ".join(word.text for word in self.words[:n_words])


def describe(
    topics: Floats, shares: Floats, vocabulary: Sequence[str], n_words: int
) -> tuple[Topic, ...]:
    """Return all topics, the largest first, each with its most relevant words.

    Parameters
    ----------
    topics : ndarray of shape (n_topics, n_words_in_all)
        Word probabilities; positive, rows sum to 1.
    shares : ndarray of shape (n_topics,)
        Of all tokens; they sum to 1.
    vocabulary : sequence of str, length n_words_in_all
    n_words : int
        Words to keep for each topic.

    Returns
    -------
    tuple of Topic
    """
    scores = relevance(topics, shares, RELEVANCE_WEIGHT)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :n_words]
    order = np.argsort(-shares, kind="stable")
    return tuple(
        Topic(
            number=int(k),
            share=float(shares[k]),
            words=tuple(
                Word(printable(vocabulary[w]), float(topics[k, w])) for w in best[k]
            ),
        )
        for k in order
    )


def printable(text: str) -> str:
    """Return `text` without line breaks and control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def place(topics: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Put topics on a map: similar ones close together, none over another.

    The first two principal coordinates of the Hellinger distances between topics
    (for them the square roots of the probabilities are plain Euclidean points).
    Circles that overlap are then pushed apart.

    Parameters
    ----------
    topics : ndarray of shape (n_topics, n_words)
        Word probabilities; rows sum to 1.
    shares : ndarray of shape (n_topics,)
        Sizes of the topics; they become areas.

    Returns
    -------
    centres : ndarray of shape (n_topics, 2)
    radii : ndarray of shape (n_topics,)
    """
    radii: Floats = np.sqrt(shares * _COVERED / np.pi)
    return _spread(_principal_coordinates(np.sqrt(topics)), radii), radii


def _principal_coordinates(points: Floats) -> Floats:
    """Project onto the two main axes, scaled into a box of width 1."""
    centred = points - points.mean(axis=0)
    # The small Gram matrix: there are far fewer topics than words.
    values, vectors = np.linalg.eigh(centred @ centred.T)
    flat: Floats = vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0.0))
    # An axis may point either way; its heaviest topic decides, for repeatable maps.
    heaviest = np.argmax(np.abs(flat), axis=0)
    flat *= np.where(flat[heaviest, range(flat.shape[1])] < 0.0, -1.0, 1.0)
    extent = np.ptp(flat, axis=0).max()
    # Of equal topics no extent is left but rounding.
    return flat / extent if extent > 1e-9 else np.zeros((len(points), 2))


def _spread(centres: Floats, radii: Floats) -> Floats:
    """Push overlapping circles apart, each pair by half of its overlap."""
    # Circles with one centre have no direction to part in: give each its own.
    angles = 2.4 * np.arange(len(radii))
    centres = centres + 1e-3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    reach = 1.08 * (radii[:, None] + radii[None, :])
    np.fill_diagonal(reach, 0.0)
    for _ in range(_ROUNDS_OF_SPREADING):
        apart = centres[:, None] - centres[None, :]
        distance = np.maximum(np.hypot(apart[..., 0], apart[..., 1]), 1e-9)
        overlap = np.maximum(reach - distance, 0.0)
        if not overlap.any():
            break
        centres = centres + (apart * (0.5 * overlap / distance)[..., None]).sum(axis=1)
    return centres
