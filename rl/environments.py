"""Environments by name: Atari games, everything in Gymnasium, and your own.

    make(env, n)       n copies that are stepped together (`Environments`)
    spec_of(env)       what can be known without keeping one open

Both find out what is wrong with a name, a protocol or a space before any work starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from dpsvi.rl.protocol import Protocol
from dpsvi.rl.registry import atari_game, maker_of, name_of
from dpsvi.rl.stepping import Environments, EnvironmentSpec, Episode, Step

if TYPE_CHECKING:
    from dpsvi.rl.vector import AnyEnv

__all__ = [
    "Env",
    "EnvironmentSpec",
    "Environments",
    "Episode",
    "Step",
    "make",
    "spec_of",
]

# An id known to Gymnasium, or a function that makes one environment.
Env: TypeAlias = "str | Callable[[], AnyEnv]"


def make(
    env: Env,
    n: int,
    *,
    protocol: Protocol | None = None,
    n_threads: int = 1,
) -> Environments:
    """Open n copies of an environment.

    Parameters
    ----------
    env : str or callable
        A Gymnasium id (``"ALE/Pong-v5"``, ``"PongNoFrameskip-v4"``,
        ``"CartPole-v1"``, ``"my_module:MyGame-v0"``), or a function without arguments
        that returns a `gymnasium.Env`.
    n : int
        Copies, at least 1.
    protocol : Protocol or None, default=None
        Rules; None: those of training, for Atari as in Mnih et al. (2015), others as
        they are.
    n_threads : int, default=1
        C++ threads that step Atari games; others are stepped by the calling thread.

    Returns
    -------
    Environments
        To be `reset`, and `close`\\ d in the end.

    Raises
    ------
    ValueError
        If nothing has this id, actions are not discrete, observations are neither
        vectors nor images, or the protocol does not apply.
    TypeError
        If `env` is neither a string nor callable, or makes something else.
    ImportError
        If a package is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsvi.rl.environments import make
    >>> copies = make("CartPole-v1", 3)
    >>> copies.reset(seed=0).shape
    (3, 4)
    >>> copies.step(np.array([0, 1, 0])).rewards
    array([1., 1., 1.], dtype=float32)
    >>> copies.close()
    """
    if n < 1:
        raise ValueError(f"n is {n}; at least one copy is needed.")
    game = atari_game(env)
    rules = _rules(env, game, protocol)
    if game is not None:
        from dpsvi.rl.atari import AtariEnvironments

        return AtariEnvironments(game, n, rules, n_threads=n_threads)
    from dpsvi.rl.vector import GymnasiumEnvironments

    return GymnasiumEnvironments(maker_of(env), n, rules)


def spec_of(env: Env, *, protocol: Protocol | None = None) -> EnvironmentSpec:
    """Look at an environment and close it again; parameters and errors as `make`.

    Examples
    --------
    >>> from dpsvi.rl.environments import spec_of
    >>> spec = spec_of("CartPole-v1")
    >>> spec.kind, spec.observation_shape, spec.n_actions
    ('vector', (4,), 2)
    """
    game = atari_game(env)
    rules = _rules(env, game, protocol)
    if game is not None:
        from dpsvi.rl.atari import atari_spec

        return atari_spec(name_of(env), game, rules)
    from dpsvi.rl.vector import gymnasium_spec

    return gymnasium_spec(name_of(env), maker_of(env), rules)


def _rules(env: Env, game: str | None, protocol: Protocol | None) -> Protocol:
    if game is not None:
        rules = protocol or Protocol()
        if rules.screen == 0:
            raise ValueError(
                f"the protocol leaves the screens of {name_of(env)} as they are "
                "(screen=0); Atari needs their size, such as screen=84."
            )
        return rules
    if protocol is None:
        return Protocol.plain()
    if not protocol.is_plain:
        raise ValueError(
            f"{name_of(env)} is no Atari game, and of a protocol only clip_rewards "
            "applies to it; give protocol=Protocol.plain(clip_rewards=...)."
        )
    return protocol
