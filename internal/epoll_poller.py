"""Poller over epoll(7): what runs on Linux, and the hot one.

epoll keeps the interest in the kernel and hands out only what is ready, so a poll costs the same with ten
and with ten thousand idle connections. Its bits are the bits of ``api.poller``, so the list that
``select.epoll.poll`` makes *is* our result: no line of Python runs per event. The one foreign entry, our own
wake-up, is looked for with ``in``, which compares in C (some 20 ns an event).

Level-triggered, as the interface demands; the kernel moves what it reported to the tail of its ready list,
which is the fairness that the interface demands.

A trap that we can't close from here: epoll watches the *open file*, not the number. A descriptor that was
duplicated (``dup``, ``fork``) and closed without ``unregister`` goes on being reported. Unregister first.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import cast

from ..api.errors import Closed
from ..api.poller import Interest, Readiness
from ..api.types import Handle, Nanoseconds
from .poller_base import MAX_EVENTS, PollerBase, wait_seconds

_EPOLLIN = 0x001
_Wait = Callable[[float | None, int], list[tuple[Handle, Readiness]]]


class EpollPoller(PollerBase):
    """Implements ``api.poller.Poller`` with select.epoll. Linux only.

    Thread rules: the owning thread only, except ``wake``.
    """

    __slots__ = ("_epoll", "_wait", "_wake_event")

    def __init__(self) -> None:
        """Open the epoll instance. Raises ``OSError`` when descriptors have run out."""
        super().__init__()
        try:
            self._epoll = select.epoll()
            self._epoll.register(self._wakeup.fileno(), _EPOLLIN)
        except OSError:
            self._wakeup.close()
            raise
        # The same ints under the names of our interface; a cast in ``poll`` would cost a call per poll.
        self._wait = cast(_Wait, self._epoll.poll)
        self._wake_event = (Handle(self._wakeup.fileno()), _EPOLLIN)

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        """Wait for readiness; contract, errors and fairness as in ``api.poller.Poller.poll``.

        Time is rounded up to milliseconds. The list is fresh each time.
        """
        if not 1 <= max_events <= MAX_EVENTS:
            max_events = self._check_max_events(max_events)
        try:
            events = self._wait(wait_seconds(timeout_ns), max_events)
        except ValueError as error:
            # The arguments are in range, so this is CPython's "operation on closed epoll object".
            raise Closed("the poller is closed") from error
        if self._wake_event in events:
            events.remove(self._wake_event)
            self._wakeup.drain()
        return events

    def _add(self, handle: Handle, interest: Interest) -> None:
        self._epoll.register(handle, interest)

    def _change(self, handle: Handle, interest: Interest) -> None:
        self._epoll.modify(handle, interest)

    def _remove(self, handle: Handle) -> None:
        self._epoll.unregister(handle)

    def _release(self) -> None:
        self._epoll.close()


__all__ = ["EpollPoller"]
