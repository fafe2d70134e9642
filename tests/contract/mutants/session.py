"""Broken sessions and unusual ones. ``Correct`` is a lock and a list."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Callable

from ...api.context import Context
from ...api.session import Session, SessionStatus
from ...api.types import Nanoseconds, SessionId
from ...fake.clock import VirtualClock
from ...fake.session import virtual_context
from ..mutation import Gallery
from ..suites.session import SessionContract

GALLERY = Gallery(SessionContract)

Callback = Callable[[Session], object]


class Correct:
    """A session with a lock of its own."""

    numbers = itertools.count(1)

    def __init__(self, *, deadline_ns: Nanoseconds | None, id: str = "", ended: Callback | None = None) -> None:
        self.id = SessionId(id or f"session {next(self.numbers)}")
        self.deadline_ns = deadline_ns
        self.status = SessionStatus.CONNECTING
        self.lock = threading.RLock()
        self.callbacks: list[Callback] = []
        self.made: Context | None = None
        self.ended = ended

    @property
    def done(self) -> bool:
        return self.status is SessionStatus.CLOSED

    @property
    def context(self) -> Context:
        with self.lock:
            if self.made is None:
                self.made = virtual_context(VirtualClock())
            return self.made

    def advance(self, status: SessionStatus) -> bool:
        if status is SessionStatus.CLOSED:
            return self.cancel()
        with self.lock:
            if status <= self.status:
                return False
            self.status = status
            return True

    def cancel(self) -> bool:
        with self.lock:
            if self.done:
                return False
            self.status = SessionStatus.CLOSED
            callbacks, self.callbacks = self.callbacks, []
        if self.ended is not None:
            self.ended(self)
        for each in callbacks:
            self.call(each)
        return True

    def call(self, callback: Callback) -> None:
        with contextlib.suppress(Exception):
            callback(self)

    def on_done(self, function: Callback) -> None:
        with self.lock:
            if not self.done:
                self.callbacks.append(function)
                return
        self.call(function)


@GALLERY.mutant("SES-01", "forgets a deadline of 0")
class ForgetsDeadline(Correct):
    def __init__(self, *, deadline_ns: Nanoseconds | None) -> None:
        super().__init__(deadline_ns=deadline_ns or None)


@GALLERY.mutant("SES-02", "makes a context each time it is asked")
class ManyContexts(Correct):
    @property
    def context(self) -> Context:
        return virtual_context(VirtualClock())


_shared = virtual_context(VirtualClock())


@GALLERY.mutant("SES-02", "has one context for all sessions")
class OneContext(Correct):
    @property
    def context(self) -> Context:
        return _shared


@GALLERY.mutant("SES-03", "moves by one status at most")
class StepByStep(Correct):
    def advance(self, status: SessionStatus) -> bool:
        return status - self.status <= 1 and super().advance(status)


@GALLERY.mutant("SES-04", "moves back")
class MovesBack(Correct):
    def advance(self, status: SessionStatus) -> bool:
        moved = super().advance(status)
        if status is SessionStatus.ACTIVE and not self.done:
            self.status = status
        return moved


@GALLERY.mutant("SES-04", "says that it moved when it stays")
class SaysMoved(Correct):
    def advance(self, status: SessionStatus) -> bool:
        return super().advance(status) or status is self.status is not SessionStatus.CLOSED


@GALLERY.mutant("SES-05", "is closing, and not closed, when it is cancelled while active")
class OnlyCloses(Correct):
    def cancel(self) -> bool:
        before = self.status
        answer = super().cancel()
        if before is SessionStatus.ACTIVE:
            self.status = SessionStatus.CLOSING
        return answer


@GALLERY.mutant("SES-06", "says that it came in time, always")
class SaysInTime(Correct):
    def cancel(self) -> bool:
        super().cancel()
        return True


@GALLERY.mutant("SES-07", "tells nobody when it is advanced to the end")
class TellsNobody(Correct):
    def advance(self, status: SessionStatus) -> bool:
        if status is SessionStatus.CLOSED:
            self.callbacks.clear()
        return super().advance(status)


@GALLERY.mutant("SES-08", "remembers one callback")
class RemembersOne(Correct):
    def on_done(self, function: Callback) -> None:
        self.callbacks.clear()
        super().on_done(function)


@GALLERY.mutant("SES-08", "tells again when it is cancelled again")
class TellsAgain(Correct):
    def cancel(self) -> bool:
        callbacks = self.callbacks
        answer = super().cancel()
        self.callbacks = callbacks
        if not answer:
            for each in callbacks:
                self.call(each)
        return answer


@GALLERY.mutant("SES-09", "forgets callbacks that come late")
class ForgetsLate(Correct):
    def on_done(self, function: Callback) -> None:
        if not self.done:
            super().on_done(function)


@GALLERY.mutant("SES-10", "stops at the first callback that raises")
class StopsAtFault(Correct):
    def cancel(self) -> bool:
        with contextlib.suppress(ZeroDivisionError):
            return super().cancel()
        return True

    def call(self, callback: Callback) -> None:
        try:
            callback(self)
        except Exception as error:
            raise ZeroDivisionError from error


@GALLERY.mutant("SES-11", "calls back before it has ended")
class CallsEarly(Correct):
    def cancel(self) -> bool:
        with self.lock:
            if self.done:
                return False
            callbacks, self.callbacks = self.callbacks, []
        for each in callbacks:
            self.call(each)
        return super().cancel() or bool(callbacks)


@GALLERY.mutant("SES-12", "comes back when it is advanced")
class ComesBack(Correct):
    def advance(self, status: SessionStatus) -> bool:
        if self.done and status is SessionStatus.ACTIVE:
            self.status = status
            return True
        return super().advance(status)


@GALLERY.mutant("SES-13", "looks and ends in two steps")
class NoLock(Correct):
    def cancel(self) -> bool:
        if self.done:
            return False
        callbacks = self.callbacks
        self.status = SessionStatus.CLOSED
        for each in callbacks:
            self.call(each)
        return True


@GALLERY.mutant("SES-14", "looks whether it has ended, then adds a callback")
class LooksThenAdds(Correct):
    def on_done(self, function: Callback) -> None:
        if self.done:
            self.call(function)
        else:
            self.callbacks.append(function)


@GALLERY.mutant("SES-15", "makes a context without a lock")
class RacingContext(Correct):
    @property
    def context(self) -> Context:
        if self.made is None:
            self.made = virtual_context(VirtualClock())
        return self.made


@GALLERY.mutant("SES-16", "lets go of its context when it ends")
class LetsGo(Correct):
    def cancel(self) -> bool:
        answer = super().cancel()
        self.made = None
        return answer


GALLERY.oddball("a lock of its own for each session")(Correct)


@GALLERY.oddball("calls the last callback first")
class LastFirst(Correct):
    def on_done(self, function: Callback) -> None:
        with self.lock:
            if not self.done:
                self.callbacks.insert(0, function)
                return
        self.call(function)


__all__ = ["GALLERY", "Callback", "Correct"]
