"""What the Go original let through the door, and how one bad or stalled visitor closed it for everybody."""

from __future__ import annotations

import base64
import socket
import struct

import pytest

from tests.faults.wire import KEY, TEXT, Wire, frame, request
from tests.interop.echo_process import EchoProcess


def status_of(server: EchoProcess, data: bytes) -> int:
    """Send the bytes on a new connection and return the response's status; it has to end the connection."""
    with Wire.to(server.port) as wire:
        wire.send(data)
        version, status, _ = wire.read_to_end().split(b" ", 2)
        assert version == b"HTTP/1.1"
        return int(status)


STALLED = [b"", b"G", b"GET / HTTP/1.1\r\n", request()[:-2], request()[:-1]]


@pytest.mark.parametrize("beginning", STALLED, ids=["silent", "byte", "line", "no-end", "half-end"])
def test_a_stalled_handshake_does_not_stop_accepting(server: EchoProcess, beginning: bytes) -> None:
    stalled = [Wire.to(server.port) for _ in range(10)]
    try:
        for wire in stalled:
            wire.send(beginning)
        for _ in range(10):
            with Wire.open(server.port) as other:
                assert other.echoes()
    finally:
        for wire in stalled:
            wire.close()


def test_a_stalled_handshake_that_goes_on_is_served(server: EchoProcess) -> None:
    with Wire.to(server.port) as wire, Wire.open(server.port) as other:
        wire.send(request()[:25])
        assert other.echoes()
        wire.send(request()[25:])
        assert wire.read_head().startswith(b"HTTP/1.1 101 ")
        assert wire.echoes()


BAD = [
    b"\r\n\r\n\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x00\xff" * 500 + b"\r\n\r\n",
]


@pytest.mark.parametrize("data", BAD, ids=["empty", "tls", "cut-line", "no-colon", "version", "noise"])
def test_a_bad_handshake_ends_alone_and_does_not_stop_accepting(server: EchoProcess, data: bytes) -> None:
    with Wire.to(server.port) as wire:
        wire.send(data)
        answer = wire.read_to_end()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5")
    for _ in range(3):
        with Wire.open(server.port) as other:
            assert other.echoes()


def test_a_reset_in_the_middle_of_a_handshake_does_not_stop_accepting(server: EchoProcess) -> None:
    for length in (0, 1, 20, len(request()) - 1, len(request())):
        wire = Wire.to(server.port)
        wire.send(request()[:length])
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
        with Wire.open(server.port) as other:
            assert other.echoes()


def test_a_head_without_end_is_refused_before_it_fills_the_memory(server: EchoProcess) -> None:
    with Wire.to(server.port) as wire:
        try:
            for number in range(1_000):
                wire.send(f"{'GET / HTTP/1.1' if not number else f'X-{number}: ' + 'y' * 1_000}\r\n".encode())
        except (BrokenPipeError, ConnectionResetError):
            return  # the server had enough and closed, which is one of the two good ends
        answer = wire.read_to_end()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD", "get"])
def test_another_method_than_get_is_refused(server: EchoProcess, method: str) -> None:
    # RFC 6455 §4.1: the method must be GET; RFC 9110 §9.1: methods are case-sensitive.
    assert 400 <= status_of(server, request(method=method)) < 600


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/0.9"])
def test_an_http_version_below_1_1_is_refused(server: EchoProcess, version: str) -> None:
    assert 400 <= status_of(server, request(version=version)) < 600


def test_a_request_without_host_is_refused(server: EchoProcess) -> None:
    assert status_of(server, request(host=None)) == 400


@pytest.mark.parametrize(
    "key",
    [None, "", "abc", base64.b64encode(b"abc").decode(), base64.b64encode(bytes(15)).decode(),
     base64.b64encode(bytes(17)).decode(), "!" * 22 + "=="],
    ids=["none", "empty", "not-base64", "3-bytes", "15-bytes", "17-bytes", "no-alphabet"],
)  # fmt: skip
def test_a_key_that_is_not_16_bytes_is_refused(server: EchoProcess, key: str | None) -> None:
    # RFC 6455 §4.2.1: a base64-encoded value that, when decoded, is 16 bytes in length.
    assert status_of(server, request(key=key)) == 400


def test_another_protocol_version_is_answered_with_426_and_ours(server: EchoProcess) -> None:
    with Wire.to(server.port) as wire:
        wire.send(request().replace(b"Version: 13", b"Version: 8"))
        head = wire.read_head().lower()
    assert head.startswith(b"http/1.1 426 ") and b"sec-websocket-version: 13" in head


def test_a_frame_that_arrives_with_the_request_is_echoed(server: EchoProcess) -> None:
    with Wire.to(server.port) as wire:
        wire.send(request(key=KEY) + frame(TEXT, b"early"))
        assert wire.read_head().startswith(b"HTTP/1.1 101 ")
        assert wire.read_frame().payload == b"early"
