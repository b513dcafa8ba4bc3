"""From what a user asks for to the constants of a run, checked before any work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dpsvi.rl.optimisers import OptimiserSettings, check_optimiser
from dpsvi.rl.settings import Settings
from dpsvi.rl.stepping import EnvironmentSpec

__all__ = [
    "DEFAULTS",
    "TOTAL_STEPS",
    "local_steps_for",
    "settings_for",
    "total_steps_for",
]

#: What stands where a user gives None, by kind of environment.
DEFAULTS: dict[str, dict[str, Any]] = {
    "atari": {
        # Long rollouts, dealt into small mini-batches. In Pong score 18 came after 1.35
        # million steps; with two environments and their rollouts whole, after 1.51
        # million at half the speed; with rollouts of five, as usual in A2C, the first
        # progress came after 1.7 million.
        "n_environments": 8,
        "n_steps": 20,
        "gae_lambda": 1.0,
        "optimiser": "adam",
        "learning_rate": 3e-4,
        "warm_up": 200,
        "max_gradient_norm": 2.0,
        "entropy": 0.01,
        "value_coefficient": 0.5,
        # With advantages of deviation 1 the policy wandered off in Pong: noise alone
        # moved it, as long as nothing was to be learned.
        "normalise_advantages": False,
        "n_passes": 1,
        "batch_size": 40,
    },
    "vector": {
        "n_environments": 8,
        "n_steps": 16,
        "gae_lambda": 0.95,
        "optimiser": "adam",
        "learning_rate": 5e-3,
        "warm_up": 0,
        "max_gradient_norm": 0.5,
        "entropy": 0.0,
        # Rewards are not clipped, so errors of values may be large.
        "value_coefficient": 0.05,
        "normalise_advantages": True,
        "n_passes": 1,
        "batch_size": None,
    },
}
DEFAULTS["image"] = DEFAULTS["atari"]

#: Agent steps where a user says nothing: enough for CartPole, and for Pong.
TOTAL_STEPS = {"vector": 200_000, "atari": 4_000_000, "image": 4_000_000}

# Decay, momentum and epsilon of each optimiser.
_CONSTANTS: dict[str, dict[str, float]] = {
    "sgd": {},
    "rmsprop": {"decay": 0.99},
    "adam": {"decay": 0.999, "momentum": 0.9},
}
# Local steps of a round and thread, and rollouts at least: at its end threads wait for
# one another, for half a rollout on average, so this loses two or three hundredths.
# Workers that are apart from the master wait for nobody, but grow stale.
_ROUND, _ROUND_APART = 32, 16
_ROLLOUTS = 8


def total_steps_for(spec: EnvironmentSpec, total_steps: int | None) -> int:
    """Return the agent steps to do: as asked for, or those of this kind.

    Raises
    ------
    TypeError, ValueError
        If it is neither None nor an integer above 0.

    Examples
    --------
    >>> from dpsvi.rl.environments import spec_of
    >>> total_steps_for(spec_of("CartPole-v1"), None)
    200000
    """
    if total_steps is None:
        return TOTAL_STEPS[spec.kind]
    _check_integer("total_steps", total_steps, least=1)
    return total_steps


def settings_for(
    spec: EnvironmentSpec,
    given: Mapping[str, Any],
    *,
    total_steps: int,
    steps_before: int = 0,
) -> Settings:
    """Fill in the defaults for an environment, and check everything.

    Parameters
    ----------
    spec : EnvironmentSpec
        Of the environment.
    given : mapping of str to value or None
        As `dpsvi.rl.train` takes it; None: the default.
    total_steps, steps_before : int
        Agent steps to do, and those done.

    Raises
    ------
    TypeError, ValueError
        If a value is of the wrong kind or out of range.

    Examples
    --------
    >>> from dpsvi.rl.environments import spec_of
    >>> given = dict.fromkeys(DEFAULTS["vector"]) | {"n_steps": 5}
    >>> given |= {"discount": 0.99, "schedule": "linear", "momentum": 0.0, "clip": 0.2}
    >>> settings = settings_for(spec_of("CartPole-v1"), given, total_steps=1000)
    >>> settings.samples, settings.total_local_steps
    (40, 25)
    """
    value = {**given}
    for name, default in DEFAULTS[spec.kind].items():
        if value.get(name) is None:
            value[name] = default
    _check_integer("total_steps", total_steps, least=1)
    _check(value)
    if given.get("batch_size") is not None:
        _check_batch(value)
    optimiser = OptimiserSettings(
        value["optimiser"],
        **_CONSTANTS[value["optimiser"]],
        max_norm=value["max_gradient_norm"],
    )
    settings = Settings(
        n_environments=value["n_environments"],
        n_steps=value["n_steps"],
        discount=float(value["discount"]),
        trace_decay=float(value["gae_lambda"]),
        entropy=float(value["entropy"]),
        value_coefficient=float(value["value_coefficient"]),
        normalise_advantages=bool(value["normalise_advantages"]),
        learning_rate=float(value["learning_rate"]),
        schedule=value["schedule"],
        warm_up=value["warm_up"],
        optimiser=optimiser,
        momentum=float(value["momentum"]),
        n_passes=value["n_passes"],
        batch_size=value["batch_size"],
        clip=float(value["clip"]),
    )
    n_rollouts = max(1, math.ceil(total_steps / settings.samples))
    return replace(
        settings,
        total_local_steps=n_rollouts * settings.updates,
        first_step=steps_before // settings.samples * settings.updates,
    )


def local_steps_for(local_steps: Any, updates: int, *, apart: bool) -> int:
    """Return B: as asked for, or enough to make the end of a round cheap.

    `updates`: local steps of a rollout, of which the first takes the longest.

    Raises
    ------
    TypeError, ValueError
        If it is neither "auto" nor an integer above 0.
    """
    if local_steps == "auto":
        return max(_ROUND_APART, updates) if apart else max(_ROUND, _ROLLOUTS * updates)
    _check_integer("local_steps", local_steps, least=1)
    return int(local_steps)


def _check(value: Mapping[str, Any]) -> None:
    for name, least in (("n_environments", 1), ("n_steps", 1), ("warm_up", 0)):
        _check_integer(name, value[name], least=least)
    for name in ("discount", "gae_lambda"):
        _check_number(name, value[name], 0.0, 1.0)
    for name in ("entropy", "value_coefficient"):
        _check_number(name, value[name], 0.0, math.inf)
    _check_integer("n_passes", value["n_passes"], least=1)
    if value["batch_size"] is not None:
        _check_integer("batch_size", value["batch_size"], least=1)
    _check_above_zero("clip", value["clip"])
    _check_number("momentum", value["momentum"], 0.0, 0.9999)
    _check_above_zero("learning_rate", value["learning_rate"])
    _check_number("max_gradient_norm", value["max_gradient_norm"], 1e-9, math.inf)
    check_optimiser(value["optimiser"])
    if value["schedule"] not in ("constant", "linear"):
        raise ValueError(
            f"schedule is {value['schedule']!r}; it must be 'constant' or 'linear'"
        )


def _check_batch(value: Mapping[str, Any]) -> None:
    samples = value["n_environments"] * value["n_steps"]
    if value["batch_size"] > samples:
        raise ValueError(
            f"batch_size is {value['batch_size']}; a rollout has only {samples} "
            f"samples (n_environments {value['n_environments']} x n_steps "
            f"{value['n_steps']}): raise n_steps, or lower batch_size"
        )


def _check_integer(name: str, value: Any, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    if value < least:
        raise ValueError(f"{name} is {value}; it must be at least {least}")


def _check_number(name: str, value: Any, least: float, most: float) -> None:
    if not isinstance(value, (int, float)) or not least <= value <= most:
        raise ValueError(
            f"{name} is {value!r}; it must be a number from {least:g} to {most:g}"
        )


def _check_above_zero(name: str, value: Any) -> None:
    if not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"{name} is {value!r}; it must be a number above 0")
