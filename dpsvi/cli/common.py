"""What commands about topic models share: arguments, and ways to end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

__all__ = [
    "INTERRUPTED",
    "corpus_argument",
    "errors_in_words",
    "in_json",
    "model_argument",
    "output_option",
    "tell",
    "threads_option",
    "vocab_option",
]

#: What a shell expects of a command that Ctrl-C has ended.
INTERRUPTED = 130

in_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
model_argument = click.argument(
    "model", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
threads_option = click.option(
    "-t",
    "--threads",
    type=click.IntRange(min=1),
    help="Lock-free threads.  [default: all cores]",
)
vocab_option = click.option(
    "--vocab",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Words of a docword file, one to a line.",
)


def corpus_argument(*, required: bool = True) -> Callable[[Any], Any]:
    """Return the argument for documents; see `dpsvi.cli.documents`."""
    place = click.Path(exists=True, path_type=Path)
    return click.argument("corpus", type=place, required=required)


def output_option(
    what: str, *, default: str | None = None, endings: tuple[str, ...] = ()
) -> Callable[[Any], Any]:
    """Return the option that names the file to write.

    Parameters
    ----------
    what : str
        What is written, for the help.
    default : str or None, default=None
        Name of the file; None: it must be given.
    endings : tuple of str, default=()
        Allowed endings of the name; empty for any.
    """

    def check(context: click.Context, option: click.Parameter, path: Path) -> Path:
        # Found out before the work, not after it.
        if not path.parent.is_dir():
            raise click.BadParameter(
                f"there is no folder '{path.parent}'; make it first."
            )
        if endings and path.suffix not in endings:
            raise click.BadParameter(
                f"'{path.name}' does not end in {' or '.join(endings)}."
            )
        return path

    # To newer releases of click None is a value, too.
    given: dict[str, Any] = {"required": True}
    if default is not None:
        given = {"default": default, "show_default": True}
    return click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        callback=check,
        help=f"Where to write {what}.",
        **given,
    )


@contextmanager
def errors_in_words() -> Iterator[None]:
    """End with exit code 1 and the message alone where the user can do something."""
    try:
        yield
    except (ImportError, TypeError, ValueError, FloatingPointError, OSError) as error:
        raise click.ClickException(_with_notes(error)) from error
    except KeyboardInterrupt:
        click.echo("Aborted!", err=True)
        sys.exit(INTERRUPTED)


def _with_notes(error: BaseException) -> str:
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def tell(facts: Any, text: str, *, as_json: bool) -> None:
    """Print the result, for programs or for people."""
    click.echo(json.dumps(facts) if as_json else text)
