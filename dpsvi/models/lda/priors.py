"""Learning the Dirichlet priors during a fit.

The documents' prior α has an entry per topic: topics differ in how often documents
have them (Wallach, Mimno, McCallum 2009, Rethinking LDA: why priors matter). The
topics' prior η is one number. Both are learned by Minka's fixed point (Minka 2000,
Estimating a Dirichlet distribution, Eq. 55), which with numbers of tables
(`dpsvi.models.lda.kernels.tables`) reads

    α_k  =  tables of topic k / sum over documents of (psi(α_0 + n_d) - psi(α_0)),

α_0 the sum of α and n_d the length of a document. Workers gather both sums with the α
of their round and push them along; the master keeps averages of them that forget, so
each step is one of online expectation maximisation: it needs no step size, and stays
above 0. For η topics take the place of documents, and λ itself says the counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import psi

from dpsvi.models.conjugate import NaturalParameters, Rows
from dpsvi.models.lda.kernels.tables import Learning, no_learning

__all__ = [
    "Evidence",
    "Gathered",
    "Learned",
    "TopicParameters",
    "TopicRows",
    "arrays_of",
    "doc_topic_prior_in",
    "gathered_in",
    "gathering",
    "learn",
    "symmetric_step",
    "take_priors",
    "told_of",
    "with_gathered",
    "with_priors",
]

# Bounds of what is learned.
_LEAST, _MOST = 1e-4, 1e2
# Documents before anything moves: as share of N, and at most. From topics without
# shape yet η would be learned too large, and keep them without.
_WAIT, _LONGEST_WAIT = 2.0, 7000.0
# Documents that α is learned from: as share of N, and at most.
_MEMORY, _LONGEST_MEMORY = 0.5, 20000.0
# Documents between two steps of η: as share of N, and at most.
_BETWEEN, _MOST_BETWEEN = 0.25, 20000.0
# Words that a step of η looks at: one for so many documents since the last one.
_DOCUMENTS_PER_WORD = 64
_FEWEST_WORDS = 128
_STEPS = 3


@dataclass(frozen=True)
class Learned:
    """Which priors are learned."""

    doc_topic: bool = False
    topic_word: bool = False

    def __bool__(self) -> bool:
        return self.doc_topic or self.topic_word


@dataclass(frozen=True)
class Gathered:
    """What a round has to say about the priors.

    Attributes
    ----------
    tables : ndarray of shape (n_topics + 1,)
        Tables of each topic, and the sum that they are divided by.
    documents : float
        Documents of the round.
    log_scale : float
        Of the clock, at its end.
    """

    tables: NDArray[np.float64]
    documents: float
    log_scale: float


@dataclass
class Evidence:
    """All that has been said, the latest with the most weight.

    Attributes
    ----------
    tables : ndarray of shape (n_topics + 1,)
        As in `Gathered`.
    documents : float
        Documents seen in the life of the model.
    next_step : float
        Number of documents at which η moves again.
    """

    tables: NDArray[np.float64]
    documents: float = 0.0
    next_step: float = 0.0

    def to_array(self) -> NDArray[np.float64]:
        """Return all of it as one array, for files."""
        return np.append(self.tables, [self.documents, self.next_step])

    @classmethod
    def from_array(cls, array: Any) -> Evidence:
        """Return what `to_array` was told."""
        array = np.asarray(array, dtype=float)
        return cls(array[:-2].copy(), float(array[-2]), float(array[-1]))

    def add(self, news: Gathered, memory: float) -> None:
        """Take in a round; `memory`: documents after which others are forgotten."""
        # In the beginning half of what has been seen.
        memory = min(memory, self.documents / 2)
        keep = np.exp(-news.documents / memory) if memory else 0.0
        self.tables = keep * self.tables + news.tables
        self.documents += news.documents


@dataclass(kw_only=True)
class TopicParameters(NaturalParameters):
    """λ together with priors that are learned.

    Attributes
    ----------
    doc_topic_prior : ndarray of shape (n_topics,)
        α.
    evidence : Evidence
        What the priors are learned from; of use where the master is.
    unfinished : ndarray of shape (n_topics + 2,) or None
        Tables, as in `Gathered`, and documents of a round that was broken off.
    """

    doc_topic_prior: NDArray[np.float64]
    evidence: Evidence
    unfinished: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class TopicRows(Rows):
    """Rows that travel with the priors, or with what a round says about them."""

    doc_topic_prior: NDArray[np.float64] | None = None
    topic_word_prior: float | None = None
    gathered: Gathered | None = None


def with_priors(rows: Rows, parameters: NaturalParameters) -> TopicRows:
    """Return rows of a pull together with the priors of the moment."""
    own = {name: getattr(rows, name) for name in Rows.__dataclass_fields__}
    if not isinstance(parameters, TopicParameters):
        raise TypeError("priors that are learned need TopicParameters")
    fixed = isinstance(parameters.prior, np.ndarray)
    return TopicRows(
        **own,
        doc_topic_prior=parameters.doc_topic_prior,
        topic_word_prior=None if fixed else float(parameters.prior),
    )


def take_priors(parameters: NaturalParameters, rows: Rows) -> None:
    """Give a worker's copy of the parameters the priors that came with its rows."""
    if isinstance(parameters, TopicParameters) and isinstance(rows, TopicRows):
        if rows.doc_topic_prior is not None:
            parameters.doc_topic_prior = rows.doc_topic_prior
        if rows.topic_word_prior is not None:
            parameters.prior = rows.topic_word_prior


