"""Whether the scheduler still answers while it hosts a master.

The client asks the scheduler for nothing, again and again, while workers exchange
parameters with the master: all of them, or the rows of the words they need. Prints
Markdown: milliseconds until the answer.

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
from processes import Processes, started

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


def ask_while(client: Client, work: Callable[[], Any]) -> list[float]:
    """Milliseconds of each answer from the first second of the work until its end."""

    async def ask() -> None:
        await client.scheduler.identity(n_workers=0)

    waited = []
    with ThreadPoolExecutor(1) as pool:
        working: Future[Any] = pool.submit(work)
        time.sleep(1.0)
        while not working.done():
            begun = time.perf_counter()
            client.sync(ask)
            waited.append(1000 * (time.perf_counter() - begun))
            time.sleep(PAUSE)
        working.result()
    return waited
