"""One pass over a corpus on disk, beside the same pass over it in memory.

Each fit is a process of its own, in turn; reading files into memory does not count,
reading them during the fit does. Prints Markdown: seconds, their ratio, the largest
resident memory of the process, and what a checkpoint of such a fit costs.

    python benchmarks/out_of_core.py corpus/ --corpus wikipedia --times 2

Writes the corpus to the folder first, unless it is there.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
from corpora import CORPORA, data_folder
from scipy import sparse

WAYS = ("memory", "disk")


def write(folder: Path, corpus: str, data: str | None, times: int) -> None:
    """Write the documents of a corpus so many times over."""
    from dpsvi.datasets import Corpus

    counts = CORPORA[corpus].read(data_folder(data))
    Corpus(sparse.vstack([counts] * times, format="csr")).save(folder)


def fit(folder: Path, way: str, given: dict[str, Any]) -> dict[str, float]:
    """Fit once; runs in a process of its own."""
    from dpsvi import DPSVILatentDirichletAllocation
    from dpsvi.datasets import open_corpus
    from dpsvi.datasets.on_disk.arrow import needs_arrow

    # Imports do not count, of either way.
    needs_arrow()
    documents = open_corpus(folder)
    if way == "memory":
        documents = documents.load()
    model = DPSVILatentDirichletAllocation(**given)
    begun = time.perf_counter()
    model.fit(documents)
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "megabytes": peak, "save": checkpoint_seconds(model)}


def checkpoint_seconds(model: Any) -> float:
    """How long it takes to write the topics of a fit."""
    from dpsvi.engine import Checkpoint, Saved

    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoint(Path(folder) / "fit.npz")
        begun = time.perf_counter()
        kept.save(Saved({"weights": model.components_}, {"steps": 1}))
        return time.perf_counter() - begun


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--corpus", default="wikipedia", show_default=True)
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--times", default=2, show_default=True, help="Each document.")
@click.option("--topics", default=100, show_default=True)
@click.option("--inference", type=click.Choice(["vb", "cvb0"]), default="cvb0")
@click.option("--threads", default=2, show_default=True)
@click.option("--rounds", default=2, show_default=True)
@click.option("--way", type=click.Choice(WAYS), hidden=True)
def main(
    folder: Path,
    corpus: str,
    data: str | None,
    times: int,
    topics: int,
    inference: str,
    threads: int,
    rounds: int,
    way: str | None,
) -> None:
    """Race in turns; print tables."""
    given = {
        "n_components": topics,
        "inference": inference,
        "max_iter": 1,
        "n_jobs": threads,
        "random_state": 0,
        "backend": "local",
    }
    if way is not None:
        click.echo(json.dumps(fit(folder, way, given)))
        return
    if not folder.exists():
        write(folder, corpus, data, times)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    options = ["--topics", topics, "--inference", inference, "--threads", threads]
    for _ in range(rounds):
        for name, runs in found.items():
            command = [sys.executable, __file__, folder, "--way", name, *options]
            done = subprocess.run(
                list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True
            )
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    show(found)


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """Print medians."""
    click.echo("| documents | seconds of a pass | ratio | peak memory, MB |")
    click.echo("|---|---|---|---|")
    base = statistics.median(run["seconds"] for run in found["memory"])
    for name, runs in found.items():
        seconds = statistics.median(run["seconds"] for run in runs)
        peak = max(run["megabytes"] for run in runs)
        ratio = seconds / base
        click.echo(f"| in {name} | {seconds:.1f} | {ratio:.2f} | {peak:,.0f} |")
    save = statistics.median(run["save"] for run in found["disk"])
    click.echo(f"\nA checkpoint takes {save:.2f} s: {save / 30:.2%} of half a minute.")


if __name__ == "__main__":
    main()
