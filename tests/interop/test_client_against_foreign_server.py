"""Our client against a server that other people wrote (the `websockets` package)."""

from __future__ import annotations

import pathlib
import time

import pytest

from hioload_ws import connect
from hioload_ws.api.errors import ConnectionLost, HioloadError, TimedOut
from tests.interop.echo_process import client_tls
from tests.interop.foreign_server import ForeignServer
from tests.interop.payloads import PAYLOADS, Payload, same

LIMIT_S = 60.0
SMALL = [payload for payload in PAYLOADS if payload.length_bytes <= 65_536]


# The foreign end of a connection is closed by a thread of its own, in its own time.
pytestmark = pytest.mark.keeps("a foreign server's sockets, for a moment")


@pytest.fixture
def url(foreign_server: ForeignServer) -> str:
    return f"ws://127.0.0.1:{foreign_server.port}"


@pytest.mark.parametrize("payload", PAYLOADS, ids=str)
def test_what_our_client_sends_comes_back(url: str, payload: Payload) -> None:
    with connect(url) as connection:
        connection.send(payload.value)
        assert same(connection.receive(timeout_s=LIMIT_S), payload.value)


@pytest.mark.parametrize("payload", PAYLOADS, ids=str)
def test_what_our_client_sends_over_tls_comes_back(
    foreign_tls_server: ForeignServer, payload: Payload
) -> None:
    with connect(f"wss://localhost:{foreign_tls_server.port}", tls=client_tls()) as connection:
        connection.send(payload.value)
        assert same(connection.receive(timeout_s=LIMIT_S), payload.value)


def test_closing_over_tls_does_not_wait_for_a_time_limit(foreign_tls_server: ForeignServer) -> None:
    url = f"wss://localhost:{foreign_tls_server.port}"
    began = time.monotonic()
    # Whether the server's close frame and its close_notify come together, in one piece, is a matter of luck.
    for _ in range(10):
        with connect(url, tls=client_tls(), close_timeout_s=LIMIT_S / 2) as connection:
            connection.send("x")
            assert connection.receive(timeout_s=LIMIT_S) == "x"
        assert time.monotonic() - began < LIMIT_S / 3, "close_notify was overlooked"


def test_many_messages_on_one_connection_come_back_in_order(url: str) -> None:
    with connect(url) as connection:
        for _ in range(20):
            for payload in SMALL:
                connection.send(payload.value)
            for payload in SMALL:
                assert same(connection.receive(timeout_s=LIMIT_S), payload.value), str(payload)


def test_what_our_client_sends_over_a_unix_socket_comes_back(foreign_socket: pathlib.Path) -> None:
    with connect("ws://localhost/", unix=str(foreign_socket)) as connection:
        for payload in SMALL:
            connection.send(payload.value)
            assert same(connection.receive(timeout_s=LIMIT_S), payload.value), str(payload)


def test_a_message_in_fragments_is_received_as_one(url: str) -> None:
    with connect(url + "/fragments") as connection:
        assert connection.receive(timeout_s=LIMIT_S) == "one two three"
        assert connection.receive(timeout_s=LIMIT_S) == b"123"


def test_a_message_right_after_the_handshake_is_not_lost(url: str) -> None:
    for _ in range(20):
        with connect(url + "/at-once") as connection:
            assert connection.receive(timeout_s=LIMIT_S) == "at once"


def test_a_ping_of_the_server_is_answered(url: str) -> None:
    with connect(url + "/ping") as connection:
        assert connection.receive(timeout_s=LIMIT_S) == "pong seen"


def test_nothing_in_time_is_a_time_out_and_the_connection_lives_on(url: str) -> None:
    with connect(url) as connection:
        with pytest.raises(TimedOut):
            connection.receive(timeout_s=0.05)
        connection.send("still here")
        assert connection.receive(timeout_s=LIMIT_S) == "still here"


def test_a_close_by_the_server_ends_receiving_with_an_error_of_ours(url: str) -> None:
    with connect(url + "/close-4321") as connection, pytest.raises(HioloadError):
        connection.receive(timeout_s=LIMIT_S)


def test_a_server_that_vanishes_is_a_lost_connection(url: str) -> None:
    with connect(url + "/vanish") as connection, pytest.raises(ConnectionLost):
        connection.receive(timeout_s=LIMIT_S)


def test_using_a_closed_connection_is_an_error_and_closing_it_again_is_none(url: str) -> None:
    connection = connect(url)
    connection.close()
    connection.close()
    with pytest.raises(HioloadError):
        connection.send("too late")


def test_the_servers_choice_of_subprotocol_is_taken(url: str) -> None:
    with connect(url + "/subprotocol", subprotocols=["first", "third"]) as connection:
        assert connection.receive(timeout_s=LIMIT_S) == "third"
