"""How a server ends: asked by a handler, by another thread, by a signal, or interrupted."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.api import ConnectionLost, InvalidState, TimedOut
from tests.adapters.live import PATIENCE_S, echo_server, run_on


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


def test_a_second_shutdown_in_the_same_turn_changes_nothing() -> None:
    app = echo_server()
    app.start()
    app.post(lambda: (app.shutdown(), app.shutdown()))
    app.run()
    assert app.shutdown()
