"""dpsvi: lock-free threads on shared topics, local step "vb" or "cvb0"."""

from __future__ import annotations

from typing import Any

from scipy import sparse
from sklearn.base import clone

from peers.clock import Snapshot, TrainingClock, normalised

# The clock ends the run long before.
_EPOCHS = 2000


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
        max_iter=_EPOCHS,
        local_steps=_steps_between_looks(settings["batch_size"]),
        n_jobs=threads,
        backend="local",
        random_state=seed,
    )
    # Compilation is start-up, once per machine and version.
    clone(model).set_params(max_iter=1).fit(train[:1000])
    clock.start()

    def watch(view: Any) -> bool:
        """Copy the topics when it is time; True stops the run."""
        return not clock.tick(lambda: normalised(view.components_))

    model.fit(train, callbacks=[watch])
    return clock.startup_s


def _steps_between_looks(batch_size: int | str) -> int:
    """So many that a thread sees about 1,000 documents between two looks."""
    return 16 if batch_size == "auto" else max(1, 1024 // batch_size)
