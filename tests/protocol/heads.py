"""Heads: what the tests of HTTP heads share: good ones, and ways to feed any."""

from __future__ import annotations

from collections.abc import Iterable

from hioload_ws.api.errors import HandshakeFailed
from hioload_ws.api.http import Request, Response
from hioload_ws.protocol.http import HeadParser

GOOD = b"GET /chat?a=1 HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n\r\n"
GOOD_REQUEST = Request("GET", "/chat?a=1", (("Host", "h"), ("X-Empty", "")), "/chat", "a=1")


PLAIN = b"GET / HTTP/1.1\r\n"


def parse(pieces: Iterable[bytes], is_response: bool = False) -> tuple[object, ...]:
    """Return what became of a head: the head, or status and message of the refusal, or nothing yet."""
    parser: HeadParser[Request] | HeadParser[Response]
    parser = HeadParser(is_response=True) if is_response else HeadParser()
    pieces = iter(pieces)
    try:
        for piece in pieces:
            head = parser.feed(piece)
            if head is not None:
                return "complete", head, parser.leftover + b"".join(pieces)
    except HandshakeFailed as error:
        return "failed", error.status, str(error)
    return ("incomplete",)


def each_byte(data: bytes) -> Iterable[bytes]:
    return (data[index : index + 1] for index in range(len(data)))


def refusal(data: bytes, is_response: bool = False) -> tuple[int, int]:
    """Return the status of the refusal, and how many bytes it took when they came one at a time."""
    parser: HeadParser[Request] | HeadParser[Response]
    parser = HeadParser(is_response=True) if is_response else HeadParser()
    for count, piece in enumerate(each_byte(data), 1):
        try:
            assert parser.feed(piece) is None
        except HandshakeFailed as error:
            return error.status, count
    raise AssertionError("the head was not refused")
