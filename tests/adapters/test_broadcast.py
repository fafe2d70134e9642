"""Broadcast: who gets the message, in what form, and who does not."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws import Server, connect
from hioload_ws.adapters.broadcast import JOIN_BYTES, broadcast
from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.api import (
    BINARY,
    TEXT,
    Connection,
    InvalidArgument,
    Message,
    MessageKind,
    ResourceExhausted,
    SendableMessage,
    SessionStatus,
)
from hioload_ws.api.extension import RSV1
from hioload_ws.protocol.deflate import PermessageDeflate
from hioload_ws.protocol.frames import FIN
from hioload_ws.protocol.message import WireMessage
from tests.adapters.bench import Bench

PATIENCE_S = 20.0


class PlainMessage:
    """A message of somebody else's making."""

    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        self.kind = kind
        self.data = memoryview(payload)


class ForeignConnection:
    """A connection of somebody else's making, as far as a broadcast looks."""

    def __init__(self, status: SessionStatus = SessionStatus.ACTIVE, *, full: bool = False) -> None:
        self.status = status
        self.full = full
        self.sent: list[object] = []

    def send(self, data: object) -> int:
        if self.full:
            raise ResourceExhausted("full")
        self.sent.append(data)
        return 0


def as_connection(foreign: ForeignConnection) -> Connection:
    """Return it as what it stands for."""
    return cast(Connection, foreign)


@pytest.mark.parametrize(
    ("data", "kind", "payload"),
    [
        ("grüße", TEXT, "grüße".encode()),
        ("", TEXT, b""),
        (b"bytes", BINARY, b"bytes"),
        (bytearray(b"array"), BINARY, b"array"),
        (memoryview(b"view"), BINARY, b"view"),
        (cast(Message, PlainMessage(TEXT, b"text")), TEXT, b"text"),
        (cast(Message, PlainMessage(BINARY, b"\xff")), BINARY, b"\xff"),
        (b"j" * JOIN_BYTES, BINARY, b"j" * JOIN_BYTES),
        (b"s" * (JOIN_BYTES + 1), BINARY, b"s" * (JOIN_BYTES + 1)),
        ("l" * 70_000, TEXT, b"l" * 70_000),
    ],
)
def test_every_open_connection_gets_the_message(
    bench: Bench, data: SendableMessage, kind: MessageKind, payload: bytes
) -> None:
    opened = [bench.open() for _ in range(3)]
    foreign = ForeignConnection()
    targets = [*(connection for connection, _ in opened), as_connection(foreign)]
    assert broadcast(data, targets) == 4
    bench.turn()
    for _, peer in opened:
        (event,) = peer.events()
        assert isinstance(event, WireMessage)
        assert (event.kind, event.copy()) == (kind, payload)
    assert foreign.sent == [payload.decode() if kind == TEXT else payload]
    assert bench.traffic.messages_sent.count == 3
    assert bench.traffic.bytes_sent.count == 3 * len(payload)


def test_memory_may_change_once_the_broadcast_has_returned(bench: Bench) -> None:
    connection, peer = bench.open()
    memory = bytearray(b"before")
    assert broadcast(memory, [connection]) == 1
    memory[:] = b"after!"
    bench.turn()
    assert peer.messages() == [b"before"]


def test_connections_that_are_not_open_are_left_out(bench: Bench) -> None:
    opened, peer = bench.open()
    closing, closing_peer = bench.open()
    closing.close()
    gone, _ = bench.open()
    gone.finish()
    foreign = ForeignConnection(SessionStatus.CLOSING)
    assert broadcast("news", [closing, gone, as_connection(foreign), opened]) == 1
    bench.turn()
    assert peer.messages() == [b"news"]
    assert len(closing_peer.events()) == 1  # its close frame, and nothing else
    assert foreign.sent == []


