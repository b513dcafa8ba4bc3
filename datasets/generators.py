"""Corpora drawn from a known topic model, to test and to time inference on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dpsvi.datasets.corpus import Corpus, Seed


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SyntheticCorpus(Corpus):
    """A corpus together with the topics it was drawn from.

    Slices, shards, splits and shuffles keep the truth beside their documents;
    `select_words` gives a plain `Corpus`, for which the topics no longer hold.

    Parameters
    ----------
    counts, vocabulary, name, documents
        As in `Corpus`.
    topics : ndarray, shape (n_topics, n_words)
        Probability of each word in each topic; rows sum to one.
    doc_topics : ndarray, shape (n_documents, n_topics)
        Probability of each topic in each document; rows sum to one.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """

    topics: npt.NDArray[np.float64]
    doc_topics: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        super().__post_init__()
        needed = (self.n_documents, len(self.topics)), (len(self.topics), self.n_words)
        if (self.doc_topics.shape, self.topics.shape) != needed:
            raise ValueError(
                f"doc_topics has shape {self.doc_topics.shape} and topics "
                f"{self.topics.shape}; these counts need {needed[0]} and {needed[1]}."
            )

    def _beside(self, rows: Any) -> dict[str, Any]:
        return {**super()._beside(rows), "doc_topics": self.doc_topics[rows]}


def make_corpus(
    n_documents: int = 1000,
    n_words: int = 500,
    n_topics: int = 10,
    *,
    document_length: float | npt.ArrayLike = 100,
    doc_topic_prior: float | npt.ArrayLike = 0.1,
    topic_word_prior: float | npt.ArrayLike = 0.05,
    random_state: Seed = None,
) -> SyntheticCorpus:
    """Draw a corpus from latent Dirichlet allocation, and keep the truth.

    The generative process of Blei, Ng and Jordan (2003, section 3), smoothed:
    topics from one Dirichlet, the topic shares of each document from another, then
    a topic for each token and a word from that topic.

    Parameters
    ----------
    n_documents, n_words, n_topics : int
        Sizes, each at least 1.
    document_length : float or array of int, shape (n_documents,)
        Mean number of tokens, Poisson distributed (so that a small mean leaves
        some documents empty), or the exact length of each document.
    doc_topic_prior : float or array, shape (n_topics,)
        Dirichlet parameter of the topics in a document. Small: few topics each.
    topic_word_prior : float or array, shape (n_words,)
        Dirichlet parameter of the words in a topic. Small: topics share few words.
    random_state : int, numpy.random.Generator or None
        Seed of all draws.

    Returns
    -------
    SyntheticCorpus
        With words named ``"word0"``, ``"word1"`` ... and the attributes `topics`
        and `doc_topics`.

    Raises
    ------
    ValueError
        If a size is below 1, a prior is not positive and finite, or a length is
        negative or not whole.

    Examples
    --------
    >>> from dpsvi.datasets import make_corpus
    >>> corpus = make_corpus(20, n_words=30, n_topics=3, random_state=0)
    >>> corpus.shape, corpus.topics.shape, corpus.doc_topics.shape
    ((20, 30), (3, 30), (20, 3))
    """
    _check_sizes(n_documents=n_documents, n_words=n_words, n_topics=n_topics)
    rng = np.random.default_rng(random_state)
    word_prior = _prior("topic_word_prior", topic_word_prior, n_words)
    topic_prior = _prior("doc_topic_prior", doc_topic_prior, n_topics)
    lengths = _lengths(document_length, n_documents, rng)
    topics = rng.dirichlet(word_prior, size=n_topics)  # beta
    doc_topics = rng.dirichlet(topic_prior, size=n_documents)  # theta
    return SyntheticCorpus(
        counts=_draw_counts(topics, rng.multinomial(lengths, doc_topics), rng),
        vocabulary=tuple(f"word{word}" for word in range(n_words)),
        name="synthetic",
        topics=topics,
        doc_topics=doc_topics,
    )


def _draw_counts(
    topics: npt.NDArray[np.float64],
    tokens: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> sparse.csr_array:
    """Draw a word for each of the `tokens`, which are counted by document and topic."""
    # Topic by topic, all documents at once: no Python loop over documents.
    documents, words = [], []
    for topic, n_tokens in zip(topics, tokens.T, strict=True):
        cumulative = np.cumsum(topic)
        points = rng.random(n_tokens.sum()) * cumulative[-1]
        drawn = np.searchsorted(cumulative, points, side="right")
        # Rounding may lift a point to the very end of the last interval.
        words.append(np.minimum(drawn, topic.size - 1).astype(np.int32))
        documents.append(np.repeat(np.arange(n_tokens.size, dtype=np.int32), n_tokens))
    rows, columns = np.concatenate(documents), np.concatenate(words)
    ones = np.ones(rows.size, dtype=np.int32)
    shape = (tokens.shape[0], topics.shape[1])
    return sparse.csr_array(sparse.coo_array((ones, (rows, columns)), shape=shape))


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be 1 or more.")


def _prior(name: str, value: Any, size: int) -> npt.NDArray[np.float64]:
    prior = np.asarray(value, dtype=np.float64)
    if prior.shape not in ((), (size,)):
        raise ValueError(
            f"{name} has shape {prior.shape}; give one number or {size:,} of them."
        )
    if not np.all((prior > 0) & np.isfinite(prior)):
        raise ValueError(f"{name} is {value}; it must be positive and finite.")
    return np.broadcast_to(prior, (size,))


def _lengths(
    given: Any, n_documents: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    lengths = np.asarray(given)
    if lengths.shape not in ((), (n_documents,)):
        raise ValueError(
            f"document_length has shape {lengths.shape}; give the mean length, or one "
            f"length for each of the {n_documents:,} documents."
        )
    if not np.all((lengths >= 0) & np.isfinite(lengths)):
        raise ValueError(
            f"document_length is {given}; it must be finite and 0 or more."
        )
    if lengths.ndim == 0:
        return rng.poisson(lengths, size=n_documents)
    if not np.array_equal(lengths, np.floor(lengths)):
        raise ValueError("document_length holds fractions; lengths are whole numbers.")
    return lengths.astype(np.int64)
