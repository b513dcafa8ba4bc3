"""The command `dpsvi`."""

from __future__ import annotations

import click

from dpsvi import __version__
from dpsvi.cli.corpus import corpus
from dpsvi.cli.demo import demo
from dpsvi.cli.experiment import experiment
from dpsvi.cli.fit import fit
from dpsvi.cli.models import evaluate, report, topics, transform
from dpsvi.cli.rl import rl
from dpsvi.cli.speedup import calibrate

__all__ = ["main"]


# Everything heavy is imported inside the commands: help must come at once.
@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dpsvi")
def main() -> None:
    """Topic models and game-playing agents, by lock-free threads and workers.

    Start here:

    \b
        dpsvi demo
    """


main.add_command(corpus)
main.add_command(demo)
for command in (fit, topics, evaluate, transform, report):
    main.add_command(command)
main.add_command(rl)
main.add_command(experiment)
main.add_command(calibrate)
