"""What ends a run in good order from outside: Ctrl-C, and a time limit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

__all__ = ["CtrlC", "deadline"]


class CtrlC:
    """Turns the first Ctrl-C into a request; the second raises KeyboardInterrupt.

    An exception in the middle of a merge would leave half of it in the parameters;
    a request is seen between rounds. Does nothing outside the main thread, which
    alone gets signals, or where the program has its own way with them.

    Parameters
    ----------
    request : callable
        Called at the first Ctrl-C, at any point of the main thread: it may set
        flags, and must not wait for a lock.
    """

    def __init__(self, request: Callable[[], None]) -> None:
        self._request = request
        self._pressed = False
        self._installed = False

    def __enter__(self) -> Self:
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._pressed:
            raise KeyboardInterrupt
        self._pressed = True
        self._request()


@contextmanager
def deadline(seconds: float | None, halt: Callable[[], None]) -> Iterator[None]:
    """Call `halt` after some seconds: rounds may be long, steps are not."""
    if seconds is None or seconds > threading.TIMEOUT_MAX:
        yield
        return
    timer = threading.Timer(seconds, halt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
