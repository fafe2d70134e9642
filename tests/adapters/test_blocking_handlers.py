"""A blocking handler runs on a worker's thread, and what it does to its connection happens on the reactor's."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hioload_ws import Connection, Message, Server, blocking, connect
from hioload_ws.adapters.blocking_handlers import PostingConnection
from hioload_ws.adapters.routing import compose
from hioload_ws.api import (
    InvalidArgument,
    InvalidState,
    PongReceived,
    ResourceExhausted,
    SessionStatus,
    TransportClosed,
)
from hioload_ws.fake.connection import FakeConnection
from tests.adapters.bench import Bench

MakeBench = Callable[..., Bench]


@pytest.mark.parametrize("size_bytes", [0, 5, 5000, 200_000])
def test_a_blocking_handler_echoes_from_another_thread(size_bytes: int) -> None:
    threads: list[str] = []
    app = Server("127.0.0.1", 0, executor_threads=2)

    @app.on_message
    @blocking
    def echo(connection: Connection, message: Message) -> None:
        threads.append(threading.current_thread().name)
        connection.send(message)

    with app.background() as url, connect(url) as connection:
        for number in range(3):
            connection.send(bytes([number]) * size_bytes)
        assert [connection.receive(timeout_s=20) for _ in range(3)] == [bytes([n]) * size_bytes for n in range(3)]
    assert len(threads) == 3
    assert all(name.startswith("worker") for name in threads)


def test_messages_of_a_connection_are_handled_one_by_one_in_order(bench: Bench) -> None:
    @blocking
    def reply(connection: Connection, message: Message) -> None:
        connection.send(b"got ")
        connection.send(message)

    bench.router.fallback = compose(reply, ())
    _, peer = bench.open()
    peer.transport.feed(peer.encode(1, b"one") + peer.encode(1, b"two"))
    bench.turn()
    assert bench.executor.stats().queued_count == 1
    for _ in range(2):
        bench.executor.run_all()
        bench.turn()
    assert peer.messages() == [b"got ", b"one", b"got ", b"two"]


def test_what_it_raises_closes_with_1011(bench: Bench) -> None:
    @blocking
    def fail(connection: Connection, message: Message) -> None:
        raise ZeroDivisionError

    bench.router.fallback = compose(fail, ())
    connection, peer = bench.open()
    peer.send(1, b"x")
    bench.turn()
    bench.executor.run_all()
    bench.turn()
    assert [type(error) for error in bench.errors] == [ZeroDivisionError]
    assert connection.status is SessionStatus.CLOSING


def stand_in(**arguments: object) -> tuple[FakeConnection, PostingConnection]:
    """Return a played connection, and its stand-in."""
    connection = FakeConnection("/rooms/7?x=1", params={"room": "7"}, **arguments)  # type: ignore[arg-type]  # a test's
    return connection, PostingConnection(connection, "handler")


def test_it_shows_what_the_connection_shows() -> None:
    connection, posting = stand_in(subprotocol="v1")
    assert posting.session is connection.session
    assert posting.request is connection.request
    assert (posting.path, posting.params, posting.subprotocol) == ("/rooms/7", {"room": "7"}, "v1")
    assert (posting.peer_address, posting.local_address) == (connection.peer_address, connection.local_address)
    assert (posting.close_code, posting.close_reason, posting.pending_bytes) == (None, "", 0)
    assert (posting.status, posting.features().name) == (SessionStatus.ACTIVE, "fake")


def test_everything_is_sent_later_and_as_it_was() -> None:
    connection, posting = stand_in(peer_reads=False)
    memory = bytearray(b"before")
    for data in ("text ü", b"bytes", memory, memoryview(b"view")):
        posting.send(data)
    memory[:] = b"after!"
    posting.ping(b"p")
    posting.close(4000, "bye")
    assert (connection.sent, posting.pending_bytes) == ([], 22)
    connection.advance(0)
    assert connection.sent == ["text ü", b"bytes", b"before", b"view"]
    assert (posting.pending_bytes, connection.pings) == (22, [b"p"])
    assert (posting.close_code, posting.close_reason) == (None, "bye")
    assert connection.close_sent == (4000, "bye")
    with pytest.raises(TransportClosed):
        posting.send("late")
    with pytest.raises(TransportClosed):
        posting.ping()


def test_mistakes_show_on_the_thread_that_makes_them() -> None:
    connection, posting = stand_in(send_limit_bytes=10)
    for call in (
        lambda: posting.send("\ud800"),
        lambda: posting.send(7),  # type: ignore[arg-type]  # wrong on purpose
        lambda: posting.ping(b"x" * 126),
        lambda: posting.close(1),
    ):
        with pytest.raises(InvalidArgument):
            call()
    posting.send(b"12345678")
    with pytest.raises(ResourceExhausted):
        posting.send(b"123")
    connection.advance(0)
    assert connection.sent == [b"12345678"]


@pytest.mark.parametrize("name", ["receive", "drain", "__aiter__", "__anext__"])
def test_nothing_can_be_awaited_there(name: str) -> None:
    _, posting = stand_in()
    with pytest.raises(InvalidState, match="this one is blocking"):
        getattr(posting, name)()


def test_what_others_sent_meanwhile_may_leave_no_room() -> None:
    connection, posting = stand_in(send_limit_bytes=10, peer_reads=False)
    posting.send(b"12345678")
    connection.send(b"others")
    with pytest.raises(ResourceExhausted):
        connection.advance(0)
    assert connection.close_sent == (1011, "internal error")


def test_what_was_sent_while_it_closed_is_dropped() -> None:
    connection, posting = stand_in()
    posting.send(b"x")
    connection.close()
    connection.advance(0)
    assert connection.sent == []


def test_a_text_message_stays_text(bench: Bench) -> None:
    @blocking
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)
        connection.ping(b"p")

    played = FakeConnection()
    played.deliver(echo, "text")
    assert (played.sent, played.pings) == (["text"], [b"p"])
    bench.router.fallback = compose(echo, ())
    _, peer = bench.open()
    peer.send(1, b"text")
    bench.turn()
    bench.executor.run_all()
    bench.turn()
    assert not any(isinstance(event, PongReceived) for event in peer.events())
