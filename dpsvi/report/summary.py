"""All the numbers of a report, taken from a fitted model and a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from dpsvi.report.examples import Example, choose
from dpsvi.report.topics import Floats, Topic, describe, place

__all__ = ["Measurement", "Pace", "Summary", "TopicModel", "summarise"]

_SEED_OF_SAMPLE = 0
# Intervals that the training is cut into, at most, and merges that it needs.
_INTERVALS, _FEWEST_MERGES = 40, 3


class TopicModel(Protocol):
    """What a report needs of a fitted model; more is used where there is more."""

    components_: Any

    def transform(self, X: Any) -> Any:
        """Return the topic shares of documents, shape (n_documents, n_topics)."""


@dataclass(frozen=True)
class Measurement:
    """One point of the convergence curve.

    Attributes
    ----------
    time : float
        Seconds of training.
    documents : float
        Documents seen so far, repetitions included.
    perplexity : float
        Of held-out documents.
    """

    time: float
    documents: float
    perplexity: float


@dataclass(frozen=True)
class Pace:
    """How the training went on, in intervals of time.

    Attributes
    ----------
    edges : tuple of float
        Seconds of training at which intervals begin and end.
    documents_per_second, staleness : tuple of float
        Of each interval; staleness is the mean of its merges, in versions.
    """

    edges: tuple[float, ...]
    documents_per_second: tuple[float, ...]
    staleness: tuple[float, ...]


@dataclass(frozen=True)
class Summary:
    """The numbers of a report.

    Attributes
    ----------
    topics : tuple of Topic
        The largest first.
    centres : ndarray of shape (n_topics, 2)
        Places on the map, in the order of `topics`.
    radii : ndarray of shape (n_topics,)
    curve : tuple of Measurement
        Empty if no held-out documents were watched.
    pace : Pace or None
        None if the model has no history, or hardly one.
    examples : tuple of Example
        Empty without a corpus.
    n_words : int
        Different words.
    n_documents, n_tokens : float or None
        Size of the corpus; None without one.
    n_sampled : int
        Documents that shares and examples come from; 0: taken from the model.
    seconds, documents_seen : float or None
        Of the training; None if the model has no history.
    settings : mapping of str to str
        Parameters of the model.
    """

    topics: tuple[Topic, ...]
    centres: Floats
    radii: Floats
    curve: tuple[Measurement, ...]
    pace: Pace | None
    examples: tuple[Example, ...]
    n_words: int
    n_documents: int | None
    n_tokens: float | None
    n_sampled: int
    seconds: float | None
    documents_seen: float | None
    settings: Mapping[str, str]

    @property
    def perplexity(self) -> float | None:
        """Held-out perplexity at the end, None if it was not watched."""
        return self.curve[-1].perplexity if self.curve else None


def summarise(
    model: TopicModel,
    corpus: Any = None,
    *,
    n_words: int = 10,
    n_examples: int = 6,
    max_documents: int = 10_000,
) -> Summary:
    """Collect the numbers of a report.

    Parameters
    ----------
    model : fitted model
        With ``components_`` and ``transform``; ``history_`` and
        ``feature_names_in_`` are used if there.
    corpus : Corpus, or table of counts of shape (n_documents, n_words), or None
        Source of the topics' shares and of the example documents. Without it the
        shares come from the model's own counts.
    n_words : int
        Words to show for each topic.
    n_examples : int
        Documents to show.
    max_documents : int
        Of a larger corpus a random sample of this many documents is used.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        If the model is not fitted, or the corpus has another number of words.
    """
    counts = _components(model)
    topics: Floats = counts / counts.sum(axis=1, keepdims=True)
    vocabulary = _vocabulary(model, corpus, topics.shape[1])
    table, titles = _table(corpus, topics.shape[1])
    shares: Floats = counts.sum(axis=1) / counts.sum()
    examples: tuple[Example, ...] = ()
    n_sampled = 0
    if table is not None and table.sum() > 0:
        rows = _sample(table.shape[0], max_documents)
        sampled, n_sampled = table[rows], rows.size
        mixtures = np.asarray(model.transform(sampled), dtype=np.float64)
        shares = _shares(sampled, mixtures)
        names = None if titles is None else [titles[row] for row in rows]
        examples = choose(sampled, mixtures, topics, vocabulary, names, n_examples)
    described = describe(topics, shares, vocabulary, n_words)
    order = [topic.number for topic in described]
    centres, radii = place(topics[order], shares[order])
    seconds, documents_seen = _effort(model)
    return Summary(
        topics=described,
        centres=centres,
        radii=radii,
        curve=_curve(model),
        pace=_pace(model),
        examples=examples,
        n_words=topics.shape[1],
        n_documents=None if table is None else table.shape[0],
        n_tokens=None if table is None else float(table.sum()),
        n_sampled=n_sampled,
        seconds=seconds,
        documents_seen=documents_seen,
        settings=_settings(model),
    )


def _components(model: TopicModel) -> Floats:
    components = getattr(model, "components_", None)
    if components is None:
        raise ValueError(
            f"this {type(model).__name__} has no components_; call fit before asking "
            "for a report."
        )
    return np.asarray(components, dtype=np.float64)


def _vocabulary(model: TopicModel, corpus: Any, n_words: int) -> Sequence[str]:
    for names in (
        getattr(model, "feature_names_in_", None),
        getattr(corpus, "vocabulary", None),
    ):
        if names is not None and len(names) == n_words:
            return [str(name) for name in names]
    return [f"word {number}" for number in range(n_words)]


def _table(corpus: Any, n_words: int) -> tuple[Any, Sequence[str] | None]:
    """Return the counts as a CSR table, and the titles; or two times None."""
    if corpus is None:
        return None, None
    table = sparse.csr_array(getattr(corpus, "counts", corpus))
    if table.shape[1] != n_words:
        raise ValueError(
            f"the corpus has {table.shape[1]} words and the model {n_words}; give the "
            "corpus that the model was fitted to, or one with the same vocabulary."
        )
    return table, getattr(corpus, "documents", None)


def _sample(n_documents: int, max_documents: int) -> Any:
    if n_documents <= max_documents:
        return np.arange(n_documents)
    rng = np.random.default_rng(_SEED_OF_SAMPLE)
    return np.sort(rng.choice(n_documents, max_documents, replace=False))


def _shares(table: Any, mixtures: Floats) -> Floats:
    """Weigh documents by length: the share of a topic is one of tokens."""
    lengths: Floats = np.asarray(table.sum(axis=1), dtype=np.float64).ravel()
    shares: Floats = lengths @ mixtures / lengths.sum()
    return shares


def _columns(model: TopicModel) -> Mapping[str, Floats]:
    history = getattr(model, "history_", None)
    if history is None:
        return {}
    return {name: np.asarray(history[name], float) for name in history.columns}


def _curve(model: TopicModel) -> tuple[Measurement, ...]:
    columns = _columns(model)
    if "heldout_perplexity" not in columns:
        return ()
    rows = zip(
        columns["time"],
        columns["documents"],
        columns["heldout_perplexity"],
        strict=True,
    )
    return tuple(
        Measurement(float(time), float(documents), float(perplexity))
        for time, documents, perplexity in rows
        if np.isfinite(perplexity)
    )


def _pace(model: TopicModel) -> Pace | None:
    """Cut the history at merges, into intervals of about one length."""
    columns = _columns(model)
    if not {"time", "documents", "staleness"} <= columns.keys():
        return None
    times = np.concatenate([[0.0], columns["time"]])
    wanted = np.linspace(0.0, times.max(), _INTERVALS + 1)
    cuts = np.unique(np.searchsorted(np.maximum.accumulate(times), wanted))
    # No time passes between merges that a clock cannot tell apart.
    cuts = cuts[np.append(True, np.diff(times[cuts]) > 0)]
    if cuts.size <= _FEWEST_MERGES:
        return None
    seen = np.concatenate([[0.0], columns["documents"]])[cuts]
    sums = np.concatenate([[0.0], np.cumsum(columns["staleness"])])[cuts]
    rates = np.diff(seen) / np.diff(times[cuts])
    staleness = np.diff(sums) / np.diff(cuts)
    return Pace(*(tuple(map(float, row)) for row in (times[cuts], rates, staleness)))


def _effort(model: TopicModel) -> tuple[float | None, float | None]:
    columns = _columns(model)
    ends = [
        float(columns[name][-1]) if name in columns and columns[name].size else None
        for name in ("time", "documents")
    ]
    return ends[0], ends[1]


def _settings(model: TopicModel) -> Mapping[str, str]:
    get_params = getattr(model, "get_params", None)
    if get_params is None:
        return {}
    return {name: _short(value) for name, value in get_params(deep=False).items()}


def _short(value: object, length: int = 60) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= length else text[: length - 1] + "…"
