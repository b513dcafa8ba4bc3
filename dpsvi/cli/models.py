"""`dpsvi topics`, `evaluate`, `transform`, `report`: what a saved model can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import click

from dpsvi.cli.bar import documents_bar, followed
from dpsvi.cli.common import (
    corpus_argument,
    errors_in_words,
    in_json,
    model_argument,
    output_option,
    tell,
    threads_option,
    vocab_option,
)
from dpsvi.cli.documents import (
    InWordsOf,
    check_words,
    is_on_disk,
    open_documents,
    titles_of,
)

__all__ = ["evaluate", "report", "topics", "transform"]

_n_words = click.option(
    "-n",
    "--words",
    "n_words",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Words of each topic.",
)
# A report looks at no more documents of a corpus than these.
_ENOUGH_DOCUMENTS = 10_000
_DOCUMENTS_AT_ONCE = 1_000


@click.command()
@model_argument
@_n_words
@click.option(
    "--relevance",
    type=click.FloatRange(0.0, 1.0),
    default=1.0,
    show_default=True,
    help="1: probable words first; less: also words rare in other topics.",
)
@click.option(
    "--coherence",
    "corpus",
    type=click.Path(exists=True, path_type=Path),
    metavar="CORPUS",
    help="Also how well the ten first words of each go together there (NPMI).",
)
@vocab_option
@in_json
def topics(
    model: Path,
    n_words: int,
    relevance: float,
    corpus: Path | None,
    vocab: Path | None,
    as_json: bool,
) -> None:
    """Show the topics of the model in the file MODEL, the largest first.

    \b
    Example:
        dpsvi topics nytimes.safetensors -n 8 --relevance 0.6
        dpsvi topics nytimes.safetensors --coherence nytimes/
    """
    if vocab is not None and corpus is None:
        raise click.UsageError("--vocab is for the documents of --coherence.")
    with errors_in_words():
        loaded = _load(model)
        sizes = loaded.components_.sum(axis=1, dtype=float)
        shares = sizes / sizes.sum()
        words = loaded.topics(n_words, relevance_weight=relevance)
        coherence = None if corpus is None else _coherence(loaded, corpus, vocab)
    measured = coherence is not None
    facts, lines = [], [f"Topic  Share  {'Coherence  ' * measured}Words"]
    for k in (-shares).argsort(kind="stable").tolist():
        listed = [{"word": word, "probability": p} for word, p in words[k]]
        fact = {"topic": k, "share": float(shares[k]), "words": listed}
        names, score = ", ".join(str(word) for word, _ in words[k]), ""
        if coherence is not None:
            # JSON has no word for what is no number.
            fact["coherence"] = None if isnan(coherence[k]) else float(coherence[k])
            score = f"{coherence[k]:9.2f}  "
        facts.append(fact)
        lines.append(f"{k:5}  {shares[k]:5.1%}  {score}{names}")
    tell(facts, "\n".join(lines), as_json=as_json)


@click.command()
@model_argument
@corpus_argument()
@vocab_option
@threads_option
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the split of documents into what is seen and what is predicted.",
)
@in_json
def evaluate(
    model: Path,
    corpus: Path,
    vocab: Path | None,
    threads: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the model in the file MODEL on documents that it has not seen.

    CORPUS is a folder of shards, or a docword file of the UCI format. Perplexity is
    that of document completion: half of the words of each document are predicted from
    the other half.

    \b
    Example:
        dpsvi evaluate nytimes.safetensors docword.test.txt --vocab vocab.test.txt
    """
    with errors_in_words():
        loaded = _load(model, threads)
        opened = open_documents(corpus, vocab)
        documents = InWordsOf(loaded, opened)
        start = time.perf_counter()
        with documents_bar(
            "Measuring", int(opened.shape[0]), shown=not as_json
        ) as advance:
            found = _measured(loaded, documents, advance, seed, corpus)
        seconds = time.perf_counter() - start
    unknown = documents.n_unknown_tokens
    facts = {
        "model": str(model),
        "corpus": str(corpus),
        "heldout_perplexity": found.heldout_perplexity,
        "bound_per_word": found.bound_per_word,
        "documents": found.n_documents,
        "tokens": found.n_tokens,
        "unknown_tokens": unknown,
        "seconds": seconds,
        "documents_per_second": found.n_documents / seconds,
    }
    text = (
        f"held-out perplexity  {found.heldout_perplexity:,.2f}\n"
        f"bound per word       {found.bound_per_word:.4f} nats\n"
        f"documents            {found.n_documents:,}, "
        f"{found.n_documents / seconds:,.0f}/s\n"
        f"words                {found.n_tokens:,.0f}\n"
        f"unknown words        {unknown:,.0f}, left out"
    )
    tell(facts, text, as_json=as_json)


