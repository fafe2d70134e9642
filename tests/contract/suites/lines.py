"""Lines: handles whose readiness a check decides, for the contracts of pollers and reactors.

A poller of the system watches descriptors; ``SocketLines`` makes those, of connected sockets. A poller that
watches something else comes with ``Lines`` of its own.
"""

from __future__ import annotations

import socket
import time
from typing import Protocol

from ...api.types import Handle, Nanoseconds
from ..trial import Trial


class Line(Protocol):
    """One handle, and who is at its other end."""

    @property
    def handle(self) -> Handle:
        """What is watched."""

    def set(self, *, readable: bool, writable: bool) -> None:
        """Make it ready for this and nothing else."""

    def hang_up(self) -> None:
        """Let the other end go away, for good."""

    def close(self) -> None:
        """Close the handle. Idempotent."""


class Lines(Protocol):
    """Makes handles, and has the time that waiting is measured on."""

    @property
    def threads(self) -> bool:
        """Whether other threads may wake who waits."""

    def now_ns(self) -> Nanoseconds:
        """Return the monotonic time."""

    def add(self) -> Line:
        """Make a handle that is ready for nothing."""

    def refused(self) -> Handle | None:
        """Return a handle that can't be watched; ``None`` where there is none."""


class SocketLine:
    """A connected socket. Its send buffer is small, so that it can be filled."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair()
        for end in (self._near, self._far):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.handle = Handle(self._near.fileno())
        self.set(readable=False, writable=False)

    def set(self, *, readable: bool, writable: bool) -> None:
        """Send or take bytes at either end."""
        _drain(self._near)
        if readable:
            self._far.send(b"x")
        if writable:
            _drain(self._far)
        else:
            _fill(self._near)

    def hang_up(self) -> None:
        """Close the other end."""
        self._far.close()

    def close(self) -> None:
        """Close both ends."""
        self._near.close()
        self._far.close()


class SocketLines:
    """Descriptors of this machine."""

    threads = True

    def __init__(self, trial: Trial) -> None:
        self._trial = trial

    def now_ns(self) -> Nanoseconds:
        """Return the machine's monotonic time."""
        return time.monotonic_ns()

    def add(self) -> SocketLine:
        """Make a pair of sockets, closed when the check is over."""
        line = SocketLine()
        self._trial.defer(line.close)
        return line

    def refused(self) -> Handle | None:
        """Return a descriptor that is closed, far from those that somebody opens meanwhile."""
        return Handle(1 << 19)


def _drain(end: socket.socket) -> None:
    try:
        while end.recv(65536):
            pass
    except BlockingIOError:
        return


def _fill(end: socket.socket) -> None:
    try:
        while True:
            end.send(bytes(4096))
    except BlockingIOError:
        return


__all__ = ["Line", "Lines", "SocketLine", "SocketLines"]
