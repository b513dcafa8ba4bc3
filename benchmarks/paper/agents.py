"""HSA2C for the figures: what its steps cost here, and samples to a score by replay."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dpsvi import rl
from dpsvi.experiments.network import over_network
from dpsvi.rl.environments import spec_of
from dpsvi.rl.hsa2c import HSA2CProblem
from dpsvi.rl.options import DEFAULTS, settings_for
from dpsvi.theory.speedup import Costs, costs_of, measure_rounds, measure_threads

__all__ = [
    "GAMES",
    "Reached",
    "agent_problem",
    "node_costs",
    "samples_to",
    "step_seconds",
]

#: The games of the paper (section 8.2).
GAMES = ("Pong", "Boxing", "Seaquest", "SpaceInvaders", "Amidar", "Qbert")

# Nodes of the kind that was used: twelve cores.
_CORES = 12
_MANY = 10**8


def agent_problem(env: str) -> HSA2CProblem:
    """Return HSA2C with its defaults on an environment, for more steps than needed."""
    spec = spec_of(env)
    given = dict.fromkeys(DEFAULTS[spec.kind]) | {
        "discount": 0.99,
        "schedule": "constant",
        "momentum": 0.0,
        "clip": 0.2,
    }
    return HSA2CProblem(env, spec, settings_for(spec, given, total_steps=_MANY))


def node_costs(env: str, *, rounds: int = 6) -> tuple[Costs, Costs]:
    """Return the costs of this machine as it is, and of nodes of twelve such cores.

    A rollout makes several steps, so whole rollouts are timed; how well threads scale
    is measured on the cores at hand and carried on to twelve.
    """
    problem = agent_problem(env)
    B = 2 * problem.settings.updates
    scaling, measured = measure_threads(problem, None, local_steps=B, rounds=rounds)
    # From one thread on.
    here = costs_of(measured[0], scaling)
    there = replace(here, threads=replace(scaling, cores=_CORES))
    return here, over_network(there)


def step_seconds(env: str, *, rounds: int = 8) -> float:
    """Return what a step of one thread takes now, in this process."""
    problem = agent_problem(env)
    B = 2 * problem.settings.updates
    return measure_rounds(problem, None, local_steps=B, rounds=rounds).working / B


@dataclass(frozen=True)
class Reached:
    """What a replayed training has come to.

    Attributes
    ----------
    samples : float
        Agent steps until the score; infinity if it was not reached.
    score : float
        The highest on the way.
    """

    samples: float
    score: float


def samples_to(
    env: str, score: float | None, n: int, B: int, *, most: int, **more: Any
) -> Reached:
    """Train n workers of one thread until a score, with the staleness of n workers.

    M = n; the update vectors are averaged, at a global rate of the square root of n:
    their sum is so far that CartPole is not learned at all with four workers.

    Parameters
    ----------
    env : str
        A Gymnasium id.
    score : float or None
        Mean of a hundred training episodes; None: train to the end.
    n, B : int
        Workers, and local steps between pull and push.
    most : int
        Agent steps, at most.
    **more
        Further arguments of `dpsvi.rl.train`.
    """
    given = {"seed": 0, "schedule": "constant", "progress": False, **more}
    with tempfile.TemporaryDirectory() as folder:
        result = rl.train(
            env,
            total_steps=most,
            n_workers=n,
            n_threads=1,
            local_steps=B,
            global_learning_rate=math.sqrt(n),
            target_score=score,
            backend="simulated",
            log_dir=folder,
            **given,
        )
    reached = score is None or result.reason == "stopped"
    # Before the first episode is over there is none.
    best = np.nanmax([*result.history["score"], result.score, -math.inf])
    return Reached(float(result.steps) if reached else math.inf, float(best))
