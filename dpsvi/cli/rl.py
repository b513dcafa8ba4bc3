"""`dpsvi rl`: train agents, score them, film them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from dpsvi.cli.common import INTERRUPTED, errors_in_words, in_json, tell

__all__ = ["rl"]

_seed = click.option("--seed", type=click.IntRange(min=0), help="Of everything random.")
_policy = click.argument(
    "policy", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_deterministic = click.option(
    "--deterministic", is_flag=True, help="Always take the most probable action."
)


@click.group()
def rl() -> None:
    """Actor-critic agents (HSA2C) for Atari and other Gymnasium environments.

    \b
    Example:
        dpsvi rl train CartPole-v1 --total-steps 150000 -o cartpole.safetensors
        dpsvi rl evaluate cartpole.safetensors
    """


@rl.command()
@click.argument("env")
@click.option(
    "-n",
    "--total-steps",
    type=click.IntRange(min=1),
    required=True,
    help="Agent steps, over all environments.",
)
@click.option(
    "-t", "--n-threads", type=click.IntRange(min=1), help="Lock-free threads."
)
@click.option("--n-environments", type=click.IntRange(min=1), help="Of each thread.")
@click.option("--n-steps", type=click.IntRange(min=1), help="Of a rollout.")
@click.option("--optimiser", type=click.Choice(["adam", "rmsprop", "sgd"]))
@click.option("--learning-rate", type=click.FloatRange(min=0.0, min_open=True))
@click.option("--entropy", type=click.FloatRange(min=0.0), help="Of the bonus.")
@click.option(
    "--max-time",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="SECONDS",
    help="Stop after this time.",
)
@click.option("--target-score", type=float, help="Stop at this mean training score.")
@click.option(
    "--sticky", type=click.FloatRange(0.0, 1.0), help="Sticky actions: Atari."
)
@click.option("--log-dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--tensorboard", is_flag=True, help="Write for TensorBoard, too.")
@click.option("--checkpoint", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to save the agent.  [default: policy.safetensors in the log folder]",
)
@_seed
@in_json
def train(
    env: str,
    sticky: float | None,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an agent on the environment ENV, an id known to Gymnasium.

    Runs in this process, on all cores. Ctrl-C ends the training; the agent so far is
    saved (exit code 130).

    \b
    Example:
        dpsvi rl train ALE/Pong-v5 --total-steps 4000000 -o pong.safetensors
    """
    with errors_in_words():
        from dpsvi import rl as agents

        if output is not None and not output.parent.is_dir():
            raise ValueError(f"there is no folder '{output.parent}'; make it first.")
        if sticky is not None:
            options["protocol"] = agents.Protocol(sticky=sticky)
        result = agents.train(env, progress=not as_json, **options)
        output = output or result.log_dir / "policy.safetensors"
        result.policy.save(output)
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
    }
    tell(facts, f"{result}\n  agent in {output}", as_json=as_json)
    if result.reason == "interrupted":
        sys.exit(INTERRUPTED)


@rl.command()
@_policy
@click.argument("env", required=False)
@click.option("--episodes", type=click.IntRange(min=1), default=30, show_default=True)
@_deterministic
@_seed
@in_json
def evaluate(
    policy: Path,
    env: str | None,
    episodes: int,
    deterministic: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Let the agent in the file POLICY play whole games, and print its raw scores.

    It plays what it was trained on, or ENV.

    \b
    Example:
        dpsvi rl evaluate pong.safetensors --episodes 30
    """
    with errors_in_words():
        from dpsvi import rl as agents

        found = agents.evaluate(
            agents.load(policy),
            env,
            episodes=episodes,
            deterministic=deterministic,
            seed=seed or 0,
        )
    facts = {
        "environment": found.environment,
        "protocol": found.protocol.to_dict(),
        "deterministic": found.deterministic,
        "mean": found.mean,
        "std": found.std,
        "human_normalised": found.human_normalised,
        "scores": found.scores,
        "lengths": found.lengths,
    }
    tell(facts, str(found), as_json=as_json)


@rl.command()
@_policy
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--env", help="What to play.  [default: what it was trained on]")
@click.option(
    "--max-steps", type=click.IntRange(min=1), default=2000, show_default=True
)
@_deterministic
@_seed
@in_json
def record(
    policy: Path,
    out: Path,
    env: str | None,
    max_steps: int,
    deterministic: bool,
    seed: int | None,
    as_json: bool,
) -> None:
    """Film an episode of the agent in the file POLICY, as OUT (.gif or .mp4).

    \b
    Example:
        dpsvi rl record pong.safetensors pong.gif
    """
    with errors_in_words():
        from dpsvi import rl as agents

        episode = agents.record(
            agents.load(policy),
            out,
            env,
            deterministic=deterministic,
            seed=seed or 0,
            max_steps=max_steps,
        )
    facts = {"film": str(out), "score": episode.score, "length": episode.length}
    text = f"{out}: score {episode.score:g} in {episode.length:,} steps"
    tell(facts, text, as_json=as_json)
