"""A handler can be tested with nothing but a connection that is played."""

from __future__ import annotations

import pytest

from hioload_ws.adapters.conversation import MAX_WAITING
from hioload_ws.api import (
    BINARY,
    TEXT,
    Connection,
    InvalidArgument,
    InvalidState,
    Message,
    ResourceExhausted,
    SessionStatus,
    TransportClosed,
    UseAfterRelease,
)
from hioload_ws.fake.connection import FakeConnection
from hioload_ws.fake.message import fake_message
from hioload_ws.internal.coroutines import in_worker, sleep


def echo(connection: Connection, message: Message) -> None:
    connection.send(message)


def test_a_handler_gets_messages_and_its_answers_are_kept() -> None:
    connection = FakeConnection("/rooms/7?x=1", params={"room": "7"}, headers=(("Host", "h"),), subprotocol="v1")
    connection.deliver(echo, "hello")
    connection.deliver(echo, b"\x00")
    assert connection.sent == ["hello", b"\x00"]
    assert (connection.path, connection.request.query, connection.params) == ("/rooms/7", "x=1", {"room": "7"})
    assert (connection.request.header("host"), connection.subprotocol) == ("h", "v1")
    assert connection.features().name == "fake"
    connection.pool.check_leaks()


def test_every_kind_of_message_can_be_sent() -> None:
    connection = FakeConnection()
    for data in ("text", b"bytes", bytearray(b"array"), memoryview(b"view")):
        assert connection.send(data) == 0
    for message in (fake_message("m"), fake_message(b"m")):
        connection.send(message)
    assert connection.sent == ["text", b"bytes", b"array", b"view", "m", b"m"]
    assert [message.kind for message in (fake_message("m"), fake_message(b"m"))] == [TEXT, BINARY]
    for wrong in ("\ud800", memoryview(b"abcd")[::2]):
        with pytest.raises(InvalidArgument):
            connection.send(wrong)


def test_a_message_kept_without_retain_is_found_out() -> None:
    kept: list[Message] = []
    connection = FakeConnection()
    connection.deliver(lambda connection, message: kept.append(message), b"data")
    with pytest.raises(UseAfterRelease):
        kept[0].copy()
    connection.deliver(lambda connection, message: message.retain(), b"data")
    with pytest.raises(InvalidState):
        connection.pool.check_leaks()


