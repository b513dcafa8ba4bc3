"""Options of commands that run on a Dask cluster, and its client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dpsvi.cli.addresses import scheduler_address

__all__ = ["client_of", "cluster_options"]


def cluster_options(what: str) -> Callable[[Any], Any]:
    """Return the options `--scheduler` and `--scheduler-file`.

    Parameters
    ----------
    what : str
        What is done on the cluster, for the help: "Fit", or "Train".
    """
    address = click.option(
        "--scheduler", metavar="ADDRESS", help=f"{what} on this Dask cluster."
    )
    file = click.option(
        "--scheduler-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The same, by the file that its scheduler has written.",
    )
    return lambda command: address(file(command))


@contextmanager
def client_of(scheduler: str | None, scheduler_file: Path | None) -> Iterator[Any]:
    """Give a client of the cluster that was asked for; None for this process.

    Parameters
    ----------
    scheduler : str or None
        Its address.
    scheduler_file : Path or None
        The same in a file.

    Yields
    ------
    distributed.Client or None

    Raises
    ------
    click.UsageError
        If both are given.
    ImportError
        If Dask is not installed.
    ValueError
        If what is given is no address.
    OSError
        If no scheduler answers.
    """
    if scheduler is not None and scheduler_file is not None:
        raise click.UsageError("give --scheduler or --scheduler-file, not both.")
    if scheduler is None and scheduler_file is None:
        yield None
        return
    place = scheduler_address(scheduler, scheduler_file)
    from distributed import Client

    with Client(place, set_as_default=False) as client:
        yield client
