"""Asking a proxy for a tunnel: what is said, and which answers mean yes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import HandshakeFailed, InvalidArgument, InvalidState
from hioload_ws.protocol.tunnel import TunnelHandshake, basic_credentials


@pytest.mark.parametrize(
    ("host", "authority"), [("example.org", "example.org:443"), ("2001:db8::1", "[2001:db8::1]:443")]
)
def test_the_request_names_host_and_port_and_what_the_proxy_is_told(host: str, authority: str) -> None:
    handshake = TunnelHandshake(host, 443, headers=[("Proxy-Authorization", "Basic eA==")])
    wire = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nProxy-Authorization: Basic eA==\r\n\r\n"
    assert handshake.request() == wire.encode()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 Connection established\r\n\r\n",
        b"HTTP/1.0 200 Connection established\r\nProxy-Agent: x\r\n\r\n",
        b"HTTP/1.1 299 \r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        # RFC 9110 §9.3.6: both mean nothing in such a response.
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_any_2xx_opens_the_tunnel_and_what_follows_is_the_far_ends(answer: bytes) -> None:
    handshake = TunnelHandshake("h", 1)
    assert handshake.feed(answer[:5]) is None and handshake.leftover == b""
    response = handshake.feed(answer[5:] + b"far end")
    assert response is not None and 200 <= response.status < 300
    assert handshake.leftover == b"far end"
    with pytest.raises(InvalidState):
        handshake.feed(b"x")


@pytest.mark.parametrize("status", [100, 101, 199, 300, 302, 400, 403, 407, 500, 502, 503, 504])
def test_any_other_status_is_a_refusal_that_carries_the_response(status: int) -> None:
    handshake = TunnelHandshake("h", 1)
    with pytest.raises(HandshakeFailed) as caught:
        handshake.feed(f"HTTP/1.0 {status} No\r\nProxy-Authenticate: Basic\r\n\r\nbody".encode())
    assert caught.value.status == status
    assert caught.value.response is not None
    assert caught.value.response.header("proxy-authenticate") == "Basic"
    with pytest.raises(InvalidState):
        handshake.feed(b"x")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x05\x00",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
    ],
)
def test_what_is_no_response_has_no_status(answer: bytes) -> None:
    handshake = TunnelHandshake("h", 1)
    with pytest.raises(HandshakeFailed) as caught:
        handshake.feed(answer)
    assert (caught.value.status, caught.value.response) == (0, None)


def test_an_answer_beyond_the_limits_is_none() -> None:
    with pytest.raises(HandshakeFailed):
        TunnelHandshake("h", 1, max_head_bytes=50).feed(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 50)
    with pytest.raises(HandshakeFailed):
        TunnelHandshake("h", 1, max_header_count=1).feed(b"HTTP/1.1 200 OK\r\nX: x\r\nY: y\r\n\r\n")


@pytest.mark.parametrize(("host", "port"), [("", 1), ("h", 0), ("h", 65536), ("h\r\nX: y", 1), ("a b", 1)])
def test_a_far_end_that_is_none_is_refused(host: str, port: int) -> None:
    with pytest.raises(InvalidArgument):
        TunnelHandshake(host, port)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_bytes_cut_anywhere_are_an_answer_a_refusal_or_not_complete(data: bytes, cut: int) -> None:
    data = b"HTTP/1.0 200 \r\n" + data

    def play(pieces: list[bytes]) -> tuple[object, ...]:
        handshake = TunnelHandshake("h", 1)
        try:
            for number, piece in enumerate(pieces):
                if handshake.feed(piece) is not None:
                    return "open", handshake.leftover + b"".join(pieces[number + 1 :])
        except HandshakeFailed as error:
            return error.message, error.status
        return ("incomplete",)

    assert play([data]) == play([data[:cut], data[cut:]])


def test_credentials_are_those_of_the_rfc() -> None:
    # RFC 7617 §2 and §2.1.
    assert basic_credentials("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert basic_credentials("test", "123£") == "Basic dGVzdDoxMjPCow=="