def test_a_handler_that_raises_closes_with_1011() -> None:
    connection = FakeConnection()
    with pytest.raises(ZeroDivisionError):
        connection.deliver(lambda connection, message: 1 // 0, "x")
    assert (connection.close_sent, connection.status) == ((1011, "internal error"), SessionStatus.CLOSING)
    connection.deliver(echo, "too late")
    assert connection.sent == []


def test_a_peer_that_does_not_read_meets_the_limit() -> None:
    connection = FakeConnection(send_limit_bytes=10, peer_reads=False)
    assert connection.send(b"12345678") == 8
    with pytest.raises(ResourceExhausted):
        connection.send(b"123")
    assert connection.take_bytes() == 8
    assert connection.send(b"123") == 3


def test_pings_are_kept_and_limited() -> None:
    connection = FakeConnection()
    connection.ping(b"p")
    with pytest.raises(InvalidArgument):
        connection.ping(bytes(126))
    assert connection.pings == [b"p"]


def test_closing_goes_one_way_and_keeps_the_first_code() -> None:
    connection = FakeConnection()
    with pytest.raises(InvalidArgument):
        connection.close(1006)
    connection.close(4000, "bye")
    connection.close(4001)
    assert connection.status is SessionStatus.CLOSING
    for call in (lambda: connection.send("x"), connection.ping):
        with pytest.raises(TransportClosed):
            call()
    assert (connection.close_sent, connection.close_code) == ((4000, "bye"), None)
    connection.peer_closes(4000)
    assert (connection.close_code, connection.close_reason, connection.session.done) == (4000, "bye", True)
    connection.peer_closes(1001)
    assert connection.close_code == 4000


def test_a_peer_that_closes_is_answered_with_its_code() -> None:
    for code, kept in ((4001, 4001), (None, 1005)):
        connection = FakeConnection()
        connection.peer_closes(code, "bye")
        assert (connection.close_sent, connection.close_code) == ((code, ""), kept)
        assert (connection.close_reason, connection.status) == ("bye", SessionStatus.CLOSED)


def test_a_peer_that_vanishes_and_a_session_that_is_cancelled_close_too() -> None:
    gone, cancelled = FakeConnection(), FakeConnection()
    gone.peer_vanishes()
    cancelled.session.cancel()
    assert (gone.close_code, cancelled.close_code) == (1006, 1001)
    cancelled.peer_vanishes()
    assert cancelled.close_code == 1001
    assert (gone.close_sent, cancelled.close_sent) == (None, (1001, "session cancelled"))
    assert gone.status is cancelled.status is SessionStatus.CLOSED


async def greet(connection: Connection) -> None:
    await sleep(1)
    connection.send("hello")
    async for message in connection:
        connection.send(await in_worker(message.text.upper))
        await sleep(1)


def test_a_coroutine_handler_runs_in_virtual_time() -> None:
    connection = FakeConnection()
    connection.begin(greet)
    connection.advance(0.9)
    assert connection.sent == []
    connection.advance(0.1)
    assert connection.sent == ["hello"]
    connection.arrive("a")
    assert connection.sent == ["hello", "A"]
    for _ in range(MAX_WAITING):
        connection.arrive("b")
    assert (connection.held_back, connection.sent[2:]) == (True, [])
    connection.advance(MAX_WAITING)
    assert (connection.held_back, connection.sent[2:]) == (False, ["B"] * MAX_WAITING)
    connection.peer_closes()
    connection.advance(20)
    assert connection.close_code == 1000
    assert connection.conversation is not None
    assert connection.conversation.ended
    connection.pool.check_leaks()


def test_what_another_thread_posts_runs_when_time_goes_on() -> None:
    connection = FakeConnection()
    connection.runner.post(connection.close)
    assert connection.close_sent is None
    connection.advance(0)
    assert connection.close_sent == (1000, "")


def test_what_a_coroutine_raises_comes_to_the_test() -> None:
    async def fail(connection: Connection, message: Message) -> None:
        await sleep(1)
        raise ZeroDivisionError

    connection = FakeConnection()
    connection.deliver(fail, "x")
    with pytest.raises(ZeroDivisionError):
        connection.advance(1)
    assert connection.close_sent == (1011, "internal error")
    connection.deliver(fail, "too late")
    connection.pool.check_leaks()


def test_a_session_that_is_cancelled_ends_the_coroutine_and_closes_what_waits() -> None:
    connection = FakeConnection(patience_s=3)
    with pytest.raises(InvalidState):
        connection.arrive("for nobody")
    connection.begin(greet)
    connection.arrive("waits")
    connection.session.cancel()
    assert (connection.close_code, connection.close_reason) == (1001, "session cancelled")
    connection.advance(3)
    assert connection.conversation is not None
    assert connection.conversation.ended
    connection = FakeConnection()
    connection.begin(greet)
    connection.arrive("waits")
    connection.close()
    connection.peer_vanishes()
    assert connection.close_code == 1006


def test_a_coroutine_that_sends_too_much_waits_for_its_peer() -> None:
    async def pour(connection: Connection) -> None:
        for _ in range(4):
            connection.send(b"12345678")
            await connection.drain()

    connection = FakeConnection(high_water_bytes=10, peer_reads=False)
    connection.begin(pour)
    assert connection.pending_bytes == 16
    assert connection.take_bytes() == 16
    assert connection.take_bytes() == 16
    assert connection.close_sent == (1000, "")

    connection = FakeConnection(high_water_bytes=10, peer_reads=False)
    connection.begin(pour)
    connection.peer_vanishes()
    assert connection.conversation is not None
    assert connection.conversation.ended
