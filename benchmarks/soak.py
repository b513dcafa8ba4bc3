"""Whether the memory of the scheduler stays as it is in a long fit.

Prints Markdown: bytes that the scheduler's process uses beyond those before the fit,
in copies of the parameters, from the first tenth of the fit to the last.

    python benchmarks/soak.py --data /path/to/corpora --minutes 5
"""

from __future__ import annotations

import threading
import time
from typing import Any

import click
import numpy as np
from corpora import CORPORA, data_folder, load
from distributed import Client
from numpy.typing import NDArray
from separate import separate_cluster

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.engine.backends.dask.host import HOST_NAME

# Seconds between two looks.
PAUSE = 0.5


def look(dask_scheduler: Any) -> tuple[int, int, int]:
    """Bytes of the process and of its parameters, and the number of pending pushes."""
    import psutil

    used = psutil.Process().memory_info().rss
    host = dask_scheduler.plugins.get(HOST_NAME)
    masters = [session.master for session in host._sessions.values()] if host else []
    parameters = sum(master.parameters.weights.nbytes for master in masters)
    return used, parameters, sum(len(master._pending) for master in masters)


def watch(client: Client, over: threading.Event) -> NDArray[np.int64]:
    """Look again and again while a fit goes on."""
    seen = []
    while not over.wait(PAUSE):
        found = client.run_on_scheduler(look)
        if found[1]:
            seen.append(found)
    return np.array(seen)


def fit(client: Client, corpus: Any, topics: int, seconds: float) -> NDArray[np.int64]:
    """Fit for a while, and return what was seen."""
    over = threading.Event()
    model = DPSVILatentDirichletAllocation(
        topics, max_iter=10_000, max_time=seconds, n_jobs=1, random_state=0
    )

    def work() -> None:
        try:
            model.fit(corpus, client=client)
        finally:
            over.set()

    working = threading.Thread(target=work)
    working.start()
    seen = watch(client, over)
    working.join()
    return seen


@click.command()
@click.option("--corpus", type=click.Choice(sorted(CORPORA)), default="wikipedia")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--documents", type=int, default=20_000, help="Training documents.")
@click.option("--topics", default=100)
@click.option("--workers", default=2)
@click.option("--minutes", default=5.0)
def main(
    corpus: str,
    data: str | None,
    documents: int,
    topics: int,
    workers: int,
    minutes: float,
) -> None:
    """Measure and print."""
    train = load(corpus, data_folder(data), documents).train.astype(np.float32)
    with separate_cluster(workers) as client:
        # The code is loaded by a fit of a small vocabulary.
        small = np.ones((50, 20), np.float32)
        DPSVILatentDirichletAllocation(2, n_jobs=1).fit(small, client=client)
        before, _, _ = client.run_on_scheduler(look)
        begun = time.perf_counter()
        used, parameters, pending = fit(client, train, topics, 60 * minutes).T
        lasted = time.perf_counter() - begun
        time.sleep(1.0)
        after, _, _ = client.run_on_scheduler(look)
    copy = parameters.max()
    copies = (used - before) / copy
    tenths = " | ".join(f"{part.mean():.2f}" for part in np.array_split(copies, 10))
    print(f"{lasted:.0f} s, {workers} workers, a copy is {copy / 1e6:.0f} MB;")
    print(f"most: {copies.max():.2f} copies, pending pushes: {pending.max()};")
    print(f"before: {before / 1e6:.0f} MB, after: {after / 1e6:.0f} MB\n")
    print("| tenth of the fit" + "".join(f" | {n}" for n in range(1, 11)) + " |")
    print("|---" + "|---:" * 10 + "|")
    print(f"| copies | {tenths} |")


if __name__ == "__main__":
    main()
