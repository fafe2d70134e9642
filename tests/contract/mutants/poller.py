"""Broken pollers, and unusual ones that are right."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from ...api.errors import Closed, InvalidArgument
from ...api.poller import FAILED, READABLE, Interest, Readiness
from ...api.types import Handle, Nanoseconds
from ..mutation import Gallery
from ..suites.lines import Lines
from ..suites.poller import PollerContract
from .poller_plain import Events, Numbers, Plain, with_numbers

GALLERY = Gallery(PollerContract)


def make_of(kind: type[Plain]) -> Callable[[], object]:
    """Return a factory that is called like the class."""

    def make() -> tuple[Plain, Lines]:
        return with_numbers(kind)

    make.__name__ = make.__qualname__ = kind.__name__
    return make


def mutant(kills: str, why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate a broken poller."""

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


@mutant("POL-01", "counts itself")
class CountsItself(Plain):
    def __len__(self) -> int:
        return super().__len__() + 1


@mutant("POL-02", "reports everybody when somebody is ready")
class ReportsAll(Plain):
    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        if any(super().collect()):
            yield from self.watched.items()


@mutant("POL-02", "reports the last of those that are ready only")
class ReportsLast(Plain):
    def cut(self, events: Events, max_events: int) -> Events:
        return super().cut(events[-1:], max_events)


@mutant("POL-03", "reports what is ready when that changes, and not again")
class Edge(Plain):
    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self.told: dict[Handle, Readiness] = {}

    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        found = dict(super().collect())
        if found != self.told:
            yield from found.items()
        self.told = found


@mutant("POL-03", "reports a handle once more than it is ready")
class OnceMore(Plain):
    last: Events = []

    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        found = list(super().collect())
        yield from found or [each for each in self.last if each[0] in self.watched]
        self.last = found


@mutant("POL-04", "reports all that a handle is ready for")
class IgnoresInterest(Plain):
    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        for handle in self.watched:
            if self.numbers.ready.get(handle):
                yield handle, self.numbers.ready[handle]


@mutant("POL-05", "adds to the interest")
class AddsInterest(Plain):
    def modify(self, handle: Handle, interest: Interest) -> None:
        super().modify(handle, interest)
        self.watched[handle] = interest | self.kept.get(handle, 0)
        self.kept[handle] = self.watched[handle]

    kept: dict[Handle, Interest] = {}

    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self.kept = {}


@mutant("POL-06", "goes on reporting who was unregistered")
class NeverForgets(Plain):
    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self.ghosts: dict[Handle, Interest] = {}

    def unregister(self, handle: Handle) -> None:
        self.ghosts[handle] = self.watched.get(handle, 0)
        super().unregister(handle)

    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        yield from super().collect()
        for handle, interest in self.ghosts.items():
            if handle not in self.watched and self.numbers.ready.get(handle, 0) & interest:
                yield handle, interest

    def cut(self, events: Events, max_events: int) -> Events:
        return events[:max_events]


@mutant("POL-07", "takes a second registration for a change")
class RegisterChanges(Plain):
    def register(self, handle: Handle, interest: Interest) -> None:
        self.watched.pop(handle, None)
        super().register(handle, interest)


@mutant("POL-07", "ignores handles it does not know")
class IgnoresUnknown(Plain):
    def find(self, handle: Handle) -> None:
        self.watched.setdefault(handle, 0)


@mutant("POL-08", "takes any bits for an interest")
class AnyBits(Plain):
    def check(self, handle: Handle, interest: Interest) -> None:
        super().check(handle, 0)


@mutant("POL-08", "raises ValueError for what can't be watched")
class OtherError(Plain):
    def check(self, handle: Handle, interest: Interest) -> None:
        try:
            super().check(handle, interest)
        except InvalidArgument as error:
            raise ValueError("nonsense") from error


@mutant("POL-08", "registers what it refuses")
class KeepsRefused(Plain):
    def register(self, handle: Handle, interest: Interest) -> None:
        super().register(handle, interest & 5)
        self.check(handle, interest)


@mutant("POL-09", "can't let go of a handle that was closed")
class KeepsClosed(Plain):
    def unregister(self, handle: Handle) -> None:
        if handle not in self.numbers.ready and handle in self.watched:
            raise OSError("EBADF")
        super().unregister(handle)


@mutant("POL-10", "says nothing of handles that broke")
class SilentFailure(Plain):
    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        return (each for each in super().collect() if not each[1] & FAILED)


