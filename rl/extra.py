"""What to say where the packages of the extra `rl` are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs_extra"]

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
