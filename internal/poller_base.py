"""What all pollers share: the books of watched handles, the checks, the wake-up, and the rounding of time.

The kernel's interfaces disagree about errors (a closed descriptor is EBADF here, ENOENT there, silence
elsewhere), so each poller keeps its own set of watched handles, a byte for each, and answers "already" and
"not found" from it. What the kernel refuses is translated in one place, ``system_refused``.
"""

from __future__ import annotations

import abc
import errno
from typing import Final

from ..api.errors import (
    AlreadyExists,
    Closed,
    HioloadError,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)
from ..api.poller import READABLE, WRITABLE, Interest
from ..api.types import Handle, Nanoseconds
from .wakeup import Wakeup

MAX_WAIT_NS: Final = 24 * 3600 * 1_000_000_000
"""Longest single sleep, 24 hours. epoll_wait(2) and poll(2) count milliseconds in an int and refuse more than
24.8 days; a poll that waited this long returns empty, and its caller computes the rest."""

MAX_EVENTS: Final = 65_536
"""Most events that one system call is asked for; CPython allocates the array for it on each call."""

_UNKNOWN_BITS: Final = ~(READABLE | WRITABLE)
_OUT_OF_RESOURCES: Final = frozenset({errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE})


def wait_seconds(timeout_ns: Nanoseconds | None) -> float | None:
    """Convert a time-out to the seconds that the ``select`` module takes; 0 for none or a negative one.

    Rounding up is done by CPython: it rounds the seconds up to nanoseconds and those up to the resolution of
    the system call, so an n below 2**53 comes back as n or more and never early.
    """
    if timeout_ns is None:
        return None
    if timeout_ns <= 0:
        return 0
    return (timeout_ns if timeout_ns < MAX_WAIT_NS else MAX_WAIT_NS) / 1e9


def system_refused(error: OSError | ValueError | OverflowError, handle: Handle) -> HioloadError:
    """Return our error for what the system said about a handle; the caller raises it from ``error``."""
    if isinstance(error, OSError) and error.errno in _OUT_OF_RESOURCES:
        return ResourceExhausted("the system can watch no more handles", handle=handle, reason=str(error))
    return InvalidArgument("the system cannot watch this handle", handle=handle, reason=str(error))


class HandleSet:
    """A set of handles at a byte each: the system gives out the lowest number that is free, so they are dense.

    A ``set`` of 5 000 numbers is 100 bytes for each of them. Thread rules: those of its poller.
    """

    __slots__ = ("_count", "_marks")

    def __init__(self) -> None:
        self._marks = bytearray()
        self._count = 0

    def __contains__(self, handle: Handle) -> bool:
        marks = self._marks
        return 0 <= handle < len(marks) and marks[handle] == 1

    def __len__(self) -> int:
        return self._count

    def add(self, handle: Handle) -> None:
        """Add one that is not in the set, 0 or more."""
        marks = self._marks
        if handle >= len(marks):
            marks += bytes(handle + 1 - len(marks))  # the memory grows by an eighth at a time
        marks[handle] = 1
        self._count += 1

    def remove(self, handle: Handle) -> bool:
        """Remove one; ``False`` when it was not there."""
        marks = self._marks
        if not 0 <= handle < len(marks) or not marks[handle]:
            return False
        marks[handle] = 0
        self._count -= 1
        return True

    def clear(self) -> None:
        """Remove all."""
        self._marks.clear()
        self._count = 0


class PollerBase(abc.ABC):
    """Books and checks of a poller; subclasses talk to the kernel in ``_add``, ``_change``, ``_remove``,
    ``_release`` and ``poll``.

    Thread rules: the owning thread only, except ``wake``.
    """

    __slots__ = ("_closed", "_handles", "_wake_handle", "_wakeup")

    def __init__(self) -> None:
        """Open the wake-up. Raises ``OSError`` when descriptors have run out."""
        self._handles = HandleSet()
        self._closed = False
        self._wakeup = Wakeup()
        self._wake_handle = self._wakeup.fileno()

    def register(self, handle: Handle, interest: Interest) -> None:
        """Start to watch a handle; errors as in ``api.poller.Poller.register``, after which nothing has
        changed."""
        self._check(handle, interest)
        if handle in self._handles:
            raise AlreadyExists("the handle is watched already", handle=handle)
        try:
            self._add(handle, interest)
        except (OSError, ValueError, OverflowError) as error:
            raise system_refused(error, handle) from error
        self._handles.add(handle)

    def modify(self, handle: Handle, interest: Interest) -> None:
        """Replace what a handle is watched for; errors as in ``api.poller.Poller.modify``."""
        self._check(handle, interest)
        if handle not in self._handles:
            raise NotFound("the handle is not watched", handle=handle)
        try:
            self._change(handle, interest)
        except (OSError, ValueError) as error:
            # The descriptor was closed behind our back: the kernel no longer knows what we mean.
            raise system_refused(error, handle) from error

    def unregister(self, handle: Handle) -> None:
        """Stop to watch a handle, also a closed one. Raises ``NotFound`` when it is not watched and
        ``Closed`` after close."""
        if self._closed:
            raise Closed("the poller is closed")
        if not self._handles.remove(handle):
            raise NotFound("the handle is not watched", handle=handle)
        try:
            self._remove(handle)
        except (OSError, ValueError, KeyError):
            pass  # Closed, and perhaps reused: the kernel forgot it then, which is what we want.

    def wake(self) -> None:
        """Make the current or the next ``poll`` return early. Any thread, also from a signal handler."""
        self._wakeup.wake()

    def __len__(self) -> int:
        """Return the number of handles watched, without our own wake-up."""
        return len(self._handles)

    def close(self) -> None:
        """Release the kernel's object and the wake-up. Idempotent."""
        if not self._closed:
            self._closed = True
            self._handles.clear()
            self._release()
            self._wakeup.close()

    def _check(self, handle: Handle, interest: Interest) -> None:
        if self._closed:
            raise Closed("the poller is closed")
        if interest & _UNKNOWN_BITS:
            raise InvalidArgument("interest is READABLE, WRITABLE, both or 0", interest=interest)
        if handle < 0 or handle == self._wake_handle:
            raise InvalidArgument("not a handle that can be watched", handle=handle)

    def _check_max_events(self, max_events: int) -> int:
        """Return how many events to ask for: what the caller wants, within what is sensible."""
        if max_events < 1:
            raise InvalidArgument("max_events is 1 or more", max_events=max_events)
        return MAX_EVENTS

    @abc.abstractmethod
    def _add(self, handle: Handle, interest: Interest) -> None:
        """Make the kernel watch a handle."""

    @abc.abstractmethod
    def _change(self, handle: Handle, interest: Interest) -> None:
        """Replace what the kernel watches a handle for."""

    @abc.abstractmethod
    def _remove(self, handle: Handle) -> None:
        """Make the kernel forget a handle."""

    @abc.abstractmethod
    def _release(self) -> None:
        """Give the kernel's object back."""


__all__ = ["HandleSet", "MAX_EVENTS", "MAX_WAIT_NS", "PollerBase", "system_refused", "wait_seconds"]
