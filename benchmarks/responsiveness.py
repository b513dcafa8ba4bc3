"""How long the scheduler takes to answer while it hosts a master.

The client asks for next to nothing, again and again, while workers exchange parameters
with the master: all of them, or the rows of the words they need. Prints Markdown:
milliseconds until the answer.

    python benchmarks/responsiveness.py --data /path/to/corpora
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from corpora import CORPORA, data_folder, load
from distributed import Client
from separate import separate_cluster

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.engine import Plan, Update, run
from dpsvi.engine.backends.dask import Dask

# Seconds between an answer and the next question.
PAUSE = 0.005


@dataclass
class Dense:
    """All parameters travel, both ways, and next to nothing is computed."""

    n_bytes: int
    additive: bool = True

    def initial_parameters(self, rng: np.random.Generator) -> Any:
        return np.zeros(self.n_bytes // 4, np.float32)

    def open_worker(self, shard: Any, n_threads: int, seed: Any) -> LocalDense:
        return LocalDense(self.n_bytes)

    def merge(
        self, parameters: Any, payloads: Sequence[Any], rates: Sequence[float]
    ) -> Any:
        for payload, rate in zip(payloads, rates, strict=True):
            parameters += np.float32(rate) * payload
        return parameters


class LocalDense:
    """Pushes the same array every time."""

    def __init__(self, n_bytes: int) -> None:
        self.payload = np.ones(n_bytes // 4, np.float32)

    def load(self, snapshot: Any) -> None:
        """Nothing is kept."""

    def run(self, thread: int, steps: Iterator[int]) -> None:
        for _ in steps:
            pass

    def update(self) -> Update:
        return Update(self.payload, 1.0)


def ask_while(client: Client, work: Callable[[], Any] | None) -> list[float]:
    """Milliseconds of each answer while the work goes on; without any: two seconds."""

    async def ask() -> None:
        await client.scheduler.identity(n_workers=0)

    waited = []
    with ThreadPoolExecutor(1) as pool:
        working: Future[Any] = pool.submit(work or (lambda: time.sleep(2.0)))
        while not working.done():
            begun = time.perf_counter()
            client.sync(ask)
            waited.append(1000 * (time.perf_counter() - begun))
            time.sleep(PAUSE)
        working.result()
    return waited


def fit_dense(client: Client, n_workers: int, n_bytes: int, seconds: float) -> Any:
    """As many rounds as there are in so many seconds."""
    plan = Plan(
        total_steps=10**9, n_workers=n_workers, max_time=seconds, master_batch_size=1
    )
    return run(Dense(n_bytes), [None] * n_workers, plan, backend=Dask(client))


def row(name: str, waited: list[float], history: Any = None) -> str:
    """One row of the table."""
    merges = megabytes = "-"
    if history is not None:
        time, sent = history["time"], history["bytes"]
        speed = (len(time) - 1) / (time[-1] - time[0])
        merges = f"{speed:.1f}"
        megabytes = f"{(sent[-1] - sent[0]) / (len(sent) - 1) / 2**20:.1f}"
    median, high = np.percentile(waited, [50, 95])
    cells = [name, f"{median:.1f}", f"{high:.1f}", f"{max(waited):.1f}"]
    return "| " + " | ".join([*cells, merges, megabytes]) + " |"


@click.command()
@click.option("--corpus", type=click.Choice(sorted(CORPORA)), default="wikipedia")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--documents", type=int, default=20_000, help="Training documents.")
@click.option("--topics", default=100)
@click.option("--workers", default=4)
@click.option("--seconds", default=20.0, help="Of each exchange.")
def main(
    corpus: str,
    data: str | None,
    documents: int,
    topics: int,
    workers: int,
    seconds: float,
) -> None:
    """Measure and print."""
    train = load(corpus, data_folder(data), documents).train.astype(np.float32)
    n_bytes = 4 * topics * train.shape[1]
    model = DPSVILatentDirichletAllocation(
        topics, max_iter=1000, max_time=seconds, n_jobs=1, random_state=0
    )
    with separate_cluster(workers) as client:
        lines = [row("nothing", ask_while(client, None))]
        histories: list[Any] = []

        def dense() -> None:
            result = fit_dense(client, workers, n_bytes, seconds)
            histories.append(result.history)

        def sparse() -> None:
            histories.append(model.fit(train, client=client).history_)

        # Kernels are compiled and data are loaded.
        model.set_params(max_time=5.0).fit(train[:2000], client=client)
        model.set_params(max_time=seconds)
        name = f"{n_bytes / 1e6:.0f} MB, {workers} workers"
        for kind, work in (("dense", dense), ("sparse", sparse)):
            waited = ask_while(client, work)
            lines.append(row(f"{kind}, {name}", waited, histories.pop()))
    print("| exchange | ms, median | 95% | most | merges/s | MB/merge |")
    print("|---|---:|---:|---:|---:|---:|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
