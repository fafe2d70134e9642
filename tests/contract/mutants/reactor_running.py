"""Broken reactors, by how they run, stop, close, and meet other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from ...api.errors import Closed
from ...api.poller import Interest
from ...api.reactor import ReactorStats, ReadyCallback
from ...api.types import Handle, Nanoseconds
from ..mutation import Gallery
from ..suites.reactor import ReactorContract
from .reactor_plain import Function, Plain, make_of

GALLERY = Gallery(ReactorContract)


def mutant(kills: str, why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate a broken reactor."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.mutant(kills, why)(make_of(kind))
        return kind

    return add


@mutant("RCT-21", "forgets what is posted behind stop")
class StopForgets(Plain):
    def stop(self) -> None:
        super().stop()
        self.inbox.clear()


@mutant("RCT-21", "can be run once")
class RunsOnce(Plain):
    def run(self) -> None:
        super().run()
        self.stopping = True


@mutant("RCT-22", "forgets a stop that comes before run")
class ForgetsStop(Plain):
    def begin(self) -> None:
        super().begin()
        self.stopping = self.closed

    def close(self) -> None:
        self.stop()
        self.poller.close()


@mutant("RCT-23", "runs within itself")
class RunsWithin(Plain):
    def begin(self) -> None:
        if self.running and self.inbox:
            self.running = False
            self.stopping = True
        super().begin()


@mutant("RCT-23", "closes while it runs")
class ClosesWhileRunning(Plain):
    def close(self) -> None:
        running, self.running = self.running, False
        if not running:
            super().close()
        self.running = running


@mutant("RCT-24", "accepts posts after close")
class PostsAfterClose(Plain):
    def post(self, function: Function) -> bool:
        return super().post(function) or self.closed


@mutant("RCT-24", "finds no work after close")
class TurnsAfterClose(Plain):
    def run_once(self, timeout_ns: Nanoseconds | None) -> int:
        return 0 if self.closed else super().run_once(timeout_ns)


@mutant("RCT-24", "fails at the second close")
class FailsAtSecondClose(Plain):
    def close(self) -> None:
        if self.closed:
            raise Closed("closed")
        super().close()


@mutant("RCT-25", "runs what is posted when it is closed")
class CloseRuns(Plain):
    def close(self) -> None:
        self.run_posts()
        super().close()


@mutant("RCT-25", "keeps its timers when it is closed")
class CloseKeepsTimers(Plain):
    def close(self) -> None:
        timers = list(self.scheduler.timers)
        super().close()
        self.scheduler.timers = timers


@mutant("RCT-26", "tells the events of the last turn")
class TellsLastTurn(Plain):
    def turn(self, timeout_ns: Nanoseconds | None) -> int:
        self.events = 0
        return super().turn(timeout_ns)


@mutant("RCT-26", "counts handles that are gone")
class CountsGone(Plain):
    ever = 0

    def register(self, handle: Handle, interest: Interest, callback: ReadyCallback) -> None:
        super().register(handle, interest, callback)
        self.ever += 1

    def stats(self) -> ReactorStats:
        return replace(super().stats(), handle_count=self.ever)


@mutant("RCT-27", "does not wake for a post")
class PostsInSilence(Plain):
    def post(self, function: Function) -> bool:
        wake, self.poller.wake = self.poller.wake, lambda: None  # type: ignore[method-assign]  # for a moment
        try:
            return super().post(function)
        finally:
            self.poller.wake = wake  # type: ignore[method-assign]  # as it was

    def close(self) -> None:
        self.stop()
        self.poller.close()


@mutant("RCT-28", "does not wake for a stop")
class StopsInSilence(Plain):
    def stop(self) -> None:
        self.stopping = True

    def close(self) -> None:
        self.stop()
        self.poller.wake()
        self.poller.close()


@mutant("RCT-29", "lets anybody register")
class AnyThread(Plain):
    def check(self) -> None:
        if self.closed:
            raise Closed("closed")


@mutant("RCT-30", "has one place for posts of other threads")
class OnePlace(Plain):
    other: Function | None = None

    def post(self, function: Function) -> bool:
        if self.owner in (None, threading.get_ident()) or len(self.inbox) < 3:
            return super().post(function)
        self.inbox[-2] = function
        return True


__all__ = ["GALLERY"]