def doc_topic_prior_in(
    parameters: NaturalParameters, otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return α as learned so far, or as it is if it is not learned."""
    if isinstance(parameters, TopicParameters):
        return parameters.doc_topic_prior
    return otherwise


def arrays_of(parameters: NaturalParameters) -> dict[str, NDArray[Any]]:
    """Return what has been learned, for files; nothing if nothing is."""
    if not isinstance(parameters, TopicParameters):
        return {}
    found: dict[str, NDArray[Any]] = {
        "doc_topic_prior": np.array(parameters.doc_topic_prior),
        "prior_evidence": parameters.evidence.to_array(),
    }
    if not isinstance(parameters.prior, np.ndarray):
        found["topic_word_prior"] = np.array(parameters.prior)
    return found


def told_of(parameters: NaturalParameters) -> dict[str, float]:
    """Return columns of the history about priors that are learned."""
    if not isinstance(parameters, TopicParameters):
        return {}
    told = {"doc_topic_prior_sum": float(np.sum(parameters.doc_topic_prior))}
    if not isinstance(parameters.prior, np.ndarray):
        told["topic_word_prior"] = float(parameters.prior)
    return told


def with_gathered(rows: Rows, gathered: Gathered) -> TopicRows:
    """Return rows of a push together with what the round says of the priors."""
    own = {name: getattr(rows, name) for name in Rows.__dataclass_fields__}
    return TopicRows(**own, gathered=gathered)


def gathered_in(rows: Rows) -> Gathered | None:
    """Return what comes with the rows of a push."""
    return rows.gathered if isinstance(rows, TopicRows) else None


def gathering(prior: NDArray[np.float64], learned: Learned) -> Learning:
    """Return room for the tables of a round with the prior α."""
    if not learned.doc_topic:
        return no_learning()
    both = np.append(prior, prior.sum())
    psi_both = psi(both).astype(np.float32)
    return Learning(both.astype(np.float32), psi_both, np.zeros(both.size))


def learn(
    parameters: TopicParameters,
    news: Iterable[Gathered],
    learned: Learned,
    n_documents: float,
    *,
    afresh: bool = False,
) -> None:
    """Move the priors by what some rounds have said; parameters change in place.

    Parameters
    ----------
    parameters : TopicParameters
        The master's.
    news : iterable of Gathered
        Of the rounds.
    learned : Learned
        What to move.
    n_documents : float
        N.
    afresh : bool, default=False
        Whether the news are of all documents, so that older ones do not count.
    """
    evidence = parameters.evidence
    before, latest = evidence.documents, 0.0
    memory = 0.0 if afresh else min(_MEMORY * n_documents, _LONGEST_MEMORY)
    for item in news:
        evidence.add(item, memory)
        latest = item.log_scale
    longest = np.inf if afresh else _LONGEST_WAIT
    if evidence.documents < min(_WAIT * n_documents, longest):
        return
    if learned.doc_topic and evidence.tables[-1] > 0:
        prior = evidence.tables[:-1] / evidence.tables[-1]
        parameters.doc_topic_prior = np.clip(prior, _LEAST, _MOST)
    if learned.topic_word and evidence.documents >= evidence.next_step:
        gap = min(_BETWEEN * n_documents, _MOST_BETWEEN)
        evidence.next_step = evidence.documents + gap
        n_words = max(_FEWEST_WORDS, int(gap / _DOCUMENTS_PER_WORD))
        counts = _some_counts(parameters, latest, n_words, int(before))
        for _ in range(_STEPS):
            step = symmetric_step(float(parameters.prior), *counts)
            parameters.prior = float(np.clip(step, _LEAST, _MOST))


def _some_counts(
    parameters: TopicParameters, log_scale: float, n_words: int, turn: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Expected counts of some words, sums over all words, and how many these are."""
    every = max(1, parameters.weights.shape[0] // n_words)
    scale = parameters.scale(log_scale)
    rows = parameters.weights[turn % every :: every, : parameters.totals.shape[1]]
    sums = scale * parameters.totals.sum(axis=0)
    return scale * rows.astype(float), sums, parameters.weights.shape[0]


def symmetric_step(
    prior: float,
    counts: NDArray[np.float64],
    sums: NDArray[np.float64],
    n_words: int,
) -> float:
    """Return the next prior of topics with the expected counts of some words.

    Parameters
    ----------
    prior : float
        η.
    counts : ndarray of shape (n_some, n_topics)
        Of some words.
    sums : ndarray of shape (n_topics,)
        Over all words.
    n_words : int
        V.

    Examples
    --------
    >>> words = np.random.default_rng(0).dirichlet(np.full(200, 0.5), 40)
    >>> counts = np.random.default_rng(1).poisson(5000 * words).T.astype(float)
    >>> prior = 0.1
    >>> for _ in range(50):
    ...     prior = symmetric_step(prior, counts, counts.sum(axis=0), 200)
    >>> bool(abs(prior - 0.5) < 0.05)
    True
    """
    counts = np.maximum(counts, 1e-30)
    some = -np.expm1(-counts)
    # As in `kernels.tables`: a small expected count is one that is mostly zero.
    tables = some * (psi(prior + counts / some) - psi(prior))
    rises = (psi(n_words * prior + sums) - psi(n_words * prior)).sum()
    return float(prior * tables.mean(axis=0).sum() / rises) if rises > 0 else prior
