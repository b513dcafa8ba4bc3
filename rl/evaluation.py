"""Scoring an agent: whole games, raw scores, no game favoured by its length."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from dpsvi.rl.environments import Env, Environments, Episode, make
from dpsvi.rl.policy import Policy
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.registry import atari_game, name_of
from dpsvi.rl.scores import human_normalised
from dpsvi.rl.torch_threads import one_torch_thread

__all__ = ["Evaluation", "evaluate", "played_by", "refuse_another_kind"]


@dataclass(frozen=True)
class Evaluation:
    """Scores of an agent.

    Attributes
    ----------
    environment : str
        Its id.
    protocol : Protocol
        The rules.
    deterministic : bool
        Whether the most probable action was taken always.
    scores : tuple of float
        Raw, one per episode, in the order in which they began.
    lengths : tuple of int
        Agent steps of each episode.
    human_normalised : float or None
        0 plays randomly, 1 like a human (`dpsvi.rl.scores`); None: not published.
    """

    environment: str
    protocol: Protocol
    deterministic: bool
    scores: tuple[float, ...]
    lengths: tuple[int, ...]
    human_normalised: float | None

    @property
    def mean(self) -> float:
        """Mean score."""
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """Standard deviation over episodes (n - 1); zero for a single one."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0

    def __str__(self) -> str:
        """Score and rules, on two lines."""
        human = self.human_normalised
        return (
            f"{self.environment}: {self.mean:.1f} \u00b1 {self.std:.1f} "
            f"({len(self.scores)} episodes, {min(self.scores):g} to "
            f"{max(self.scores):g}, mean length {np.mean(self.lengths):.0f}"
            + (f", {human:.0%} of human" if human is not None else "")
            + ")\n  "
            + ("most probable" if self.deterministic else "random")
            + f" actions, {self.protocol.describe()}"
        )


def evaluate(
    policy: Policy,
    env: Env | None = None,
    *,
    episodes: int = 30,
    noop_max: int = 30,
    deterministic: bool = False,
    seed: int = 0,
    n_environments: int = 8,
    protocol: Protocol | None = None,
) -> Evaluation:
    """Let an agent play and note its scores.

    The episodes that count are the first that *begin*: were it the first that end,
    short games would be counted more often than long ones.

    Parameters
    ----------
    policy : Policy
        The agent.
    env : str, callable or None, default=None
        What it plays; None: what it was trained on.
    episodes : int, default=30
        How many.
    noop_max : int, default=30
        Idle frames at the beginning of an Atari game, at most; makes games differ.
    deterministic : bool, default=False
        Take the most probable action.
    seed : int, default=0
        The same seed gives the same scores, with the same `n_environments`.
    n_environments : int, default=8
        Copies that play side by side.
    protocol : Protocol or None, default=None
        Rules; None: those of training, with whole games and raw rewards.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If a number is below 1, the environment does not fit the agent, or `make`
        finds something wrong with it.

    Examples
    --------
    >>> from dpsvi.rl.environments import spec_of
    >>> from dpsvi.rl.evaluation import evaluate
    >>> from dpsvi.rl.policy import Policy
    >>> result = evaluate(Policy.untrained(spec_of("CartPole-v1")), episodes=5)
    >>> len(result.scores), result.mean < 100
    (5, True)
    """
    if min(episodes, n_environments) < 1:
        raise ValueError(
            f"episodes is {episodes} and n_environments {n_environments}; both must "
            "be at least 1."
        )
    played = played_by(policy, env)
    if protocol is None:
        refuse_another_kind(policy, played)
    rules = scoring_rules(protocol or policy.protocol, noop_max)
    n = min(episodes, n_environments)
    threads = min(n, os.cpu_count() or 1)
    environments = make(played, n, protocol=rules, n_threads=threads)
    try:
        check_fit(policy, environments, name_of(played))
        with one_torch_thread():
            games = _first_begun(policy, environments, episodes, seed, deterministic)
    finally:
        environments.close()
    scores = tuple(game.score for game in games)
    return Evaluation(
        environment=name_of(played),
        protocol=rules,
        deterministic=deterministic,
        scores=scores,
        lengths=tuple(game.length for game in games),
        human_normalised=human_normalised(atari_game(played), float(np.mean(scores))),
    )


def played_by(policy: Policy, env: Env | None) -> Env:
    """The environment that was asked for, or else the one of training."""
    if env is not None:
        return env
    if policy.spec.name.endswith("()"):
        raise ValueError(
            f"this agent was trained on environments that {policy.spec.name} made; "
            "give env=, that function."
        )
    return policy.spec.name


def refuse_another_kind(policy: Policy, env: Env) -> None:
    """Tell an agent of Atari games from others before rules are asked whether they fit.

    Raises
    ------
    ValueError
        If one of agent and environment is of Atari, and the other is not.
    """
    trained, shape = policy.spec, policy.spec.observation_shape
    if (trained.kind == "atari") == (atari_game(env) is not None):
        return
    what = "no Atari game" if trained.kind == "atari" else "an Atari game"
    raise ValueError(
        f"{name_of(env)} is {what}, and this agent was trained on another kind of "
        f"observation: that of {trained.name}, of shape {shape}; give an environment "
        "like that, or an agent that was trained on this one."
    )


def scoring_rules(protocol: Protocol, noop_max: int) -> Protocol:
    """Rules of training made rules of scoring."""
    return protocol.evaluation(noop_max=0 if protocol.is_plain else noop_max)


def check_fit(policy: Policy, environments: Environments, name: str) -> None:
    """Refuse an environment with other observations or actions."""
    needs = policy.spec.observation_shape, policy.spec.n_actions
    has = environments.observation_shape, environments.n_actions
    if needs != has:
        raise ValueError(
            f"{name} shows observations of shape {has[0]} and has {has[1]} actions; "
            f"this agent was trained on {policy.spec.name} with {needs[0]} and "
            f"{needs[1]}."
        )


def _first_begun(
    policy: Policy,
    environments: Environments,
    episodes: int,
    seed: int,
    deterministic: bool,
) -> list[Episode]:
    generator = np.random.default_rng([seed, 1])
    observations = environments.reset(seed)
    # Number of the episode that each copy plays, in order of beginning.
    playing = list(range(environments.n))
    begun = environments.n
    games: dict[int, Episode] = {}
    while len(games) < episodes:
        actions = policy.act(observations, deterministic, generator)
        step = environments.step(actions)
        observations = step.observations
        for game in step.finished:
            if playing[game.copy] < episodes:
                games[playing[game.copy]] = game
            playing[game.copy] = begun
            begun += 1
    return [games[number] for number in range(episodes)]
