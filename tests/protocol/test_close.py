"""Close codes and bodies: what may be sent, what is refused and when, and which error gets which code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import (
    Cancelled,
    InvalidArgument,
    ProtocolViolation,
    ResourceExhausted,
    TimedOut,
)
from hioload_ws.protocol.close import (
    build_close,
    check_close_body,
    close_code_for,
    is_wire_code,
    parse_close,
)

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit

WIRE_CODES = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_exactly_the_codes_of_the_rfc_and_its_registry_may_be_sent() -> None:
    assert {code for code in range(65536) if is_wire_code(code)} == WIRE_CODES


@given(code=st.sampled_from(sorted(WIRE_CODES)), reason=st.text(max_size=30))
def test_a_body_that_was_built_parses_to_the_same(code: int, reason: str) -> None:
    assert parse_close(build_close(code, reason)) == (code, reason)


def test_an_empty_body_is_reported_as_no_status() -> None:
    assert parse_close(build_close(None, "")) == (1005, "")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1005, ""),
        (1004, ""),
        (1006, ""),
        (1015, ""),
        (999, ""),
        (2999, ""),
        (5000, ""),
        (-1, ""),
        (None, "why"),
    ],
)
def test_a_code_that_may_not_be_sent_is_the_callers_fault(code: int | None, reason: str) -> None:
    with pytest.raises(InvalidArgument):
        build_close(code, reason)


def test_a_reason_has_at_most_123_bytes_and_is_text() -> None:
    assert len(build_close(1000, "ä" * 61 + "x")) == 125
    for reason in ("ä" * 62, "x" * 124, "\ud800"):
        with pytest.raises(InvalidArgument):
            build_close(1000, reason)


@pytest.mark.parametrize("code", range(0, 65536, 97))
def test_a_code_is_refused_at_the_first_byte_that_proves_it(code: int) -> None:
    body = code.to_bytes(2, "big")
    provable = all(known >> 8 != code >> 8 for known in WIRE_CODES)
    for size, refused in ((0, False), (1, provable), (2, code not in WIRE_CODES)):
        if refused:
            with pytest.raises(ProtocolViolation) as caught:
                check_close_body(body[:size], False)
            assert caught.value.close_code == 1002
        else:
            check_close_body(body[:size], False)


def test_a_reason_that_is_not_utf8_is_refused_with_1007_and_a_cut_one_only_at_the_end() -> None:
    check_close_body(b"\x03\xe8\xe2\x82", False)
    for body, complete in ((b"\x03\xe8\xe2\x82", True), (b"\x03\xe8\xff", False)):
        with pytest.raises(ProtocolViolation) as caught:
            check_close_body(body, complete)
        assert caught.value.close_code == 1007


def test_each_kind_of_error_has_its_close_code() -> None:
    codes = [
        close_code_for(error)
        for error in (
            ProtocolViolation("x"),
            ProtocolViolation("x", close_code=1009),
            ProtocolViolation("x", close_code=1006),
            ResourceExhausted("x"),
            TimedOut("x"),
            Cancelled("x"),
            ValueError("x"),
        )
    ]
    assert codes == [1002, 1009, 1002, 1013, 1013, 1001, 1011]


def test_a_close_frame_of_one_byte_is_refused_from_its_header(kit: Kit) -> None:
    assert kit.bench().feed(b"\x88\x81") == [("violation", 1002)]
