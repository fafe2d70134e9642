"""The client whose calls wait, against a real server."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator

import pytest

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.api import (
    TEXT,
    Cancelled,
    ConnectionLost,
    HandshakeFailed,
    InvalidArgument,
    ProtocolViolation,
    Response,
    TimedOut,
    TransportClosed,
)

PATIENCE_S = 20.0


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a server that does what messages say."""
    app = Server("127.0.0.1", 0, subprotocols=["chat"])

    @app.on_message
    def obey(connection: Connection, message: Message) -> None:
        order = message.text if message.kind == TEXT else ""
        if order.startswith("close "):
            connection.close(int(order[6:]), "as you wish")
        elif order.startswith("times "):
            for number in range(int(order[6:])):
                connection.send(str(number))
        elif order == "drop":
            app.post(lambda: connection.session.cancel())
        else:
            connection.send(message)

    with app.background() as url:
        yield url


def test_messages_keep_kind_and_order(url: str) -> None:
    with connect(url, timeout_s=PATIENCE_S) as connection:
        for data in ("text", b"bytes", "", b""):
            connection.send(data)
        assert [connection.receive(PATIENCE_S) for _ in range(4)] == ["text", b"bytes", "", b""]
    assert connection.closed
    assert connection.close_code == 1000


def test_what_was_agreed_can_be_seen(url: str) -> None:
    with connect(url, subprotocols=["other", "chat"]) as connection:
        assert connection.subprotocol == "chat"
        assert connection.response.header("Sec-WebSocket-Protocol") == "chat"
        assert connection.connection.path == "/"
        assert connection.close_code is None
        assert not connection.closed


def test_iteration_ends_when_the_server_closes_in_an_orderly_way(url: str) -> None:
    with connect(url) as connection:
        connection.send("times 3")
        connection.send("close 3000")
        assert list(connection) == ["0", "1", "2"]
        assert (connection.close_code, connection.close_reason) == (3000, "as you wish")
        with pytest.raises(TransportClosed):
            connection.send("too late")
        with pytest.raises(TransportClosed) as caught:
            connection.receive()
        assert caught.value.context["code"] == 3000


def test_messages_that_arrived_before_the_end_can_still_be_received(url: str) -> None:
    connection = connect(url)
    connection.send("times 2")
    first = connection.receive(PATIENCE_S)
    connection.close()
    assert first == "0"
    assert list(connection) in (["1"], [])  # discarded where it came after our close frame
    connection.close()


def test_a_large_message_is_taken_whole(url: str) -> None:
    with connect(url) as connection:
        connection.send(b"x" * 5_000_000, timeout_s=PATIENCE_S)
        assert connection.receive(PATIENCE_S) == b"x" * 5_000_000


def test_a_ping_leaves(url: str) -> None:
    with connect(url) as connection:
        connection.ping(b"?")
        connection.send("after")
        assert connection.receive(PATIENCE_S) == "after"


def test_waiting_for_nothing_is_a_time_out_and_loses_nothing(url: str) -> None:
    with connect(url) as connection:
        with pytest.raises(TimedOut):
            connection.receive(timeout_s=0.01)
        with pytest.raises(TimedOut):
            connection.receive(timeout_s=0)
        connection.send("still here")
        assert connection.receive(PATIENCE_S) == "still here"


def test_a_code_that_may_not_be_sent_leaves_the_connection_open(url: str) -> None:
    with connect(url) as connection:
        with pytest.raises(InvalidArgument):
            connection.close(1005)
        connection.send("open")
        assert connection.receive(PATIENCE_S) == "open"


def test_nobody_there_is_a_lost_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    with pytest.raises(ConnectionLost):
        connect(f"ws://127.0.0.1:{port}/")


def test_somebody_who_never_answers_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(TimedOut):
            connect(f"ws://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05)


def test_a_refusal_carries_its_status() -> None:
    app = Server("127.0.0.1", 0)
    with app.background() as url:
        with pytest.raises(HandshakeFailed) as caught:
            connect(url + "/nowhere")
    assert caught.value.status == 404


class RawServer:
    """Accepts one client, does the handshake by the book of another library's absence: with its own bytes."""

    def __init__(self, after_handshake: bytes, *, read_more: bool = False) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._bytes = after_handshake
        self._read_more = read_more
        self.done = threading.Event()
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        from hioload_ws.protocol import HandshakeConfig, ServerHandshake

        with self._listener, self._listener.accept()[0] as peer:
            handshake = ServerHandshake(HandshakeConfig())
            while handshake.feed(peer.recv(65_536)) is None:
                pass
            handshake.check()
            peer.sendall(handshake.accept() + self._bytes)
            if self._read_more:
                self.done.wait(PATIENCE_S)

    def close(self) -> None:
        self.done.set()
        self._thread.join()


def test_a_server_that_just_hangs_up_is_a_lost_connection_and_iteration_says_so() -> None:
    server = RawServer(b"\x81\x02hi")
    connection = connect(server.url)
    messages = []
    with pytest.raises(ConnectionLost):
        for message in connection:
            messages.append(message)
    assert messages == ["hi"]
    assert connection.close_code == 1006
    connection.close()
    server.close()


def test_a_server_that_breaks_the_protocol_is_told_and_the_cause_is_kept() -> None:
    server = RawServer(b"\x83\x00")
    with connect(server.url) as connection:
        with pytest.raises(ConnectionLost) as caught:
            connection.receive(PATIENCE_S)
    assert isinstance(caught.value.__cause__, ProtocolViolation)
    server.close()


def test_sending_to_a_server_that_does_not_read_is_a_time_out() -> None:
    server = RawServer(b"", read_more=True)
    connection = connect(server.url, close_timeout_s=0.05)
    with pytest.raises(TimedOut):
        connection.send(b"x" * 30_000_000, timeout_s=0.05)
    connection.close()
    server.close()


def test_sending_to_a_server_that_goes_meanwhile_is_a_lost_connection() -> None:
    server = RawServer(b"", read_more=True)
    connection = connect(server.url)
    leaving = threading.Timer(0.05, server.done.set)
    leaving.start()
    with pytest.raises(ConnectionLost):
        connection.send(b"x" * 30_000_000, timeout_s=PATIENCE_S)
    leaving.join()
    connection.close()
    server.close()


def test_an_interruption_drops_the_connection_without_waiting(url: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        with connect(url) as connection:
            raise KeyboardInterrupt
    assert connection.closed


def test_an_error_in_the_block_closes_politely(url: str) -> None:
    with pytest.raises(Cancelled):
        with connect(url) as connection:
            raise Cancelled("enough")
    assert connection.close_code == 1000


def test_a_refusal_shows_the_response_and_keeps_it_in_a_pickle() -> None:
    app = Server("127.0.0.1", 0)
    answer = Response(401, headers=(("WWW-Authenticate", "Bearer"), ("Location", "/login")))
    app.on_request(lambda request: answer)
    with app.background() as url, pytest.raises(HandshakeFailed) as caught:
        connect(url)
    response = caught.value.response
    assert response is not None
    assert (response.status, response.header("WWW-Authenticate")) == (401, "Bearer")
    assert response.header("Location") == "/login"
    assert "Bearer" not in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).response == response
