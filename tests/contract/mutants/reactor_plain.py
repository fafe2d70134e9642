"""A reactor that is as plain as one can be, and right, over the plain poller and the plain scheduler."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from ...api.clock import Clock
from ...api.errors import Closed, InvalidState, WrongThread
from ...api.poller import Interest, Readiness
from ...api.reactor import ReactorStats, ReadyCallback
from ...api.types import Handle, Nanoseconds
from ...internal.clock import SystemClock
from ..suites.lines import Lines
from .poller_plain import Numbers
from .poller_plain import Plain as Poller
from .scheduler import Correct as Scheduler
from .scheduler import Timer

Function = Callable[[], object]


class Timers(Scheduler):
    """The plain scheduler, with a count of the timers that raised."""

    error_count = 0

    def run(self, timer: Timer) -> None:
        super().run(timer)
        self.error_count += timer.error is not None


class Plain:
    """A reactor. ``inbox_room`` posts wait at most; a turn takes ``budget`` of each kind."""

    inbox_room = 300
    budget = 16

    def __init__(self, numbers: Numbers) -> None:
        self.clock: Clock = SystemClock()
        self.poller = Poller(numbers)
        self.scheduler = Timers(self.clock)
        self.callbacks: dict[Handle, ReadyCallback] = {}
        self.inbox: deque[Function] = deque()
        self.ends: deque[Function] = deque()
        self.generation: dict[Handle, int] = {}
        self.turns = self.events = self.posts = self.refused = self.timers = self.errors = 0
        self.owner: int | None = None
        self.running = self.stopping = self.closed = False

    def check(self) -> None:
        if self.owner not in (None, threading.get_ident()):
            raise WrongThread("another thread's")
        if self.closed:
            raise Closed("closed")

    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        self.check()
        self.poller.register(handle, interest)
        self.callbacks[handle] = callback
        self.generation[handle] = self.turns

    def modify(self, handle: Handle, interest: Interest) -> None:
        self.check()
        self.poller.modify(handle, interest)

    def unregister(self, handle: Handle) -> None:
        self.check()
        self.poller.unregister(handle)
        del self.callbacks[handle]

    def post(self, function: Function) -> bool:
        if self.closed or len(self.inbox) >= self.inbox_room:
            self.refused += 1
            return False
        self.inbox.append(function)
        self.poller.wake()
        return True

    def at_turn_end(self, function: Function) -> None:
        self.check()
        self.ends.append(function)

    def run(self) -> None:
        self.begin()
        try:
            while not self.stopping:
                self.turn(None)
            self.stopping = False
        finally:
            self.running = False
            self.owner = None

    def run_once(self, timeout_ns: Nanoseconds | None) -> int:
        self.check()
        self.begin()
        try:
            return self.turn(timeout_ns)
        finally:
            self.running = False

    def begin(self) -> None:
        if self.closed:
            raise Closed("closed")
        if self.running:
            raise InvalidState("running")
        self.running = True
        self.owner = threading.get_ident()

    def turn(self, timeout_ns: Nanoseconds | None) -> int:
        self.turns += 1
        events = self.poller.poll(self.wait_ns(timeout_ns), self.budget)
        work = sum(self.dispatch(handle, readiness) for handle, readiness in events)
        self.events += work
        posts = self.run_posts()
        self.posts += posts
        timers = self.run_timers()
        self.timers += timers
        self.run_ends()
        return work + posts + timers

    def wait_ns(self, timeout_ns: Nanoseconds | None) -> Nanoseconds | None:
        if self.inbox or self.ends or self.stopping:
            return 0
        deadline_ns = self.scheduler.next_deadline_ns()
        if deadline_ns is None:
            return timeout_ns
        rest_ns = max(deadline_ns - self.clock.now_ns(), 0)
        return rest_ns if timeout_ns is None else min(rest_ns, timeout_ns)

    def dispatch(self, handle: Handle, readiness: Readiness) -> int:
        callback = self.callbacks.get(handle)
        if callback is None or self.generation[handle] == self.turns:
            return 0
        self.call(lambda: callback(readiness))
        return 1

    def run_posts(self) -> int:
        count = 0
        for _ in range(min(len(self.inbox), self.budget)):
            if self.inbox:  # a mutant may empty it meanwhile
                self.call(self.inbox.popleft())
                count += 1
        return count

    def run_timers(self) -> int:
        return self.scheduler.run_due(self.budget)

    def run_ends(self) -> None:
        for _ in range(50):
            for _ in range(len(self.ends)):
                self.call(self.ends.popleft())

    def call(self, function: Function) -> None:
        try:
            function()
        except Exception:
            self.errors += 1

    def stop(self) -> None:
        self.stopping = True
        self.poller.wake()

    def stats(self) -> ReactorStats:
        errors = self.errors + self.scheduler.error_count
        return ReactorStats(
            self.turns, self.events, self.posts, self.refused, self.timers, errors, len(self.poller), 0, 0
        )

    def close(self) -> None:
        if self.running:
            raise InvalidState("running")
        self.closed = True
        self.poller.close()
        self.inbox.clear()
        self.scheduler.timers.clear()


def make_of(kind: type[Plain]) -> Callable[[], object]:
    """Return a factory that is called like the class, of a reactor and what it watches."""

    def make() -> tuple[Plain, Lines]:
        numbers = Numbers()
        return kind(numbers), numbers

    make.__name__ = make.__qualname__ = kind.__name__
    return make


__all__ = ["Function", "Plain", "make_of"]
