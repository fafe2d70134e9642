"""The life of a server, on live sockets."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hioload_ws import Client, CloseEvent, Connection, Message, OpenEvent, Server, connect
from hioload_ws.api import (
    AlreadyExists,
    ConnectionLost,
    HandshakeFailed,
    InvalidArgument,
    InvalidState,
    SessionStatus,
    TimedOut,
    TransportClosed,
)
from hioload_ws.control import ServerConfig

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
PATIENCE_S = 20.0


def echo_server(**settings: object) -> Server:
    """Return an echo server on a free port, not started."""
    app = Server("127.0.0.1", 0, **settings)  # type: ignore[arg-type]  # settings of a test

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


def run_on(app: Server, function: Callable[[], object]) -> None:
    """Run ``function`` on the server's thread and wait for it."""
    done = threading.Event()

    def run() -> None:
        try:
            function()
        finally:
            done.set()

    assert app.post(run)
    assert done.wait(PATIENCE_S)


def test_a_server_in_the_background_echoes_and_leaves_nothing() -> None:
    app = echo_server()
    with app.background() as url, connect(url) as connection:
        connection.send("hello")
        assert connection.receive(PATIENCE_S) == "hello"
        assert app.connection_count == 1
    assert app.connection_count == 0
    assert app.pool.stats().in_use_count == 0
    values = {sample.name: sample.value for sample in app.metrics.collect()}
    assert values["hioload_messages_received_total"] == values["hioload_messages_sent_total"] == 1


def test_hooks_are_called_in_their_order_and_a_close_hook_that_raises_harms_nobody() -> None:
    errors: list[BaseException] = []
    app = echo_server(on_error=lambda error, origin: errors.append(error))
    events: list[str] = []

    @app.on_open
    def opened(event: OpenEvent) -> None:
        events.append(f"open {event.connection.path}")

    @app.on_close
    def fail(event: CloseEvent) -> None:
        raise RuntimeError("hook")

    @app.on_close
    def closed(event: CloseEvent) -> None:
        events.append(f"close {event.code} {event.reason}")

    with app.background() as url:
        with connect(url + "/a") as connection:
            connection.close(3000, "bye")
    assert events == ["open /a", "close 3000 bye"]
    assert [str(error) for error in errors] == ["hook"]


@pytest.mark.parametrize("attribute", ["url", "address"])
def test_before_the_start_there_is_no_address(attribute: str) -> None:
    app = echo_server()
    with pytest.raises(InvalidState):
        getattr(app, attribute)
    assert app.connection_count == 0


def test_before_the_start_nothing_can_be_posted() -> None:
    app = echo_server()
    with pytest.raises(InvalidState):
        app.post(lambda: None)
    with pytest.raises(InvalidState):
        app.connections  # noqa: B018  # the access is what raises


