"""`dpsvi rl`: train agents, score them, film them."""

from __future__ import annotations

from pathlib import Path

import click

from dpsvi.cli.common import errors_in_words, in_json, tell
from dpsvi.cli.rl_train import train

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
        dpsvi rl train CartPole-v1 -o cartpole.safetensors
        dpsvi rl evaluate cartpole.safetensors
    """


rl.add_command(train)


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

        made = agents.record(
            agents.load(policy),
            out,
            env,
            deterministic=deterministic,
            seed=seed or 0,
            max_steps=max_steps,
        )
    facts = {
        "film": str(out),
        "environment": made.environment,
        "protocol": made.protocol.to_dict(),
        "deterministic": made.deterministic,
        "score": made.score,
        "length": made.length,
    }
    tell(facts, str(made), as_json=as_json)
