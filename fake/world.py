"""World: the loop that turns everybody and lets time pass when nobody has anything to do.

This is a discrete-event simulation (events in a heap by time, then by order of filing), with one addition: the
actors are *real* reactors. A reactor knows two moments at which its owner must act: when one of its handles is
ready, and when its next timer is due. It tells both to its poller, the first by registering handles, the second
by the time-out of ``poll``. So a poller that belongs to the world (``WorldPoller``) is all it takes to turn an
unmodified reactor in virtual time.

The rule of time: everything due now is done first, in the order in which it became due; only when nobody has
anything to do does the clock jump to the next moment at which somebody has. When there is no such moment and
somebody waits all the same, that is a deadlock, and ``InvalidState`` says who waits for what.

Everything runs on one thread. A poll that waits lets the rest of the world go on meanwhile, which is why
``Client.run()`` works here as well: called like a blocking function, while the server it talks to is turned.
With the same seed the same program takes the same path; ``trace_hash`` is a digest of that path.
"""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..api.errors import InvalidArgument, InvalidState
from ..api.poller import Readiness
from ..api.types import Handle, Nanoseconds
from .clock import VirtualClock

_TRACE_CHUNK_BYTES = 1 << 16


class Source(Protocol):
    """Something that a poller watches: it knows what it is ready for now."""

    def readiness(self) -> Readiness:
        """Return what the handle is ready for."""

    def watched_by(self, watcher: Watcher | None) -> None:
        """Call ``watcher.touch(handle)`` from now on whenever readiness may have changed; ``None``: nobody."""


class Watcher(Protocol):
    """The world's view of a poller."""

    turning: bool
    """Whether its reactor is in the middle of a turn or of a wait."""
    marked: bool
    """Whether it stands in the line of those who have something to do."""
    deadline_ns: Nanoseconds | None
    """When it wants to be turned without any event."""
    has_polled: bool
    """Whether its reactor found nothing to do and said until when."""

    def touch(self, handle: Handle) -> None:
        """Readiness of a handle may have changed."""

    def describe(self) -> str:
        """Say who waits for what."""


