"""Signals: how Ctrl-C and a service manager's TERM reach a loop.

Python runs a signal handler between two steps of whatever the main thread is doing, so a handler must not
touch what that thread was in the middle of. Ours only calls a function that is made for it
(``Server.shutdown`` posts to the reactor). What was installed before is put back at the end.

A shutdown that waits for others may take long, and who presses Ctrl-C a second time does not want to wait. So
SIGINT is ours once; the second one does what it did before, which by default is ``KeyboardInterrupt``.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType


@contextmanager
def signals_call(function: Callable[[], object]) -> Iterator[bool]:
    """Call ``function()`` on the first SIGINT and on each SIGTERM within the block; yields whether it can.

    Only the main thread can set signal handlers (signal(7), Python's ``signal`` module): elsewhere nothing
    happens. ``function`` must be safe at any point of the main thread's work.
    """
    if threading.current_thread() is not threading.main_thread():
        yield False
        return

    # None stands for a handler that was not installed from Python; only the default can replace it.
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}

    def call(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            signal.signal(number, before[signal.SIGINT])
        function()

    try:
        for number in before:
            signal.signal(number, call)
        yield True
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hangup_calls(function: Callable[[], object]) -> AbstractContextManager[bool]:
    """Call ``function()`` on each SIGHUP within the block, which services use for "read your configuration
    again"; otherwise as ``signal_calls``."""
    return signal_calls("SIGHUP", function)


@contextmanager
def signal_calls(name: str, function: Callable[[], object]) -> Iterator[bool]:
    """Call ``function()`` each time a signal comes within the block; otherwise as ``signals_call``. Where there is no
    signal of that name nothing happens."""
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield False
        return
    before = signal.getsignal(number) or signal.SIG_DFL
    signal.signal(number, lambda _number, _frame: function())
    try:
        yield True
    finally:
        signal.signal(number, before)


__all__ = ["hangup_calls", "signal_calls", "signals_call"]
