"""The shared half of the pollers: rounding of time and translation of what the system refuses."""

from __future__ import annotations

import errno
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument, ResourceExhausted
from hioload_ws.api.types import Handle
from hioload_ws.internal.poller_base import MAX_WAIT_NS, HandleSet, system_refused, wait_seconds


@given(st.integers(1, MAX_WAIT_NS))
def test_seconds_rounded_up_to_nanoseconds_are_never_less_than_asked_for(timeout_ns: int) -> None:
    seconds = wait_seconds(timeout_ns)
    assert seconds is not None
    # What CPython does with it: multiply as a float, round up.
    assert math.ceil(seconds * 1e9) >= timeout_ns
    assert Fraction(seconds) * 10**9 - timeout_ns < 1


@pytest.mark.parametrize(("timeout_ns", "seconds"), [(None, None), (0, 0), (-1, 0), (10**30, 86400.0)])
def test_no_limit_the_past_and_centuries(timeout_ns: int | None, seconds: float | None) -> None:
    assert wait_seconds(timeout_ns) == seconds


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.ENOSPC, errno.EMFILE, errno.ENFILE])
def test_a_system_at_its_limit_is_a_resource_error(number: int) -> None:
    error = system_refused(OSError(number, "limit"), Handle(7))
    assert isinstance(error, ResourceExhausted)
    assert error.context["handle"] == 7


@pytest.mark.parametrize(
    "cause", [OSError(errno.EPERM, "a file"), ValueError("negative"), OverflowError("big")]
)
def test_everything_else_is_an_invalid_argument(cause: OSError | ValueError | OverflowError) -> None:
    assert isinstance(system_refused(cause, Handle(7)), InvalidArgument)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=60))
def test_a_handle_set_has_what_a_set_of_the_same_numbers_has(steps: list[tuple[bool, int]]) -> None:
    handles, reference = HandleSet(), set[int]()
    for adds, number in steps:
        if adds and number not in reference:
            handles.add(Handle(number))
            reference.add(number)
        elif not adds and number in reference:
            handles.remove(Handle(number))
            reference.remove(number)
        assert len(handles) == len(reference)
    assert [number for number in range(-2, 400) if Handle(number) in handles] == sorted(reference)
    handles.clear()
    assert len(handles) == 0 and not any(Handle(number) in handles for number in reference)
