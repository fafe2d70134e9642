"""Signals: how Ctrl-C and a service manager's TERM reach a loop.

Python runs a signal handler between two steps of whatever the main thread is doing, so a handler must not touch
what that thread was in the middle of. Ours only calls a function that is made for it (``Server.shutdown`` posts
to the reactor). What was installed before is put back at the end.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signals_call(function: Callable[[], object]) -> Iterator[bool]:
    """Call ``function()`` on SIGINT and SIGTERM within the block; yields whether that was possible.

    Only the main thread can set signal handlers (signal(7), Python's ``signal`` module): elsewhere nothing
    happens. ``function`` must be safe at any point of the main thread's work.
    """
    if threading.current_thread() is not threading.main_thread():
        yield False
        return

    def call(number: int, frame: FrameType | None) -> None:
        function()

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, call) for number in numbers]
    try:
        yield True
    finally:
        for number, handler in zip(numbers, before, strict=True):
            # None stands for a handler that was not installed from Python; only the default can replace it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


__all__ = ["signals_call"]
