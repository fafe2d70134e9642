"""What must not happen, happens: memory runs out in the middle, a transport or a codec of somebody's raises what no
contract allows. It ends one connection, is told to its peer where that can be, and costs nobody else a byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.api import BINARY, CloseReceived, InternalError, SessionStatus
from hioload_ws.api.types import ReadableMemory
from hioload_ws.fake.transport import ScriptedTransport
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.receiver import Receiver
from hioload_ws.protocol.short_road import ShortRoad
from tests.adapters.bench import Bench, Peer

MakeBench = Callable[..., Bench]


def ending(peer: Peer) -> list[object]:
    """Return payloads, and codes of close frames, that came to a peer."""
    found: list[object] = []
    for event in peer.events():
        assert isinstance(event, WireMessage | CloseReceived)
        found.append(event.code if isinstance(event, CloseReceived) else event.copy())
    return found


def raises(*arguments: object) -> Any:
    """Stand for a method of somebody's transport that has a mistake."""
    raise LookupError("a mistake of somebody's transport")


def once(patch: pytest.MonkeyPatch, owner: type, name: str, instead: Callable[..., object]) -> None:
    """Have ``instead`` called at the next call of a method only."""

    def first(self: object, *arguments: object) -> object:
        patch.setattr(owner, name, true_method)
        return instead(self, *arguments)

    true_method = getattr(owner, name)
    patch.setattr(owner, name, first)


def test_what_was_read_is_lost_then_the_peer_is_told_and_others_are_served(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def takes_half_a_frame(self: Receiver, data: memoryview) -> None:
        self.receive(data[:1])
        raise MemoryError("none left")

    pairs = [bench.open() for _ in range(3)]
    once(monkeypatch, Receiver, "receive", takes_half_a_frame)
    connection, peer = pairs[0]
    first = peer.encode(BINARY, b"a" * 20)
    peer.transport.feed(8 * first + b"\x02\x85\0\0\0\0abcde")  # a run, and a fragment
    bench.turn()
    for _, other in pairs[1:]:
        other.send(BINARY, b"b" * 30)
    bench.turn()
    assert [type(error) for error in bench.errors] == [MemoryError]
    assert ending(peer) == 8 * [b"a" * 20] + [1011]
    assert [other.messages() for _, other in pairs[1:]] == [[b"b" * 30]] * 2
    bench.advance(60)
    assert connection.status is SessionStatus.CLOSED


def test_a_frame_that_came_alone_is_lost_then_the_peer_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raises_memory_error(*arguments: object) -> None:
        raise MemoryError("none left")

    pairs = [bench.open() for _ in range(2)]
    once(monkeypatch, ShortRoad, "_medium_payload", raises_memory_error)
    for _, peer in pairs:
        peer.send(BINARY, b"m" * 3000)
        bench.turn()
    assert [type(error) for error in bench.errors] == [MemoryError]
    assert [ending(peer) for _, peer in pairs] == [[1011], [b"m" * 3000]]


def test_during_the_opening_handshake_then_the_connection_is_let_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = bench.admit()
    with monkeypatch.context() as patch:
        patch.setattr(ScriptedTransport, "recv_into", raises)
        peer.transport.feed(peer.request())
        bench.turn()
    assert [type(error) for error in bench.errors] == [LookupError]
    assert peer.transport.closed and not peer.transport.sent and not bench.hub.connections
    bench.open()


def test_a_transport_that_raises_whenever_it_is_read_then_it_is_let_go(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(road="clear")
    connection, peer = bench.open()

    monkeypatch.setattr(ScriptedTransport, "recv_into", raises)
    peer.send(BINARY, b"x")
    bench.turn()
    assert [type(error) for error in bench.errors] == [LookupError] * 2
    assert ending(peer) == [1011]
    (end,) = bench.host.ends
    assert end is not None and end.connection is connection and isinstance(end.error, InternalError)


@pytest.mark.parametrize("size_bytes", [10, 70_000])
def test_sending_raises_then_the_connection_is_let_go_and_the_others_get_theirs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    pairs = [bench.open() for _ in range(4)]
    broken, peer_of_broken = pairs[1]
    true_write = ScriptedTransport._write

    def write(self: ScriptedTransport, views: Sequence[ReadableMemory]) -> int:
        if self is peer_of_broken.transport:
            raises()
        return true_write(self, views)

    monkeypatch.setattr(ScriptedTransport, "_write", write)
    for _, peer in pairs:
        peer.send(BINARY, b"x" * size_bytes)
    bench.turn()
    assert [type(error) for error in bench.errors] == [LookupError]
    assert broken.status is SessionStatus.CLOSED and broken.pending_bytes == 0
    (end,) = bench.host.ends
    assert end is not None and isinstance(end.error, InternalError) and "LookupError" in str(end.error)
    del pairs[1]
    assert [peer.messages() for _, peer in pairs] == [[b"x" * size_bytes]] * 3


def test_an_interrupt_at_the_end_of_the_turn_then_the_others_get_theirs_when_it_goes_on(bench: Bench) -> None:
    pairs = [bench.open() for _ in range(4)]

    def interrupt(connection: WebSocketConnection) -> None:
        raise KeyboardInterrupt

    bench.host.on_end = interrupt
    for connection, _ in pairs:
        connection.send(b"to all")
    pairs[1][1].transport._lost = True  # which no poller has noticed
    with pytest.raises(KeyboardInterrupt):
        bench.turn()
    bench.host.on_end = lambda connection: None
    bench.turn()
    del pairs[1]
    assert [peer.messages() for _, peer in pairs] == [[b"to all"]] * 3
