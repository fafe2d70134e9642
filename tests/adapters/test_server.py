"""A server from its settings to its start, on live sockets."""

from __future__ import annotations

import socket
import threading

import pytest

from hioload_ws import CloseEvent, OpenEvent, Server, connect
from hioload_ws.api import AlreadyExists, InvalidArgument, InvalidState, TransportClosed
from hioload_ws.control import ServerConfig
from tests.adapters.live import PATIENCE_S, echo_server, run_on


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
