"""Options of `dpsvi fit` about priors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["prior_options", "topic_word_prior"]

_AUTO = "auto"


def _number_or_auto(
    context: click.Context, option: click.Parameter, text: str | None
) -> float | str | None:
    if text is None or text == _AUTO:
        return text
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise click.BadParameter(
            f"'{text}' is neither a number above 0, such as 0.1, nor {_AUTO}."
        )
    return number


def prior_options(command: Any) -> Any:
    """Give a command the options about priors and seed words."""
    options = (
        click.option(
            "--doc-topic-prior",
            callback=_number_or_auto,
            metavar="NUMBER|auto",
            help="Prior of the topics of a document; auto: learned.  "
            "[default: 1 / topics]",
        ),
        click.option(
            "--topic-word-prior",
            callback=_number_or_auto,
            metavar="NUMBER|auto",
            help="Prior of the words of a topic; auto: learned.  [default: 1 / topics]",
        ),
        click.option(
            "--seed-words",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Words that topics are to begin with: a topic to a line, words with "
            "spaces or commas between them. An empty line leaves a topic free.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def topic_word_prior(
    prior: float | str | None, seed_words: Path | None, n_topics: int
) -> float | str | dict[Any, Any] | None:
    """Return the parameter `topic_word_prior` that the options stand for.

    Raises
    ------
    click.UsageError
        If the options contradict each other, or the file does not fit them.
    """
    if seed_words is None:
        return prior
    if prior == _AUTO:
        raise click.UsageError(
            "with --seed-words the prior cannot be learned; give --topic-word-prior a "
            "number, or leave it out."
        )
    try:
        lines = seed_words.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"'{seed_words}' is no text in UTF-8 ({error}); give a file with the words "
            "of a topic on each line."
        ) from error
    topics = {
        number: words
        for number, line in enumerate(lines)
        if (words := line.replace(",", " ").split())
    }
    if not topics:
        raise click.UsageError(
            f"'{seed_words}' has no words; write the words of a topic on each line."
        )
    if max(topics) >= n_topics:
        raise click.UsageError(
            f"'{seed_words}' has words for {max(topics) + 1} topics and --topics is "
            f"{n_topics}; give more topics, or fewer lines."
        )
    return {**({} if prior is None else {"default": prior}), **topics}
