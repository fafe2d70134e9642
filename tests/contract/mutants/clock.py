"""Broken clocks and unusual ones."""

from __future__ import annotations

import threading
import time

from ..mutation import Gallery
from ..suites.clock import ClockContract

GALLERY = Gallery(ClockContract)


class Correct:
    """The machine's time."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def unix_ns(self) -> int:
        return time.time_ns()


@GALLERY.mutant("CLK-01", "tells seconds, as a float")
class FloatSeconds(Correct):
    def now_ns(self) -> float:  # type: ignore[override]  # that is what is wrong with it
        return time.monotonic()


@GALLERY.mutant("CLK-02", "goes back now and then, as a wall clock does")
class GoesBack(Correct):
    reads = 0

    def now_ns(self) -> int:
        self.reads += 1
        return super().now_ns() - (10**9 if self.reads % 500 == 0 else 0)


@GALLERY.mutant("CLK-03", "tells the date in seconds, as a float")
class FloatDate(Correct):
    def unix_ns(self) -> float:  # type: ignore[override]  # that is what is wrong with it
        return time.time()


@GALLERY.mutant("CLK-04", "counts the time of each thread by itself")
class TimeOfThread(Correct):
    def now_ns(self) -> int:
        return time.thread_time_ns()


@GALLERY.mutant("CLK-04", "may be read by the thread that made it only")
class OneThread(Correct):
    def __init__(self) -> None:
        self._owner = threading.get_ident()

    def now_ns(self) -> int:
        if threading.get_ident() != self._owner:
            raise RuntimeError("another thread")
        return super().now_ns()


@GALLERY.mutant("CLK-05", "tells the date in microseconds")
class Microseconds(Correct):
    def unix_ns(self) -> int:
        return super().unix_ns() // 1000


@GALLERY.mutant("CLK-06", "moves the monotonic time when somebody asks for the date")
class Moves(Correct):
    asked = 0

    def unix_ns(self) -> int:
        self.asked += 1
        return super().unix_ns()

    def now_ns(self) -> int:
        return super().now_ns() + self.asked * 10**9


GALLERY.oddball("the machine's time")(Correct)


@GALLERY.oddball("time that stands still")
class StandsStill(Correct):
    def now_ns(self) -> int:
        return 0

    def unix_ns(self) -> int:
        return 1_000_000_000_000_000_000


@GALLERY.oddball("an origin far in the past, and ticks of 16 ms")
class Coarse(Correct):
    def now_ns(self) -> int:
        return super().now_ns() // 16_000_000 * 16_000_000 - 10**18


__all__ = ["GALLERY"]
