"""Wake-up: how another thread, or a signal handler, ends a poller's sleep.

The sleeper watches a descriptor; whoever wants it awake makes that descriptor readable. An eventfd(2) is
the smallest such thing: a counter in the kernel, so a thousand wakes before the sleeper looks are one
readable descriptor and one read. Where the system has none, a pair of connected sockets does the same: when
its buffer is full the sleeper has been told often enough, and the refused byte is dropped.

There is no lock and no flag "a wake is on its way" here, on purpose. A lock deadlocks when a signal handler
interrupts its holder; a flag that is set before the write is stuck for ever when an exception (Ctrl-C)
lands between the two. The kernel's counter coalesces without either.

The hard part is the end: descriptor numbers are reused at once, and a wake that races with ``close`` must
not write into a stranger's file. So the descriptor belongs to a *channel* object, and a wake holds a
reference to it while it writes: the channel closes its descriptors when the last reference goes.
"""

from __future__ import annotations

import os
import socket
from typing import Protocol

_CLOSED = -1


class _Channel(Protocol):
    """A descriptor to watch, and a way to make it readable. Closes when the last reference goes."""

    def fileno(self) -> int: ...

    def signal(self) -> None: ...

    def drain(self) -> None: ...


class EventfdChannel:
    """A wake-up channel made of one eventfd(2)."""

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = _CLOSED
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._descriptor

    def signal(self) -> None:
        """Make the descriptor readable. Never waits."""
        try:
            os.eventfd_write(self._descriptor, 1)
        except BlockingIOError:
            pass  # The counter is at its maximum: the descriptor is readable, which is all we want.

    def drain(self) -> None:
        """Make the descriptor unreadable until the next ``signal``. Never waits."""
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            pass  # Drained already.

    def __del__(self) -> None:
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)


class SocketpairChannel:
    """A wake-up channel made of two connected sockets, for systems without eventfd(2)."""

    __slots__ = ("_reader", "_writer")

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._reader.fileno()

    def signal(self) -> None:
        """Make the descriptor readable. Never waits."""
        try:
            self._writer.send(b"\0")
        except BlockingIOError:
            pass  # Full of wake-ups that nobody has looked at yet: one more would say nothing new.

    def drain(self) -> None:
        """Make the descriptor unreadable until the next ``signal``. Never waits."""
        try:
            while True:
                self._reader.recv(4096)
        except BlockingIOError:
            pass  # Drained.

    def __del__(self) -> None:
        # An interrupted constructor leaves no attributes; then there is nothing of ours to close.
        for end in ("_reader", "_writer"):
            if hasattr(self, end):
                getattr(self, end).close()


def open_channel() -> EventfdChannel | SocketpairChannel:
    """Return the cheapest channel this system has. Raises ``OSError`` when descriptors have run out."""
    return EventfdChannel() if hasattr(os, "eventfd") else SocketpairChannel()


class Wakeup:
    """Lets any thread make one sleeper's descriptor readable.

    Thread rules: ``wake`` from any thread and from signal handlers; the rest from the sleeper's thread.
    Protocol between the two: the waker publishes what it has (a queue entry, a flag) and *then* wakes; the
    sleeper drains and *then* looks. So nothing that was published before a wake is overlooked.
    """

    __slots__ = ("_channel",)

    def __init__(self, channel: EventfdChannel | SocketpairChannel | None = None) -> None:
        """Take over ``channel``, or open one. Raises ``OSError`` when descriptors have run out."""
        self._channel: _Channel | None = open_channel() if channel is None else channel

    def fileno(self) -> int:
        """Return the descriptor to watch for reading; -1 after ``close``."""
        channel = self._channel
        return _CLOSED if channel is None else channel.fileno()

    def wake(self) -> None:
        """Make the descriptor readable; several wakes become one. Never waits; no effect after close."""
        # The local name holds the channel open while we write: see the module's docstring.
        channel = self._channel
        if channel is not None:
            channel.signal()

    def drain(self) -> None:
        """Forget the wakes so far. Never waits; no effect after close."""
        channel = self._channel
        if channel is not None:
            channel.drain()

    def close(self) -> None:
        """Give the descriptors back, as soon as no ``wake`` is under way. Idempotent."""
        self._channel = None


__all__ = ["EventfdChannel", "SocketpairChannel", "Wakeup", "open_channel"]
