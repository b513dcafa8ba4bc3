"""Documents per second of `transform`, beside scikit-learn's, with the same topics.

    python benchmarks/serving.py --corpus wikipedia --threads 2

Both stop on a document at the same tolerance. Prints Markdown: documents per second,
their ratio in the same minutes, and how far the topics of documents differ (mean L1
distance) from each other's, and from where both lead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np
from corpora import data_folder, load
from sklearn.decomposition import LatentDirichletAllocation
from threadpoolctl import threadpool_limits

from dpsvi import DPSVILatentDirichletAllocation


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def apart(one: Any, other: Any) -> float:
    """Mean L1 distance of the topics of documents."""
    return float(np.abs(one - other).sum(axis=1).mean())


@click.command()
@click.option("--corpus", default="wikipedia", show_default=True)
@click.option("--data", help="Folder of corpora; else DPSVI_BENCH_DATA.")
@click.option("--topics", default=100, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--documents", default=20_000, show_default=True, help="For ours.")
@click.option("--fewer", default=500, show_default=True, help="For scikit-learn.")
@click.option("--tolerance", default=1e-3, show_default=True)
@click.option("--iterations", default=100, show_default=True, help="At most.")
@click.option("--rounds", default=3, show_default=True)
def main(
    corpus: str,
    data: str | None,
    topics: int,
    threads: int,
    documents: int,
    fewer: int,
    tolerance: float,
    iterations: int,
    rounds: int,
) -> None:
    """Race in turns; print a table."""
    parts = load(corpus, data_folder(data))
    given = {
        "n_components": topics,
        "mean_change_tol": tolerance,
        "max_doc_update_iter": iterations,
    }
    ours = DPSVILatentDirichletAllocation(
        **given, max_iter=2, n_jobs=threads, random_state=0, inference="cvb0"
    ).fit(parts.train)
    theirs = LatentDirichletAllocation(**given, random_state=0)
    theirs.partial_fit(parts.train[:100])
    theirs.components_ = ours.components_.astype(float)
    theirs.exp_dirichlet_component_ = ours.exp_dirichlet_component_.astype(float)
    many, few = parts.train[:documents], parts.test[:fewer]
    ours.transform(few)
    speeds: dict[str, list[float]] = {"dpsvi": [], "scikit-learn": []}
    for _ in range(rounds):
        seconds, _ = timed(lambda: ours.transform(many))
        speeds["dpsvi"].append(many.shape[0] / seconds)
        with threadpool_limits(1):
            seconds, expected = timed(lambda: theirs.transform(few))
        speeds["scikit-learn"].append(few.shape[0] / seconds)
    found = ours.transform(few)
    ours.set_params(mean_change_tol=1e-6, max_doc_update_iter=5000)
    limit = ours.transform(few)
    click.echo("| | documents/s | from-to | ratio |\n|---|---|---|---|")
    base = speeds["scikit-learn"]
    for name, rates in speeds.items():
        ratios = [one / other for one, other in zip(rates, base, strict=True)]
        click.echo(
            f"| {name} | {statistics.median(rates):,.0f} "
            f"| {min(rates):,.0f}-{max(rates):,.0f} "
            f"| {statistics.median(ratios):.1f} |"
        )
    click.echo(
        "\nMean L1 distance of the topics of documents: "
        f"{apart(found, expected):.1e}; from the limit {apart(found, limit):.1e} for "
        f"dpsvi, {apart(expected, limit):.1e} for scikit-learn."
    )


if __name__ == "__main__":
    main()
