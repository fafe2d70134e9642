"""HTTP heads that we write: how they look, and what is never written."""

from __future__ import annotations

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.http import Request, Response
from hioload_ws.protocol.http_rendering import check_fields, render_connect, render_request, render_response


def test_rendered_request_then_it_has_one_line_per_field() -> None:
    head = Request("GET", "/a?b", (("Host", "h"), ("X", " \t\xe9 "), ("Y", "")))
    assert render_request(head) == b"GET /a?b HTTP/1.1\r\nHost: h\r\nX: \xe9\r\nY: \r\n\r\n"
    assert render_request(Request("GET", "http://h/", ())) == b"GET http://h/ HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("", "/"),
        ("G T", "/"),
        ("GET\r\n", "/"),
        ("GET", ""),
        ("GET", "/ "),
        ("GET", "/\r\nX: y"),
        ("GET", "/\n"),
        ("GET", "/#a"),
        ("GET", "/\xe9"),
        ("GET", "/\0"),
        ("GET", "*"),
        ("GET", "a"),
        ("GET", "http://u@h/"),
    ],
)
def test_request_line_that_no_parser_takes_then_rendering_refuses_it(method: str, target: str) -> None:
    with pytest.raises(InvalidArgument):
        render_request(Request(method, target, ()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\r"),
        ("X", "a\n"),
        ("X", "\n"),
        ("X", "a\0"),
        ("X", "\x0b"),
        ("X", "\x1f"),
        ("X", "\x7f"),
        ("X", "\u0100"),
        ("X", "\u2028"),
        ("X", "\ud800"),
        ("", "a"),
        ("X ", "a"),
        ("X:", "a"),
        ("X\r\nY", "a"),
        ("X\n", "a"),
        ("\xe9", "a"),
    ],
)
def test_header_injection_then_rendering_refuses_it(name: str, value: str) -> None:
    with pytest.raises(InvalidArgument):
        check_fields([("A", "b"), (name, value)])
    with pytest.raises(InvalidArgument):
        render_request(Request("GET", "/", ((name, value),)))
    with pytest.raises(InvalidArgument):
        render_response(Response(200, headers=((name, value),)))


def test_refused_header_value_then_the_message_does_not_quote_it() -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_fields([("Authorization", "secret\n")])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("response", "wire"),
    [
        (Response(101), b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        (Response(100), b"HTTP/1.1 100 Continue\r\n\r\n"),
        (Response(200), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (Response(204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (Response(304), b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (Response(404), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        (Response(299, "So \xe9"), b"HTTP/1.1 299 So \xe9\r\nContent-Length: 0\r\n\r\n"),
        (Response(599), b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"),
        (Response(200, body=b"ab"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
        (
            Response(200, headers=(("content-length", "2"), ("A", "b")), body=b"ab"),
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nA: b\r\n\r\nab",
        ),
    ],
)
def test_response_then_reason_and_length_are_filled_in(response: Response, wire: bytes) -> None:
    assert render_response(response) == wire


@pytest.mark.parametrize(
    "response",
    [
        Response(99),
        Response(600),
        Response(0),
        Response(-200),
        Response(200, "a\r\nX: y"),
        Response(200, "\u20ac"),
        Response(101, body=b"a"),
        Response(199, body=b"a"),
        Response(199, headers=(("Content-Length", "0"),)),
        Response(204, body=b"a"),
        Response(304, headers=(("Content-Length", "0"),)),
        Response(200, headers=(("Content-Length", "1"),)),
        Response(200, headers=(("Content-Length", "01"),), body=b"a"),
        Response(200, headers=(("Content-Length", "1"), ("Content-Length", "1")), body=b"a"),
        Response(200, headers=(("Transfer-Encoding", "chunked"),), body=b"a"),
    ],
)
def test_response_that_contradicts_itself_then_invalid_argument(response: Response) -> None:
    with pytest.raises(InvalidArgument):
        render_response(response)


@pytest.mark.parametrize("authority", ["h:1", "[::1]:443", "example.org:65535"])
def test_a_request_for_a_tunnel_names_the_far_end_twice(authority: str) -> None:
    wire = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nX: y\r\n\r\n"
    assert render_connect(authority, [("X", "y")]) == wire.encode()


@pytest.mark.parametrize(
    "authority",
    ["", "h", "h:", ":1", "h:0", "h:65536", "h:x", "user@h:1", "h:1/", "h:1\r\nX: y", "::1:5", "[::1]", "h h:1"],
)
def test_a_tunnel_to_no_host_and_port_is_refused(authority: str) -> None:
    with pytest.raises(InvalidArgument):
        render_connect(authority)


def test_a_request_for_a_tunnel_has_no_field_that_ends_it() -> None:
    with pytest.raises(InvalidArgument):
        render_connect("h:1", [("X", "y\r\nZ: z")])
