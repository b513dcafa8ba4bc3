"""Learned priors against a grid of fixed ones, and what learning them costs.

    python benchmarks/priors_grid.py --corpus kos --inference cvb0

Prints a Markdown table: held-out perplexity by document completion after the same
number of epochs for every pair of symmetric priors, and for learned ones; and the CPU
time of learning beside that of the fit with the priors that learning begins with.
"""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import click
from corpora import data_folder, load


def pairs(n_topics: int) -> list[tuple[Any, Any]]:
    """α and η: learned, the defaults, and the grid."""
    grid = [1.0 / n_topics, 0.1, 0.5]
    return [("auto", "auto"), *itertools.product(grid, grid)]


@click.command()
@click.option("--corpus", default="kos", show_default=True)
@click.option("--inference", type=click.Choice(["vb", "cvb0"]), default="cvb0")
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--documents", type=int, help="Use only so many training documents.")
@click.option("--topics", default=50, show_default=True)
@click.option("--epochs", default=10, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--seeds", default=2, show_default=True, help="Fits of each kind.")
def main(
    corpus: str,
    inference: str,
    data: str | None,
    documents: int | None,
    topics: int,
    epochs: int,
    threads: int,
    seeds: int,
) -> None:
    """Fit with every pair of priors and compare."""
    parts = load(corpus, data_folder(data), documents)
    given = {
        "n_components": topics,
        "inference": inference,
        "max_iter": epochs,
        "n_jobs": threads,
    }
    # The first fits compile.
    for kind in ("auto", None):
        fitted(parts.train[:200], 0, {**given, "max_iter": 1}, kind, kind)
    rows = []
    for alpha, eta in pairs(topics):
        runs = [fitted(parts.train, seed, given, alpha, eta) for seed in range(seeds)]
        found = [model.heldout_perplexity(parts.test) for model, _ in runs]
        model = runs[0][0]
        rows.append((statistics.mean(found), runs, alpha, eta, model))
    report(rows, costs(parts.train, given))


def fitted(
    train: Any, seed: int, given: dict[str, Any], alpha: Any, eta: Any
) -> tuple[Any, float]:
    """Return a fitted model and the seconds of CPU time of the fit."""
    from dpsvi import DPSVILatentDirichletAllocation

    model = DPSVILatentDirichletAllocation(
        **given, doc_topic_prior=alpha, topic_word_prior=eta, random_state=seed
    )
    start = time.process_time()
    model.fit(train)
    return model, time.process_time() - start


def costs(train: Any, given: dict[str, Any], repeats: int = 5) -> tuple[float, float]:
    """Return the CPU time of documents with fixed priors, and with learned ones.

    In turns, and the fastest of each: other programs then disturb both alike. Learned
    priors are held where they begin, so that both do the same work but for learning.
    """
    from dpsvi.models.lda import priors

    bounds = priors._LEAST, priors._MOST
    start = 1.0 / given["n_components"]
    seconds: dict[Any, list[float]] = {"auto": [], None: []}
    try:
        priors._LEAST = priors._MOST = start
        for _ in range(repeats):
            for kind, found in seconds.items():
                found.append(fitted(train, 0, given, kind, kind)[1])
    finally:
        priors._LEAST, priors._MOST = bounds
    return min(seconds[None]), min(seconds["auto"])


def report(rows: list[Any], cost: tuple[float, float]) -> None:
    """Print the table, the distance of learned priors from the best, and their cost."""
    learned = rows[0][0]
    best = min(row[0] for row in rows[1:])
    print("| perplexity | CPU seconds | doc_topic_prior | topic_word_prior |")
    print("| ---: | ---: | ---: | ---: |")
    for perplexity, runs, alpha, eta, model in sorted(rows, key=lambda row: row[0]):
        seconds = statistics.mean(run[1] for run in runs)
        told = [f"{alpha:.3g}", f"{eta:.3g}"] if alpha != "auto" else found(model)
        print(f"| {perplexity:.1f} | {seconds:.2f} | {told[0]} | {told[1]} |")
    fixed, learning = cost
    print(f"\nlearned: {learned / best - 1:+.1%} from the best of the grid")
    print(f"learning: {learning / fixed - 1:+.1%} of CPU time ({fixed:.2f} s)")


def found(model: Any) -> list[str]:
    """Tell what a model has learned."""
    alpha = model.doc_topic_prior_
    return [
        f"learned: {alpha.min():.3g} to {alpha.max():.3g}, mean {alpha.mean():.3g}",
        f"learned: {model.topic_word_prior_:.3g}",
    ]


if __name__ == "__main__":
    main()
