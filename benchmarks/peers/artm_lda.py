"""BigARTM: its online algorithm on several threads, and LDA's two regularisers.

A call of its online algorithm starts its rates anew, so it is asked for whole passes,
and the curve has a point after each.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from peers.clock import Snapshot, Topics, TrainingClock, normalised

_NAME = "corpus"
# Its topics are point estimates, and may be zero.
_LEAST = 1e-12


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
    import artm

    clock = TrainingClock(budget_s, snapshot)
    with tempfile.TemporaryDirectory() as folder:
        _write(train, Path(folder))
        batches = artm.BatchVectorizer(
            data_path=folder,
            data_format="bow_uci",
            collection_name=_NAME,
            target_folder=str(Path(folder, "batches")),
            batch_size=settings["batch_size"],
        )
        model = artm.LDA(
            num_topics=n_topics,
            alpha=alpha,
            beta=eta,
            num_processors=threads,
            num_document_passes=settings.get("document_passes", 10),
            dictionary=batches.dictionary,
            cache_theta=False,
            seed=seed,
        )
        clock.start()
        while True:
            model.fit_online(
                batches,
                tau0=settings["learning_offset"],
                kappa=settings["learning_decay"],
                update_every=settings.get("update_every", threads),
            )
            if not clock.tick(lambda: _topics(model, train.shape[1])):
                return clock.startup_s


def _write(train: sparse.csr_matrix, folder: Path) -> None:
    """Write the corpus as UCI bag of words; the words are their numbers."""
    n_documents, n_words = train.shape
    rows = np.repeat(np.arange(1, n_documents + 1), np.diff(train.indptr))
    table = np.column_stack([rows, train.indices + 1, train.data]).astype(int)
    head = f"{n_documents}\n{n_words}\n{train.nnz}"
    np.savetxt(folder / f"docword.{_NAME}.txt", table, "%d", header=head, comments="")
    words = "\n".join(map(str, range(n_words)))
    (folder / f"vocab.{_NAME}.txt").write_text(words + "\n")


def _topics(model: Any, n_words: int) -> Topics:
    """Topics with their words in our order; none is impossible."""
    phi = model.phi_
    numbers = np.array([int(word) for _, word in phi.index])
    topics = np.full((phi.shape[1], n_words), _LEAST)
    topics[:, numbers] += phi.to_numpy().T
    return normalised(topics)