class World:
    """Virtual time, the actors in it, and what is on its way. Thread rules: one thread.

    ``seed`` decides all that is random; with ``shuffle`` also the order in which actors that are ready at the
    same moment take their turns (without it: the order in which they became ready).
    """

    def __init__(self, clock: VirtualClock | None = None, *, seed: int = 0, shuffle: bool = False) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self.random = random.Random(seed)
        self.sources: dict[Handle, Source] = {}
        """What can be watched, by handle."""
        self.turn_count = 0
        """Turns made so far."""
        self._shuffle = shuffle
        self._sequence = 0
        self._events: list[tuple[Nanoseconds, int, Callable[[object], object], object]] = []
        self._deadlines: list[tuple[Nanoseconds, int, Watcher]] = []
        self._ready: deque[Watcher] = deque()
        self._turns: dict[Watcher, Callable[[], int]] = {}
        self._waiting: list[Watcher] = []
        self._looked_around = False
        self._digest = hashlib.sha256()
        self._trace = bytearray()

    def at(self, when_ns: Nanoseconds, function: Callable[[object], object], argument: object = None) -> None:
        """Call ``function(argument)`` when the clock reaches ``when_ns``; never within this call."""
        self._sequence += 1
        heapq.heappush(self._events, (when_ns, self._sequence, function, argument))

    def adopt(self, watcher: Watcher, turn: Callable[[], int]) -> None:
        """From now on call ``turn()`` whenever its poller has something for it; it returns the work done."""
        self._turns[watcher] = turn
        self.mark(watcher)

    def forget(self, watcher: Watcher) -> None:
        """Turn this one no more."""
        self._turns.pop(watcher, None)

    def mark(self, watcher: Watcher) -> None:
        """Put one that has something to do into the line."""
        if not watcher.marked:
            watcher.marked = True
            self._ready.append(watcher)

    def expect(self, watcher: Watcher, deadline_ns: Nanoseconds | None) -> None:
        """One has nothing to do until ``deadline_ns`` (``None``: until something happens)."""
        if deadline_ns != watcher.deadline_ns:
            watcher.deadline_ns = deadline_ns
            if deadline_ns is not None:
                self._sequence += 1
                heapq.heappush(self._deadlines, (deadline_ns, self._sequence, watcher))

    def wait(self, watcher: Watcher, until: Callable[[], bool], deadline_ns: Nanoseconds | None) -> None:
        """For a poll that waits: let the world go on until ``until()`` or the deadline.

        Raises ``InvalidState`` where it would wait for ever.
        """
        watcher.turning = True
        self._waiting.append(watcher)
        try:
            if not self._go_on(until, deadline_ns) and deadline_ns is None:
                raise self._deadlock()
        finally:
            self._waiting.remove(watcher)
            watcher.turning = False

    def run_until(self, condition: Callable[[], bool], limit_ns: Nanoseconds | None = None) -> None:
        """Let the world go on until ``condition()``, asked before each step.

        Raises ``InvalidState``: where nothing would ever happen any more, naming who waits for what, and when
        ``limit_ns`` of virtual time have passed.
        """
        end_ns = None if limit_ns is None else self.clock.now_ns() + limit_ns
        self.look_around()
        if not self._go_on(condition, end_ns):
            raise self._deadlock() if end_ns is None else InvalidState(
                f"it did not come to pass in time: {self._who_waits()}", limit_ns=limit_ns
            )

    def run_for(self, duration_ns: Nanoseconds) -> None:
        """Let ``duration_ns`` (0 or more, else ``InvalidArgument``) pass, with all that happens meanwhile."""
        if duration_ns < 0:
            raise InvalidArgument("time never goes back", duration_ns=duration_ns)
        self.look_around()
        self._go_on(lambda: False, self.clock.now_ns() + duration_ns)

    def settle(self) -> None:
        """Let the world go on until nothing is on its way and nobody is ready; timers are not waited for."""
        self.look_around()
        self._go_on(lambda: not self._events and not self._ready, None)

    def look_around(self) -> None:
        """Let everybody look whether there is something to do."""
        for watcher in self._turns:
            self.mark(watcher)

    def trace(self, line: bytes) -> None:
        """Add a line to the digest of what happened."""
        self._trace += line
        if len(self._trace) >= _TRACE_CHUNK_BYTES:
            self._digest.update(self._trace)
            self._trace.clear()

    @property
    def trace_hash(self) -> str:
        """A digest (64 hex digits) of all that happened so far: equal for equal runs, on every Python."""
        digest = self._digest.copy()
        digest.update(self._trace)
        return digest.hexdigest()

    def _go_on(self, until: Callable[[], bool], end_ns: Nanoseconds | None) -> bool:
        """Make steps until ``until()``; ``False`` when time is up, or nothing will ever happen."""
        while not until():
            if not self._step(end_ns):
                return until()
        return True

    def _step(self, end_ns: Nanoseconds | None) -> bool:
        """Do what is due now, or turn one that is ready, or else let time pass; ``False``: none of these."""
        events, now_ns = self._events, self.clock.now_ns()
        if events and events[0][0] <= now_ns:
            while events and events[0][0] <= now_ns:
                _, _, function, argument = heapq.heappop(events)
                function(argument)
            return True
        if self._ready:
            self._turn(self._next_in_line())
            return True
        return self._pass_time(end_ns)

    def _next_in_line(self) -> Watcher:
        ready = self._ready
        if self._shuffle and len(ready) > 1:
            # Not randrange: only random() is promised to give the same numbers on every Python.
            ready.rotate(-int(self.random.random() * len(ready)))
        return ready.popleft()

    def _turn(self, watcher: Watcher) -> None:
        watcher.marked = False
        turn = self._turns.get(watcher)
        if turn is None or watcher.turning:
            return
        self.turn_count += 1
        watcher.turning, watcher.has_polled = True, False
        try:
            if turn():
                self._looked_around = False
        finally:
            watcher.turning = False
        deadline_ns = watcher.deadline_ns
        # Who did anything is turned again: only a turn that does nothing says until when it has nothing to do.
        if not watcher.has_polled or (deadline_ns is not None and deadline_ns <= self.clock.now_ns()):
            self.mark(watcher)

    def _pass_time(self, end_ns: Nanoseconds | None) -> bool:
        """Jump to the next moment at which something is due; ``False`` when that is not before ``end_ns``."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][2].deadline_ns != deadlines[0][0]:
            heapq.heappop(deadlines)
        if not self._events and not self._looked_around and self._turns:
            # Before a long time passes: work that came without a wake-up (a post on this very thread).
            self._looked_around = True
            self.look_around()
            return True
        moments = [heap[0][0] for heap in (self._events, deadlines) if heap]
        now_ns = self.clock.now_ns()
        if not moments or (end_ns is not None and min(moments) > end_ns):
            if end_ns is not None:
                self.clock.advance(max(end_ns - now_ns, 0))
            return False
        when_ns = min(moments)
        self.clock.advance(max(when_ns - now_ns, 0))
        self._looked_around = False
        while deadlines and deadlines[0][0] <= when_ns:
            deadline_ns, _, watcher = heapq.heappop(deadlines)
            if watcher.deadline_ns == deadline_ns:
                watcher.deadline_ns = None
                self.mark(watcher)
        return True

    def _deadlock(self) -> InvalidState:
        return InvalidState(f"deadlock: nothing is ready, on its way or due; {self._who_waits()}")

    def _who_waits(self) -> str:
        watchers = dict.fromkeys([*self._waiting, *self._turns])
        lines = [watcher.describe() for watcher in watchers]
        return "; ".join(lines[:20]) or "nobody is there"


__all__ = ["Source", "Watcher", "World"]
