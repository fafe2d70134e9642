"""Signals for a thread that sleeps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AGAIN_S = 0.05


@contextmanager
def signals(handler: Callable[[], object]) -> Iterator[None]:
    """Within the block this thread gets SIGUSR1 again and again, and ``handler()`` is called for each.

    Once is not enough: one that comes just before a system call does not interrupt it.
    """
    over = threading.Event()
    target = threading.get_ident()

    def send() -> None:
        signal.pthread_kill(target, signal.SIGUSR1)
        while not over.wait(AGAIN_S):
            signal.pthread_kill(target, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda number, frame: handler() and None)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)
