"""scikit-learn: online variational Bayes, `n_jobs` processes for the local steps."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from peers.clock import Snapshot, TrainingClock, normalised


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
    from sklearn.decomposition import LatentDirichletAllocation

    size = settings["batch_size"]
    jobs = settings.get("n_jobs", threads)
    # Starts the processes, which stay, and lets them import: start-up, not training.
    LatentDirichletAllocation(2, n_jobs=jobs).partial_fit(train[: 2 * jobs])
    model = LatentDirichletAllocation(
        n_topics,
        doc_topic_prior=alpha,
        topic_word_prior=eta,
        learning_method="online",
        learning_decay=settings["learning_decay"],
        learning_offset=settings["learning_offset"],
        batch_size=size,
        # partial_fit scales a mini-batch up to this number, not to what it has seen.
        total_samples=train.shape[0],
        mean_change_tol=settings["tolerance"],
        max_doc_update_iter=settings["max_inner"],
        n_jobs=jobs,
        random_state=seed,
    )
    clock.start()
    position, left = 0, True
    while left:
        # partial_fit cuts what it gets into mini-batches and keeps its processes for
        # all of them, as `fit` does: give it as many as lie between two snapshots.
        stop = min(position + size * clock.steps_to_snapshot(), train.shape[0])
        model.partial_fit(train[position:stop])
        left = clock.tick(
            lambda: normalised(model.components_), -(-(stop - position) // size)
        )
        position = stop % train.shape[0]
    return clock.startup_s
