"""The client with callbacks, in virtual time against a scripted server, and where sockets matter on live ones."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable

import pytest

from hioload_ws.adapters.client import Client
from hioload_ws.api import (
    TEXT,
    AlreadyExists,
    ConnectionLost,
    HandshakeFailed,
    InvalidArgument,
    InvalidState,
    NotFound,
    TimedOut,
)
from hioload_ws.transport.registry import Registry
from tests.adapters.bench import joined
from tests.adapters.stage import Stage, open_stage


def test_a_client_asks_for_its_path_and_opens(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(subprotocols=["chat"], headers=[("X-Name", "me")], origin="https://me.example")
    opened: list[str] = []
    stage.client.on_open(lambda event: opened.append(event.connection.path))
    open_stage(stage)
    request = stage.handshake.request
    assert (request.target, request.header("Host")) == ("/path?q", "server")
    assert (request.header("X-Name"), request.header("Origin")) == ("me", "https://me.example")
    connection = stage.client.connection
    assert connection is not None
    assert (connection.subprotocol, connection.request.query, connection.params) == ("chat", "q", {})
    assert stage.client.response is not None
    assert stage.client.response.status == 101
    assert opened == ["/path"]
    assert str(stage.provider.asked[0][0]) == "server:80"


def test_what_a_client_sends_is_masked_with_fresh_keys(stage: Stage) -> None:
    open_stage(stage)
    connection = stage.client.connection
    assert connection is not None
    for _ in range(50):
        connection.send(b"same payload")
    stage.turn()
    wire = stage.new_bytes()
    frames = [wire[start : start + 18] for start in range(0, len(wire), 18)]
    assert {frame[1] for frame in frames} == {0x80 | 12}
    assert len({frame[2:6] for frame in frames}) > 45
    assert len(list(stage.codec.receive(memoryview(bytearray(wire))))) == 50


def test_a_frame_right_behind_the_response_is_received(stage: Stage) -> None:
    got: list[bytes] = []
    stage.client.on_message(lambda connection, message: got.append(message.copy()))
    stage.client.start()
    stage.turn()
    stage.accept(behind=joined(stage.codec.encode_message(TEXT, b"already here")))
    assert got == [b"already here"]


def test_messages_without_a_handler_are_ignored(stage: Stage) -> None:
    open_stage(stage)
    stage.transport.feed(joined(stage.codec.encode_message(TEXT, b"anybody?")))
    stage.turn()
    assert not stage.client.ended


def test_the_server_hangs_up_first_and_the_client_ends(stage: Stage) -> None:
    open_stage(stage)
    connection = stage.client.connection
    assert connection is not None
    connection.close(3000)
    stage.turn()
    stage.transport.feed(joined(stage.codec.encode_close(3000)))
    stage.turn()
    assert not stage.transport.output_ended  # RFC 6455 §7.1.1: the server closes first
    stage.transport.feed_end()
    stage.turn()
    assert stage.client.ended
    assert stage.client.closed_event is not None
    assert (stage.client.closed_event.code, stage.client.closed_event.error) == (3000, None)


def test_a_close_hook_that_raises_is_reported(stage: Stage) -> None:
    codes: list[int] = []

    @stage.client.on_close
    def fail(event: object) -> None:
        raise RuntimeError("hook")

    stage.client.on_close(lambda event: codes.append(event.code))
    open_stage(stage)
    stage.transport.feed_end()
    stage.turn()
    assert [str(error) for error in stage.errors] == ["hook"]
    assert codes == [1006]


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
        (b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", 101),
        (b"garbage\r\n\r\n", 0),
    ],
)  # fmt: skip
def test_a_wrong_response_is_a_failed_handshake(stage: Stage, response: bytes, status: int) -> None:
    stage.client.start()
    stage.turn()
    stage.transport.feed(response)
    stage.turn()
    failure = stage.client.failure
    assert isinstance(failure, HandshakeFailed)
    assert failure.status == status
    response_seen = stage.client.response
    assert (0 if response_seen is None else response_seen.status) == status
    assert failure.response is response_seen
    assert stage.client.ended
    assert stage.transport.closed


def test_a_response_may_come_in_pieces(stage: Stage) -> None:
    stage.client.start()
    stage.turn()
    assert stage.handshake.feed(stage.new_bytes()) is not None
    stage.handshake.check()
    response = stage.handshake.accept()
    for position in range(len(response)):
        assert stage.client.connection is None
        stage.transport.feed(response[position : position + 1])
        stage.turn()
    assert stage.client.connection is not None


def test_a_server_that_never_answers_is_a_time_out(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(handshake_timeout_s=1.0)
    stage.client.start()
    stage.turn()
    stage.clock.advance(1_100_000_000)
    stage.turn()
    assert isinstance(stage.client.failure, TimedOut)


def test_a_server_that_resets_is_a_lost_connection(stage: Stage) -> None:
    stage.client.start()
    stage.turn()
    stage.transport.reset()
    stage.turn()
    assert isinstance(stage.client.failure, ConnectionLost)


def test_a_client_connects_once(stage: Stage) -> None:
    stage.client.start()
    with pytest.raises(InvalidState):
        stage.client.start()


def test_before_the_start_nothing_turns_and_closing_is_harmless(stage: Stage) -> None:
    with pytest.raises(InvalidState):
        stage.client.turn(0)
    with pytest.raises(InvalidState):
        stage.client.post(lambda: None)
    stage.client.close()
    stage.client.close()


def test_posted_functions_run_on_the_client_s_thread(stage: Stage) -> None:
    open_stage(stage)
    ran: list[int] = []
    poster = threading.Thread(target=lambda: stage.client.post(lambda: ran.append(threading.get_ident())))
    poster.start()
    poster.join()
    stage.turn()
    assert ran == [threading.get_ident()]


def test_closing_a_client_that_is_connecting_says_so(stage: Stage) -> None:
    stage.client.start()
    stage.client.close()
    assert isinstance(stage.client.failure, ConnectionLost)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://server/", {}),
        ("ws://server/#fragment", {}),
        ("ws://server/", {"max_connections": 5}),
        ("ws://server/", {"ping_interval_s": -1.0}),
        ("ws://server/", {"tls": ssl.create_default_context()}),
        ("ws://server/", {"headers": [("Host", "other")]}),
        ("ws://server/", {"subprotocols": ["not a token"]}),
    ],
)
def test_arguments_that_make_no_sense_are_refused(url: str, options: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        Client(url, **options)  # type: ignore[arg-type]  # wrong on purpose


def test_wss_checks_certificate_and_host_name_unless_told_otherwise(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage("wss://server/")
    stage.client.start()
    [(address, options)] = stage.provider.asked
    assert str(address) == "server:443"
    assert options.tls is not None
    assert (options.tls.verify_mode, options.tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert options.server_name == "server"


def test_an_unknown_transport_releases_everything() -> None:
    client = Client("ws://server/", registry=Registry())
    with pytest.raises(NotFound):
        client.start()
    assert client.pool.stats().in_use_count == 0


def test_a_transport_that_can_not_be_watched_is_closed(stage: Stage) -> None:
    stage.poller.register(stage.transport.handle, 0)
    with pytest.raises(AlreadyExists):
        stage.client.start()
    assert stage.transport.closed


def test_run_raises_why_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    with pytest.raises(ConnectionLost):
        Client(f"ws://127.0.0.1:{port}/").run()
