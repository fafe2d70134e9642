"""Signals end a sleep, too: none is overlooked that comes just before one.

Python runs the handler of a signal not when it comes but between two steps of the main thread. A signal that comes
after the last step before epoll_wait(2), and before that call itself, finds nothing to interrupt: the call sleeps, and
the handler waits until something else happens, which on a server without traffic is never. Of 5 000 signals that were
aimed at that moment six were lost like this, with a GIL or without.

The remedy is an old one, the pipe to oneself: the part of Python's signal handling that runs at once writes a byte to a
descriptor (``signal.set_wakeup_fd``), and the sleeper watches its other end.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..api.poller import READABLE, Readiness
from ..api.reactor import Reactor
from ..api.types import Handle

_READ_BYTES = 4096
_NONE = -1


class SignalWakeup:
    """What one reactor has to do with signals while it runs. There is one such descriptor per process: who had set one
    gets what we read, and is put back at the end.

    Thread rules: the main thread, which is the only one that handles signals; on others it does nothing.
    """

    __slots__ = ("_before", "_ends")

    def __init__(self) -> None:
        self._before = _NONE
        self._ends: tuple[socket.socket, socket.socket] | None = None

    @contextmanager
    def watched_by(self, reactor: Reactor) -> Iterator[None]:
        """Within the block a signal ends the sleep of ``reactor``, which the calling thread is about to run.

        Where no descriptors are left, and in subinterpreters, which get no signals, it does nothing.
        """
        if threading.get_ident() != threading.main_thread().ident:
            yield
            return
        try:
            reader = self._open()
            if reader is None:
                yield
                return
            reactor.register(reader, READABLE, self._heard)
            try:
                yield
            finally:
                if self._ends is not None:  # else this is a child, which has closed its copy of the reactor
                    reactor.unregister(reader)
                    self._heard(READABLE)
        finally:
            self.close()  # also when a signal's handler has raised while we opened

    def close(self) -> None:
        """Put back what there was. Idempotent; a child of fork(2) calls it for its copy."""
        ends, self._ends = self._ends, None
        before, self._before = self._before, _NONE
        if ends is not None:
            try:
                signal.set_wakeup_fd(before)
            except OSError:
                signal.set_wakeup_fd(_NONE)  # whoever had set it has closed it meanwhile
            for end in ends:
                end.close()

    def _open(self) -> Handle | None:
        try:
            reader, writer = self._ends = socket.socketpair()
        except OSError:
            return None
        reader.setblocking(False)
        writer.setblocking(False)
        try:
            # A full buffer has bytes enough to be woken by.
            self._before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        except ValueError:
            self._ends = None
            reader.close()
            writer.close()
            return None
        return Handle(reader.fileno())

    def _heard(self, readiness: Readiness) -> None:
        assert self._ends is not None
        with suppress(OSError):  # nothing has come, or it is the other one that is full or closed
            numbers = self._ends[0].recv(_READ_BYTES)
            if self._before != _NONE:
                os.write(self._before, numbers)


__all__ = ["SignalWakeup"]
