"""A poller that is as plain as one can be, and right: it watches numbers whose readiness is kept in a dictionary."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence

from ...api.errors import AlreadyExists, Closed, InvalidArgument, NotFound
from ...api.poller import FAILED, READABLE, WRITABLE, Interest, Readiness
from ...api.types import Handle, Nanoseconds
from ..suites.lines import Lines

Events = list[tuple[Handle, Readiness]]


class Numbers:
    """Lines that are numbers. What is closed is used again first, as descriptors are."""

    threads = True

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.ready: dict[Handle, Readiness] = {}

    def now_ns(self) -> Nanoseconds:
        return time.monotonic_ns()

    def add(self) -> Number:
        handle = next(Handle(each) for each in itertools.count(3) if each not in self.ready)
        self.ready[handle] = 0
        return Number(self, handle)

    def refused(self) -> Handle:
        return Handle(1000)


class Number:
    """One line."""

    def __init__(self, numbers: Numbers, handle: Handle) -> None:
        self.numbers = numbers
        self.handle = handle

    def become(self, readiness: Readiness) -> None:
        with self.numbers.changed:
            self.numbers.ready[self.handle] = readiness
            self.numbers.changed.notify_all()

    def set(self, *, readable: bool, writable: bool) -> None:
        self.become((READABLE if readable else 0) | (WRITABLE if writable else 0))

    def hang_up(self) -> None:
        self.become(READABLE | WRITABLE | FAILED)

    def close(self) -> None:
        self.numbers.ready.pop(self.handle, None)


class Plain:
    """A poller."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.watched: dict[Handle, Interest] = {}
        self.woken = self.closed = False

    def __len__(self) -> int:
        return len(self.watched)

    def register(self, handle: Handle, interest: Interest) -> None:
        self.check(handle, interest)
        if handle in self.watched:
            raise AlreadyExists("watched already")
        if handle not in self.numbers.ready:
            raise InvalidArgument("no such handle")
        self.watched[handle] = interest

    def modify(self, handle: Handle, interest: Interest) -> None:
        self.check(handle, interest)
        self.find(handle)
        self.watched[handle] = interest

    def unregister(self, handle: Handle) -> None:
        self.check(handle, 0)
        self.find(handle)
        del self.watched[handle]

    def find(self, handle: Handle) -> None:
        if handle not in self.watched:
            raise NotFound("not watched")

    def check(self, handle: Handle, interest: Interest) -> None:
        self.check_open()
        if handle < 0 or interest & ~(READABLE | WRITABLE):
            raise InvalidArgument("not a handle, or not an interest")

    def check_open(self) -> None:
        if self.closed:
            raise Closed("closed")

    def poll(self, timeout_ns: Nanoseconds | None, max_events: int) -> Sequence[tuple[Handle, Readiness]]:
        self.check_open()
        if max_events < 1:
            raise InvalidArgument("1 or more")
        end_ns = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        with self.numbers.changed:
            while True:
                events = self.cut(list(self.collect()), max_events)
                if events or self.woken:
                    self.woken = False
                    return events
                if end_ns is not None and time.monotonic_ns() >= end_ns:
                    return events
                self.wait(None if end_ns is None else (end_ns - time.monotonic_ns()) / 1e9)

    def wait(self, seconds: float | None) -> None:
        self.numbers.changed.wait(seconds)

    def collect(self) -> Iterator[tuple[Handle, Readiness]]:
        for handle, interest in self.watched.items():
            readiness = self.numbers.ready.get(handle, 0) & (interest | FAILED)
            if readiness:
                yield handle, readiness

    def cut(self, events: Events, max_events: int) -> Events:
        events = events[:max_events]
        for handle, _ in events:
            self.watched[handle] = self.watched.pop(handle)  # to the end of the line
        return events

    def wake(self) -> None:
        with self.numbers.changed:
            self.woken = True
            self.numbers.changed.notify_all()

    def close(self) -> None:
        self.closed = True
        self.watched.clear()


def with_numbers(kind: type[Plain]) -> tuple[Plain, Lines]:
    """Return a poller and what it watches."""
    numbers = Numbers()
    return kind(numbers), numbers


__all__ = ["Events", "Number", "Numbers", "Plain", "with_numbers"]
