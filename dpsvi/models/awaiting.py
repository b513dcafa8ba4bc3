"""`await model.fit(...)`: a fit in a thread, beside an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

__all__ = ["awaited", "is_asynchronous"]


class _Cancelled(Exception):
    """Whoever awaited the fit does so no more."""


def is_asynchronous(client: Any) -> bool:
    """Say whether a Dask client is used from the event loop that it lives on."""
    return bool(getattr(client, "asynchronous", False))


async def awaited(
    model: Any,
    *given: Any,
    callbacks: Iterable[Callable[[Any], Any]] | None = None,
    **named: Any,
) -> Any:
    """Fit in a thread, where an asynchronous client waits like any other.

    Parameters
    ----------
    model : estimator
        To be fitted.
    *given, **named
        For its `fit`.
    callbacks : iterable of callable, default=None
        As in `fit`; they are called in the thread.

    Returns
    -------
    estimator
        What `fit` returns.

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

    before = dict(vars(model))
    watching = [go_on, *(callbacks or ())]
    fitting = asyncio.ensure_future(
        asyncio.to_thread(model.fit, *given, callbacks=watching, **named)
    )
    try:
        return await asyncio.shield(fitting)
    except asyncio.CancelledError:
        cancelled = True
        while not fitting.done():
            # Whoever is impatient, and cancels again, waits too: the cluster is in use.
            with suppress(asyncio.CancelledError):
                await asyncio.wait([fitting])
        if fitting.exception() is None:
            # It was done before it heard.
            vars(model).clear()
            vars(model).update(before)
        raise
