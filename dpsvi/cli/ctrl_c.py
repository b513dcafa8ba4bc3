"""Whether Ctrl-C was pressed, whoever dealt with it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["noticing_ctrl_c"]


@contextmanager
def noticing_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed since.

    A fit ends in good order at Ctrl-C and tells nobody why it ended. No handler is
    installed here: Python writes the number of each signal to a file of our choice.
    Only for the main thread.
    """
    reader, writer = socket.socketpair()
    seen = bytearray()

    def pressed() -> bool:
        with suppress(BlockingIOError):
            seen.extend(reader.recv(4096))
        return signal.SIGINT in seen

    with reader, writer:
        for end in (reader, writer):
            end.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            yield pressed
        finally:
            signal.set_wakeup_fd(before)
