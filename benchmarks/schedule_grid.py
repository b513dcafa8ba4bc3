"""How far the untuned defaults end from the best schedule of a grid.

    python benchmarks/schedule_grid.py --corpus kos --inference cvb0

Prints a Markdown table: held-out perplexity after the same number of epochs for every
schedule of the grid, best first, and the defaults' distance from the best.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import click
from corpora import data_folder, load
from evaluation import completion_perplexity, split_tokens
from peers.clock import normalised

ALPHA, ETA = 0.1, 0.01
GRIDS: dict[str, dict[str, list[Any]]] = {
    "cvb0": {
        "batch_size": [16, 64, 256],
        "learning_offset": [1.0, 10.0, 100.0],
        "learning_decay": [0.5, 0.7, 0.9],
    },
    "vb": {
        "batch_size": [256, 1024, 4096],
        "learning_offset": [1.0, 10.0, 64.0],
        "learning_decay": [0.5, 0.7],
    },
}


def schedules(inference: str) -> list[dict[str, Any]]:
    """All schedules of a grid; the defaults are the empty one, and come first."""
    grid = GRIDS[inference]
    points = itertools.product(*grid.values())
    return [{}, *(dict(zip(grid, point, strict=True)) for point in points)]


@click.command()
@click.option("--corpus", default="kos", show_default=True)
@click.option("--inference", type=click.Choice(["vb", "cvb0"]), default="cvb0")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--documents", type=int, help="Use only so many training documents.")
@click.option("--topics", default=100, show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(
    corpus: str,
    inference: str,
    data: str | None,
    documents: int | None,
    topics: int,
    epochs: int,
    threads: int,
) -> None:
    """Fit once per schedule and compare."""
    from dpsvi import DPSVILatentDirichletAllocation

    parts = load(corpus, data_folder(data), documents)
    train, held_out = parts.train, split_tokens(parts.test)
    rows = []
    for schedule in schedules(inference):
        model = DPSVILatentDirichletAllocation(
            topics,
            doc_topic_prior=ALPHA,
            topic_word_prior=ETA,
            inference=inference,
            max_iter=epochs,
            n_jobs=threads,
            random_state=0,
            **schedule,
        )
        start = time.perf_counter()
        model.fit(train)
        seconds = time.perf_counter() - start
        words = normalised(model.components_)
        perplexity = completion_perplexity(words, held_out, ALPHA)
        rows.append((perplexity, seconds, schedule))
    report(rows)


def report(rows: list[tuple[float, float, dict[str, Any]]]) -> None:
    """Print the table and the distance of the defaults, which come first."""
    default = rows[0][0]
    best = min(row[0] for row in rows)
    print("| perplexity | seconds | schedule |\n| ---: | ---: | --- |")
    for perplexity, seconds, schedule in sorted(rows, key=lambda row: row[0]):
        print(f"| {perplexity:.1f} | {seconds:.2f} | {schedule or 'defaults'} |")
    print(f"\ndefaults: {default / best - 1:+.1%} from the best")


if __name__ == "__main__":
    main()
