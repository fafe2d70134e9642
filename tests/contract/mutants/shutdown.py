"""Broken businesses that can be shut down, and one that is right: a count of work, and a thread that does it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from ..mutation import Gallery
from ..suites.shutdown import GracefulShutdownContract

GALLERY = Gallery(GracefulShutdownContract)


class Plain:
    """A business that is right, and its own subject."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.under_way = 0
        self.dropped = self.shutting = self.ended = False
        self.calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    @property
    def subject(self) -> Plain:
        return self

    def work(self) -> None:
        while (function := self.calls.get()) is not None:
            function()

    def on_its_thread(self, function: Callable[[], object]) -> None:
        self.calls.put(function)

    def begin(self) -> Callable[[], object]:
        with self.changed:
            if self.shutting:
                raise RuntimeError("no more work is taken")
            self.under_way += 1
        return self.finish

    def finish(self) -> None:
        with self.changed:
            self.under_way -= 1
            self.changed.notify_all()

    def shutdown(self, timeout_ns: int | None = None) -> bool:
        with self.changed:
            self.shutting = True
            if threading.current_thread() is self.thread:
                return False
            if not self.ended:
                self.wait(timeout_ns)
            return not self.dropped

    def wait(self, timeout_ns: int | None) -> None:
        done = self.changed.wait_for(lambda: not self.under_way, None if timeout_ns is None else timeout_ns / 1e9)
        self.dropped = self.dropped or not done
        self.ended = True

    def close(self) -> None:
        with self.changed:
            self.under_way = 0
            self.changed.notify_all()
        self.calls.put(None)


GALLERY.oddball("a count, a condition, a thread")(Plain)


@GALLERY.oddball("looks every two milliseconds whether it is done")
class Polls(Plain):
    def wait(self, timeout_ns: int | None) -> None:
        end = time.monotonic() + (60 if timeout_ns is None else timeout_ns / 1e9)
        while self.under_way and time.monotonic() < end:
            self.changed.wait(0.002)
        self.dropped = self.dropped or bool(self.under_way)
        self.ended = True


@GALLERY.mutant("SHD-01", "waits for the whole time-out")
class WaitsAnyway(Plain):
    def wait(self, timeout_ns: int | None) -> None:
        self.changed.wait_for(lambda: self.ended, None if timeout_ns is None else timeout_ns / 1e9)

    def close(self) -> None:
        self.ended = True
        super().close()


@GALLERY.mutant("SHD-01", "answers nothing")
class SaysNothing(Plain):
    def shutdown(self, timeout_ns: int | None = None) -> bool:
        super().shutdown(timeout_ns)
        return None  # type: ignore[return-value]  # that is what is wrong with it


@GALLERY.mutant("SHD-02", "waits for nobody")
class WaitsForNobody(Plain):
    def wait(self, timeout_ns: int | None) -> None:
        self.ended = True


@GALLERY.mutant("SHD-03", "says that dropped work has ended by itself")
class SaysDone(Plain):
    def shutdown(self, timeout_ns: int | None = None) -> bool:
        own = threading.current_thread() is self.thread
        return super().shutdown(timeout_ns) or not own


@GALLERY.mutant("SHD-03", "waits for ever, whatever the time-out")
class WaitsForEver(Plain):
    def wait(self, timeout_ns: int | None) -> None:
        super().wait(None)


@GALLERY.mutant("SHD-04", "takes work until the end")
class TakesWork(Plain):
    def begin(self) -> Callable[[], object]:
        shutting, self.shutting = self.shutting, False
        try:
            return super().begin()
        finally:
            self.shutting = shutting


@GALLERY.mutant("SHD-05", "answers True the second time")
class TrueTheSecondTime(Plain):
    def shutdown(self, timeout_ns: int | None = None) -> bool:
        ended = self.ended
        return super().shutdown(timeout_ns) or ended


@GALLERY.mutant("SHD-05", "fails when it is shut down again")
class FailsAgain(Plain):
    def shutdown(self, timeout_ns: int | None = None) -> bool:
        if self.ended:
            raise RuntimeError("shut down already")
        return super().shutdown(timeout_ns)


@GALLERY.mutant("SHD-06", "answers at once while somebody else waits")
class FirstWaits(Plain):
    def shutdown(self, timeout_ns: int | None = None) -> bool:
        if self.shutting and not self.ended:
            return threading.current_thread() is not self.thread
        return super().shutdown(timeout_ns)


@GALLERY.mutant("SHD-07", "waits for itself on its own thread")
class WaitsForItself(Plain):
    def shutdown(self, timeout_ns: int | None = None) -> bool:
        with self.changed:
            self.shutting = True
            if not self.ended:
                self.wait(timeout_ns)
            return not self.dropped


__all__ = ["GALLERY"]
