"""What a running server does for its users: threads kept apart, broadcasts, origins, Unix sockets, TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from hioload_ws import Client, Connection, Message, OpenEvent, Server, connect
from hioload_ws.api import ConnectionLost, HandshakeFailed, SessionStatus, TimedOut
from tests.adapters.live import CERTIFICATES, PATIENCE_S, echo_server, run_on


def test_the_thread_that_did_not_start_it_may_not_touch_its_connections() -> None:
    app = echo_server()
    held: list[Connection] = []
    app.on_open(lambda event: held.append(event.connection))
    with app.background() as url, connect(url) as connection:
        connection.send("x")
        connection.receive(PATIENCE_S)
        with pytest.raises(Exception, match="thread"):
            held[0].send("from elsewhere")
        run_on(app, lambda: held[0].send("posted"))
        assert connection.receive(PATIENCE_S) == "posted"


def test_broadcast_reaches_all_but_those_excluded() -> None:
    app = Server("127.0.0.1", 0)
    counts: list[int] = []

    @app.on_message
    def tell_others(connection: Connection, message: Message) -> None:
        counts.append(app.broadcast(message, exclude=[connection]))

    with app.background() as url, connect(url) as first, connect(url) as second, connect(url) as third:
        for each in (first, second, third):
            while app.connection_count < 3:
                run_on(app, lambda: None)
        first.send("news")
        assert second.receive(PATIENCE_S) == "news"
        assert third.receive(PATIENCE_S) == "news"
        with pytest.raises(TimedOut):
            first.receive(0)
        sessions: list[Connection] = []
        run_on(app, lambda: sessions.extend(app.connections))
        assert {each.status for each in sessions} == {SessionStatus.ACTIVE}
        run_on(app, lambda: app.broadcast(b"one", among=sessions[:1]))
    assert counts == [2]


def test_origins_protect_browsers_only() -> None:
    app = echo_server(origins=["https://good.example"])
    with app.background() as url:
        with connect(url, origin="https://good.example") as connection:
            connection.send("x")
        with connect(url) as connection:
            connection.send("x")
        with pytest.raises(HandshakeFailed) as caught:
            connect(url, origin="https://evil.example")
    assert caught.value.status == 403


def test_a_unix_socket_serves_and_its_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    app = Server(unix=str(path))
    app.on_message(lambda connection, message: connection.send(message))
    with app.background() as url:
        assert url == f"ws+unix:{path}"
        with connect("ws://localhost/", unix=str(path)) as connection:
            connection.send("hello")
            assert connection.receive(PATIENCE_S) == "hello"
    assert not path.exists()


def tls_context() -> ssl.SSLContext:
    """Return a client's context that trusts the tests' own certificate."""
    return ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")


def test_tls_serves_wss_with_a_checked_certificate() -> None:
    files = (CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key")
    app = Server("localhost", 0, tls=files)
    app.on_message(lambda connection, message: connection.send(message))
    with app.background() as url:
        port = url.rpartition(":")[2]
        url = f"wss://localhost:{port}"
        with connect(url, tls=tls_context()) as connection:
            for size_bytes in (0, 1, 70_000, 1_000_000):
                connection.send(b"t" * size_bytes)
                assert connection.receive(PATIENCE_S) == b"t" * size_bytes
        with pytest.raises(ConnectionLost):
            connect(url)  # the default context does not know this certificate


def test_a_callback_client_talks_to_a_server() -> None:
    app = echo_server()
    got: list[str] = []
    with app.background() as url:
        client = Client(url)

        @client.on_open
        def begin(event: OpenEvent) -> None:
            event.connection.send("first")

        @client.on_message
        def receive(connection: Connection, message: Message) -> None:
            got.append(message.text)
            connection.close(1000, "enough")

        event = client.run()
    assert got == ["first"]
    assert (event.code, event.reason) == (1000, "enough")
