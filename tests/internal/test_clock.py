"""The system's clocks: the right functions, in the right unit."""

from __future__ import annotations

import time

from hioload_ws.api.clock import Clock
from hioload_ws.internal.clock import SystemClock


def test_the_monotonic_clock_never_goes_back() -> None:
    clock: Clock = SystemClock()
    readings = [clock.now_ns() for _ in range(1000)]
    assert readings == sorted(readings)


def test_both_clocks_read_nanoseconds_of_the_systems_time() -> None:
    clock: Clock = SystemClock()
    before = time.monotonic_ns(), time.time_ns()
    now = clock.now_ns(), clock.unix_ns()
    assert before[0] <= now[0] <= time.monotonic_ns()
    # The wall clock may be set while we look, but hardly by an hour.
    assert abs(now[1] - before[1]) < 3600 * 10**9
