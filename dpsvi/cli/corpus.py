"""`dpsvi corpus`: bring a corpus into the form that is read from disk; look at one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dpsvi.cli.common import errors_in_words, in_json, tell

if TYPE_CHECKING:
    from dpsvi.datasets import CorpusOnDisk

__all__ = ["corpus"]

_N_WORDS = 10
# As `dpsvi.datasets.conversion.FORMATS`, which help must not wait for.
_FORMATS = (
    *("uci", "mm", "ldac", "svmlight", "vw"),
    *("text", "csv", "jsonl", "parquet", "h5ad"),
)


def _limit(context: click.Context, option: click.Parameter, value: str) -> int | float:
    """Read a number of documents, or a share of them: 5 or 0.5."""
    try:
        limit = int(value) if value.isdigit() else float(value)
    except ValueError:
        limit = -1
    if limit < 0 or (isinstance(limit, float) and not limit <= 1):
        raise click.BadParameter(
            f"{value!r} is neither a whole number nor a share from 0.0 to 1.0."
        )
    return limit


@click.group()
def corpus() -> None:
    """Corpora on disk: folders that are read part by part, whatever their size.

    \b
    Example:
        dpsvi corpus convert docword.nytimes.txt.gz nytimes --vocab vocab.nytimes.txt
        dpsvi corpus info nytimes
    """


@corpus.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(_FORMATS),
    help="Of SOURCE.  [default: told by its name]",
)
@click.option(
    "--vocab",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of the words, one to a line.",
)
@click.option("--column", help="Column of the texts in a table.  [default: text]")
@click.option("--title-column", help="Column of titles or numbers in a table.")
@click.option(
    "--words-of",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="CORPUS",
    help="Texts: count the words of this corpus on disk, cut as there.",
)
@click.option("--transpose", is_flag=True, help="Matrix Market: words x documents.")
@click.option("--zero-based", is_flag=True, help="svmlight: ids count from 0.")
@click.option("--namespace", help="Vowpal Wabbit: take the words of this one only.")
@click.option(
    "--min-df",
    metavar="NUMBER|SHARE",
    callback=_limit,
    default="1",
    show_default=True,
    help="Texts: keep words in at least so many documents.",
)
@click.option(
    "--max-df",
    metavar="NUMBER|SHARE",
    callback=_limit,
    default="1.0",
    show_default=True,
    help="Texts: keep words in at most so many documents.",
)
@click.option(
    "--max-features", type=click.IntRange(min=1), help="Texts: keep so many words."
)
@click.option(
    "--stop-words",
    type=click.Choice(["english", "none"]),
    default="english",
    show_default=True,
    help="Texts: words to leave out.",
)
@click.option("--name", help="Of the corpus.  [default: that of the file]")
@click.option("--shuffle/--no-shuffle", default=True, help="Put in random order?")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of that order.",
)
@click.option("--overwrite", is_flag=True, help="Replace an older corpus.")
@in_json
def convert(
    source: Path, folder: Path, stop_words: str, as_json: bool, **options: Any
) -> None:
    """Write the corpus in the file SOURCE to FOLDER, as a corpus on disk.

    Reads UCI bags of words, Matrix Market, lda-c, svmlight and Vowpal Wabbit files;
    texts, one to a line or in a column of a CSV, JSON Lines or Parquet file; AnnData.
    All but the last two may be packed with gzip. The documents are put in random
    order, as online learning needs them. FOLDER appears whole or not at all; Ctrl-C
    leaves nothing behind (exit code 130).

    \b
    Example:
        dpsvi corpus convert docword.nytimes.txt.gz nytimes --vocab vocab.nytimes.txt
        dpsvi corpus convert reviews.jsonl reviews --column body --min-df 5
    """
    with errors_in_words(), _progress(source, shown=not as_json) as told:
        from dpsvi import datasets

        written = datasets.convert(
            source,
            folder,
            stop_words="english" if stop_words == "english" else None,
            progress=told,
            **options,
        )
    if as_json:
        tell(_facts(written), "", as_json=True)
    else:
        _show(written)


@corpus.command()
@click.argument("folder", type=click.Path(path_type=Path))
@in_json
def info(folder: Path, as_json: bool) -> None:
    """Tell what is in the corpus on disk in FOLDER.

    \b
    Example:
        dpsvi corpus info nytimes --json
    """
    with errors_in_words():
        from dpsvi import datasets

        opened = datasets.open_corpus(folder)
        facts = {**_facts(opened), "most_frequent": _most_frequent(opened)}
    if as_json:
        tell(facts, "", as_json=True)
    else:
        _show(opened, facts["most_frequent"])


def _facts(corpus: CorpusOnDisk) -> dict[str, Any]:
    return {
        "path": str(corpus.path),
        "name": corpus.name,
        "documents": corpus.n_documents,
        "words": corpus.n_words,
        "tokens": corpus.n_tokens,
        "nonzeros": corpus.n_nonzeros,
        "shards": corpus.n_shards,
        "dtype": corpus.dtype.name,
        "shuffled": corpus.shuffled,
        "seed": corpus.facts.seed,
        "unknown_tokens": corpus.facts.unknown_tokens,
        "bytes": sum(f.stat().st_size for f in corpus.path.rglob("*") if f.is_file()),
    }


def _most_frequent(corpus: CorpusOnDisk) -> list[dict[str, Any]]:
    """Return the words with the most tokens: name or number, tokens, documents."""
    documents, tokens = corpus.word_totals()
    words = corpus.vocabulary
    return [
        {
            "word": str(number) if words is None else words[number],
            "tokens": tokens[number].item(),
            "documents": documents[number].item(),
        }
        for number in (-tokens).argsort(kind="stable")[:_N_WORDS].tolist()
    ]


def _show(corpus: CorpusOnDisk, frequent: list[dict[str, Any]] | None = None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    facts = _facts(corpus)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=False)
    # Text, not markup: a name may hold square brackets.
    table.add_row("Name", Text(facts["name"]))
    for fact in ("documents", "words", "tokens", "nonzeros", "shards"):
        label = "Non-zeros" if fact == "nonzeros" else fact.capitalize()
        table.add_row(label, f"{facts[fact]:,}")
    if facts["unknown_tokens"] is not None:
        table.add_row("Unknown tokens", f"{facts['unknown_tokens']:,}, left out")
    table.add_row("On disk", f"{facts['bytes'] / 1e6:,.1f} MB")
    order = f"random, seed {facts['seed']}" if facts["shuffled"] else "as they came"
    table.add_row("Order", order)
    console = Console()
    console.print(table)
    if frequent:
        words = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        words.add_column("Most frequent words")
        words.add_column("Tokens", justify="right")
        words.add_column("Documents", justify="right")
        for word in frequent:
            counts = f"{word['tokens']:,}", f"{word['documents']:,}"
            words.add_row(Text(word["word"]), *counts)
        console.print()
        console.print(words)


@contextmanager
def _progress(source: Path, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of the bytes read, on the standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    bar = Progress(
        *columns,
        console=console,
        transient=True,
        disable=not (shown and console.is_terminal),
    )
    with bar:
        task = bar.add_task(source.name, total=None)

        def told(n_read: int, total: int) -> None:
            done = n_read >= total
            what = f"{source.name}: writing" if done else source.name
            bar.update(task, completed=n_read, total=total, description=what)

        yield told