@click.command()
@model_argument
@corpus_argument()
@output_option("the table", endings=(".parquet", ".csv", ".npy"))
@vocab_option
@threads_option
@in_json
def transform(
    model: Path,
    corpus: Path,
    output: Path,
    vocab: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Write the topics of documents, a row per document and a column per topic.

    CORPUS is a folder of shards, or a docword file of the UCI format. The ending of
    the output names its format: .parquet, .csv or .npy. The first two begin with the
    titles of the documents, or with their numbers from 0. Shards are read one by one.

    \b
    Example:
        dpsvi transform nytimes.safetensors nytimes/ -o theta.parquet
    """
    with errors_in_words():
        from dpsvi.cli.tables import table_file

        loaded = _load(model, threads)
        opened = open_documents(corpus, vocab)
        documents = InWordsOf(loaded, opened)
        shape = int(opened.shape[0]), len(loaded.components_)
        start = time.perf_counter()
        dtype = loaded.components_.dtype
        titled = next(titles_of(opened), None) is not None
        with (
            documents_bar("Reading", shape[0], shown=not as_json) as advance,
            table_file(output, shape, dtype, titled=titled) as write,
        ):
            parts = followed(documents, advance)
            for part, titles in zip(parts, titles_of(opened), strict=True):
                if part.shape[0]:
                    write(loaded.transform(part), titles)
        seconds = time.perf_counter() - start
    facts = {
        "output": str(output),
        "documents": shape[0],
        "topics": shape[1],
        "unknown_tokens": documents.n_unknown_tokens,
        "seconds": seconds,
        "documents_per_second": shape[0] / seconds,
    }
    text = (
        f"{output}: {shape[0]:,} documents, {shape[1]:,} topics, "
        f"{shape[0] / seconds:,.0f} documents/s; "
        f"{documents.n_unknown_tokens:,.0f} unknown words left out"
    )
    tell(facts, text, as_json=as_json)


@click.command()
@model_argument
@corpus_argument(required=False)
@output_option("the page", default="report.html")
@vocab_option
@_n_words
@click.option("--title", default="Topics", show_default=True, help="Heading.")
@in_json
def report(
    model: Path,
    corpus: Path | None,
    output: Path,
    vocab: Path | None,
    n_words: int,
    title: str,
    as_json: bool,
) -> None:
    """Write a page about the model in the file MODEL: topics, map, training.

    With CORPUS (a folder of shards, or a docword file of the UCI format) also the
    topics' shares of its words, and examples.

    \b
    Example:
        dpsvi report nytimes.safetensors nytimes/ -o nytimes.html
    """
    with errors_in_words():
        from dpsvi.report import summarise, write_page

        loaded, unknown = _load(model), None
        if corpus is None:
            summary = summarise(loaded, n_words=n_words)
        else:
            opened = open_documents(corpus, vocab)
            summary, unknown = _summary(loaded, opened, n_words, shown=not as_json)
        write_page(summary, output, title=title)
    facts = {
        "report": str(output),
        "topics": len(summary.topics),
        "words": summary.n_words,
        "documents": summary.n_documents,
        "sampled_documents": summary.n_sampled,
        "tokens": summary.n_tokens,
        "unknown_tokens": unknown,
        "heldout_perplexity": summary.perplexity,
    }
    tell(facts, f"report in {output}", as_json=as_json)


def _load(path: Path, threads: int | None = None) -> Any:
    from dpsvi import load

    model = load(path)
    # What was right for the machine that fitted it may be wrong for this one.
    return model.set_params(n_jobs=threads)


def _coherence(model: Any, corpus: Path, vocab: Path | None) -> Any:
    documents = open_documents(corpus, vocab)
    check_words(model, documents)
    return model.coherence(documents)


def _measured(
    model: Any,
    documents: InWordsOf,
    advance: Callable[[int], None],
    seed: int,
    corpus: Path,
) -> Any:
    from dpsvi.models.lda.parts import evaluate_parts

    try:
        return evaluate_parts(model, followed(documents, advance), seed=seed)
    except ValueError as error:
        if documents.n_known_tokens or not documents.n_unknown_tokens:
            raise
        raise ValueError(
            f"the model knows none of the words of '{corpus}' "
            f"({documents.n_unknown_tokens:,} tokens); give documents in the words of "
            "the model, which dpsvi topics shows"
        ) from error


class _PartByPart:
    """A model that says how far it is with its documents."""

    def __init__(self, model: Any, advance: Callable[[int], None]) -> None:
        self._model = model
        self._advance = advance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def transform(self, X: Any) -> Any:
        import numpy as np

        parts = []
        for start in range(0, X.shape[0], _DOCUMENTS_AT_ONCE):
            part = X[start : start + _DOCUMENTS_AT_ONCE]
            parts.append(self._model.transform(part))
            self._advance(part.shape[0])
        return np.concatenate(parts)


def _summary(
    model: Any, corpus: Any, n_words: int, *, shown: bool
) -> tuple[Any, float]:
    """Read no more of a corpus on disk than a report looks at, and summarise.

    Also returned: how many tokens of what was read the model does not know.
    """
    from dpsvi.datasets import Corpus
    from dpsvi.models.lda.vocabulary import align
    from dpsvi.report import summarise

    check_words(model, corpus)
    some = corpus
    if is_on_disk(corpus):
        some = corpus.sample(min(_ENOUGH_DOCUMENTS, corpus.n_documents), seed=0)
    words = getattr(model, "feature_names_in_", None)
    counts, n_unknown = align(some.counts, some.vocabulary, words)
    read = min(_ENOUGH_DOCUMENTS, some.n_documents)
    with documents_bar("Reading", read, shown=shown) as advance:
        summary = summarise(
            _PartByPart(model, advance),
            Corpus(counts, documents=some.documents),
            n_words=n_words,
            max_documents=_ENOUGH_DOCUMENTS,
        )
    n_documents, n_tokens = corpus.n_documents, float(corpus.n_tokens)
    return replace(summary, n_documents=n_documents, n_tokens=n_tokens), n_unknown
