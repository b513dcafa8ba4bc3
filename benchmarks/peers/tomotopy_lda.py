"""tomotopy: collapsed Gibbs sampling with threads, in one of two schemes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from peers.clock import Snapshot, Topics, TrainingClock, normalised


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
    """Train as `peers` says; a step is one sweep over the corpus.

    The first assignment of topics counts as start-up, in favour of tomotopy.
    """
    clock = TrainingClock(budget_s, snapshot)
    import tomotopy

    workers = settings.get("workers", threads)
    scheme = getattr(tomotopy.ParallelScheme, settings["scheme"])
    if workers == 1:
        scheme = tomotopy.ParallelScheme.NONE
    model = tomotopy.LDAModel(k=n_topics, alpha=alpha, eta=eta, seed=seed)
    model.optim_interval = settings.get("optim_interval", 0)
    model.burn_in = settings.get("burn_in", 0)
    _add_documents(model, train)
    model.train(0, workers=workers, parallel=scheme)
    clock.start()
    left = True
    while left:
        sweeps = clock.steps_to_snapshot()
        model.train(sweeps, workers=workers, parallel=scheme)
        left = clock.tick(lambda: _topics(model, train.shape[1], eta), sweeps)
    return clock.startup_s


def _add_documents(model: Any, train: sparse.csr_matrix) -> None:
    names = np.array([str(word) for word in range(train.shape[1])], dtype=object)
    for a, b in zip(train.indptr[:-1], train.indptr[1:], strict=True):
        tokens = np.repeat(names[train.indices[a:b]], train.data[a:b])
        model.add_doc(tokens.tolist())


def _topics(model: Any, n_words: int, eta: float) -> Topics:
    """Topics in the corpus's own order of words, from the present sample's counts."""
    order = np.array([int(name) for name in model.used_vocabs])
    topics = np.full((model.k, n_words), eta)
    for k in range(model.k):
        topics[k, order] = model.get_topic_word_dist(k, normalize=False)
    return normalised(topics)
