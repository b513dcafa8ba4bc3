"""The priors as users give them: numbers, arrays, seed words, or to be learned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.models.lda.priors import Evidence, Learned
from dpsvi.models.lda.validation import check_prior

__all__ = ["AUTO", "DEFAULT", "StartingPriors", "check_topic_word_prior", "starting"]

#: In place of a prior: to be learned.
AUTO = "auto"
#: In a mapping of seed words: the prior of all other words.
DEFAULT = "default"
# What a seed word counts for, if nothing is said: so many times seen in its topic.
_SEED_WEIGHT = 100.0


@dataclass(frozen=True)
class StartingPriors:
    """The priors that a fit starts with.

    Attributes
    ----------
    doc_topic : ndarray of shape (n_topics,)
        α.
    topic_word : float or ndarray of shape (n_topics, n_words)
        η.
    learned : Learned
        Which of them are learned.
    evidence : Evidence or None
        What an earlier fit has learned them from.
    """

    doc_topic: NDArray[np.float64]
    topic_word: float | NDArray[np.float64]
    learned: Learned
    evidence: Evidence | None = None

    def settings(self) -> dict[str, Any]:
        """Return what tells a fit with these priors from others: words and numbers."""
        named: dict[str, Any] = {"topic_word_prior": self.topic_word}
        if isinstance(self.topic_word, np.ndarray):
            named["topic_word_prior"] = _digest(self.topic_word)
        alike = not np.ptp(self.doc_topic)
        named["doc_topic_prior"] = (
            float(self.doc_topic[0]) if alike else _digest(self.doc_topic)
        )
        if self.learned.topic_word:
            named["topic_word_prior"] = AUTO
        if self.learned.doc_topic:
            named["doc_topic_prior"] = AUTO
        return named

    def going_on_from(self, found: Mapping[str, Any]) -> StartingPriors:
        """Return the priors as learned so far.

        Parameters
        ----------
        found : mapping
            Of "doc_topic_prior", "topic_word_prior" and "prior_evidence", as far as
            they were learned before.
        """
        changed: dict[str, Any] = {}
        if self.learned.doc_topic and "doc_topic_prior" in found:
            prior = np.asarray(found["doc_topic_prior"], dtype=float)
            changed["doc_topic"] = np.broadcast_to(prior, self.doc_topic.shape).copy()
        before = found.get("topic_word_prior")
        if self.learned.topic_word and before is not None and np.ndim(before) == 0:
            changed["topic_word"] = float(before)
        if self.learned and found.get("prior_evidence") is not None:
            changed["evidence"] = Evidence.from_array(found["prior_evidence"])
        return replace(self, **changed)


def starting(model: Any, n_words: int) -> StartingPriors:
    """Return the priors that a model is to be fitted with.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Which knows the names of its words by now, if they have names.
    n_words : int
        V.

    Raises
    ------
    ValueError
        If a prior cannot be.
    """
    n_topics = model.n_components
    names = getattr(model, "feature_names_in_", None)
    return StartingPriors(
        check_prior("doc_topic_prior", model.doc_topic_prior, n_topics),
        check_topic_word_prior(model.topic_word_prior, n_topics, n_words, names),
        Learned(_is_auto(model.doc_topic_prior), _is_auto(model.topic_word_prior)),
    )


def _digest(prior: NDArray[np.float64]) -> str:
    return f"array {hashlib.sha256(prior.tobytes()).hexdigest()[:16]}"


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == AUTO


def check_topic_word_prior(
    value: Any, n_topics: int, n_words: int, names: NDArray[Any] | None = None
) -> float | NDArray[np.float64]:
    """Return the topics' prior: a number, or an array of shape (n_topics, n_words).

    Parameters
    ----------
    value : float, array-like, mapping, "auto" or None
        A number; one for each word; one for each topic and word; seed words of some
        topics. None and "auto" stand for ``1 / n_topics``.
    n_topics, n_words : int
        K and V.
    names : ndarray of shape (n_words,) or None, default=None
        Names of the words.

    Raises
    ------
    ValueError
        If it is not positive and finite, of another shape, or names a topic or a word
        that does not exist.

    Examples
    --------
    >>> words = np.array(["ball", "goal", "vote"], dtype=object)
    >>> seeds = {"default": 0.5, 0: {"goal": 3.0}, 1: ["vote"]}
    >>> check_topic_word_prior(seeds, 2, 3, words).tolist()
    [[0.5, 3.5, 0.5], [0.5, 0.5, 100.5]]
    """
    if value is None or _is_auto(value):
        return 1.0 / n_topics
    if isinstance(value, Mapping):
        return _seeded(value, n_topics, n_words, names)
    prior = np.asarray(value, dtype=float)
    if prior.shape not in ((), (n_words,), (n_topics, n_words)):
        raise ValueError(
            f"topic_word_prior has shape {prior.shape}; give a number, {n_words} of "
            f"them, one per word, or an array of shape {(n_topics, n_words)}"
        )
    if not np.all(np.isfinite(prior) & (prior > 0)):
        found = f"{value!r}" if prior.ndim == 0 else f"{prior.min():g} at least"
        raise ValueError(
            f"topic_word_prior is {found}; it must be positive and finite everywhere"
        )
    if prior.ndim == 0:
        return float(prior)
    return np.broadcast_to(prior, (n_topics, n_words)).copy()


def _seeded(
    seeds: Mapping[Any, Any], n_topics: int, n_words: int, names: NDArray[Any] | None
) -> NDArray[np.float64]:
    default = _positive(seeds.get(DEFAULT, 1.0 / n_topics), repr(DEFAULT))
    prior = np.full((n_topics, n_words), default)
    columns = _columns(n_words, names)
    for topic, words in seeds.items():
        if topic == DEFAULT:
            continue
        if not isinstance(topic, int | np.integer) or not 0 <= topic < n_topics:
            raise ValueError(
                f"topic_word_prior has seed words for {topic!r}; the topics are the "
                f"numbers 0 to {n_topics - 1}, and {DEFAULT!r} is the prior of other "
                "words"
            )
        for word, weight in _weights(topic, words).items():
            if word not in columns:
                raise ValueError(_unknown(word, topic, names, n_words))
            prior[int(topic), columns[word]] += weight
    return prior


def _weights(topic: Any, words: Any) -> dict[Any, float]:
    """Return the seed words of a topic with their weights."""
    if isinstance(words, str | float | int | np.number):
        raise ValueError(
            f"topic_word_prior has {words!r} for topic {topic}; give a list of words, "
            "or a mapping from words to weights"
        )
    if not isinstance(words, Mapping):
        words = dict.fromkeys(words, _SEED_WEIGHT)
    return {
        word: _positive(weight, f"topic {topic} and word {word!r}")
        for word, weight in words.items()
    }


def _columns(n_words: int, names: NDArray[Any] | None) -> Mapping[Any, int]:
    found = range(n_words) if names is None else names.tolist()
    return {word: column for column, word in enumerate(found)}


def _positive(value: Any, what: str) -> float:
    if not isinstance(value, float | int | np.number) or not 0 < value < np.inf:
        raise ValueError(
            f"topic_word_prior has {value!r} for {what}; it must be a number, positive "
            "and finite"
        )
    return float(value)


def _unknown(word: Any, topic: Any, names: NDArray[Any] | None, n_words: int) -> str:
    found = f"topic_word_prior has the seed word {word!r} in topic {topic}, and "
    if names is None:
        return found + (
            "the documents come without names of words; give a Corpus or a DataFrame, "
            f"or column numbers below {n_words}"
        )
    return found + (
        "no such word is among the words of the documents; check the spelling, or "
        "leave it out"
    )
