"""Vowpal Wabbit: online variational Bayes with lazy decay, one thread and a parser.

Its driver cannot be looked into while it runs, so each point of the curve is a run of
its own, of the same seed, from the binary cache that it reads fastest.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from peers.clock import Snapshot, Topics, TrainingClock, normalised, restart_longer


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
    """Train as `peers` says; `threads` is not used: the learner has one.

    Raises
    ------
    ValueError
        If a mini-batch is larger than the corpus, which makes the driver crash.
    """
    clock = TrainingClock(budget_s, snapshot)
    n_documents, n_words = train.shape
    size = settings["batch_size"]
    if size > n_documents:
        raise ValueError(f"mini-batch of {size} for {n_documents} documents")
    with tempfile.TemporaryDirectory() as folder:
        read = _prepare(train, Path(folder))
        learn = (
            f"--lda {n_topics} --lda_alpha {alpha} --lda_rho {eta} "
            f"--lda_D {n_documents} --minibatch {size} "
            f"--power_t {settings['learning_decay']} "
            f"--initial_t {settings['learning_offset']} --learning_rate 1 "
            f"--lda_epsilon {settings['tolerance']} "
            f"--math-mode {settings.get('math_mode', 0)} --random_seed {seed + 1} "
        )
        clock.start()
        save = Path(folder, "topics")

        def run(batches: int) -> float:
            seconds = _train(read + learn + _length(batches * size, n_documents), save)
            snapshot(seconds, _topics(save, n_topics, n_words, eta))
            return seconds

        restart_longer(budget_s, 1, run)
    return clock.startup_s


def _length(documents: int, n_documents: int) -> str:
    """Arguments for so many documents; beyond one pass, for the nearest passes."""
    if documents < n_documents:
        return f"--passes 1 --examples {documents}"
    return f"--passes {round(documents / n_documents)}"


def _bits(n_words: int) -> int:
    return max(1, int(n_words - 1).bit_length())


def _prepare(train: sparse.csr_matrix, folder: Path) -> str:
    """Write the corpus as text, let the driver make its cache; arguments to read it."""
    text = folder / "documents.txt"
    words, counts, start = train.indices.tolist(), train.data.tolist(), train.indptr
    with text.open("w") as out:
        for a, b in itertools.pairwise(start):
            pairs = zip(words[a:b], counts[a:b], strict=True)
            out.write("| " + " ".join(f"{w}:{c}" for w, c in pairs) + "\n")
    read = (
        f"--no_stdin --quiet --noconstant --holdout_off -b {_bits(train.shape[1])} "
        f"-d {text} --cache_file {folder / 'cache'} "
    )
    # A cache is only read back by the learner that wrote it; two topics are cheap.
    _train(read + "--lda 2 --minibatch 256 --passes 1", folder / "unused")
    return read


def _train(arguments: str, save: Path) -> float:
    """Run the driver and save its weights; seconds of parsing and learning."""
    # The public Workspace runs the driver inside its constructor, where it cannot be
    # told from the allocation of the weights.
    import pylibvw

    model = pylibvw.vw(arguments.split())
    begin = time.perf_counter()
    model.run_parser()
    seconds = time.perf_counter() - begin
    if not model.get_weighted_examples():
        raise RuntimeError(f"Vowpal Wabbit read no documents with {arguments}")
    model.save(str(save))
    model.finish()
    return seconds


def _topics(saved: Path, n_topics: int, n_words: int, eta: float) -> Topics:
    """Topics from a saved model: one record of an index and weights for each word."""
    record = np.dtype([("index", "<u8"), ("weights", "<f4", (n_topics,))])
    n_records = 1 << _bits(n_words)
    raw = saved.read_bytes()[-n_records * record.itemsize :]
    records = np.frombuffer(raw, dtype=record)
    if not np.array_equal(records["index"], np.arange(n_records)):
        raise RuntimeError("the saved model is not laid out as expected")
    return normalised(records["weights"][:n_words].T.astype(np.float64) + eta)
