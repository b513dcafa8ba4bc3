"""What to say where the packages of the extra `rl` are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

__all__ = ["check_workers", "needs_extra"]

# Seconds in which the workers of a cluster should answer.
_ANSWER = 10.0

_OF_THE_EXTRA = {"torch", "gymnasium", "ale_py", "safetensors", "PIL"}


@contextmanager
def needs_extra() -> Iterator[None]:
    """Turn the failed import of a package of the extra into advice.

    Raises
    ------
    ImportError
        Naming the package and how to install it. Other failures pass unchanged.
    """
    try:
        yield
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _OF_THE_EXTRA:
            raise
        raise ImportError(
            f"dpsvi.rl needs {missing}, which is not installed; "
            'pip install "dpsvi[rl]"',
            name=error.name,
        ) from error


def check_workers(backend: Any, packages: Sequence[str]) -> None:
    """Refuse a cluster whose workers cannot play.

    Workers that do not answer, or have no dpsvi, are left to the engine, which asks
    them again.

    Parameters
    ----------
    backend : dpsvi.engine.backends.dask.Dask
        Of the cluster.
    packages : sequence of str
        What is to be imported there.

    Raises
    ------
    ImportError
        Naming the workers and what they lack.
    """
    # Not loaded before it is needed.
    import asyncio

    client = backend.client
    question = _ask(client, packages)
    asked = asyncio.run_coroutine_threadsafe(question, client.loop.asyncio_loop)
    lacking = {
        address: answer
        for address, answer in asked.result().items()
        if isinstance(answer, list) and answer
    }
    if not lacking:
        return
    address, answer = next(iter(lacking.items()))
    others = f" (and {len(lacking) - 1} more like it)" if len(lacking) > 1 else ""
    raise ImportError(
        f"the worker at {address}{others} lacks {', '.join(answer)}, which training "
        'needs; pip install "dpsvi[rl]" there, in the environment that workers run in'
    )


async def _ask(client: Any, packages: Sequence[str]) -> dict[str, Any]:
    import asyncio

    asked = client.run(missing, tuple(packages), on_error="return")
    try:
        return dict(await asyncio.wait_for(asked, _ANSWER))
    except (TimeoutError, OSError):
        return {}


def missing(packages: Sequence[str]) -> list[str]:
    """Say which packages are not installed here; runs on workers."""
    return [name for name in packages if find_spec(name) is None]
