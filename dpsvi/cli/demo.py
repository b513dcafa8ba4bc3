"""`dpsvi demo`: from nothing to topics and a report, without a download."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from rich.console import Console

    from dpsvi.datasets import Corpus

__all__ = ["demo"]

_TITLE = "Topics in Python docstrings"
_HELD_OUT_SHARE = 0.1


def _writable(context: click.Context, option: click.Parameter, path: Path) -> Path:
    """Find out before the work, not after it, that the report has no place."""
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder '{path.parent}'; make it first.")
    return path


@click.command()
@click.option(
    "-k",
    "--topics",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many topics to look for.",
)
@click.option(
    "--inference",
    type=click.Choice(["vb", "cvb0"]),
    default="cvb0",
    show_default=True,
    help="Variational Bayes, or collapsed variational Bayes of order zero.",
)
@click.option(
    "-t",
    "--threads",
    type=click.IntRange(min=1),
    help="Lock-free threads.  [default: all cores]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the split and of the fit.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Passes over the corpus, at most.",
)
@click.option(
    "--max-time",
    type=click.FloatRange(min=0.0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop training after this time.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    default="dpsvi-demo.html",
    show_default=True,
    callback=_writable,
    help="Where to write the report.",
)
def demo(
    topics: int,
    inference: Literal["vb", "cvb0"],
    threads: int | None,
    seed: int,
    epochs: int,
    max_time: float,
    output: Path,
) -> None:
    """Find topics in the docstrings of the installed packages.

    Makes a corpus of the docstrings of NumPy, SciPy and other installed packages
    (nothing is downloaded), keeps a tenth of the documents out of training, fits
    topics, shows them, and writes an HTML report with pictures. Ctrl-C ends the
    training early; the report then shows the model so far.

    \b
    Example:
        dpsvi demo --topics 30 --threads 2 --output topics.html
    """
    from rich.console import Console

    from dpsvi import DPSVILatentDirichletAllocation

    console = Console()
    corpus = _read(console)
    model = DPSVILatentDirichletAllocation(
        topics,
        inference=inference,
        max_iter=epochs,
        max_time=max_time,
        n_jobs=threads,
        random_state=seed,
    )
    try:
        _fit(console, model, corpus, seed)
        _report(console, model, corpus, output)
    except (ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _read(console: Console) -> Corpus:
    from dpsvi import datasets

    start = time.perf_counter()
    with console.status("Reading the docstrings of installed packages"):
        try:
            corpus = datasets.load_docstrings()
        except ValueError as error:
            raise click.ClickException(str(error)) from error
    console.print(
        f"[bold]Corpus[/]    {corpus.n_documents:,} docstrings of installed packages, "
        f"{corpus.n_words:,} different words, {corpus.n_tokens:,} in all "
        f"[dim]({time.perf_counter() - start:.1f} s)[/]",
        highlight=False,
        soft_wrap=True,
    )
    return corpus


def _fit(console: Console, model: Any, corpus: Corpus, seed: int) -> None:
    from dpsvi import ProgressBar
    from dpsvi.cli.show import training_summary

    train, held_out = corpus.split(_HELD_OUT_SHARE, random_state=seed)
    start = time.perf_counter()
    bar = ProgressBar(console=console, transient=True)
    model.fit(train, X_val=held_out, callbacks=[bar])
    done = training_summary(bar.last, model.max_iter)
    console.print(
        f"[bold]Training[/]  {train.n_documents:,} documents, "
        f"{held_out.n_documents:,} held out; {done} "
        f"[dim]({time.perf_counter() - start:.1f} s with preparation)[/]",
        highlight=False,
        soft_wrap=True,
    )


def _report(console: Console, model: Any, corpus: Corpus, output: Path) -> None:
    with console.status("Writing the report"):
        # Imported here, under the sign of work going on: it takes a while.
        from dpsvi.cli.show import curve_table, topics_table
        from dpsvi.report import summarise, write_page

        summary = summarise(model, corpus)
        place = write_page(summary, output, title=_TITLE).resolve()
    console.print()
    console.print(topics_table(summary))
    if summary.curve:
        console.print()
        console.print(curve_table(summary))
    console.print()
    console.print(f"[bold]Report[/]    {place}", highlight=False, soft_wrap=True)
