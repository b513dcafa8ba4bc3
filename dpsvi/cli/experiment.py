"""`dpsvi experiment`: the paper's claims, checked on this machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from dpsvi.cli.bar import running_clock
from dpsvi.cli.common import errors_in_words, in_json

__all__ = ["experiment"]


@click.command()
@click.argument("name", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    default=Path("experiments"),
    show_default=True,
    help="Folder for data, figure and words.",
)
@click.option("--full", is_flag=True, help="At the paper's sizes: hours, or days.")
@in_json
def experiment(name: str | None, output: Path, full: bool, as_json: bool) -> None:
    """Check a claim of the paper; without a name, list the experiments.

    \b
    Example:
        dpsvi experiment theorem -o experiments/
    """
    from dpsvi.experiments import EXPERIMENTS, find
    from dpsvi.experiments.findings import keep

    if name is None:
        _list(EXPERIMENTS, as_json)
        return
    long = "hours, or days" if full else "some minutes"
    with errors_in_words():
        if name in EXPERIMENTS:
            # A folder that cannot be made is told of now, and not after the work.
            output.mkdir(parents=True, exist_ok=True)
        with running_clock(f"{name}, which takes {long}", shown=not as_json):
            found = find(name, full=full)
        places = keep(found, output)
    if as_json:
        claims = [asdict(claim) for claim in found.claims]
        told = {"name": name, "claims": claims, "files": [str(it) for it in places]}
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(found.words())
    click.echo(f"In {output}: " + ", ".join(place.name for place in places))


def _list(experiments: dict[str, str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(experiments, indent=1))
        return
    for name, about in experiments.items():
        click.echo(f"{name:12}  {about}")
