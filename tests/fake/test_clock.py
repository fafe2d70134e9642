"""The virtual clock moves when told to, and only then."""

from __future__ import annotations

import pytest

from hioload_ws.api.clock import Clock
from hioload_ws.api.errors import InvalidArgument
from hioload_ws.fake.clock import DEFAULT_UNIX_NS, VirtualClock


def test_time_stands_still_until_it_is_advanced() -> None:
    made = VirtualClock()
    clock: Clock = made
    assert (clock.now_ns(), clock.now_ns(), clock.unix_ns()) == (0, 0, DEFAULT_UNIX_NS)
    made.advance(5)
    assert (clock.now_ns(), clock.unix_ns()) == (5, DEFAULT_UNIX_NS + 5)


def test_both_starting_points_can_be_chosen() -> None:
    clock = VirtualClock(start_ns=100, unix_ns=7)
    assert (clock.now_ns(), clock.unix_ns()) == (100, 7)


def test_monotonic_time_refuses_to_go_back() -> None:
    clock = VirtualClock(start_ns=9)
    with pytest.raises(InvalidArgument):
        clock.advance(-1)
    assert clock.now_ns() == 9


def test_a_step_of_the_wall_clock_leaves_monotonic_time_alone() -> None:
    clock = VirtualClock(unix_ns=1000)
    clock.step_unix(-300)
    assert (clock.now_ns(), clock.unix_ns()) == (0, 700)
