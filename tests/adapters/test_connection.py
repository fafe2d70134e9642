"""The way of a message, and everything ``Connection`` promises."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable

import pytest

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.api import (
    BINARY,
    TEXT,
    CloseReceived,
    Connection,
    ConnectionLost,
    InvalidArgument,
    InvalidState,
    Message,
    PongReceived,
    ProtocolViolation,
    SessionStatus,
    TransportClosed,
    WrongThread,
)
from hioload_ws.pool.tracking import TrackedLease
from hioload_ws.protocol.message import WireMessage
from tests.adapters.bench import Bench

MakeBench = Callable[..., Bench]


@pytest.mark.parametrize("size_bytes", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_a_message_comes_back_with_its_kind(bench: Bench, kind: int, size_bytes: int) -> None:
    _, peer = bench.open()
    peer.send(kind, b"x" * size_bytes)
    bench.turn()
    [event] = peer.events()
    assert isinstance(event, WireMessage)
    assert (event.kind, event.copy()) == (kind, b"x" * size_bytes)
    event.expire()


def test_frames_of_one_read_are_answered_in_one_send(bench: Bench) -> None:
    _, peer = bench.open()
    before = len(peer.transport.batches)
    peer.transport.feed(b"".join(peer.encode(TEXT, b"%d" % number) for number in range(100)))
    bench.turn()
    assert len(peer.transport.batches) == before + 1
    assert peer.messages() == [b"%d" % number for number in range(100)]


def test_an_echo_of_a_large_message_refers_to_the_memory_it_was_received_in(bench: Bench) -> None:
    _, peer = bench.open()
    peer.send(BINARY, b"v" * 5_000)  # whole in one read: it lies in the shared read memory
    peer.send(BINARY, b"b" * 500_000)  # in pieces: it has a buffer of its own
    bench.turn()
    kinds = [kind for batch in peer.transport.batches[1:] for kind in batch]
    assert kinds == [bytes, memoryview, bytes, TrackedLease]
    assert [len(message) for message in peer.messages()] == [5_000, 500_000]


def test_everything_that_memory_can_be_is_sent(bench: Bench) -> None:
    connection, peer = bench.open()
    sent: list[object] = ["text ü", b"bytes", bytearray(b"array"), memoryview(b"view"), array("H", [1, 2])]
    for data in sent[:-1]:
        connection.send(data)  # type: ignore[arg-type]  # a list of all kinds
    connection.send(memoryview(array("H", [1, 2])))
    bench.turn()
    expected = [b"text \xc3\xbc", b"bytes", b"array", b"view", array("H", [1, 2]).tobytes()]
    assert peer.messages() == expected


class ForeignMessage:
    """Somebody else's message."""

    kind = TEXT
    data = memoryview(b"foreign")


def test_a_message_of_another_make_keeps_its_kind(bench: Bench) -> None:
    connection, peer = bench.open()
    connection.send(ForeignMessage())  # type: ignore[arg-type]  # as much of a message as sending needs
    bench.turn()
    [event] = peer.events()
    assert isinstance(event, WireMessage)
    assert (event.kind, event.text) == (TEXT, "foreign")


@pytest.mark.parametrize("data", [None, 7, [b"x"], "\ud800", memoryview(b"abcdef")[::2]])
def test_what_is_no_message_is_refused_and_nothing_is_sent(bench: Bench, data: object) -> None:
    connection, peer = bench.open()
    with pytest.raises(InvalidArgument):
        connection.send(data)  # type: ignore[arg-type]  # wrong on purpose
    bench.turn()
    assert peer.new_bytes() == b""
    assert connection.status is SessionStatus.ACTIVE


def test_memory_sent_outside_a_handler_may_change_at_once(bench: Bench) -> None:
    connection, peer = bench.open()
    memory = bytearray(b"before")
    connection.send(memory)
    memory[:] = b"after!"
    bench.turn()
    assert peer.messages() == [b"before"]