def test_a_connection_whose_send_limit_is_reached_is_left_out_and_the_others_are_not(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(send_limit_bytes=100, high_water_bytes=100, low_water_bytes=0)
    slow, slow_peer = bench.open()
    fast, fast_peer = bench.open()
    slow.send(b"x" * 60)
    full = ForeignConnection(full=True)
    # Two bytes of the sixty's header wait too.
    assert broadcast(b"y" * 39, [slow, as_connection(full), fast]) == 1
    assert broadcast(b"z" * 38, [slow]) == 1
    bench.turn()
    assert slow_peer.messages() == [b"x" * 60, b"z" * 38]
    assert fast_peer.messages() == [b"y" * 39]


def test_a_connection_with_extensions_gets_it_encoded_by_them_and_the_others_as_it_is() -> None:
    app = Server("127.0.0.1", 0, extensions=[PermessageDeflate()])
    app.on_message(lambda connection, message: app.broadcast(message))
    text = "news " * 1000
    with app.background() as url, connect(url) as plain:
        host, port = url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as raw:
            raw.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            )
            stream = raw.makefile("rb")
            with stream:
                while stream.readline() != b"\r\n":
                    pass
                plain.send(text)
                assert plain.receive(PATIENCE_S) == text
                first, length = stream.read(2)
                assert first == FIN | RSV1 | TEXT
                assert length < 126  # five thousand bytes before
                inflate = zlib.decompressobj(-zlib.MAX_WBITS)
                # RFC 7692 §7.2.2: these four bytes were taken off.
                assert inflate.decompress(stream.read(length) + b"\x00\x00\xff\xff") == text.encode()


@pytest.mark.parametrize("data", [17, None, "\ud800", memoryview(b"abcd")[::2]])
def test_data_that_is_no_message_is_refused_and_nobody_gets_anything(bench: Bench, data: object) -> None:
    connection, peer = bench.open()
    with pytest.raises(InvalidArgument):
        broadcast(cast(SendableMessage, data), [connection])
    bench.turn()
    assert peer.events() == []


def test_without_targets_nobody_is_reached() -> None:
    targets: list[WebSocketConnection] = []
    assert broadcast("news", targets) == 0


def fate_of_broadcasts(road: str, steps: list[tuple[str, int]]) -> list[object]:
    """Broadcast to three connections, one of which may be slow, from a handler of one of them and from outside;
    return what everybody got."""
    bench = Bench(road, send_limit_bytes=3000, high_water_bytes=1000, low_water_bytes=0)
    seen: list[object] = []
    try:
        pairs = [bench.open() for _ in range(3)]
        connections = [connection for connection, _ in pairs]
        bench.handler = lambda connection, message: seen.append(broadcast(message.copy(), connections))
        for action, number in steps:
            connection, peer = pairs[number % 3]
            if action == "outside":
                seen.append(broadcast(b"o" * number, connections))
            elif action == "handler" and connection.status is SessionStatus.ACTIVE:
                peer.transport.feed(peer.encode(TEXT, b"h" * number) + peer.encode(BINARY, b"again"))
            elif action == "send" and connection.status is SessionStatus.ACTIVE:
                connection.send(b"s" * number)
                continue  # in the same turn as what follows
            elif action == "slow":
                peer.transport.limit_room(number)
            elif action == "fast":
                peer.transport.limit_room(None)
            elif action == "close":
                connection.close()
            bench.turn()
        seen += [bytes(peer.transport.sent) for _, peer in pairs]
        seen += [connection.pending_bytes for connection in connections]
        seen += [bench.traffic.messages_sent.count, bench.traffic.bytes_sent.count]
    except ResourceExhausted:
        seen.append("a send of ours beyond the limit")
    finally:
        bench.close()
    return seen


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["outside", "outside", "handler", "handler", "send", "slow", "fast", "close"]),
            st.integers(0, 900),
        ),
        max_size=10,
    )
)
def test_the_short_road_of_a_broadcast_does_what_the_long_one_does(steps: list[tuple[str, int]]) -> None:
    clear = fate_of_broadcasts("clear", steps)
    assert fate_of_broadcasts("express", steps) == clear
    assert fate_of_broadcasts("lane", steps) == clear


def test_connections_of_two_reactors_are_reached_by_one_broadcast(make_bench: Callable[..., Bench]) -> None:
    first, second = make_bench(), make_bench()
    pairs = [first.open(), second.open()]
    assert broadcast("news", [connection for connection, _ in pairs]) == 2
    for bench, (_, peer) in zip((first, second), pairs, strict=True):
        bench.turn()
        assert peer.messages() == [b"news"]
        assert bench.traffic.messages_sent.count == 1
