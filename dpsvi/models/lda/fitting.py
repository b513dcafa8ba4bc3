"""From an estimator's parameters to a run of the engine, and back to attributes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from dpsvi.engine import Plan, Result, constant, run
from dpsvi.models.conjugate import DEEPEST_ROUND, Clock, NaturalParameters
from dpsvi.models.lda.evaluation import Completion, Documents, documents_bound
from dpsvi.models.lda.minibatches import MiniBatches
from dpsvi.models.lda.monitor import Epochs, FitMonitor, history_of
from dpsvi.models.lda.problem import LDAProblem
from dpsvi.models.lda.schedule import batch_size_for, rates_for
from dpsvi.models.lda.validation import check_prior, n_threads_for

__all__ = ["Fit", "completion_of", "documents_of", "perplexity"]

# Documents of a thread between two looks at the clock, the callbacks and Ctrl-C.
_ROUND_DOCUMENTS = 16384
_ROUND_STEPS = 16
# Rounds of an epoch, at least, when there is something to measure or to tell.
_LOOKS = 8
# Training documents whose perplexity stands for that of all, as `bound_`.
_BOUND_SAMPLE = 1000


def documents_of(
    model: Any, counts: sp.csr_array, *, fitted: bool = False
) -> Documents:
    """Return documents to be inferred with the settings of a model.

    `fitted`: with the topics that it has, whatever was set since.
    """
    prior, n_topics = model.doc_topic_prior, model.n_components
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
    """Return document completion on held-out documents."""
    return Completion(documents_of(model, counts), observed_fraction, seed)


class Fit:
    """One call of `fit` or `partial_fit`; leaves the estimator alone until it is done.

    Parameters
    ----------
    model : DPSVILatentDirichletAllocation
        Validated.
    counts : csr_array of shape (n_documents, n_words)
        Checked.
    learning : {"online", "batch"}
        Of `fit`; `partial_fit` is always online.
    n_passes : int
        Over the documents.
    n_documents : float
        N, what the documents stand for.
    first_step : int, default=0
        Steps that the model has done before.
    """

    def __init__(
        self,
        model: Any,
        counts: sp.csr_array,
        *,
        learning: Literal["online", "batch"],
        n_passes: int,
        n_documents: float,
        first_step: int = 0,
    ) -> None:
        self.model = model
        self.counts = counts
        self.n_passes = n_passes
        self.first_step = first_step
        self.n_threads = n_threads_for(model.n_jobs, counts.shape[0])
        size = batch_size_for(model, counts.shape[0], self.n_threads)
        self.n_batches = MiniBatches(counts.shape[0], size, None).n_batches
        n_steps = self.n_batches * n_passes
        rates = np.zeros(n_steps)
        if learning == "online":
            rates = rates_for(model, first_step, n_steps)
        prior = check_prior("topic_word_prior", model.topic_word_prior, 1)
        if model.topic_word_prior is None:
            prior /= model.n_components
        self.problem = LDAProblem(
            n_words=counts.shape[1],
            n_topics=model.n_components,
            n_documents=n_documents,
            topic_word_prior=float(prior[0]),
            doc_topic_prior=documents_of(model, counts).doc_topic_prior,
            clock=Clock(rates),
            inference=model.inference,
            learning=learning,
            batch_size=size,
            tolerance=model.mean_change_tol,
            max_iterations=model.max_doc_update_iter,
            dtype=counts.data.dtype,
        )
        # A round is at least one step of each thread, and must not be too deep.
        self._deepest = self.problem.clock.steps_within(DEEPEST_ROUND)
        self.n_threads = max(1, min(self.n_threads, self._deepest))

    def plan(self, seed: int, *, watched: bool = False) -> Plan:
        """Return the layout of the run; rounds are shorter if it is watched."""
        model = self.model
        rate = model.global_learning_rate
        return Plan(
            total_steps=self.n_batches * self.n_passes,
            n_threads=self.n_threads,
            local_steps=self._local_steps(watched),
            master_batch_size=model.master_batch_size,
            max_time=model.max_time,
            max_staleness=model.max_staleness,
            global_rate=constant(1.0 if rate is None else float(rate)),
            boundaries=self.n_batches,
            seed=seed,
        )

    def _local_steps(self, watched: bool) -> int:
        """B: as asked for, or enough to make the end of a round cheap."""
        if self.problem.learning == "batch":
            return -(-self.n_batches // self.n_threads)
        steps = self.model.local_steps
        if steps == "auto":
            steps = max(_ROUND_STEPS, _ROUND_DOCUMENTS // self.problem.batch_size)
            if watched:
                steps = min(steps, -(-self.n_batches // (_LOOKS * self.n_threads)))
        return max(1, min(int(steps), self._deepest // self.n_threads))

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
        monitor = FitMonitor(
            self.problem,
            self.n_batches,
            self.n_passes,
            epochs,
            None if held_out is None else completion_of(model, held_out),
            model.patience,
            callbacks,
        )
        result = run(
            self.problem,
            [self.counts],
            self.plan(
                int(random_state.randint(np.iinfo(np.int32).max)),
                watched=held_out is not None or bool(callbacks),
            ),
            backend="local" if model.backend == "auto" else model.backend,
            parameters=start,
            monitor=monitor,
        )
        return self._attributes(result)

    def perplexity(self, parameters: NaturalParameters, scale: float) -> float:
        """Return the perplexity of the training documents."""
        return perplexity(documents_of(self.model, self.counts), parameters, scale)

    def priors(self) -> dict[str, Any]:
        """Return the fitted attributes of the priors."""
        prior = self.problem.doc_topic_prior
        return {
            "doc_topic_prior_": prior if np.ptp(prior) else float(prior[0]),
            "topic_word_prior_": self.problem.topic_word_prior,
        }

    def _attributes(self, result: Result) -> dict[str, Any]:
        counters = result.counters
        done = counters.steps_merged
        # Dropped pushes have had their time on the clock too.
        now = counters.steps_reserved if result.reason == "completed" else done
        log_scale = float(self.problem.clock.log_scale[now])
        parameters: NaturalParameters = result.parameters
        parameters.sum_again()
        if not np.isfinite(parameters.totals).all():
            raise FloatingPointError(
                "the topics are no longer finite: the counts are too large for "
                f'{self.problem.dtype}; scale them down or give dtype="float64"'
            )
        return {
            **self.priors(),
            "components_": parameters.settle(log_scale).T,
            "n_batch_iter_": 1 + self.first_step + done,
            "n_iter_": done // self.n_batches,
            "_bound": self._sample(),
            "history_": history_of(result.history),
        }

    def _sample(self) -> sp.csr_array:
        """Documents evenly spread over the training set."""
        n_documents = self.counts.shape[0]
        n_sample = min(n_documents, _BOUND_SAMPLE)
        return self.counts[np.linspace(0, n_documents - 1, n_sample).astype(int)]


def perplexity(
    documents: Documents, parameters: NaturalParameters, scale: float = 1.0
) -> float:
    """Return exp of minus the bound per token; 1 if there are no tokens."""
    n_tokens = float(documents.counts.data.sum(dtype=float))
    bound = documents_bound(documents, parameters, scale)
    return float(np.exp(-bound / n_tokens)) if n_tokens else 1.0
