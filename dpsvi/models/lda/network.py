"""What a fit does for the sake of a slow network."""

from __future__ import annotations

__all__ = ["bfloat16_pushes"]

_KEY = "dpsvi.bfloat16-pushes"


def bfloat16_pushes(*, apart: bool) -> bool:
    """Say whether pushes are to carry numbers of two bytes.

    A matter of the network and not of the model, so Dask's configuration says it, as it
    does for compression.

    Parameters
    ----------
    apart : bool
        Whether workers and master are in processes of their own; else nothing travels.

    Raises
    ------
    ValueError
        If the configuration says neither yes nor no.

    Examples
    --------
    >>> import dask
    >>> with dask.config.set({"dpsvi.bfloat16-pushes": True}):
    ...     bfloat16_pushes(apart=True), bfloat16_pushes(apart=False)
    (True, False)
    """
    if not apart:
        return False
    from dask import config

    chosen = config.get(_KEY, False)
    if not isinstance(chosen, bool):
        raise ValueError(
            f"Dask's configuration has {_KEY}: {chosen!r}; it must be True or False"
        )
    return chosen
