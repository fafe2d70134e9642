"""A server can be turned step by step by a loop that is not its own."""

from __future__ import annotations

import pytest

from hioload_ws.adapters import Client, Server
from hioload_ws.api import Connection, InvalidState, Message


def test_a_server_that_is_turned_serves_and_drains() -> None:
    server = Server("127.0.0.1", 0)
    got: list[str] = []

    @server.route("/")
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    server.start()
    client = Client(server.url)
    client.on_open(lambda event: event.connection.send("hello"))
    client.on_message(lambda connection, message: got.append(message.text))
    client.start()
    for _ in range(10_000):
        client.turn(1_000_000)
        server.turn(1_000_000)
        if got:
            break
    assert got == ["hello"]
    with pytest.raises(InvalidState, match="running"):
        server.run()
    assert not server.shutdown()  # it has only begun: this is the thread that turns it
    for _ in range(10_000):
        server.turn(1_000_000)
        client.turn(1_000_000)
        if client.ended:
            break
    client.close()
    while server.connection_count:
        server.turn(1_000_000)
    assert server.shutdown()
    with pytest.raises(InvalidState):
        server.turn(0)
