"""How a long command ends when the system asks it to."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dpsvi.cli.common import INTERRUPTED

__all__ = ["TERMINATED", "sigterm_as_ctrl_c"]

#: What a shell expects of a command that SIGTERM has ended.
TERMINATED = 143


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, but for the exit code.

    Batch systems and containers send it some seconds before they kill. Does nothing
    outside the main thread, which alone may handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        # Some send it to each process of a group, and so twice to some: a second
        # Ctrl-C would not end in good order.
        if not asked:
            asked = True
            signal.raise_signal(signal.SIGINT)

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, handle)}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in the background of a script; then nothing would happen.
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except SystemExit as end:
        if asked and end.code == INTERRUPTED:
            sys.exit(TERMINATED)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