def test_a_borrowed_message_may_be_sent_to_another_connection(bench: Bench) -> None:
    first, peer_of_first = bench.open()
    _, peer_of_second = bench.open()

    def forward(connection: Connection, message: Message) -> None:
        first.send(message)

    bench.handler = forward
    peer_of_second.send(BINARY, b"one" * 1000)
    peer_of_second.send(BINARY, b"two" * 100_000)
    bench.turn()
    assert peer_of_first.messages() == [b"one" * 1000, b"two" * 100_000]
    assert peer_of_second.new_bytes() == b""


def test_a_retained_message_may_be_sent_later(bench: Bench) -> None:
    connection, peer = bench.open()
    kept: list[Message] = []
    bench.handler = lambda _, message: kept.append(message.retain())
    peer.send(TEXT, b"keep me" * 500)
    bench.turn()
    connection.send(kept[0])
    kept[0].release()
    bench.turn()
    assert peer.messages() == [b"keep me" * 500]


def test_a_message_is_gone_when_its_handler_has_returned(bench: Bench) -> None:
    _, peer = bench.open()
    seen: list[Message] = []
    bench.handler = lambda _, message: seen.append(message)
    peer.send(BINARY, b"x" * 5000)
    bench.turn()
    with pytest.raises(Exception, match="handler has returned"):
        seen[0].copy()


def test_a_ping_is_answered_and_ours_is_sent(bench: Bench) -> None:
    connection, peer = bench.open()
    [frame] = peer.codec.encode_ping(b"are you there")
    peer.transport.feed(bytes(frame))  # type: ignore[arg-type]  # one plain part
    connection.ping(b"and you")
    bench.turn()
    kinds = [(type(event).__name__, getattr(event, "payload", None)) for event in peer.events()]
    assert sorted(kinds) == [("PingReceived", b"and you"), ("PongReceived", b"are you there")]
    peer.transport.feed(b"".join(bytes(part) for part in peer.codec.encode_pong(b"and you")))  # type: ignore[arg-type]
    bench.turn()
    assert connection.status is SessionStatus.ACTIVE
    with pytest.raises(InvalidArgument):
        connection.ping(b"x" * 126)


def test_a_fragmented_message_with_a_ping_inside_arrives_whole(bench: Bench) -> None:
    _, peer = bench.open()
    wire = b"".join(
        bytes(part)  # type: ignore[arg-type]  # plain parts
        for parts in (
            peer.codec.encode_message(TEXT, b"hel", final=False),
            peer.codec.encode_ping(b"?"),
            peer.codec.encode_message(TEXT, b"lo", first=False),
        )
        for part in parts
    )
    for position in range(len(wire)):
        peer.transport.feed(wire[position : position + 1])
        bench.turn()
    pong, message = peer.events()
    assert isinstance(pong, PongReceived)
    assert isinstance(message, WireMessage)
    assert message.text == "hello"


def test_a_handler_that_raises_ends_its_own_connection_only(bench: Bench) -> None:
    def fail(connection: Connection, message: Message) -> None:
        if message.copy() == b"bad":
            raise ValueError("bad message")
        connection.send(message)

    bench.handler = fail
    _, victim = bench.open()
    _, other = bench.open()
    victim.send(BINARY, b"good")
    victim.send(BINARY, b"bad")
    victim.send(BINARY, b"never handled")
    other.send(BINARY, b"unharmed")
    bench.turn()
    first, second = victim.events()
    assert isinstance(first, WireMessage)
    assert isinstance(second, CloseReceived)
    assert second.code == 1011
    assert other.messages() == [b"unharmed"]
    assert [str(error) for error in bench.errors] == ["bad message"]
    assert bench.traffic.errors.value == 1


def test_an_open_handler_that_raises_closes_the_connection(bench: Bench) -> None:
    def fail(connection: WebSocketConnection) -> None:
        raise RuntimeError("not today")

    bench.host.on_open = fail
    _, peer = bench.open()
    [event] = peer.events()
    assert isinstance(event, CloseReceived)
    assert event.code == 1011


def test_an_open_handler_may_drop_the_connection_with_frames_behind_the_handshake(bench: Bench) -> None:
    bench.host.on_open = lambda connection: connection.finish()
    peer = bench.admit()
    peer.transport.feed(peer.request() + peer.encode(TEXT, b"too late"))
    bench.turn()
    assert bench.received == []
    assert peer.transport.closed