@mutant("POL-11", "calls a broken handle readable")
class FailureIsReadable(Plain):
    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        return ((handle, bits & ~FAILED | READABLE) for handle, bits in super().collect())


@mutant("POL-12", "has no bound")
class Boundless(Plain):
    def cut(self, events: Events, max_events: int) -> Events:
        return events


@mutant("POL-12", "takes 0 for no bound")
class ZeroIsAll(Plain):
    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        return super().poll(timeout_ns, max_events or 100)


@mutant("POL-13", "serves who stands in front, always")
class FrontOnly(Plain):
    def cut(self, events: Events, max_events: int) -> Events:
        return sorted(events)[:max_events]


@mutant("POL-14", "rounds time down to milliseconds")
class RoundsDown(Plain):
    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        rounded_ns = timeout_ns and timeout_ns // 1_000_000 * 1_000_000
        return super().poll(rounded_ns, max_events)


@mutant("POL-14", "takes a negative time-out for none")
class NegativeIsNone(Plain):
    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        endless = timeout_ns is not None and timeout_ns < 0
        return super().poll(30_000_000_000 if endless else timeout_ns, max_events)

    def close(self) -> None:
        super().close()
        self.wake()


@mutant("POL-15", "loses a wake that comes before the poll")
class LosesWake(Plain):
    polling = False

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        self.woken = False
        return super().poll(timeout_ns, max_events)

    def close(self) -> None:
        super().close()
        self.wake()


@mutant("POL-15", "stays awake once it was woken")
class StaysAwake(Plain):
    ever = False

    def wake(self) -> None:
        self.ever = True
        super().wake()

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        self.woken = self.woken or self.ever
        return super().poll(timeout_ns, max_events)


@mutant("POL-15", "reports its own wake-up")
class ReportsWake(Plain):
    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        yield from super().collect()
        if self.woken:
            yield Handle(2), READABLE

    def cut(self, events: Events, max_events: int) -> Events:
        return events[:max_events]


@mutant("POL-16", "does not hear a wake while it waits")
class DeafWhileWaiting(Plain):
    def wait(self, seconds: float | None) -> None:
        self.numbers.changed.release()
        try:
            while (seconds is None or seconds > 0) and not self.closed and not self.cut(list(self.collect()), 1):
                time.sleep(0.001)
                seconds = None if seconds is None else seconds - 0.001
        finally:
            self.numbers.changed.acquire()


@mutant("POL-17", "looks before it waits, and not meanwhile")
class BlindWhileWaiting(Plain):
    def wait(self, seconds: float | None) -> None:
        self.numbers.changed.release()
        try:
            while (seconds is None or seconds > 0) and not self.woken and not self.closed:
                time.sleep(0.001)
                seconds = None if seconds is None else seconds - 0.001
        finally:
            self.numbers.changed.acquire()


@mutant("POL-18", "does not count those that are watched for nothing")
class CountsInterested(Plain):
    def __len__(self) -> int:
        return sum(map(bool, self.watched.values()))


@mutant("POL-19", "answers nothing after close")
class AnswersAfterClose(Plain):
    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        return [] if self.closed else super().poll(timeout_ns, max_events)


@mutant("POL-19", "fails at the second close")
class FailsAtSecondClose(Plain):
    def close(self) -> None:
        self.check_open()
        super().close()


@mutant("POL-19", "fails when it is woken after close")
class FailsAtLateWake(Plain):
    def wake(self) -> None:
        if self.closed:
            raise Closed("closed")
        super().wake()


@mutant("POL-20", "forgets its interest when a handle is registered for the third time")
class ThirdTime(Plain):
    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self.count = 0

    def register(self, handle: Handle, interest: Interest) -> None:
        self.count += 1
        super().register(handle, interest if self.count < 7 else 0)


oddball("a dictionary and a condition")(Plain)


@oddball("reports in another order each time")
class AnyOrder(Plain):
    def __init__(self, numbers: Numbers) -> None:
        super().__init__(numbers)
        self.random = random.Random(5)

    def cut(self, events: Events, max_events: int) -> Events:
        events = super().cut(events, max_events)
        self.random.shuffle(events)
        return events


@oddball("sleeps in ticks of two milliseconds, and a bit longer than asked")
class Ticks(Plain):
    def wait(self, seconds: float | None) -> None:
        self.numbers.changed.wait(0.002)


@oddball("answers a tuple")
class Tuples(Plain):
    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        return tuple(super().poll(timeout_ns, max_events))


__all__ = ["GALLERY"]
