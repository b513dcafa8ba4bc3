"""dpsvi: lock-free threads on shared topics, local step "vb" or "cvb0".

Skeleton: the way snapshots are taken depends on the estimator's callbacks.
"""

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
    from dpsvi import DPSVILatentDirichletAllocation

    model = DPSVILatentDirichletAllocation(
        n_topics,
        doc_topic_prior=alpha,
        topic_word_prior=eta,
        learning_decay=settings["learning_decay"],
        learning_offset=settings["learning_offset"],
        batch_size=settings["batch_size"],
        mean_change_tol=settings["tolerance"],
        max_doc_update_iter=settings["max_inner"],
        inference=settings["inference"],
        max_iter=1_000_000,  # the clock ends the run
        n_jobs=threads,
        backend="local",
        random_state=seed,
    )
    # To do: a warm-up on a few documents here, so that compilation is start-up.
    clock.start()

    def watch(view: Any) -> bool:
        """Copy the topics when it is time; True stops the run."""
        return not clock.tick(lambda: normalised(view.components_))

    model.fit(train, callbacks=[watch])
    return clock.startup_s
