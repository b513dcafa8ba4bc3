"""Spark: the online optimizer of ``pyspark.ml.clustering.LDA``, in local mode.

A fit cannot be looked into, so each point of the curve is a fit of its own, with what
a fit costs beside its iterations.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from scipy import sparse

from peers.clock import Snapshot, TrainingClock, normalised, restart_longer


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
    """Train as `peers` says; two short warm-up fits count as start-up.

    The optimizer draws its mini-batches at random, and does not let the tolerance
    and the cap of the local steps be set.
    """
    clock = TrainingClock(budget_s, snapshot)
    from pyspark.ml.clustering import LDA

    session = _session(threads)
    try:
        frame = _frame(session, train, threads)
        model = LDA(
            k=n_topics,
            optimizer="online",
            learningDecay=settings["learning_decay"],
            learningOffset=float(settings["learning_offset"]),
            subsamplingRate=min(1.0, settings["batch_size"] / train.shape[0]),
            docConcentration=[alpha],
            topicConcentration=eta,
            optimizeDocConcentration=settings.get("learn_alpha", False),
            seed=seed,
        )
        for _ in range(2):
            model.setMaxIter(4).fit(frame)
        clock.start()

        def run(iterations: int) -> float:
            begin = time.perf_counter()
            fitted = model.setMaxIter(iterations).fit(frame)
            seconds = time.perf_counter() - begin
            snapshot(seconds, normalised(fitted.topicsMatrix().toArray().T))
            return seconds

        restart_longer(budget_s, 4, run)
    finally:
        session.stop()
    return clock.startup_s


def _session(threads: int) -> Any:
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(f"local[{threads}]")
        .appName("lda-race")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "8g")
        .config("spark.driver.maxResultSize", "4g")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def _frame(session: Any, train: sparse.csr_matrix, threads: int) -> Any:
    """The corpus as a cached data frame of sparse vectors, one partition a thread."""
    from pyspark.ml.linalg import Vectors

    start, n_words = train.indptr, train.shape[1]
    rows = [
        (i, Vectors.sparse(n_words, train.indices[a:b], train.data[a:b].astype(float)))
        for i, (a, b) in enumerate(itertools.pairwise(start))
    ]
    frame = session.createDataFrame(rows, ["id", "features"]).repartition(threads)
    frame.cache().count()
    return frame
