"""Thousands of connections at once: each echoes, each closes, and nothing of them is left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws import Server
from hioload_ws.api.connection import Connection
from hioload_ws.api.message import Message
from tests.faults.wire import CLOSE, TEXT, Wire, close_frame, frame, request
from tests.interop.echo_process import EchoProcess

CONNECTION_COUNT = 5_000
WAVE_COUNT = 500
"""Handshakes under way at once; below the backlog, so that none is dropped and sent again a second later."""

Until = Callable[[Callable[[], bool]], None]


def open_wave(port: int, count: int) -> list[Wire]:
    """Open connections side by side: first all requests, then all responses."""
    wires = [Wire.to(port) for _ in range(count)]
    for wire in wires:
        wire.send(request())
    for wire in wires:
        assert wire.read_head().startswith(b"HTTP/1.1 101 ")
    return wires


def open_many(port: int, count: int) -> list[Wire]:
    """Open `count` connections, wave by wave."""
    wires: list[Wire] = []
    while len(wires) < count:
        wires += open_wave(port, min(WAVE_COUNT, count - len(wires)))
    return wires


def echo_on_all(wires: list[Wire]) -> None:
    """Send a message of its own on every connection, then read every echo."""
    for number, wire in enumerate(wires):
        wire.send(frame(TEXT, b"from connection %d" % number))
    for number, wire in enumerate(wires):
        got = wire.read_frame()
        assert (got.opcode, got.payload) == (TEXT, b"from connection %d" % number)


def close_all(wires: list[Wire]) -> None:
    """Close every connection with a closing handshake and read to its end."""
    for wire in wires:
        wire.send(close_frame(1000))
    for wire in wires:
        got = wire.read_frame()
        assert (got.opcode, got.close_code) == (CLOSE, 1000)
        assert wire.read_to_end() == b""
        wire.close()


def test_five_thousand_connections_echo_and_leave_no_descriptor(
    server: EchoProcess, descriptor_limit: int, until: Until
) -> None:
    if descriptor_limit < CONNECTION_COUNT + 100:
        pytest.skip(f"the system allows a process {descriptor_limit} descriptors only")
    idle = server.descriptor_count()
    wires = open_many(server.port, CONNECTION_COUNT)
    try:
        assert server.descriptor_count() >= CONNECTION_COUNT
        echo_on_all(wires)
        close_all(wires)
    finally:
        for wire in wires:
            wire.close()
    until(lambda: server.descriptor_count() <= idle)
    with Wire.open(server.port) as last:
        assert last.echoes()


def test_after_many_connections_no_lease_and_no_session_is_left(descriptor_limit: int, until: Until) -> None:
    app = Server("127.0.0.1", 0, leaks="simple")
    opened: list[int] = []
    closed: list[int] = []
    app.on_open(lambda event: opened.append(1))
    app.on_close(lambda event: closed.append(event.code))

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    with app.background() as url:
        port = int(url.rpartition(":")[2])
        wires = open_many(port, 1_000)
        assert app.connection_count == 1_000
        echo_on_all(wires)
        close_all(wires)
        until(lambda: app.connection_count == 0)
        assert len(opened) == 1_000 and closed == [1000] * 1_000
        assert len(app.sessions) == 0
    stats = app.pool.stats()
    assert stats.in_use_count == 0 and stats.acquired_count == stats.released_count > 0
