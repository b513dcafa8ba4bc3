"""gensim: online variational Bayes, LdaModel or LdaMulticore."""

from __future__ import annotations

import itertools
from typing import Any

from scipy import sparse

from peers.clock import Snapshot, TrainingClock, normalised


class _BudgetSpent(Exception):
    """Ends a training that has no stopping rule of its own."""


def fit(
    train: sparse.csr_matrix,
    n_topics: int,
    alpha: float,
    eta: float,
    settings: dict[str, Any],
    budget_s: float,
    threads: int,
    seed: int,
    snapshot: Snapshot,
) -> float:
    """Train as `peers` says."""
    clock = TrainingClock(budget_s, snapshot)
    documents = _as_pairs(train)
    model = _watched(bool(settings.get("multicore")), clock)(
        num_topics=n_topics,
        id2word={word: str(word) for word in range(train.shape[1])},
        alpha=alpha,
        eta=eta,
        chunksize=settings["batch_size"],
        decay=settings["learning_decay"],
        offset=settings["learning_offset"],
        iterations=settings["max_inner"],
        gamma_threshold=settings["tolerance"],
        eval_every=None,
        passes=1_000_000,  # the clock ends the run
        random_state=seed,
        **_processes(settings, threads),
    )
    clock.start()
    try:
        model.update(documents)
    except _BudgetSpent:
        return clock.startup_s
    raise RuntimeError("gensim ended its passes before the budget was spent")


def _watched(multicore: bool, clock: TrainingClock) -> Any:
    """A model class that looks at the clock after each update of the topics.

    All documents go into one call of ``update``: called with one mini-batch after
    another, gensim takes the documents seen so far for the size of the corpus.
    """
    from gensim.models import LdaModel, LdaMulticore

    base = LdaMulticore if multicore else LdaModel

    class Watched(base):  # type: ignore[misc, valid-type]
        def do_mstep(self, rho: float, other: Any, extra_pass: bool = False) -> None:
            super().do_mstep(rho, other, extra_pass)
            if not clock.tick(lambda: normalised(self.state.get_lambda())):
                raise _BudgetSpent

    return Watched


def _processes(settings: dict[str, Any], threads: int) -> dict[str, int]:
    if settings.get("multicore"):
        return {"workers": settings.get("workers", threads)}
    return {"update_every": 1}


def _as_pairs(train: sparse.csr_matrix) -> list[list[tuple[int, int]]]:
    """Documents as gensim wants them: lists of (word, count)."""
    words, counts, start = train.indices.tolist(), train.data.tolist(), train.indptr
    return [
        list(zip(words[a:b], counts[a:b], strict=True))
        for a, b in itertools.pairwise(start)
    ]
