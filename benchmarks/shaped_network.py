"""What sparse exchange is worth where the network is slow.

Scheduler and workers are processes in network namespaces, and each of them has a link
of its own (1 Gbit/s each way, unless told otherwise). Prints Markdown: rounds per
second and bytes per round of our exchange and of dense exchange, which sends all of λ
both ways, at the same B; then what ``local_steps="auto"`` makes of it. Root only.

    python benchmarks/shaped_network.py --data /path/to/corpora --corpus wikipedia
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import click
import dask
import numpy as np
from corpora import CORPORA, Split, data_folder, load
from distributed import Client
from links import Star, why_not
from numpy.typing import NDArray

from dpsvi import DPSVILatentDirichletAllocation
from dpsvi.engine import Plan, Result, run
from dpsvi.engine.backends.dask import Dask
from dpsvi.models.conjugate import Clock
from dpsvi.models.lda.problem import LDAProblem
from dpsvi.models.lda.worker import OnlineWorker

Kind = Literal["dense", "sparse", "sparse, bfloat16"]
KINDS: tuple[Kind, ...] = ("dense", "sparse", "sparse, bfloat16")

# Rounds that are left out: connections are made, kernels are loaded.
_WARM = 4


class DenseWorker(OnlineWorker):
    """Asks for all of λ, and so sends all of it back."""

    def request(self, n_steps: int) -> NDArray[np.int32] | slice:
        return slice(None)


class DenseProblem(LDAProblem):
    """LDA as it would be without the words of a round."""

    def open_worker(
        self, shard: Any, n_threads: int, seed: np.random.SeedSequence
    ) -> DenseWorker:
        return DenseWorker(self, shard, n_threads, seed)


class Setting(NamedTuple):
    """What is fitted."""

    split: Split
    topics: int
    inference: Literal["vb", "cvb0"]
    n_workers: int

    def problem(self, kind: Kind, n_steps: int, batch_size: int) -> LDAProblem:
        """The same for every exchange."""
        made = DenseProblem if kind == "dense" else LDAProblem
        n_documents, n_words = self.split.train.shape
        return made(
            n_words=n_words,
            n_topics=self.topics,
            n_documents=float(n_documents),
            topic_word_prior=0.01,
            doc_topic_prior=np.full(self.topics, 0.1),
            clock=Clock((10.0 + np.arange(n_steps)) ** -0.7),
            inference=self.inference,
            batch_size=batch_size,
            bfloat16_pushes=kind == "sparse, bfloat16",
        )


@contextmanager
def cluster(n_workers: int, megabits: float) -> Iterator[Client]:
    """Scheduler and workers on hosts of their own, and a client at the switch."""
    with Star(1 + n_workers, megabits) as star:
        scheduler, *workers = star.addresses
        # Workers load `DenseProblem` from here.
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        program = [sys.executable, "-m"]
        star.start(
            0,
            *(*program, "distributed.cli.dask_scheduler", "--no-dashboard"),
            *("--host", scheduler, "--port", "8786"),
            **path,
        )
        for host, address in enumerate(workers, 1):
            star.start(
                host,
                *(*program, "distributed.cli.dask_worker", f"{scheduler}:8786"),
                *("--host", address, "--nthreads", "1", "--no-dashboard"),
                **path,
            )
        with Client(f"{scheduler}:8786", timeout=60) as client:
            client.wait_for_workers(n_workers, timeout=60)
            yield client


def exchange(
    client: Client, setting: Setting, kind: Kind, steps: int, batch: int, seconds: float
) -> Result:
    """Rounds of so many steps, as many as there are in so many seconds."""
    train, n = setting.split.train, setting.n_workers
    n_steps = 20 * train.shape[0] // batch
    plan = Plan(
        total_steps=n_steps,
        n_workers=n,
        local_steps=steps,
        # A version for each round.
        master_batch_size=1,
        max_time=seconds,
        seed=0,
    )
    problem = setting.problem(kind, n_steps, batch)
    return run(problem, [train[i::n] for i in range(n)], plan, backend=Dask(client))


def row(name: str, result: Result) -> tuple[list[str], float]:
    """Cells of the table, and the rounds per second."""
    history = result.history
    n_rounds = len(history) - _WARM - 1
    if n_rounds < 1:
        raise click.ClickException(f"{name}: too few rounds; give more --seconds")
    time = history["time"][_WARM:]
    speed = n_rounds / (time[-1] - time[0])
    sent = (history["bytes"][-1] - history["bytes"][_WARM]) / n_rounds / 2**20
    share = float(np.median(history["communication"][_WARM:]))
    return [name, f"{speed:.2f}", f"{sent:.2f}", f"{share:.0%}"], speed


def compare(
    client: Client, setting: Setting, steps: list[int], batch: int, seconds: float
) -> None:
    """Rounds per second of all exchanges at the same B."""
    table("exchange", "documents/round", "rounds/s", "MB/round", "talk", "x dense")
    for local_steps in steps:
        dense = 0.0
        for kind in KINDS:
            result = exchange(client, setting, kind, local_steps, batch, seconds)
            cells, speed = row(kind, result)
            dense = speed if kind == "dense" else dense
            cells.insert(1, str(local_steps * batch))
            line(*cells, f"{speed / dense:.1f}")


def automatic(client: Client, setting: Setting, epochs: int) -> None:
    """What the estimator makes of the network."""
    names = ("documents/s", "perplexity", "MB/epoch", "B", "share of epoch", "talk")
    table("auto B", *names)
    train = setting.split.train.astype(np.float32)
    for narrow in (False, True):
        model = DPSVILatentDirichletAllocation(
            setting.topics,
            inference=setting.inference,
            doc_topic_prior=0.1,
            topic_word_prior=0.01,
            max_iter=epochs,
            random_state=0,
        )
        with dask.config.set({"dpsvi.bfloat16-pushes": narrow}):
            model.fit(train, client=client)
        history = model.history_
        documents, time = history["documents"], history["time"]
        # The last epoch: rounds have found their length.
        begin = int(np.searchsorted(documents, documents[-1] * (1 - 1 / epochs)))
        steps = np.median(history["round_steps"][begin:])
        in_flight = steps * setting.n_workers / (model.n_batch_iter_ / epochs)
        line(
            "bfloat16" if narrow else "float32",
            f"{(documents[-1] - documents[begin]) / (time[-1] - time[begin]):,.0f}",
            f"{model.heldout_perplexity(setting.split.test):.0f}",
            f"{history['bytes'][-1] / 2**20 / epochs:.0f}",
            f"{steps:.0f}",
            f"{in_flight:.2f}",
            f"{np.median(history['communication'][begin:]):.0%}",
        )


def table(*names: str) -> None:
    """Begin a table."""
    line(*names)
    print("|---" + "|---:" * (len(names) - 1) + "|", flush=True)


def line(*cells: str) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(cells) + " |", flush=True)


@click.command()
@click.option("--corpus", type=click.Choice(sorted(CORPORA)), default="wikipedia")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--documents", type=int, help="Training documents.")
@click.option("--topics", default=100)
@click.option("--workers", default=2)
@click.option("--megabits", default=1000.0, help="Per second, of each link, each way.")
@click.option("--inference", default="cvb0,vb")
@click.option("--batch", default=64, help="Documents of a local step.")
@click.option("--steps", default="1,4,16", help="B; empty: none.")
@click.option("--seconds", default=12.0, help="Of each run at a fixed B.")
@click.option("--epochs", default=3, help="With B chosen; 0: none.")
def main(
    corpus: str,
    data: str | None,
    documents: int | None,
    topics: int,
    workers: int,
    megabits: float,
    inference: str,
    batch: int,
    steps: str,
    seconds: float,
    epochs: int,
) -> None:
    """Measure and print."""
    if why := why_not():
        raise click.ClickException(why)
    # Namespaces outlive the process that made them: end as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    split = load(corpus, data_folder(data), documents)
    n_documents, n_words = split.train.shape
    print(
        f"{corpus}: {n_documents:,} x {n_words:,}, K={topics}, {workers} workers, "
        f"{megabits:g} Mbit/s per link\n"
    )
    with cluster(workers, megabits) as client:
        for name in inference.split(","):
            print(f"\n{name}\n")
            setting = Setting(split, topics, name, workers)  # type: ignore[arg-type]
            chosen = [int(number) for number in steps.split(",") if number]
            # Loads the kernels.
            exchange(client, setting, "sparse", 1, batch, seconds)
            if chosen:
                compare(client, setting, chosen, batch, seconds)
            print()
            if epochs:
                automatic(client, setting, epochs)


if __name__ == "__main__":
    # Under its name, so that workers can load what is defined here.
    from shaped_network import main as run_main

    run_main()
