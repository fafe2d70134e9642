"""Clock: where time comes from.

Time is an argument, never a fact: everything that waits, expires or measures asks a ``Clock``, so that a
test can run an hour in a millisecond and a simulation is the same each time.
"""

from __future__ import annotations

from typing import Protocol

from .types import Nanoseconds


class Clock(Protocol):
    """Reads the time. Thread rules: any thread."""

    def now_ns(self) -> Nanoseconds:
        """Return the monotonic time in nanoseconds: never less than before, from an arbitrary origin
        (clock_gettime(2), CLOCK_MONOTONIC)."""

    def unix_ns(self) -> Nanoseconds:
        """Return the wall-clock time in nanoseconds since 1970-01-01 UTC.

        It may jump; never used for time-outs.
        """


__all__ = ["Clock"]
