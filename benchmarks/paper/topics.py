"""LDA for the figures: documents to a perplexity by replay, seconds by costs.

A run of n workers with p threads is replayed: every document is really worked on, on
parameters as stale as n workers make them, one after another in one thread. That gives
the documents that a held-out perplexity takes. What they take in seconds is measured
where this machine can, and forecast from its costs past that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.datasets import fetch_nytimes, load_docstrings
from dpsvi.engine import Plan, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.models.conjugate import Clock
from dpsvi.models.lda.evaluation import Completion, Documents
from dpsvi.models.lda.problem import LDAProblem
from dpsvi.theory import scaled_rates
from dpsvi.theory.speedup.calibration import costs_of, measure_rounds
from dpsvi.theory.speedup.costs import Costs

__all__ = ["MANY", "Curve", "Rule", "TopicStudy", "study_of"]

#: How the rate follows n, p, B and M: Eq. 13.
Rule: TypeAlias = Literal["corollary", "samples"]

#: Steps enough to measure what they cost.
MANY = 1 << 13
_LOOKS = 32
_PATIENCE = 3
# The rates that were tried with one of everything (γ = ρ η of one step).
_GRID = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
# More than this share of the documents at work at once, on parameters that know nothing
# of each other, and runs depend on the size of the corpus more than on anything else.
_ROOM = 0.25
# Words that each known topic has as if seen, so that the prior does not count.
_SURE = 1e9
# The paper: a dictionary of the most frequent words, 5,000 documents held out. How many
# words and topics is not told; these are those of Hoffman et al. (2013) for NYTimes.
_WORDS, _TOPICS, _HELD_OUT = 8_000, 100, 5_000


@dataclass(frozen=True)
class Curve:
    """Held-out perplexity against documents."""

    documents: NDArray[np.float64]
    perplexity: NDArray[np.float64]

    def documents_to(self, target: float) -> float:
        """Return the documents until a perplexity is reached; infinity if it is not."""
        # What has once been reached is reached; in between, on logarithmic axes.
        best = np.minimum.accumulate(self.perplexity)
        if best[-1] > target:
            return math.inf
        after = int(np.argmax(best <= target))
        if after == 0 or best[after] == best[after - 1]:
            return float(self.documents[after])
        share = np.log(best[after - 1] / target) / np.log(best[after - 1] / best[after])
        low, high = self.documents[after - 1 : after + 1]
        return float(low * (high / low) ** share)


def study_of(full: bool, *, n_topics: int = 20, batch_size: int = 16) -> TopicStudy:
    """Return the study of a figure: docstrings, or NYTimes at the paper's size.

    Raises
    ------
    ConnectionError
        If the NYTimes corpus is neither in the cache nor can be downloaded; the message
        says which file to put where.
    """
    if not full:
        return TopicStudy(n_topics, batch_size)
    corpus = fetch_nytimes()
    # One pass over so many documents is enough.
    return TopicStudy(
        _TOPICS,
        batch_size,
        epochs=1,
        counts=frequent_words(corpus.load().counts, _WORDS),
        held_out=_HELD_OUT,
    )


def frequent_words(counts: sp.csr_array, n_words: int) -> sp.csr_array:
    """Keep the words that occur most often, and documents that have any of them."""
    totals = counts.sum(axis=0)
    kept = counts[:, np.sort(np.argsort(-totals, kind="stable")[:n_words])]
    return kept[kept.sum(axis=1) > 0]


class TopicStudy:
    """One corpus, one kind of model.

    Parameters
    ----------
    n_topics : int, default=20
        K.
    batch_size : int, default=16
        S, of every step.
    epochs : int, default=4
        Passes of a serial run; others may take up to three times as many.
    counts : csr_array of shape (n_documents, n_words) or None, default=None
        The corpus; None: the docstrings of the packages that are installed.
    held_out : int or None, default=None
        Documents that are not learned from; None: one in twenty.
    """

    def __init__(
        self,
        n_topics: int = 20,
        batch_size: int = 16,
        epochs: int = 4,
        counts: sp.csr_array | None = None,
        held_out: int | None = None,
    ) -> None:
        counts = load_docstrings().counts if counts is None else counts
        counts = sp.csr_array(counts.astype(np.float32))
        order = np.random.default_rng(0).permutation(counts.shape[0])
        held_out = max(20, order.size // 20) if held_out is None else held_out
        self.train, self._test = counts[order[held_out:]], counts[order[:held_out]]
        self.n_topics, self.batch_size, self.epochs = n_topics, batch_size, epochs
        self.n_steps = epochs * self.train.shape[0] // batch_size
        self._prior = np.full(n_topics, 1.0 / n_topics)

    def problem(self, step: float, n_steps: int | None = None) -> LDAProblem:
        """Return LDA with a constant rate γ = ρ η."""
        n_steps = self.n_steps if n_steps is None else n_steps
        return LDAProblem(
            n_words=self.train.shape[1],
            n_topics=self.n_topics,
            n_documents=float(self.train.shape[0]),
            topic_word_prior=1.0 / self.n_topics,
            doc_topic_prior=self._prior,
            clock=Clock(np.full(n_steps, step)),
            inference="vb",
            learning="online",
            batch_size=self.batch_size,
        )

    def step(self, rule: Rule, n: int, p: int, B: int) -> float:
        """Return γ for other sizes, from the one that was best with one of each."""
        base = math.sqrt(self.best_step)
        return math.prod(scaled_rates(base, n, p, B, rule))

    def efficiency(self, rule: Rule, n: int, p: int, B: int) -> float:
        """Return by how much fewer documents a serial run needs, to equal perplexity.

        Equal to within a tenth of what the serial run ends with: two seeds end half as
        far apart. 0 if the other does not come there.
        """
        found = self.replay(n, p, B, step=self.step(rule, n, p, B), until=self.target)
        return self.documents_needed / found.documents_to(self.target)

    def perplexity_of(self, topics: NDArray[np.float64]) -> float:
        """Return the held-out perplexity of topics that are known.

        Parameters
        ----------
        topics : ndarray of shape (n_topics, n_words)
            Probabilities of words.
        """
        known = self.problem(0.01).empty_parameters()
        known.weights[:, : self.n_topics] = _SURE * topics.T
        known.sum_again()
        return self._completion.perplexity(known)

    def under_way(self, n: int, p: int, B: int) -> int:
        """Return how many documents are worked on between two merges of all workers."""
        return n * p * B * self.batch_size

    def has_room(self, n: int, p: int, B: int) -> bool:
        """Whether the corpus is large enough to judge such a run by its perplexity."""
        return bool(self.under_way(n, p, B) <= _ROOM * self.train.shape[0])

    @property
    def target(self) -> float:
        """The perplexity to reach."""
        return 1.1 * float(self.serial.perplexity.min())

    @property
    def documents_needed(self) -> float:
        """What the serial run needs to reach it."""
        return self.serial.documents_to(self.target)

    @cached_property
    def serial(self) -> Curve:
        """Serial SVI with the best rate."""
        return self.replay()

    def replay(
        self,
        n: int = 1,
        p: int = 1,
        B: int = 1,
        *,
        step: float | None = None,
        until: float | None = None,
    ) -> Curve:
        """Work through the documents as n workers with p threads would.

        M = n, as in the paper. With a perplexity to reach, a run has three times as
        many documents as a serial one, and ends when it is there.
        """
        n_steps = self.n_steps * (1 if until is None else _PATIENCE)
        step = self.best_step if step is None else step
        problem = self.problem(step, n_steps)
        plan = Plan(
            total_steps=n_steps,
            n_workers=n,
            n_threads=p,
            local_steps=B,
            furthest=problem.clock.furthest,
            seed=0,
        )
        shards = [self.train[worker::n] for worker in range(n)]
        watch = _Watch(problem, self._completion, n_steps, until)
        run(problem, shards, plan, backend=Simulated(), monitor=watch)
        return Curve(np.array(watch.documents), np.array(watch.perplexities))

    @cached_property
    def best_step(self) -> float:
        """The γ with which one of everything ends best: the tuning of the paper."""
        return min(_GRID, key=lambda step: self.replay(step=step).perplexity[-1])

    @cached_property
    def costs(self) -> Costs:
        """What a step and an exchange cost on this machine, without a network."""
        problem = self.problem(0.05, MANY)
        return costs_of(measure_rounds(problem, self.train, rounds=60))

    @cached_property
    def _completion(self) -> Completion:
        documents = Documents(self._test, self._prior, 1e-3, 100, 1)
        return Completion(documents, 0.5, 0)


class _Watch:
    """Measures held-out perplexity at even distances on the clock."""

    def __init__(
        self,
        problem: LDAProblem,
        completion: Completion,
        n_steps: int,
        until: float | None,
    ) -> None:
        self._problem, self._completion, self._until = problem, completion, until
        # Close together at first, when much happens.
        self._due = list(np.geomspace(max(1, n_steps // 200), n_steps, _LOOKS))
        self.documents: list[float] = []
        self.perplexities: list[float] = []

    def __call__(self, progress: Any) -> bool:
        if not self._due or progress.steps < round(self._due[0]):
            return False
        while self._due and progress.steps >= round(self._due[0]):
            self._due.pop(0)
        now = float(self._problem.clock.log_scale[progress.clock])
        topics = progress.parameters
        self.documents.append(progress.amount)
        found = self._completion.perplexity(topics, topics.scale(now))
        self.perplexities.append(found)
        return self._until is not None and found <= self._until
