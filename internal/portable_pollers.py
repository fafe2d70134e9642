"""Pollers for systems without epoll: poll(2), and whatever the ``selectors`` module has (kqueue, select).

Both answer with *everything* that is ready, however long, always in the same order. A caller that takes a
few at a time would starve the tail, so ``FairQueue`` remembers who was left out and serves those first.

``PollPoller`` speaks poll(2) itself because its bits are ours and nothing is lost. ``SelectorPoller`` stands
on ``selectors``, which knows reading and writing only. So there, a failure is reported as readiness for what
the handle is watched for (the read or write then tells), ``FAILED`` is never set, and a handle with interest
0 is not watched at all until it gets another interest.
"""

from __future__ import annotations

import os
import select
import selectors
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..api.errors import Closed
from ..api.poller import FAILED, READABLE, WRITABLE, Interest, Readiness
from ..api.types import Handle, Nanoseconds
from .poller_base import MAX_EVENTS, PollerBase, wait_seconds

_POLLNVAL: Final = 0x020
_OUR_BITS: Final = READABLE | WRITABLE | FAILED


class FairQueue:
    """Cuts long lists of ready handles so that nobody starves: whoever was left out comes first next time."""

    __slots__ = ("_left_out",)

    def __init__(self) -> None:
        self._left_out: list[Handle] = []

    def cut(self, ready: dict[Handle, Readiness], max_events: int) -> list[tuple[Handle, Readiness]]:
        """Return at most ``max_events`` of the handles that are ready now, the longest left out first.

        Each call moves at least one of the left-out ones to the front and adds new ones at the end only, so
        a handle that stays ready is served after at most as many polls as there are handles.
        """
        if not self._left_out and len(ready) <= max_events:
            return list(ready.items())
        order = [handle for handle in self._left_out if handle in ready]
        seen = set(order)
        order += [handle for handle in ready if handle not in seen]
        self._left_out = order[max_events:]
        return [(handle, ready[handle]) for handle in order[:max_events]]


class PollPoller(PollerBase):
    """Implements ``api.poller.Poller`` with poll(2): exact, and O(watched handles) per poll.

    Thread rules: the owning thread only, except ``wake``.
    """

    __slots__ = ("_poll", "_queue")

    def __init__(self) -> None:
        """Open the wake-up. Raises ``OSError`` when descriptors have run out."""
        super().__init__()
        self._queue = FairQueue()
        self._poll = select.poll()
        self._poll.register(self._wakeup.fileno(), READABLE)

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        """Wait for readiness; contract and errors as in ``api.poller.Poller.poll``.

        Time is rounded up to milliseconds. A descriptor that was closed without ``unregister`` is no longer
        reported, as with epoll.
        """
        if not 1 <= max_events <= MAX_EVENTS:
            max_events = self._check_max_events(max_events)
        if self._closed:
            raise Closed("the poller is closed")
        seconds = wait_seconds(timeout_ns)
        wake_handle = self._wakeup.fileno()
        ready: dict[Handle, Readiness] = {}
        for number, bits in self._poll.poll(None if seconds is None else seconds * 1000):
            if number == wake_handle:
                self._wakeup.drain()
            elif bits & _POLLNVAL:
                self._poll.unregister(number)  # Else each poll returns at once, for nothing.
            else:
                ready[Handle(number)] = bits & _OUR_BITS
        return self._queue.cut(ready, max_events)

    def _add(self, handle: Handle, interest: Interest) -> None:
        _probe_descriptor(handle)
        self._poll.register(handle, interest)

    def _change(self, handle: Handle, interest: Interest) -> None:
        _probe_descriptor(handle)
        self._poll.modify(handle, interest)

    def _remove(self, handle: Handle) -> None:
        self._poll.unregister(handle)

    def _release(self) -> None:
        pass  # poll(2) has no object in the kernel.


class SelectorPoller(PollerBase):
    """Implements ``api.poller.Poller`` with any selector of the ``selectors`` module, within the limits that
    the module's docstring names.

    Thread rules: the owning thread only, except ``wake``.
    """

    __slots__ = ("_probe", "_queue", "_selector")

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        """Own ``selector``, or the system's default. Raises ``OSError`` when descriptors have run out."""
        super().__init__()
        self._queue = FairQueue()
        self._selector = selectors.DefaultSelector() if selector is None else selector
        self._selector.register(self._wakeup.fileno(), selectors.EVENT_READ)
        # select(2) also refuses numbers of FD_SETSIZE and above, and Windows has no other selector.
        limited = isinstance(self._selector, selectors.SelectSelector)
        self._probe: Callable[[int], object] = _probe_selectable if limited else os.fstat

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        """Wait for readiness; contract and errors as in ``api.poller.Poller.poll``, but ``FAILED`` is never
        set. A descriptor that was closed without ``unregister`` is no longer reported."""
        if not 1 <= max_events <= MAX_EVENTS:
            max_events = self._check_max_events(max_events)
        if self._closed:
            raise Closed("the poller is closed")
        try:
            selected = self._selector.select(wait_seconds(timeout_ns))
        except (OSError, ValueError):
            # select(2) fails as a whole when one descriptor is closed: drop the culprits, keep the rest.
            self._drop_closed()
            return []
        wake_handle = self._wakeup.fileno()
        ready: dict[Handle, Readiness] = {}
        for key, events in selected:
            if key.fd == wake_handle:
                self._wakeup.drain()
            else:
                ready[Handle(key.fd)] = _READINESS_OF_EVENTS[events]
        return self._queue.cut(ready, max_events)

    def _add(self, handle: Handle, interest: Interest) -> None:
        self._probe(handle)
        if interest:
            self._selector.register(handle, _EVENTS_OF_INTEREST[interest])

    def _change(self, handle: Handle, interest: Interest) -> None:
        self._probe(handle)
        if handle in self._selector.get_map():
            self._selector.unregister(handle)
        self._add(handle, interest)

    def _remove(self, handle: Handle) -> None:
        if handle in self._selector.get_map():
            self._selector.unregister(handle)

    def _release(self) -> None:
        self._selector.close()

    def _drop_closed(self) -> None:
        for key in list(self._selector.get_map().values()):
            try:
                self._probe(key.fd)
            except (OSError, ValueError):
                self._selector.unregister(key.fd)


_EVENTS_OF_INTEREST: Final[Mapping[Interest, int]] = {
    READABLE: selectors.EVENT_READ,
    WRITABLE: selectors.EVENT_WRITE,
    READABLE | WRITABLE: selectors.EVENT_READ | selectors.EVENT_WRITE,
}
_READINESS_OF_EVENTS: Final[Mapping[int, Readiness]] = {
    events: interest for interest, events in _EVENTS_OF_INTEREST.items()
}


def _probe_descriptor(handle: int) -> None:
    """Raise ``OSError`` for a closed descriptor, at once; poll(2) itself would say so only when polling."""
    probe = select.poll()
    probe.register(handle, 0)
    if any(bits & _POLLNVAL for _, bits in probe.poll(0)):
        raise OSError("the descriptor is closed")


def _probe_selectable(handle: int) -> None:
    """Raise ``OSError`` or ``ValueError`` for what select(2) refuses: closed, or at FD_SETSIZE or above."""
    select.select([handle], [], [], 0)


__all__ = ["FairQueue", "PollPoller", "SelectorPoller"]
