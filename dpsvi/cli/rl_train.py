"""`dpsvi rl train`: from the name of an environment to an agent in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from dpsvi.cli.cluster import client_of, cluster_options
from dpsvi.cli.common import INTERRUPTED, errors_in_words, in_json, tell
from dpsvi.cli.ending import sigterm_as_ctrl_c

__all__ = ["train"]

_number = click.IntRange(min=1)
_above_zero = click.FloatRange(min=0.0, min_open=True)
_share = click.FloatRange(0.0, 1.0)
_file = click.Path(dir_okay=False, path_type=Path)

# What matplotlib draws with no more than itself.
_PICTURES = (".png", ".svg", ".pdf")


def _in_a_folder(
    context: click.Context, option: click.Parameter, path: Path | None
) -> Path | None:
    """Find out before the training, not after it."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder '{path.parent}'; make it first.")
    return path


def _picture(
    context: click.Context, option: click.Parameter, path: Path | None
) -> Path | None:
    if path is not None and path.suffix not in _PICTURES:
        raise click.BadParameter(
            f"'{path.name}' does not end in {' or '.join(_PICTURES)}."
        )
    return _in_a_folder(context, option, path)


@click.command()
@click.argument("env")
@click.option(
    "-n",
    "--total-steps",
    type=_number,
    help="Agent steps, over all environments.  [default: 200,000 for vectors, "
    "4,000,000 for screens]",
)
@click.option("-t", "--n-threads", type=_number, help="Lock-free threads per worker.")
@click.option("--n-workers", type=_number, help="Asynchronous workers.")
@click.option("--n-environments", type=_number, help="Of each thread.")
@click.option("--n-steps", type=_number, help="Of a rollout.")
@click.option("--discount", type=_share, help="Of later rewards.  [default: 0.99]")
@click.option("--gae-lambda", type=_share, help="1: n-step returns; below: as in GAE.")
@click.option("--optimiser", type=click.Choice(["adam", "rmsprop", "sgd"]))
@click.option("--learning-rate", type=_above_zero, help="Of the optimiser.")
@click.option("--entropy", type=click.FloatRange(min=0.0), help="Of the bonus.")
@click.option("--batch-size", type=_number, help="Samples of a gradient.")
@click.option("--n-passes", type=_number, help="Over each rollout.")
@click.option(
    "-B",
    "--local-steps",
    type=_number,
    help="Of each thread between pull and push.  [default: by the place]",
)
@click.option("--momentum", type=_share, help="Of the master.  [default: 0, none]")
@click.option(
    "--max-staleness",
    type=click.IntRange(min=0),
    metavar="VERSIONS",
    help="Drop updates that are staler.",
)
@click.option("--synchronous", is_flag=True, help="Workers wait for their merge.")
@click.option(
    "--max-time", type=_above_zero, metavar="SECONDS", help="Stop after this time."
)
@click.option("--target-score", type=float, help="Stop at this mean score.")
@click.option(
    "--evaluate-every", type=_number, metavar="STEPS", help="Play whole games between."
)
@click.option("--sticky", type=_share, help="Sticky actions: Atari.")
@click.option(
    "--log-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where progress.csv goes.  [default: a new folder in runs]",
)
@click.option(
    "--tensorboard/--no-tensorboard",
    default=None,
    help="Write for it, too.  [default: if it is installed, and --log-dir is given]",
)
@click.option(
    "--checkpoint",
    type=_file,
    help="Save the training here now and then, and go on from here if the file exists.",
)
@click.option(
    "-o",
    "--output",
    type=_file,
    callback=_in_a_folder,
    help="Where to save the agent.  [default: policy.safetensors in the log folder]",
)
@click.option(
    "--plot", type=_file, callback=_picture, help="Where to draw the learning curve."
)
@click.option("--seed", type=click.IntRange(min=0), help="Of everything random.")
@cluster_options("Train")
@in_json
def train(
    env: str,
    sticky: float | None,
    output: Path | None,
    plot: Path | None,
    scheduler: str | None,
    scheduler_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an agent on the environment ENV, an id known to Gymnasium.

    Runs in this process on all cores, or on a Dask cluster. Ctrl-C ends the training;
    the agent so far is saved (exit code 130). So does SIGTERM (exit code 143).

    \b
    Example:
        dpsvi rl train CartPole-v1
        dpsvi rl train ALE/Pong-v5 --target-score 18 -o pong.safetensors
    """
    with (
        sigterm_as_ctrl_c(),
        errors_in_words(),
        client_of(scheduler, scheduler_file) as client,
    ):
        from dpsvi import rl as agents

        if sticky is not None:
            options["protocol"] = agents.Protocol(sticky=sticky)
        # What is not said is left to the function's own defaults.
        given = {name: value for name, value in options.items() if value is not None}
        result = agents.train(env, progress=not as_json, client=client, **given)
        output = output or result.log_dir / "policy.safetensors"
        result.policy.save(output)
        if plot is not None:
            result.plot().figure.savefig(plot)
        facts = {
            "environment": result.policy.spec.name,
            "protocol": result.protocol.to_dict(),
            "reason": result.reason,
            "score": result.score if result.episodes else None,
            "episodes": result.episodes,
            "steps": result.steps,
            "seconds": result.seconds,
            "steps_per_second": result.throughput,
            "policy": str(output),
            "table": str(result.log_dir / "progress.csv"),
            "plot": None if plot is None else str(plot),
        }
        drawn = "" if plot is None else f"\n  learning curve in {plot}"
        tell(facts, f"{result}\n  agent in {output}{drawn}", as_json=as_json)
        if result.reason == "interrupted":
            sys.exit(INTERRUPTED)
