"""What a cluster of processes on this machine adds, and what it costs.

Prints Markdown: documents per second, bytes, staleness and perplexity of workers in
processes of their own, next to threads in one process, all in one run.

    python benchmarks/cluster.py --data /path/to/corpora --corpus wikipedia
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import click
import numpy as np
from corpora import CORPORA, Split, data_folder, load
from distributed import Client

from dpsvi import DPSVILatentDirichletAllocation


class Layout(NamedTuple):
    """Workers in processes of their own; none: threads of this process."""

    n_workers: int
    n_threads: int

    def __str__(self) -> str:
        if not self.n_workers:
            return f"one process, {self.n_threads} threads"
        return f"cluster, {self.n_workers} workers x {self.n_threads}"


@contextmanager
def cluster(layout: Layout) -> Iterator[Client | None]:
    """A client of as many workers, or None."""
    if not layout.n_workers:
        yield None
        return
    with Client(
        n_workers=layout.n_workers,
        threads_per_worker=layout.n_threads,
        dashboard_address=":0",
        set_as_default=False,
    ) as client:
        yield client


def speed(history: Any) -> float:
    """Documents per second from the first merge of the second epoch on."""
    documents, time = history["documents"], history["time"]
    begin = int(np.searchsorted(documents, documents[-1] / 2))
    return float((documents[-1] - documents[begin]) / (time[-1] - time[begin]))


def measure(layout: Layout, inference: str, split: Split, topics: int) -> list[str]:
    """One row of the table: two epochs, after one that loads and compiles."""
    given: dict[str, Any] = {
        "doc_topic_prior": 0.1,
        "topic_word_prior": 0.01,
        "inference": inference,
        "n_jobs": layout.n_threads,
        "random_state": 0,
    }
    train = split.train.astype(np.float32)
    with cluster(layout) as client:
        backend = "auto" if client else "local"
        for epochs, counts in ((1, train[:2000]), (2, train)):
            model = DPSVILatentDirichletAllocation(
                topics, max_iter=epochs, backend=backend, **given
            )
            model.fit(counts, client=client)
    history = model.history_
    perplexity = model.heldout_perplexity(split.test)
    megabytes = history["bytes"][-1] / 2**20 / model.n_iter_
    steps = "-"
    share = "-"
    if "round_steps" in history.columns:
        steps = f"{np.median(history['round_steps'][-8:]):.0f}"
        share = f"{np.median(history['communication'][-8:]):.0%}"
    return [
        f"{inference}, {layout}",
        f"{speed(history):,.0f}",
        f"{perplexity:.0f}",
        f"{history['staleness'].mean():.1f}",
        f"{megabytes:.0f}",
        steps,
        share,
    ]


@click.command()
@click.option("--corpus", type=click.Choice(sorted(CORPORA)), default="wikipedia")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--documents", type=int, help="Training documents.")
@click.option("--topics", default=100)
@click.option("--workers", default="1,2", help="Sizes of the cluster.")
@click.option("--inference", default="cvb0,vb")
@click.option("--repeats", default=1)
def main(
    corpus: str,
    data: str | None,
    documents: int | None,
    topics: int,
    workers: str,
    inference: str,
    repeats: int,
) -> None:
    """Measure and print."""
    split = load(corpus, data_folder(data), documents)
    layouts = [Layout(0, 1), Layout(0, 2)]
    layouts += [Layout(int(n), 1) for n in workers.split(",")]
    names = ["", "documents/s", "perplexity", "staleness", "MB/epoch", "B", "talk"]
    print(
        f"{corpus}: {split.train.shape[0]:,} x {split.train.shape[1]:,}, K={topics}\n"
    )
    print("| " + " | ".join(names) + " |")
    print("|---" + "|---:" * (len(names) - 1) + "|", flush=True)
    for name in inference.split(","):
        for _ in range(repeats):
            for layout in layouts:
                cells = measure(layout, name, split, topics)
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
