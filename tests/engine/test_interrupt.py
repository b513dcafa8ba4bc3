"""Ctrl-C as a request, then as an exception."""

from __future__ import annotations

import signal
import threading

import pytest

from dpsvi.engine.interrupt import CtrlC


def test_the_first_asks_and_the_second_raises() -> None:
    asked: list[int] = []
    with CtrlC(lambda: asked.append(1)):
        signal.raise_signal(signal.SIGINT)
        assert asked == [1]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert asked == [1]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_program_s_own_handler_is_left_alone() -> None:
    own: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: own.append(number))
    try:
        with CtrlC(lambda: pytest.fail("not its business")):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert own == [signal.SIGINT] * 2


def test_other_threads_do_not_touch_handlers() -> None:
    seen: list[object] = []

    def enter() -> None:
        with CtrlC(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
