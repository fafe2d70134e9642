"""Scripted poller: readiness that the test decides, in virtual time.

Tests say what is ready now (``set_ready``) or at a later moment (``at``). A poll that finds nothing ready
does not sleep: it moves the virtual clock to the next scripted moment or to its time-out, whichever is
first. A poll that would wait for ever has found a deadlock, and says so instead of hanging.

It keeps the rules of the real ones: level-triggered, only what is asked for plus failures, at most
``max_events``, whoever was left out comes first next time, a wake is never lost.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from ..api.errors import AlreadyExists, Closed, InvalidArgument, InvalidState, NotFound
from ..api.poller import FAILED, READABLE, WRITABLE, Interest, Readiness
from ..api.types import Handle, Nanoseconds
from .clock import VirtualClock

_UNKNOWN_BITS = ~(READABLE | WRITABLE)


class ScriptedPoller:
    """Implements ``api.poller.Poller`` on a ``VirtualClock``.

    Handles are numbers without meaning; a test chooses them (0 or more). Thread rules: the owning thread
    only, except ``wake``.
    """

    __slots__ = (
        "_clock",
        "_closed",
        "_interests",
        "_order",
        "_ready",
        "_script",
        "_sequence",
        "_woken",
        "timeouts_ns",
    )

    def __init__(self, clock: VirtualClock) -> None:
        """Move ``clock`` when a poll waits."""
        self._clock = clock
        self._closed = False
        self._woken = False
        self._interests: dict[Handle, Interest] = {}
        self._ready: dict[Handle, Readiness] = {}
        self._order: list[Handle] = []
        self._sequence = itertools.count()
        self._script: list[tuple[Nanoseconds, int, Handle, Readiness]] = []
        self.timeouts_ns: list[Nanoseconds | None] = []
        """The time-out of every poll so far, in order: shows that nothing polls when there is no work."""

    def set_ready(self, handle: Handle, readiness: Readiness) -> None:
        """From now on the handle is ready for ``readiness`` (0: for nothing), watched or not."""
        self._ready[handle] = readiness

    def at(self, when_ns: Nanoseconds, handle: Handle, readiness: Readiness) -> None:
        """Do ``set_ready(handle, readiness)`` when the clock reaches ``when_ns``."""
        heapq.heappush(self._script, (when_ns, next(self._sequence), handle, readiness))

    def register(self, handle: Handle, interest: Interest) -> None:
        """Start to watch; errors as in ``api.poller.Poller.register``."""
        self._check(handle, interest)
        if handle in self._interests:
            raise AlreadyExists("the handle is watched already", handle=handle)
        self._interests[handle] = interest
        self._order.append(handle)

    def modify(self, handle: Handle, interest: Interest) -> None:
        """Replace the interest; errors as in ``api.poller.Poller.modify``."""
        self._check(handle, interest)
        if handle not in self._interests:
            raise NotFound("the handle is not watched", handle=handle)
        self._interests[handle] = interest

    def unregister(self, handle: Handle) -> None:
        """Stop to watch. Raises ``NotFound`` when it is not watched and ``Closed`` after close."""
        self._check(handle, 0)
        if self._interests.pop(handle, None) is None:
            raise NotFound("the handle is not watched", handle=handle)
        self._order.remove(handle)

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        """Return what is ready, moving the clock when nothing is; else as ``api.poller.Poller.poll``.

        Raises ``InvalidState`` where a real poller would wait for ever.
        """
        if max_events < 1:
            raise InvalidArgument("max_events is 1 or more", max_events=max_events)
        self._check(Handle(0), 0)
        self.timeouts_ns.append(timeout_ns)
        end_ns = None if timeout_ns is None else self._clock.now_ns() + max(timeout_ns, 0)
        while True:
            self._play_script()
            events = self._collect(max_events)
            if events or self._woken:
                self._woken = False
                return events
            if end_ns is not None and self._clock.now_ns() >= end_ns:
                return events
            self._sleep_until(end_ns)

    def wake(self) -> None:
        """Make the current or the next ``poll`` return early. Any thread. Without effect after close."""
        self._woken = True

    def __len__(self) -> int:
        """Return the number of handles watched."""
        return len(self._interests)

    def close(self) -> None:
        """Watch nothing any more. Idempotent."""
        self._closed = True
        self._interests.clear()
        self._order.clear()

    def _check(self, handle: Handle, interest: Interest) -> None:
        if self._closed:
            raise Closed("the poller is closed")
        if handle < 0 or interest & _UNKNOWN_BITS:
            raise InvalidArgument("not a handle or not an interest", handle=handle, interest=interest)

    def _play_script(self) -> None:
        while self._script and self._script[0][0] <= self._clock.now_ns():
            _, _, handle, readiness = heapq.heappop(self._script)
            self._ready[handle] = readiness

    def _collect(self, max_events: int) -> list[tuple[Handle, Readiness]]:
        events: list[tuple[Handle, Readiness]] = []
        for handle in self._order:
            readiness = self._ready.get(handle, 0) & (self._interests[handle] | FAILED)
            if readiness and len(events) < max_events:
                events.append((handle, readiness))
        # Whoever was served goes to the end of the line.
        served = {handle for handle, _ in events}
        self._order.sort(key=served.__contains__)
        return events

    def _sleep_until(self, end_ns: Nanoseconds | None) -> None:
        """Advance to the next scripted moment or ``end_ns``, whichever is first."""
        moments = [self._script[0][0]] if self._script else []
        if end_ns is not None:
            moments.append(end_ns)
        if not moments:
            raise InvalidState("deadlock: nothing is ready, nothing is scripted, and poll may wait for ever")
        self._clock.advance(min(moments) - self._clock.now_ns())


__all__ = ["ScriptedPoller"]
