"""An idle connection owns few and small objects, and no more of them after it has been busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from hioload_ws import Connection, Message, Server
from hioload_ws.fake import VirtualClock
from tests.faults.wire import PING, PONG, TEXT, Wire, frame, request
from tests.load.footprint import object_bytes


CONNECTION_COUNT = 320
OWN_LIMIT_BYTES = 960
"""On CPython 3.11 it is 900. A new attribute costs 8, a bound method 64, an empty list 64, an empty dict 64."""
INT_BYTES = 32
TABLES_LIMIT_BYTES = 220
"""145, and a third more where a table has just grown."""

KINDS = {
    "WebSocketConnection",
    "TcpTransport",
    "socket",
    "LiveSession",
    "method",  # what the session calls
    "list",  # the batch to be sent
    "str",  # the session's id
    "bytes",  # the key of the request
    "int",  # the handle, the peer's port, when it was heard of
}


class Room:
    """A server in virtual time with idle clients on real sockets, turned by the test."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.app = Server("127.0.0.1", 0, clock=self.clock)
        self.app.on_message(self.echo)
        self.app.start()
        self.wires: list[Wire] = []

    def echo(self, connection: Connection, message: Message) -> None:
        connection.send(message)

    def turn(self) -> None:
        """Turn until the server has nothing left to do."""
        while self.app.turn(1_000_000):
            pass

    def open(self, count: int) -> None:
        port = int(self.app.url.rpartition(":")[2])
        for _ in range(count):
            wire = Wire.to(port)
            self.wires.append(wire)
            wire.send(request())
            while sum(1 for _ in self.app.connections) < len(self.wires):
                self.turn()
            assert wire.read_head().startswith(b"HTTP/1.1 101 ")

    def close(self) -> None:
        for wire in self.wires:
            wire.close()
        while self.app.connection_count:
            self.app.turn(1_000_000)
        self.app.shutdown()  # begins: this thread owns the server
        self.app.turn(0)


@pytest.fixture
def room(descriptor_limit: int) -> Iterator[Room]:
    made = Room()
    yield made
    made.close()


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the sizes are CPython's")
def test_an_idle_connection_is_below_its_limit_and_owns_no_object_of_another_kind(room: Room) -> None:
    room.open(CONNECTION_COUNT)
    owned, shares = object_bytes(room.app)
    # (The first of them has a little more: it has taught the others' short road.)
    assert {kind for kind, mean_bytes in owned.items() if mean_bytes >= 1} == KINDS
    assert sum(owned.values()) <= OWN_LIMIT_BYTES, owned
    assert sum(shares.values()) <= TABLES_LIMIT_BYTES, shares


def test_after_pings_and_messages_and_a_cut_frame_a_connection_owns_what_it_did_before(room: Room) -> None:
    room.open(40)
    before, _ = object_bytes(room.app)
    long = frame(TEXT, b"x" * 500)
    for wire in room.wires:
        wire.send(frame(TEXT, b"short") + long[:100])
    room.turn()
    for wire in room.wires:
        wire.send(long[100:])
        assert wire.read_frame().payload == b"short"
    room.turn()
    for wire in room.wires:
        assert wire.read_frame().payload == b"x" * 500
    for _ in range(3):
        room.clock.advance(21_000_000_000)
        room.turn()
        for wire in room.wires:
            assert wire.read_frame().opcode == PING
            wire.send(frame(PONG, b""))
        room.turn()
    room.clock.advance(19_000_000_000)  # a look at each, a ping for none
    room.turn()
    after, _ = object_bytes(room.app)
    assert set(after) <= set(before)
    assert sum(after.values()) <= sum(before.values()) + INT_BYTES  # the last time heard of may be its own
