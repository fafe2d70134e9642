"""How long to wait before coming back, and after what not to come back at all."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.adapters.backoff import Backoff, Outcome, Retries, is_transient, retry_after_s
from hioload_ws.api import (
    CloseEvent,
    ConnectionLost,
    HandshakeFailed,
    InvalidArgument,
    NotSupported,
    ProxyRefused,
    ResourceExhausted,
    Response,
    TimedOut,
)
from hioload_ws.fake.connection import FakeConnection

SECOND_NS = 1_000_000_000
LOST = ConnectionLost("reset")


def closed(code: int) -> CloseEvent:
    return CloseEvent(FakeConnection(), code, "")


def refused(status: int, *headers: tuple[str, str]) -> HandshakeFailed:
    error = HandshakeFailed("no", status=status)
    error.response = Response(status, headers=headers) if status else None
    return error


def test_the_first_wait_is_random_and_later_ones_grow_up_to_a_limit() -> None:
    backoff = Backoff(first_s=1.0, factor=2.0, max_s=10.0)
    assert [backoff.delay_s(1, draw) for draw in (0.0, 0.5)] == [0.0, 0.5]
    assert [round(backoff.longest_s(count), 9) for count in range(1, 8)] == [1, 2, 4, 8, 10, 10, 10]
    assert [round(backoff.delay_s(count, 0.0), 9) for count in range(2, 6)] == [1, 2, 4, 5]
    assert [round(backoff.delay_s(count, 0.5), 9) for count in range(2, 6)] == [1.5, 3, 6, 7.5]


def test_the_defaults_are_what_the_rfc_calls_reasonable() -> None:
    backoff = Backoff()
    assert (backoff.first_s, backoff.factor, backoff.max_s, backoff.max_attempts) == (5.0, 2.0, 60.0, None)


@given(
    first_s=st.floats(0, 100),
    factor=st.floats(1, 1e300),
    more_s=st.floats(0, 1e6),
    count=st.integers(1, 10**9),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_no_wait_is_negative_beyond_the_limit_or_shorter_than_the_range_before(
    first_s: float, factor: float, more_s: float, count: int, draw: float
) -> None:
    backoff = Backoff(first_s=first_s, factor=factor, max_s=first_s + more_s)
    assert 0 <= backoff.delay_s(count, draw) <= backoff.longest_s(count) <= backoff.max_s * (1 + 1e-9)
    assert backoff.longest_s(count) <= backoff.longest_s(count + 1) * (1 + 1e-9)


@pytest.mark.parametrize(
    "wrong",
    [{"first_s": -1.0}, {"first_s": 61.0}, {"max_s": math.inf}, {"first_s": math.nan}, {"factor": 0.5},
     {"factor": math.inf}, {"factor": math.nan}, {"max_attempts": 0}],
)  # fmt: skip
def test_waits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidArgument):
        Backoff(**wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("outcome", "transient"),
    [
        (LOST, True),
        (TimedOut("late"), True),
        (ResourceExhausted("no descriptors"), True),
        (ConnectionLost("TLS failed", reason="CERTIFICATE_VERIFY_FAILED"), False),
        (ConnectionLost("TLS failed", reason="UNEXPECTED_EOF"), True),
        *[(refused(status), True) for status in (408, 425, 429, 500, 502, 503, 504)],
        *[(refused(status), False) for status in (0, 101, 200, 302, 400, 401, 403, 404, 407, 410, 426, 501, 505)],
        (ProxyRefused("no", status=407), False),
        (ProxyRefused("no", status=0), False),
        (ProxyRefused("no", status=502), True),
        *[(closed(code), True) for code in (1001, 1006, 1011, 1012, 1013, 1014)],
        *[(closed(code), False) for code in (1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010, 3000, 4000, 4999)],
        (NotSupported("no"), False),
        (InvalidArgument("no"), False),
        (RuntimeError("a bug"), False),
    ],
    ids=repr,
)
def test_only_what_time_can_mend_is_worth_another_attempt(outcome: Outcome, transient: bool) -> None:
    assert is_transient(outcome) is transient


@pytest.mark.parametrize(
    ("outcome", "seconds"),
    [
        (refused(503, ("Retry-After", "7")), 7.0),
        (refused(503, ("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")), 0.0),
        (refused(503, ("Retry-After", "-1")), 0.0),
        (refused(503, ("Retry-After", "\u00b2")), 0.0),
        (refused(503, ("Retry-After", "9" * 400)), 0.0),
        (refused(503), 0.0),
        (refused(0), 0.0),
        (LOST, 0.0),
        (closed(1013), 0.0),
    ],
)
def test_a_refusal_may_ask_for_a_longer_wait(outcome: Outcome, seconds: float) -> None:
    assert retry_after_s(outcome) == seconds


def test_what_a_refusal_asks_for_is_the_least_that_is_waited_and_bounded() -> None:
    retries = Retries(Backoff(first_s=4.0, max_s=60.0), is_transient, lambda: 0.5)
    assert retries.wait_s(refused(503, ("Retry-After", "30")), 0) == 30.0
    assert retries.wait_s(refused(503, ("Retry-After", "300")), 0) == 60.0
    assert retries.wait_s(refused(503, ("Retry-After", "1")), 0) == pytest.approx(12.0)


def test_a_connection_that_lasted_makes_the_next_wait_a_first_one() -> None:
    retries = Retries(Backoff(first_s=1.0, max_s=10.0), is_transient, lambda: 0.0)
    assert [retries.wait_s(LOST, 0) for _ in range(3)] == pytest.approx([0.0, 1.0, 2.0])
    assert retries.wait_s(LOST, 10 * SECOND_NS) == pytest.approx(4.0)
    assert retries.wait_s(closed(1006), 10 * SECOND_NS + 1) == 0.0
    assert retries.failure_count == 1


def test_attempts_end_when_they_are_used_up_or_pointless() -> None:
    retries = Retries(Backoff(max_attempts=3), is_transient, lambda: 0.0)
    assert [retries.wait_s(LOST, 0) is None for _ in range(3)] == [False, False, True]
    assert Retries(Backoff(), is_transient, lambda: 0.0).wait_s(refused(401), 0) is None
    assert Retries(Backoff(), lambda outcome: True, lambda: 0.0).wait_s(refused(401), 0) == 0.0
