"""The system's clocks, read without ceremony.

The monotonic clock is what every deadline is measured on (clock_gettime(2), CLOCK_MONOTONIC): it never
steps back when somebody sets the time. The wall clock is for dates in logs and headers only.
"""

from __future__ import annotations

import time


class SystemClock:
    """The machine's time. Implements ``api.clock.Clock``. Thread rules: any thread; it has no state.

    The two methods *are* the functions of ``time``: a reactor reads the clock several times a turn, and a
    Python frame around the call would double its price.
    """

    __slots__ = ()

    now_ns = staticmethod(time.monotonic_ns)
    unix_ns = staticmethod(time.time_ns)


__all__ = ["SystemClock"]
