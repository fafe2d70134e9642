"""What the Go original's client believed, repeated, left bare or lost: ours meets a server of raw bytes."""

from __future__ import annotations

import queue

import pytest

from hioload_ws import connect
from hioload_ws.api.errors import HandshakeFailed, HioloadError
from tests.faults.conftest import InThread
from tests.faults.wire import (
    BINARY,
    CLOSE,
    LIMIT_S,
    PING,
    PONG,
    TEXT,
    Frame,
    Wire,
    WireServer,
    accept_of,
    close_frame,
    frame,
    response,
)

FRAME_COUNT = 300


def answer_close(wire: Wire) -> None:
    """Read to the client's close frame and answer it."""
    wire.read_to_close()
    wire.send(close_frame(1000, mask=None))


@pytest.mark.parametrize(
    "accept",
    [accept_of("another key"), "", "AAAA", accept_of("x").lower()],
    ids=["other", "empty", "short", "case"],
)
def test_a_wrong_sec_websocket_accept_is_refused(
    wire_server: WireServer, in_thread: InThread, accept: str
) -> None:
    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            wire.send(response(key, accept=accept))
            # The client must not take this for an open connection: no frame of it may follow.
            assert wire.read_to_end() == b""

    in_thread(serve)
    with pytest.raises(HandshakeFailed):
        connect(wire_server.url)


def test_a_response_without_sec_websocket_accept_is_refused(
    wire_server: WireServer, in_thread: InThread
) -> None:
    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            head = response(key).replace(b"Sec-WebSocket-Accept", b"X-Accept")
            wire.send(head)
            assert wire.read_to_end() == b""

    in_thread(serve)
    with pytest.raises(HandshakeFailed):
        connect(wire_server.url)


def test_a_refusal_is_told_with_its_status(wire_server: WireServer, in_thread: InThread) -> None:
    def serve() -> None:
        wire, _ = wire_server.accept()
        with wire:
            wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            wire.read_to_end()

    in_thread(serve)
    with pytest.raises(HandshakeFailed) as caught:
        connect(wire_server.url)
    assert caught.value.status == 403


def test_every_connection_has_a_fresh_key_of_16_bytes(wire_server: WireServer, in_thread: InThread) -> None:
    keys: list[str] = []

    def serve() -> None:
        for _ in range(5):
            wire, key = wire_server.accept()
            with wire:
                keys.append(key)
                wire.send(response(key))
                answer_close(wire)

    in_thread(serve)
    for _ in range(5):
        connect(wire_server.url).close()
    assert len(set(keys)) == 5
    assert all(len(key) == 24 for key in keys)


def test_every_frame_is_masked_with_a_fresh_key(wire_server: WireServer, in_thread: InThread) -> None:
    frames: queue.SimpleQueue[Frame] = queue.SimpleQueue()

    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            wire.send(response(key))
            while (got := wire.read_frame()).opcode != CLOSE:
                frames.put(got)
            wire.send(close_frame(1000, mask=None))

    thread = in_thread(serve)
    with connect(wire_server.url) as connection:
        for number in range(FRAME_COUNT):
            connection.send(b"the same each time" if number % 2 else "the same each time")
    thread.join(LIMIT_S)
    received = [frames.get_nowait() for _ in range(FRAME_COUNT)]
    assert {got.payload for got in received} == {b"the same each time"}
    masks = {got.mask for got in received}
    assert None not in masks
    # Two of 300 random keys of 32 bits are equal in one run of 100 000; three are never.
    assert len(masks) >= FRAME_COUNT - 1
    # RFC 6455 §5.3: not predictable. Every bit of a key is set in some frames and clear in others.
    bits = [int.from_bytes(mask) for mask in masks if mask is not None]
    assert all(0 < sum(key >> bit & 1 for key in bits) < len(bits) for bit in range(32))


def test_a_pong_of_the_client_is_masked_and_has_the_pings_bytes(
    wire_server: WireServer, in_thread: InThread
) -> None:
    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            wire.send(response(key))
            masks = set()
            for payload in (b"", b"are you there", b"p" * 125):
                wire.send(frame(PING, payload, mask=None))
                got = wire.read_frame()
                assert (got.opcode, got.payload) == (PONG, payload)
                masks.add(got.mask)
            assert None not in masks and len(masks) == 3
            wire.send(frame(TEXT, b"done", mask=None))
            answer_close(wire)

    in_thread(serve)
    with connect(wire_server.url) as connection:
        assert connection.receive(timeout_s=LIMIT_S) == "done"


def test_the_close_frame_of_the_client_is_masked(wire_server: WireServer, in_thread: InThread) -> None:
    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            wire.send(response(key))
            closing = wire.read_to_close()
            assert closing.mask is not None and closing.close_code == 1000
            wire.send(close_frame(1000, mask=None))

    in_thread(serve)
    connect(wire_server.url).close()


@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_a_frame_that_arrives_with_the_handshake_is_kept(
    wire_server: WireServer, in_thread: InThread, cut: int
) -> None:
    message = frame(TEXT, b"early", mask=None)

    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            # One segment: the response, and the frame or its beginning; the rest follows.
            wire.send(response(key) + message[: len(message) - cut])
            wire.send(message[len(message) - cut :] + frame(BINARY, b"later", mask=None))
            answer_close(wire)

    in_thread(serve)
    with connect(wire_server.url) as connection:
        assert connection.receive(timeout_s=LIMIT_S) == "early"
        assert connection.receive(timeout_s=LIMIT_S) == b"later"


def test_a_masked_frame_from_a_server_is_answered_with_1002(
    wire_server: WireServer, in_thread: InThread
) -> None:
    def serve() -> None:
        wire, key = wire_server.accept()
        with wire:
            wire.send(response(key) + frame(TEXT, b"masked"))
            # RFC 6455 §5.1: a client closes a connection if it detects a masked frame.
            assert wire.read_to_close().close_code == 1002

    in_thread(serve)
    with connect(wire_server.url) as connection, pytest.raises(HioloadError):
        connection.receive(timeout_s=LIMIT_S)
