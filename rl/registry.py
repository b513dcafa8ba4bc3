"""From what a user names to what can be made, with help where the name is wrong."""

from __future__ import annotations

import difflib
import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dpsvi.rl.extra import needs_extra

if TYPE_CHECKING:
    from dpsvi.rl.vector import AnyEnv

__all__ = ["atari_game", "maker_of", "name_of", "packages_of"]

# Gymnasium would have its whole extra installed.
_PYGAME = "it is drawn by pygame, which is not installed; pip install pygame"
_ATARI_ENTRY = "ale_py.env:AtariEnv"


def name_of(env: str | Callable[[], AnyEnv]) -> str:
    """What to call an environment in messages and files: its id, or `function()`."""
    if isinstance(env, str):
        return env
    return f"{getattr(env, '__name__', type(env).__name__)}()"


def atari_game(env: str | Callable[[], AnyEnv]) -> str | None:
    """The ROM behind an Atari id; None for everything else.

    Raises
    ------
    ValueError
        If nothing has this id.
    ImportError
        If a package, or the module before the colon of an id, cannot be loaded.
    TypeError
        If `env` is neither a string nor callable.
    """
    if not isinstance(env, str):
        if not callable(env):
            raise TypeError(
                f"env is {env!r}; give the id of an environment, or a function that "
                "makes one."
            )
        return None
    spec = _registered(env)
    return str(spec.kwargs["game"]) if spec.entry_point == _ATARI_ENTRY else None


def maker_of(
    env: str | Callable[[], AnyEnv], render_mode: str | None = None
) -> Callable[[], AnyEnv]:
    """A function that makes one copy.

    Parameters
    ----------
    render_mode : str or None, default=None
        Asked of an environment by id; a function of yours makes what it makes.
    """
    if isinstance(env, str):
        return functools.partial(_made_by_id, env, render_mode)
    return functools.partial(_made_by, env)


@contextmanager
def packages_of(name: str) -> Iterator[None]:
    """Say which environment misses a package.

    Raises
    ------
    ImportError
        Where Gymnasium has its own kind of error.
    """
    import gymnasium

    try:
        yield
    except gymnasium.error.DependencyNotInstalled as error:
        advice = _PYGAME if "pygame" in str(error) else str(error)
        raise ImportError(f"{name} needs a package of its own: {advice}") from error


def _made_by_id(env: str, render_mode: str | None) -> AnyEnv:
    import gymnasium

    with packages_of(env):
        # Spaces are checked by us, once; Gymnasium's checker looks at every step.
        return gymnasium.make(env, render_mode=render_mode, disable_env_checker=True)


def _made_by(env: Callable[[], Any]) -> AnyEnv:
    with needs_extra():
        import gymnasium

    made = env()
    if isinstance(made, gymnasium.Env):
        return made
    raise TypeError(
        f"{name_of(env)} made {type(made).__name__}; it must return one gymnasium.Env."
    )


def _registered(name: str) -> Any:
    with needs_extra():
        import ale_py
        import gymnasium

    gymnasium.register_envs(ale_py)
    module, _, inner = name.rpartition(":")
    if module:
        _import(name, module)
    if inner in gymnasium.registry:
        return gymnasium.registry[inner]
    raise ValueError(f"there is no environment {name!r}. {_suggestion(inner)}")


def _import(name: str, module: str) -> None:
    """Load the module that registers an environment."""
    try:
        importlib.import_module(module)
    except (ImportError, TypeError) as error:
        raise ImportError(
            f"{name!r} asks for the module {module!r}, which cannot be loaded "
            f"({error}); correct the name before the colon, or install the package"
        ) from error


def _suggestion(name: str) -> str:
    import gymnasium

    # Compared by the name of the game alone: "Pong" is near to "ALE/Pong-v5".
    by_key: dict[str, list[str]] = {}
    for known in gymnasium.registry:
        by_key.setdefault(_key(known), []).append(known)
    key = _key(name)
    near = [key] if key in by_key else difflib.get_close_matches(key, by_key, n=3)
    names = [known for key in near for known in _best(by_key[key])]
    if not names:
        return "gymnasium.pprint_registry() shows all names."
    return f"Did you mean {' or '.join(repr(known) for known in names[:3])}?"


def _best(names: list[str]) -> list[str]:
    """Of the same game: the current Atari id, or else the last version."""
    current = [name for name in names if name.startswith("ALE/")]
    ordinary = [name for name in names if "/" not in name]
    return (current or sorted(ordinary) or sorted(names))[-1:]


def _key(name: str) -> str:
    game = name.rpartition("/")[2].rpartition("-v")
    return (game[0] or game[2]).removesuffix("NoFrameskip").replace("_", "").lower()