def test_a_port_that_is_taken_is_named_and_nothing_is_left_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = Server("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(AlreadyExists):
            app.start()
    assert app.pool.stats().in_use_count == 0


def test_a_poller_that_can_not_be_made_stops_the_start() -> None:
    class NoPoller(Exception):
        pass

    def refuse() -> object:
        raise NoPoller

    app = echo_server(poller=refuse)
    with pytest.raises(NoPoller):
        app.start()


def test_a_pool_without_memory_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    app = echo_server()
    app.pool.close()
    with pytest.raises(Exception, match="closed"):
        app.start()


def test_a_server_starts_once_and_runs_once() -> None:
    app = echo_server()
    with app.background():
        with pytest.raises(InvalidState):
            app.start()
        run_on(app, lambda: None)  # now it runs
        with pytest.raises(InvalidState):
            app.run()
    with pytest.raises(InvalidState):
        app.run()
    with pytest.raises(InvalidState):
        app.start()


def test_run_starts_a_server_that_was_not_started() -> None:
    app = echo_server()

    results: list[str | bytes] = []

    def be_a_client() -> None:
        while True:
            try:
                url = app.url
            except InvalidState:
                continue
            with connect(url) as connection:
                connection.send("hello")
                results.append(connection.receive(PATIENCE_S))
            app.shutdown()
            return

    thread = threading.Thread(target=be_a_client)
    thread.start()
    app.run()
    thread.join(PATIENCE_S)
    assert results == ["hello"]


def test_a_background_server_that_ends_before_its_thread_runs_is_no_error() -> None:
    app = echo_server()
    app.start()
    assert app.shutdown()
    app._run_unless_ended()


def test_settings_that_make_no_sense_are_all_named() -> None:
    with pytest.raises(InvalidArgument) as caught:
        Server("127.0.0.1", 70_000, max_conections=3)
    assert "port" in str(caught.value)
    assert "max_connections" in str(caught.value)


def test_arguments_replace_those_of_a_configuration() -> None:
    app = Server(port=0, config=ServerConfig(port=1, max_connections=7), ping_interval_s=3.0)
    assert (app.config.port, app.config.max_connections, app.config.ping_interval_s) == (0, 7, 3.0)


def test_a_changed_configuration_holds_for_new_connections() -> None:
    app = echo_server()
    with app.background() as url, connect(url) as before:
        app.control.set_config(max_message_bytes=10, max_connections=2)
        before.send("x" * 100)
        assert before.receive(PATIENCE_S) == "x" * 100
        with connect(url) as after:
            after.send("x" * 11)
            with pytest.raises(TransportClosed):
                after.receive(PATIENCE_S)
            assert after.close_code == 1009
        assert app.config.max_connections == 2


def test_shutdown_of_a_server_that_never_ran_is_immediate() -> None:
    app = echo_server()
    assert app.shutdown()
    assert app.shutdown()
    with pytest.raises(InvalidState):
        app.start()


def test_shutdown_of_a_server_that_was_started_and_never_ran_frees_the_port() -> None:
    app = echo_server()
    app.start()
    url = app.url
    assert app.shutdown()
    with pytest.raises(ConnectionLost):
        connect(url)


def test_shutdown_tells_every_peer_and_returns_when_the_last_has_gone() -> None:
    app = echo_server()
    ended = threading.Event()
    codes: list[int | None] = []
    with app.background() as url:
        clients = [connect(url) for _ in range(5)]

        def shut_down() -> None:
            assert app.shutdown()
            ended.set()

        thread = threading.Thread(target=shut_down)
        thread.start()
        for client in clients:
            with pytest.raises(Exception, match="closed"):
                client.receive(PATIENCE_S)
            codes.append(client.close_code)
            client.close()
        assert ended.wait(PATIENCE_S)
        thread.join()
        assert app.shutdown()  # a second call is harmless
    assert codes == [1001] * 5


def test_shutdown_drops_those_who_do_not_go_when_its_time_is_up() -> None:
    app = echo_server()
    errors: list[BaseException | None] = []
    app.on_close(lambda event: errors.append(event.error))
    with app.background() as url:
        stubborn = connect(url)  # it is never turned again, so it never answers
        assert not app.shutdown(timeout_ns=10_000_000)
        assert not app.shutdown()
        stubborn.close()
    assert [type(error) for error in errors] == [TimedOut]


def test_shutdown_drops_handshakes_that_are_not_done() -> None:
    app = echo_server()
    with app.background() as url:
        run_on(app, lambda: None)
        host, port = url.removeprefix("ws://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE_S) as stalled:
            stalled.sendall(b"GET / HTT")
            while not app.connection_count:
                run_on(app, lambda: None)
            assert app.shutdown()
            assert stalled.recv(1) == b""


def test_shutdown_from_a_handler_begins_it_and_does_not_wait() -> None:
    app = Server("127.0.0.1", 0)
    answers: list[bool] = []

    @app.on_message
    def end(connection: Connection, message: Message) -> None:
        answers.append(app.shutdown())

    with app.background() as url, connect(url) as connection:
        connection.send("end")
        with pytest.raises(Exception, match="closed"):
            connection.receive(PATIENCE_S)
        assert connection.close_code == 1001
    assert answers == [False]


def test_shutdown_works_while_the_inbox_is_full() -> None:
    app = echo_server(inbox_capacity=1)
    release = threading.Event()
    inside = threading.Event()

    def block() -> None:
        inside.set()
        assert release.wait(PATIENCE_S)

    with app.background():
        assert app.post(block)
        assert inside.wait(PATIENCE_S)
        while app.post(lambda: None):
            pass
        ended = threading.Thread(target=app.shutdown)
        ended.start()
        release.set()
        ended.join(PATIENCE_S)
        assert not ended.is_alive()


def test_shutdown_from_the_server_s_own_thread_works_while_the_inbox_is_full() -> None:
    app = echo_server(inbox_capacity=1)

    def fill_and_end() -> None:
        while app.post(lambda: None):
            pass
        app.shutdown()

    app.start()
    app.post(fill_and_end)
    app.run()
    assert app.shutdown()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains_and_the_handlers_of_before_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    app = echo_server()
    app.start()
    app.post(lambda: os.kill(os.getpid(), number))
    app.run()
    assert signal.getsignal(number) is before
    assert app.shutdown()


def test_an_interrupted_loop_releases_everything() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    app = echo_server()
    app.start()
    url = app.url
    errors: list[BaseException | None] = []
    app.on_close(lambda event: errors.append(event.error))
    results: list[object] = []

    def be_a_client() -> None:
        try:
            with connect(url) as connection:
                connection.send("x")
                connection.receive(PATIENCE_S)
                app.post(interrupt)
                connection.receive(PATIENCE_S)
        except ConnectionLost as error:
            results.append(error)

    thread = threading.Thread(target=be_a_client)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        app.run(handle_signals=False)
    thread.join(PATIENCE_S)
    assert len(results) == 1
    assert [type(error) for error in errors] == [TimedOut]
    assert app.pool.stats().in_use_count == 0


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