def test_frames_that_arrive_with_the_handshake_are_handled(bench: Bench) -> None:
    peer = bench.admit()
    peer.transport.feed(peer.request() + peer.encode(TEXT, b"early") + peer.encode(BINARY, b"bird")[:3])
    bench.turn()
    assert peer.response().status == 101
    assert peer.messages() == [b"early"]
    peer.transport.feed(peer.encode(BINARY, b"bird")[3:])
    bench.turn()
    assert peer.messages() == [b"bird"]


def test_another_thread_is_told_to_post(bench: Bench) -> None:
    connection, _ = bench.open()
    bench.hub.owner_id = threading.get_ident() + 1
    for call in (lambda: connection.send(b"x"), connection.ping, connection.close):
        with pytest.raises(WrongThread):
            call()
    bench.hub.owner_id = threading.get_ident()
    connection.send(b"x")


def test_a_connection_tells_where_it_is_and_what_was_agreed(make_bench: MakeBench) -> None:
    bench = make_bench(subprotocols=["chat"])
    bench.router.add("/rooms/:room", bench.echo)
    peer = bench.admit()
    [connecting] = bench.hub.connections
    with pytest.raises(InvalidState):
        connecting.session.id  # noqa: B018  # the access is what raises
    peer.transport.feed(
        peer.request("ws://test/rooms/a%20b?c=d", headers=(("X-Extra", "1"),)).replace(
            b"X-Extra", b"Sec-WebSocket-Protocol: chat\r\nX-Extra"
        )
    )
    bench.turn()
    [connection] = bench.host.connections
    assert connection.path == "/rooms/a%20b"
    assert connection.request.query == "c=d"
    assert connection.params == {"room": "a b"}
    assert connection.subprotocol == "chat"
    assert connection.session.status is SessionStatus.ACTIVE
    assert connection.features().name == "scripted"
    assert str(connection.peer_address) == "memory:scripted-peer"
    assert str(connection.local_address) == "memory:scripted-local"
    assert repr(connection) == "<WebSocketConnection active peer=memory:scripted-peer>"
    assert connection.close_code is None


def test_messages_and_bytes_are_counted(bench: Bench) -> None:
    _, peer = bench.open()
    peer.send(BINARY, b"12345")
    peer.send(TEXT, b"")
    bench.turn()
    traffic = bench.traffic
    assert (traffic.messages_received.value, traffic.bytes_received.value) == (2, 5)
    assert (traffic.messages_sent.value, traffic.bytes_sent.value) == (2, 5)
    assert traffic.connections_opened.value == 1


def test_a_violation_ends_the_connection_after_what_came_before_it(bench: Bench) -> None:
    _, peer = bench.open()
    peer.send(TEXT, b"before")
    peer.transport.feed(b"\x83\x80\x00\x00\x00\x00" + peer.encode(TEXT, b"after"))
    bench.turn()
    message, close = peer.events()
    assert isinstance(message, WireMessage)
    assert isinstance(close, CloseReceived)
    assert (message.text, close.code) == ("before", 1002)
    peer.transport.feed_end()
    bench.turn()
    [event] = bench.host.ends
    assert event is not None
    assert event.code == 1002
    assert isinstance(event.error, ProtocolViolation)
    assert len(bench.received) == 1


def test_a_reset_while_sending_is_one_lost_connection(bench: Bench) -> None:
    connection, peer = bench.open()
    connection.send(b"x")
    peer.transport.reset()
    bench.turn()
    [event] = bench.host.ends
    assert event is not None
    assert event.code == 1006
    assert isinstance(event.error, ConnectionLost)
    with pytest.raises(TransportClosed):
        connection.send(b"y")


def test_a_handler_may_drop_its_own_connection(bench: Bench) -> None:
    def drop(connection: Connection, message: Message) -> None:
        connection.send(message)
        bench.host.connections[-1].finish()

    bench.handler = drop
    _, peer = bench.open()
    peer.send(BINARY, b"a" * 3000)
    peer.send(BINARY, b"b")
    [ping] = peer.codec.encode_ping()
    peer.transport.feed(bytes(ping))  # type: ignore[arg-type]  # one plain part
    bench.turn()
    assert peer.transport.closed
    assert len(bench.host.ends) == 1
