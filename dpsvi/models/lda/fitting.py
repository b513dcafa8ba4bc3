"""From an estimator's parameters to a run of the engine, and back to attributes."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from dpsvi.engine import Checkpoint, Placement, Plan, Result, constant, run
from dpsvi.models.conjugate import Clock, NaturalParameters
from dpsvi.models.lda.evaluation import (
    Completion,
    Documents,
    completed,
    documents_bound,
)
from dpsvi.models.lda.given_priors import starting
from dpsvi.models.lda.identity import identity_of
from dpsvi.models.lda.log import FitLog
from dpsvi.models.lda.monitor import Epochs, FitMonitor
from dpsvi.models.lda.network import bfloat16_pushes
from dpsvi.models.lda.past import Past, history_of, restored
from dpsvi.models.lda.priors import TopicParameters, arrays_of, doc_topic_prior_in
from dpsvi.models.lda.problem import LDAProblem
from dpsvi.models.lda.schedule import batch_size_for, rates_for
from dpsvi.models.lda.sources import Source
from dpsvi.models.lda.validation import check_prior
from dpsvi.models.minibatches import MiniBatches
from dpsvi.models.placement import n_threads_for

__all__ = ["Fit", "completion_of", "documents_of", "perplexity"]

# Documents of a thread between two looks at the clock, the callbacks and Ctrl-C.
_ROUND_DOCUMENTS = 16384
_ROUND_STEPS = 16
# Rounds of an epoch, at least, when there is something to measure or to tell.
_LOOKS = 8
# Rounds of each worker in an epoch if master and workers are apart: work under way is
# stale. To save communication rounds may get longer, up to the second.
_ROUNDS, _LEAST_ROUNDS = 16, 2
# What makes the clock of a fit, which a checkpoint is bound to.
_RATES = ("learning_offset", "learning_decay", "local_learning_rate")
# Training documents whose perplexity stands for that of all, as `bound_`.
_BOUND_SAMPLE = 1000


def documents_of(
    model: Any, counts: sp.csr_array, *, fitted: bool = False, prior: Any = None
) -> Documents:
    """Return documents to be inferred with the settings of a model.

    `fitted`: with the topics that it has, whatever was set since. `prior`: that of the
    documents, if it is not the one that was set.
    """
    n_topics = model.n_components
    if prior is None:
        prior = model.doc_topic_prior
    if fitted:
        prior, n_topics = model.doc_topic_prior_, model.components_.shape[0]
    prior = check_prior("doc_topic_prior", prior, n_topics)
    return Documents(
        counts,
        prior,
        model.mean_change_tol,
        model.max_doc_update_iter,
        n_threads_for(model.n_jobs, counts.shape[0]),
    )


def completion_of(
    model: Any, counts: sp.csr_array, observed_fraction: float = 0.5, seed: int = 0
) -> Completion:
    """Return document completion on held-out documents.

    Raises
    ------
    ValueError
        If there is nothing to predict.
    """
    completion = Completion(documents_of(model, counts), observed_fraction, seed)
    completed(0.0, completion.n_tokens)
    return completion


class Fit:
    """One call of `fit` or `partial_fit`; leaves the estimator alone until it is done.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Validated.
    source : Held or Spread
        The documents, checked.
    place : Placement
        Where to fit.
    learning : {"online", "batch"}
        Of `fit`; `partial_fit` is always online.
    n_passes : int
        Over the documents.
    n_documents : float
        N, what the documents stand for.
    max_documents : float or None, default=None
        After which the fit ends, counted again in every pass.
    first_step : int, default=0
        Steps that the model has done before.
    checkpoint : Checkpoint or None, default=None
        Where to save to, and to go on from.
    going_on : bool, default=False
        Whether priors that are learned go on from those that the model has.
    """

    def __init__(
        self,
        model: Any,
        source: Source,
        place: Placement,
        *,
        learning: Literal["online", "batch"],
        n_passes: int,
        n_documents: float,
        max_documents: float | None = None,
        first_step: int = 0,
        checkpoint: Checkpoint | None = None,
        going_on: bool = False,
    ) -> None:
        self.model = model
        self.source = source
        self.place = place
        self.n_passes = n_passes
        self.first_step = first_step
        self.checkpoint = checkpoint
        saved = checkpoint.saved if checkpoint is not None else None
        in_flight = place.n_workers * place.n_threads
        size = batch_size_for(model, source.n_documents, in_flight)
        if saved is not None and model.batch_size == "auto":
            # What was chosen then, for a cluster of perhaps another size.
            size = int(saved.settings["batch_size"])
        self.n_batches = MiniBatches(source.n_documents, size, None).n_batches
        priors = starting(model, source.n_words)
        settings: dict[str, Any] = {
            "n_words": source.n_words,
            "n_topics": model.n_components,
            "n_documents": float(n_documents),
            "inference": model.inference,
            "learning": learning,
            "batch_size": size,
        }
        if checkpoint is not None:
            clock = {name: getattr(model, name) for name in _RATES}
            own = identity_of(model, source, saved)
            checkpoint.define({**settings, **priors.settings(), **clock, **own})
        if saved is not None:
            priors = priors.going_on_from(saved.arrays)
        elif going_on:
            priors = priors.going_on_from(_learned_by(model))
        self._evidence = priors.evidence
        self.past = Past() if saved is None else Past.read(saved)
        self.n_steps = self._budget(n_passes, max_documents, learning)
        rates = np.zeros(self.n_steps)
        if learning == "online":
            rates = rates_for(model, first_step, self.n_steps)
        self.problem = LDAProblem(
            **settings,
            topic_word_prior=priors.topic_word,
            doc_topic_prior=priors.doc_topic,
            learned=priors.learned,
            clock=Clock(rates),
            tolerance=model.mean_change_tol,
            max_iterations=model.max_doc_update_iter,
            dtype=source.dtype,
            documents_per_shard=(
                None if place.n_workers == 1 else source.n_documents / place.n_workers
            ),
            bfloat16_pushes=bfloat16_pushes(apart=place.apart),
            batches_before=self.past.steps // place.n_workers,
        )
        self.n_threads = place.n_threads

    def _budget(self, n_passes: int, max_documents: float | None, learning: str) -> int:
        """Return the steps of the fit, with those of its past."""
        size, steps = self.n_batches, self.n_batches * n_passes
        if max_documents is not None:
            most = math.ceil(max_documents * size / self.source.n_documents)
            if learning == "batch":
                most = max(size, most - most % size)
            steps = min(steps, most)
        return max(steps, self.past.steps)

    def plan(self, seed: int, *, watched: bool = False) -> Plan:
        """Return the layout of the run; rounds are shorter if it is watched."""
        model = self.model
        rate = model.global_learning_rate
        return Plan(
            total_steps=self.n_steps,
            n_workers=self.place.n_workers,
            n_threads=self.n_threads,
            local_steps=self._local_steps(watched),
            longest_local_steps=self._longest_local_steps(),
            master_batch_size=model.master_batch_size,
            max_time=model.max_time,
            max_staleness=model.max_staleness,
            global_rate=constant(1.0 if rate is None else float(rate)),
            boundaries=self.n_batches,
            steps_before=self.past.steps,
            furthest=self.problem.clock.furthest,
            seed=seed,
        )

    def _local_steps(self, watched: bool) -> int:
        """B: as asked for, or enough to make the end of a round cheap."""
        if self.problem.learning == "batch":
            return -(-self.n_batches // self.n_threads)
        steps = self.model.local_steps
        if steps == "auto":
            steps = max(_ROUND_STEPS, _ROUND_DOCUMENTS // self.problem.batch_size)
            if self.place.apart:
                steps = min(steps, self._share_of_epoch(_ROUNDS))
            if watched:
                steps = min(steps, -(-self.n_batches // (_LOOKS * self.n_threads)))
        return max(1, int(steps))

    def _longest_local_steps(self) -> int | None:
        """What workers that are apart from the master may lengthen B to."""
        if self.model.local_steps != "auto" or not self.place.apart:
            return None
        # However many workers: no more than half an epoch may be under way.
        return self._share_of_epoch(max(_LEAST_ROUNDS, self.place.n_workers))

    def _share_of_epoch(self, rounds: int) -> int:
        """Return steps per thread of which an epoch has so many rounds per worker."""
        in_flight = self.place.n_workers * self.n_threads
        return max(1, self.n_batches // (rounds * in_flight))

    def run(
        self,
        random_state: np.random.RandomState,
        *,
        start: NaturalParameters | None = None,
        epochs: Epochs | None = None,
        held_out: sp.csr_array | None = None,
        callbacks: tuple[Any, ...] = (),
    ) -> dict[str, Any]:
        """Run and return the fitted attributes.

        Parameters
        ----------
        random_state : RandomState
            Where the seed of the run is drawn.
        start : NaturalParameters or None, default=None
            λ to go on from; None: a random start.
        epochs : Epochs or None, default=None
            What to do at the end of passes.
        held_out : csr_array or None, default=None
            Documents to measure on.
        callbacks : tuple of callable, default=()
            Called with a `FitProgress`.
        """
        model = self.model
        log = FitLog(self._facts())
        monitor = FitMonitor(
            self.problem,
            self.n_batches,
            self.n_passes,
            epochs,
            None if held_out is None else completion_of(model, held_out),
            model.patience,
            (log, *callbacks),
            self.checkpoint,
            self.past,
            model.max_time,
            self.n_steps,
        )
        if self.checkpoint is not None and (saved := self.checkpoint.saved):
            start = restored(self.problem, saved.arrays)
        if isinstance(start, TopicParameters) and self._evidence is not None:
            start.evidence = self._evidence
        drawn = int(random_state.randint(np.iinfo(np.int32).max))
        if self.past.seed is None:
            self.past.seed = drawn
        named = self.checkpoint.named_in_errors() if self.checkpoint else nullcontext()
        with named, monitor:
            result = run(
                self.problem,
                self.source.shards(self.place.n_workers),
                self.plan(
                    self.past.seed, watched=held_out is not None or bool(callbacks)
                ),
                backend=self.place.backend,
                parameters=start,
                monitor=monitor,
            )
        self._check_finite(result.parameters)
        if self.checkpoint is not None:
            self._save(self.checkpoint, result)
        log.ended(self._reason(result))
        return self._attributes(result)

    def _facts(self) -> dict[str, Any]:
        problem, place = self.problem, self.place
        return {
            "documents": self.source.n_documents,
            "words": problem.n_words,
            "topics": problem.n_topics,
            "inference": problem.inference,
            "learning": problem.learning,
            "batch_size": problem.batch_size,
            "workers": place.n_workers,
            "threads": place.n_threads,
            "steps": self.n_steps,
            "steps_before": self.past.steps,
        }

    def _reason(self, result: Result) -> str:
        short = self.n_steps < self.n_batches * self.n_passes
        return (
            "max_documents" if short and result.reason == "completed" else result.reason
        )

    def _save(self, checkpoint: Checkpoint, result: Result) -> None:
        steps = result.counters.clock
        if self.problem.learning == "batch":
            # Of an epoch that was broken off nothing is in the topics.
            steps -= steps % self.n_batches
        checkpoint.save(self.past.and_now(result.parameters, result.history, steps))

    def _check_finite(self, parameters: NaturalParameters) -> None:
        if not np.isfinite(parameters.weights.sum(axis=0)).all():
            raise FloatingPointError(
                "the topics are no longer finite: the counts are too large for "
                f'{self.problem.dtype}; scale them down or give dtype="float64"'
            )

    def perplexity(self, parameters: NaturalParameters, scale: float) -> float:
        """Return the perplexity of the training documents."""
        prior = doc_topic_prior_in(parameters, self.problem.doc_topic_prior)
        documents = documents_of(self.model, self.source.to_evaluate(), prior=prior)
        return perplexity(documents, parameters, scale)

    def priors(self, parameters: NaturalParameters) -> dict[str, Any]:
        """Return the fitted attributes of the priors."""
        problem = self.problem
        prior = doc_topic_prior_in(parameters, problem.doc_topic_prior)
        alike = not problem.learned.doc_topic and not np.ptp(prior)
        topic_word = problem.topic_word_prior
        if problem.learned.topic_word:
            topic_word = float(parameters.prior)
        return {
            "doc_topic_prior_": float(prior[0]) if alike else prior.copy(),
            "topic_word_prior_": topic_word,
            "_prior_evidence": arrays_of(parameters).get("prior_evidence"),
        }

    def _attributes(self, result: Result) -> dict[str, Any]:
        done = result.counters.clock
        log_scale = float(self.problem.clock.log_scale[done])
        parameters: NaturalParameters = result.parameters
        return {
            **self.priors(parameters),
            "components_": parameters.settle(log_scale).T,
            "n_batch_iter_": 1 + self.first_step + done,
            "n_iter_": done // self.n_batches,
            "_bound": self.source.sample(_BOUND_SAMPLE),
            "stop_reason_": self._reason(result),
            "history_": history_of(result.history, self.past.history),
        }


def _learned_by(model: Any) -> dict[str, Any]:
    """Return the priors that a fitted model has learned."""
    return {
        "doc_topic_prior": model.doc_topic_prior_,
        "topic_word_prior": model.topic_word_prior_,
        "prior_evidence": getattr(model, "_prior_evidence", None),
    }


def perplexity(
    documents: Documents, parameters: NaturalParameters, scale: float = 1.0
) -> float:
    """Return exp of minus the bound per token; 1 if there are no tokens."""
    n_tokens = float(documents.counts.data.sum(dtype=float))
    bound = documents_bound(documents, parameters, scale)
    return float(np.exp(-bound / n_tokens)) if n_tokens else 1.0
