"""`await model.fit(...)`: a fit in a thread, beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["awaited", "is_asynchronous"]


class _Cancelled(Exception):
    """Whoever awaited the fit does so no more."""


def is_asynchronous(client: Any) -> bool:
    """Say whether a Dask client is used from the event loop that it lives on."""
    return bool(getattr(client, "asynchronous", False))


async def awaited(
    fit: Callable[..., Any],
    *given: Any,
    callbacks: Iterable[Callable[[Any], Any]] | None = None,
    **named: Any,
) -> Any:
    """Fit in a thread, where an asynchronous client waits like any other.

    Parameters
    ----------
    fit : callable
        The method.
    *given, **named
        For the method.
    callbacks : iterable of callable, default=None
        As in `fit`; they are called in the thread.

    Returns
    -------
    estimator
        What the method returns.

    Raises
    ------
    asyncio.CancelledError
        If the awaiting task is cancelled; after the fit has ended, and the estimator is
        what it was.
    """
    cancelled = False

    def go_on(progress: Any) -> None:
        if cancelled:
            raise _Cancelled

    watching = [go_on, *(callbacks or ())]
    fitting = asyncio.ensure_future(
        asyncio.to_thread(fit, *given, callbacks=watching, **named)
    )
    try:
        return await asyncio.shield(fitting)
    except asyncio.CancelledError:
        cancelled = True
        await asyncio.wait([fitting])
        # Seen, so that nobody warns that it was not.
        fitting.exception()
        raise
