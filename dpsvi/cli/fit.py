"""`dpsvi fit`: from documents to a model in a file."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click

from dpsvi.cli.cluster import client_of, cluster_options
from dpsvi.cli.common import (
    INTERRUPTED,
    corpus_argument,
    errors_in_words,
    in_json,
    output_option,
    tell,
    threads_option,
    vocab_option,
)
from dpsvi.cli.ending import sigterm_as_ctrl_c
from dpsvi.cli.priors import prior_options, topic_word_prior

__all__ = ["fit"]


def _number_or_share(
    context: click.Context, option: click.Parameter, text: str | None
) -> int | float | None:
    """Tell 1000 from 0.1."""
    if text is None:
        return None
    try:
        number: int | float = int(text) if text.isdigit() else float(text)
    except ValueError:
        number = -1.0
    if not (number >= 1 if isinstance(number, int) else 0 < number < 1):
        raise click.BadParameter(
            f"'{text}' is neither a number of documents, such as 1000, nor a share of "
            "them, such as 0.1."
        )
    return number


@click.command()
@corpus_argument()
@click.option(
    "-k", "--topics", type=click.IntRange(min=1), required=True, help="How many."
)
@output_option("the model, by custom in a file that ends in .safetensors")
@vocab_option
@click.option(
    "--inference",
    type=click.Choice(["vb", "cvb0"]),
    default="vb",
    show_default=True,
    help="Variational Bayes, or collapsed variational Bayes of order zero.",
)
@click.option(
    "--hold-out",
    callback=_number_or_share,
    metavar="NUMBER|SHARE",
    help="Documents to measure perplexity on, and not to fit.",
)
@prior_options
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Stop after so many measurements without a new best; needs --hold-out.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Passes over the corpus, at most.",
)
@click.option(
    "--max-time",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="SECONDS",
    help="Stop after this time.",
)
@click.option(
    "--max-documents",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="NUMBER",
    help="Stop after so many, counted again in every pass.",
)
@click.option(
    "--log",
    is_flag=True,
    help="Lines on the standard error, with rates, in place of the progress bar.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Documents of a mini-batch.  [default: by the size of the corpus]",
)
@threads_option
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of everything random.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the fit here now and then, and go on from here if the file exists.",
)
@cluster_options("Fit")
@in_json
def fit(
    corpus: Path,
    output: Path,
    vocab: Path | None,
    hold_out: float | None,
    seed: int,
    checkpoint: Path | None,
    scheduler: str | None,
    scheduler_file: Path | None,
    log: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Find topics in the documents of CORPUS, and save the model.

    CORPUS is a folder of shards, or a docword file of the UCI format. Ctrl-C ends the
    fit; the model so far is saved (exit code 130). So does SIGTERM (exit code 143).

    \b
    Example:
        dpsvi fit docword.txt --vocab vocab.txt --topics 50 -o topics.safetensors
        dpsvi fit nytimes/ -k 100 --hold-out 0.01 -o nytimes.safetensors
    """
    if options["patience"] is not None and hold_out is None:
        raise click.UsageError("--patience needs documents to measure on: --hold-out.")
    parameters = _parameters(seed, **options)
    with (
        sigterm_as_ctrl_c(),
        errors_in_words(),
        client_of(scheduler, scheduler_file) as client,
    ):
        from dpsvi.cli.documents import open_documents

        documents, held_out = open_documents(corpus, vocab), None
        if options["seed_words"] is not None and documents.vocabulary is None:
            raise ValueError(
                "--seed-words needs the names of the words; give them with --vocab"
            )
        if hold_out is not None:
            _check_hold_out(hold_out, int(documents.shape[0]))
            documents, held_out = documents.split(hold_out, random_state=seed)
        model = _model(parameters)
        model.fit(
            documents,
            X_val=held_out,
            callbacks=_callbacks(log=log, as_json=as_json),
            checkpoint=checkpoint,
            client=client,
        )
        model.save(output)
        facts = _facts(model, documents, held_out)
        facts = {"model": str(output), **facts, "reason": model.stop_reason_}
        tell(facts, _in_words(facts), as_json=as_json)
        if model.stop_reason_ == "interrupted":
            sys.exit(INTERRUPTED)


def _check_hold_out(hold_out: float, n_documents: int) -> None:
    if hold_out >= n_documents:
        raise ValueError(
            f"--hold-out {hold_out:,} leaves none of the {n_documents:,} documents to "
            "fit; give a smaller number, or a share of them, such as 0.1"
        )


def _parameters(seed: int, **options: Any) -> dict[str, Any]:
    """Return the estimator's parameters; the options are checked."""
    n_topics, eta = options["topics"], options["topic_word_prior"]
    return {
        "n_components": n_topics,
        "doc_topic_prior": options["doc_topic_prior"],
        "topic_word_prior": topic_word_prior(eta, options["seed_words"], n_topics),
        "inference": options["inference"],
        "max_iter": options["epochs"],
        "max_time": options["max_time"],
        "max_documents": options["max_documents"],
        "patience": options["patience"],
        "batch_size": options["batch_size"] or "auto",
        "n_jobs": options["threads"],
        "random_state": seed,
    }


def _model(parameters: dict[str, Any]) -> Any:
    from dpsvi import DPSVILatentDirichletAllocation

    return DPSVILatentDirichletAllocation(**parameters)


def _callbacks(*, log: bool, as_json: bool) -> list[Any]:
    """Return what shows the progress: a bar, lines of the log, or nothing."""
    if log:
        logging.basicConfig(format="%(asctime)s %(message)s", stream=sys.stderr)
        logging.getLogger("dpsvi").setLevel(logging.INFO)
    return [] if log or as_json else [_bar()]


def _bar() -> Any:
    from rich.console import Console

    from dpsvi import ProgressBar

    # The standard output is for the result.
    return ProgressBar(console=Console(stderr=True), transient=True)


def _facts(model: Any, documents: Any, held_out: Any) -> dict[str, Any]:
    history = model.history_
    seconds, seen = (
        float(history[name][-1]) if len(history) else 0.0
        for name in ("time", "documents")
    )
    perplexity = None if held_out is None else model.heldout_perplexity(held_out)
    return {
        "documents": int(documents.shape[0]),
        "held_out_documents": 0 if held_out is None else int(held_out.shape[0]),
        "words": model.n_features_in_,
        "topics": len(model.components_),
        "epochs": seen / documents.shape[0],
        "seconds": seconds,
        "documents_per_second": seen / seconds if seconds else None,
        "heldout_perplexity": perplexity,
    }


def _in_words(facts: dict[str, Any]) -> str:
    perplexity = facts["heldout_perplexity"]
    interrupted = facts["reason"] == "interrupted"
    measured = "" if perplexity is None else f", held-out perplexity {perplexity:,.1f}"
    return (
        f"{facts['topics']:,} topics of {facts['documents']:,} documents and "
        f"{facts['words']:,} words, {facts['epochs']:.1f} epochs in "
        f"{facts['seconds']:.1f} s{measured}\n"
        f"{'interrupted; ' * interrupted}model in {facts['model']}"
    )
