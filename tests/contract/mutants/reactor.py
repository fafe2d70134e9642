"""Broken reactors, and unusual ones that are right."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ...api.errors import AlreadyExists
from ...api.poller import READABLE, Interest, Readiness
from ...api.reactor import ReadyCallback
from ...api.types import Handle, Nanoseconds
from ..mutation import Gallery
from ..suites.reactor import ReactorContract
from .poller_plain import Numbers
from .reactor_plain import Function, Plain, make_of

GALLERY = Gallery(ReactorContract)


def mutant(kills: str, why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate a broken reactor."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.mutant(kills, why)(make_of(kind))
        return kind

    return add


def oddball(why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate one that is right, and unusual."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.oddball(why)(make_of(kind))
        return kind

    return add


@mutant("RCT-01", "counts a turn as work")
class CountsTurns(Plain):
    def turn(self, timeout_ns: Nanoseconds | None) -> int:
        return super().turn(timeout_ns) + 1


@mutant("RCT-02", "calls everybody READABLE")
class AlwaysReadable(Plain):
    def dispatch(self, handle: Handle, readiness: Readiness) -> int:
        return super().dispatch(handle, READABLE)


@mutant("RCT-02", "calls everybody when somebody is ready")
class CallsAll(Plain):
    def dispatch(self, handle: Handle, readiness: Readiness) -> int:
        return sum(super(CallsAll, self).dispatch(each, readiness) for each in list(self.callbacks))


@mutant("RCT-03", "calls a callback once")
class CallsOnce(Plain):
    def dispatch(self, handle: Handle, readiness: Readiness) -> int:
        count = super().dispatch(handle, readiness)
        self.generation[handle] = 1 << 60
        if handle in self.callbacks:
            self.callbacks[handle] = lambda readiness: None
        return count


@mutant("RCT-04", "forgets what it was asked to change")
class IgnoresModify(Plain):
    def modify(self, handle: Handle, interest: Interest) -> None:
        self.check()


@mutant("RCT-05", "calls back for what was collected before unregister")
class CallsStale(Plain):
    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self.all: dict[Handle, ReadyCallback] = {}

    def dispatch(self, handle: Handle, readiness: Readiness) -> int:
        self.call(lambda: self.all[handle](readiness))
        return 1

    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        super().register(handle, interest, callback)
        self.all[handle] = callback


@mutant("RCT-06", "calls the new callback for the old readiness")
class CallsNew(Plain):
    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        super().register(handle, interest, callback)
        self.generation[handle] = 0


@mutant("RCT-07", "replaces the callback of a handle that is registered again")
class Replaces(Plain):
    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        try:
            super().register(handle, interest, callback)
        except AlreadyExists:
            self.callbacks[handle] = callback


@mutant("RCT-07", "ignores handles it does not know")
class IgnoresUnknown(Plain):
    def unregister(self, handle: Handle) -> None:
        if handle in self.callbacks:
            super().unregister(handle)


@mutant("RCT-08", "runs what is posted at once, on its own thread")
class RunsAtOnce(Plain):
    def post(self, function: Function) -> bool:
        if self.owner == threading.get_ident() or self.owner is None:
            self.call(function)
            return True
        return super().post(function)


@mutant("RCT-08", "runs the last post first")
class LastPostFirst(Plain):
    def run_posts(self) -> int:
        self.inbox.reverse()
        return super().run_posts()


@mutant("RCT-09", "drops the oldest post when it is full")
class DropsOldest(Plain):
    def post(self, function: Function) -> bool:
        accepted = super().post(function)
        if not accepted and self.inbox:
            self.inbox.popleft()
        return accepted


@mutant("RCT-09", "says that it accepted what it dropped")
class DropsNewest(Plain):
    def post(self, function: Function) -> bool:
        super().post(function)
        return len(self.inbox) < self.inbox_room or self.refused < 5


@mutant("RCT-10", "works its inbox off before it does anything else")
class WorksOff(Plain):
    def run_posts(self) -> int:
        count = 0
        while self.inbox and not self.closed:
            self.call(self.inbox.popleft())
            count += 1
        return count


@mutant("RCT-11", "ends when a callback raises")
class LetsThrough(Plain):
    def call(self, function: Function) -> None:
        function()


@mutant("RCT-11", "swallows what is raised, and counts nothing")
class CountsNoErrors(Plain):
    def call(self, function: Function) -> None:
        super().call(function)
        self.errors = 0


@mutant("RCT-11", "forgets the other ends of a turn when one raises")
class StopsAtEnd(Plain):
    def run_ends(self) -> None:
        before = self.errors
        while self.ends and self.errors == before:
            self.call(self.ends.popleft())
        self.ends.clear()


@mutant("RCT-12", "sleeps through its timers")
class SleepsThrough(Plain):
    def wait_ns(self, timeout_ns: Nanoseconds | None) -> Nanoseconds | None:
        return 0 if self.inbox or self.ends or self.stopping else timeout_ns


@mutant("RCT-12", "runs timers two milliseconds early")
class RunsEarly(Plain):
    def run_timers(self) -> int:
        for timer in self.scheduler.pending():
            if 0 < timer.deadline_ns - self.clock.now_ns() < 2_500_000:
                timer.deadline_ns = 0
        return super().run_timers()


@mutant("RCT-13", "waits until something happens, whatever the time-out")
class IgnoresTimeout(Plain):
    def wait_ns(self, timeout_ns: Nanoseconds | None) -> Nanoseconds | None:
        busy = self.inbox or not self.callbacks
        return super().wait_ns(timeout_ns if busy else None)


@mutant("RCT-14", "runs the end of a turn at once")
class EndsAtOnce(Plain):
    def at_turn_end(self, function: Function) -> None:
        if self.running:
            self.call(function)
        else:
            super().at_turn_end(function)


@mutant("RCT-14", "runs the ends of a turn before its timers")
class EndsBeforeTimers(Plain):
    def run_timers(self) -> int:
        self.run_ends()
        return super().run_timers()


@mutant("RCT-14", "runs the ends of the last turn again")
class EndsAgain(Plain):
    last: list[Function] = []

    def run_ends(self) -> None:
        now = list(self.ends)
        self.ends.extend(self.last)
        self.last = now
        super().run_ends()


@mutant("RCT-15", "waits although an end of turn was asked for")
class WaitsFirst(Plain):
    def wait_ns(self, timeout_ns: Nanoseconds | None) -> Nanoseconds | None:
        ends, self.ends = self.ends, type(self.ends)()
        answer = super().wait_ns(timeout_ns)
        self.ends = ends
        return answer


@mutant("RCT-16", "runs ends of a turn for as long as there are any")
class EndlessEnds(Plain):
    def run_ends(self) -> None:
        while self.ends and not self.closed:
            self.call(self.ends.popleft())


@mutant("RCT-17", "forgets its timers when it counts the work")
class CountsNoTimers(Plain):
    def turn(self, timeout_ns: Nanoseconds | None) -> int:
        before = self.timers
        return super().turn(timeout_ns) - (self.timers - before)


@mutant("RCT-18", "runs timers only when there are no events")
class StarvesTimers(Plain):
    def run_timers(self) -> int:
        busy = len(self.callbacks) > 20 and not self.inbox
        return 0 if busy else super().run_timers()


oddball("one dictionary, one deque, one loop")(Plain)


@oddball("one of each kind per turn")
class BudgetOfOne(Plain):
    budget = 1


@oddball("timers before posts, and these before events")
class OtherOrder(Plain):
    def turn(self, timeout_ns: Nanoseconds | None) -> int:
        self.turns += 1
        events = self.poller.poll(self.wait_ns(timeout_ns), self.budget)
        timers = self.run_timers()
        posts = self.run_posts()
        work = sum(self.dispatch(handle, readiness) for handle, readiness in events)
        self.events, self.timers, self.posts = self.events + work, self.timers + timers, self.posts + posts
        self.run_ends()
        return work + posts + timers


@oddball("wakes up for nothing every millisecond")
class Restless(Plain):
    def wait_ns(self, timeout_ns: Nanoseconds | None) -> Nanoseconds | None:
        wanted_ns = super().wait_ns(timeout_ns)
        return 1_000_000 if wanted_ns is None else min(wanted_ns, 1_000_000)


__all__ = ["GALLERY"]
