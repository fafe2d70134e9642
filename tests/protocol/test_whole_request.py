"""The short road of reading a head: what it takes, the parser takes, and makes the same of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed
from hioload_ws.api.http import Request
from hioload_ws.protocol.http import HeadParser
from hioload_ws.protocol.whole_request import whole_request
from tests.protocol.openings import fields, wire

BROWSER = wire(
    fields(
        user_agent="Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
        origin="http://server.example.com",
        cookie="a=b; c=\xe9",
        x_empty="",
    ),
    start="GET /chat/%20?a=1&b=?2 HTTP/1.1",
)
LIMITS = (16384, 100)


def parsed(data: bytes, limits: tuple[int, int] = LIMITS) -> Request | None:
    """Return what the parser makes of a whole head with nothing behind it; ``None`` for anything else."""
    parser: HeadParser[Request] = HeadParser(max_head_bytes=limits[0], max_header_count=limits[1])
    try:
        request = parser.feed(data)
    except HandshakeFailed:
        return None
    return None if parser.leftover else request


@pytest.mark.parametrize(
    "data",
    [
        BROWSER,
        wire(fields()),
        wire([]),
        wire([("Host", " \t spaced \t ")]),
        wire([("A", "1"), ("a", "2")], start="GET / HTTP/1.1"),
    ],
)
def test_a_whole_request_is_taken(data: bytes) -> None:
    request = whole_request(data, *LIMITS)
    assert request is not None and request == parsed(data)


@pytest.mark.parametrize(
    "data",
    [
        BROWSER[:-1],
        BROWSER + b"x",
        wire(fields(), start="POST / HTTP/1.1"),
        wire(fields(), start="GET http://server.example.com/ HTTP/1.1"),
        wire(fields(content_length="0")),
        wire(fields(transfer_encoding="chunked")),
        wire(fields(x="a\nb")),
        wire(fields(x="a\0b")),
        wire([("Host ", "x")]),
        wire([("", "x")]),
        wire(fields(), start="GET / HTTP/1.0"),
        wire(fields(), start="GET /# HTTP/1.1"),
        wire(fields()).replace(b"\r\n", b"\n"),
        b"",
    ],
)
def test_anything_else_is_left_to_the_parser(data: bytes) -> None:
    assert whole_request(data, *LIMITS) is None


def test_limits_hold() -> None:
    data = wire(fields())
    exact = len(data), len(fields())
    assert whole_request(data, *exact) == parsed(data, exact) is not None
    assert whole_request(data, exact[0] - 1, exact[1]) is None
    assert whole_request(data, exact[0], exact[1] - 1) is None


_pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"\x80", b"?", b"#", b"Content-Length: 1\r\n"]
)


@given(st.integers(0, len(BROWSER)), st.integers(0, 3), st.one_of(st.binary(max_size=3), _pieces))
@example(0, 0, b"")
def test_whatever_is_changed_what_is_taken_is_what_the_parser_makes_of_it(at: int, cut: int, new: bytes) -> None:
    data = BROWSER[:at] + new + BROWSER[at + cut :]
    request = whole_request(data, *LIMITS)
    assert request is None or request == parsed(data)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_head_never_raise(data: bytes) -> None:
    assert whole_request(data, *LIMITS) is None or parsed(data) is not None


def test_a_hostile_head_costs_time_in_proportion() -> None:
    for data in (b"GET /" + b"a" * 200_000, wire([("A", "b" * 200_000)])[:-4], wire([("A", "b")] * 50_000)[:-2]):
        assert whole_request(data, *LIMITS) is None
