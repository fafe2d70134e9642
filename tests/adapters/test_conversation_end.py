"""Every way in which a coroutine, or its connection, may end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.adapters.conversation import MAX_WAITING
from hioload_ws.api import (
    BINARY,
    TEXT,
    Cancelled,
    CloseReceived,
    Connection,
    ConnectionLost,
    SessionStatus,
    TransportClosed,
)
from hioload_ws.internal.coroutines import sleep
from tests.adapters.bench import Bench
from tests.adapters.slow import Log, feed, open_with

MakeBench = Callable[..., Bench]


def test_a_handler_that_returns_closes_with_1000(bench: Bench) -> None:
    async def one(connection: Connection) -> None:
        connection.send(await connection.receive())

    connection, peer = open_with(bench, one)
    peer.send(TEXT, b"hello")
    bench.turn()
    message, close = peer.events()
    assert isinstance(close, CloseReceived)
    assert close.code == 1000
    assert bench.errors == []
    assert connection.status is SessionStatus.CLOSING


@pytest.mark.parametrize("waits", [False, True])
def test_a_handler_that_raises_closes_with_1011_and_is_reported(bench: Bench, waits: bool) -> None:
    async def fail(connection: Connection) -> None:
        async for _ in connection:
            if waits:
                await sleep(1)
            raise ZeroDivisionError

    _, peer = open_with(bench, fail)
    _, other = bench.open()
    feed(peer, b"one", b"two")
    bench.turn()
    bench.advance(1)
    [close] = peer.events()
    assert isinstance(close, CloseReceived)
    assert close.code == 1011
    assert [type(error) for error in bench.errors] == [ZeroDivisionError]
    assert other.new_bytes() == b""


def test_a_handler_that_raises_before_its_first_wait_is_reported(bench: Bench) -> None:
    async def fail(connection: Connection) -> None:
        raise ZeroDivisionError

    _, peer = open_with(bench, fail)
    [close] = peer.events()
    assert isinstance(close, CloseReceived)
    assert close.code == 1011


def test_the_iteration_ends_when_the_peer_closes(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    peer.close()
    bench.turn()
    assert log.lines == []  # the peer has still to hang up
    peer.transport.feed_end()
    bench.turn()
    assert (log.lines, log.errors, bench.errors) == (["over"], [], [])
    assert connection.close_code == 1000
    assert bench.host.ends


def test_what_came_before_the_close_is_handled_and_then_the_iteration_ends(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    feed(peer, b"one", b"two", b"three")
    peer.close()
    peer.transport.feed_end()
    bench.turn()
    assert connection.status is SessionStatus.CLOSED
    assert bench.host.ends == []  # the close handlers wait for the last message
    assert connection in bench.hub.connections
    bench.advance(3)
    assert log.lines == [b"one", "done", b"two", "done", b"three", "done", "over"]
    assert (log.errors, len(bench.host.ends)) == ([], 1)
    assert connection not in bench.hub.connections


def test_after_a_while_nobody_waits_for_a_coroutine_any_more(make_bench: MakeBench) -> None:
    bench = make_bench(close_timeout_s=2)
    log = Log(lambda: sleep(3600))
    _, peer = open_with(bench, log.slowly)
    feed(peer, b"one", b"two")
    peer.transport.feed_end()
    bench.advance(1.9)
    assert log.lines == [b"one"]
    bench.advance(0.2)
    assert log.lines == [b"one"]
    assert [type(error) for error in log.errors] == [Cancelled]
    assert bench.errors == []  # being cancelled is no fault
    assert len(bench.host.ends) == 1


def test_a_coroutine_without_a_message_in_hand_is_cancelled_at_once(bench: Bench) -> None:
    seen: list[object] = []

    async def push(connection: Connection) -> None:
        try:
            while True:
                connection.send("tick")
                await sleep(1)
        finally:
            seen.append("cleaned up")

    _, peer = open_with(bench, push)
    bench.advance(2)
    assert len(peer.messages()) == 3
    peer.transport.feed_end()
    bench.turn()
    assert seen == ["cleaned up"]
    assert (bench.errors, len(bench.host.ends)) == ([], 1)


def test_sending_to_a_peer_that_has_gone_is_no_fault_of_the_handler(bench: Bench) -> None:
    async def answer_late(connection: Connection) -> None:
        async for message in connection:
            await sleep(1)
            connection.send(message)

    _, peer = open_with(bench, answer_late)
    feed(peer, b"one", b"two")
    peer.close()
    bench.advance(1)
    assert bench.errors == []


def test_another_connection_s_end_is_the_handler_s_fault(bench: Bench) -> None:
    others: list[Connection] = []

    async def forward(connection: Connection) -> None:
        async for message in connection:
            others[0].send(message)

    connection, peer = open_with(bench, forward)
    closed, _ = bench.open()
    closed.close()
    others.append(closed)
    peer.send(TEXT, b"x")
    bench.turn()
    assert [type(error) for error in bench.errors] == [TransportClosed]
    assert connection.close_code is None


def test_cleaning_up_may_wait_once_more_and_is_ended_then(make_bench: MakeBench) -> None:
    bench = make_bench(close_timeout_s=2)
    seen: list[str] = []

    async def stubborn(connection: Connection) -> None:
        try:
            await sleep(3600)
        finally:
            seen.append("first")
            try:
                await sleep(3600)
            finally:
                seen.append("second")

    _, peer = open_with(bench, stubborn)
    peer.transport.feed_end()
    bench.turn()
    assert seen == ["first"]
    bench.advance(2.1)
    assert seen == ["first", "second"]
    assert (bench.errors, len(bench.host.ends)) == ([], 1)


def test_what_a_handler_raises_while_it_cleans_up_is_reported(bench: Bench) -> None:
    async def clumsy(connection: Connection) -> None:
        try:
            await sleep(3600)
        finally:
            raise ZeroDivisionError

    _, peer = open_with(bench, clumsy)
    peer.transport.feed_end()
    bench.turn()
    assert [type(error) for error in bench.errors] == [ZeroDivisionError]


def test_when_we_close_what_waits_is_discarded(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    feed(peer, *[b"x"] * (MAX_WAITING + 1))
    bench.turn()
    assert connection.held_back
    connection.close()
    assert not connection.held_back  # else nobody would see the answer
    peer.close()
    peer.transport.feed_end()
    bench.turn()
    bench.advance(1)
    assert log.lines == [b"x", "done", "over"]


def test_a_handler_that_closes_sees_the_end_of_the_iteration(bench: Bench) -> None:
    seen: list[object] = []

    async def close_first(connection: Connection) -> None:
        connection.close(4000, "bye")
        async for message in connection:
            seen.append(message)
        seen.append(connection.close_code)

    _, peer = open_with(bench, close_first)
    feed(peer, b"ignored")
    peer.close(4000)
    peer.transport.feed_end()
    bench.turn()
    assert seen == [4000]


def test_a_connection_that_breaks_in_the_middle_leaves_the_message_valid(bench: Bench) -> None:
    """What is lost within the handler's own turn ends the codec, but not what the handler holds."""
    seen: list[bytes] = []

    async def handler(connection: Connection) -> None:
        async for message in connection:
            view = message.data
            peer.transport.reset()
            connection.send(b"x")
            assert isinstance(connection, WebSocketConnection)
            connection.flush()
            assert connection.status is SessionStatus.CLOSED
            await sleep(1)
            seen.append(bytes(view))

    _, peer = open_with(bench, handler)
    for payload in (b"short", b"l" * 100_000):
        _, peer = bench.open()
        peer.send(BINARY, payload)
        bench.turn()
        bench.advance(1)
        assert seen.pop() == payload
    assert bench.errors == []


def test_a_coroutine_that_ends_with_the_connection_in_its_own_turn_is_forgotten(bench: Bench) -> None:
    async def drop_out(connection: Connection) -> None:
        async for _ in connection:
            assert isinstance(connection, WebSocketConnection)
            connection.finish(ConnectionLost("enough"))

    connection, peer = open_with(bench, drop_out)
    feed(peer, b"x")
    bench.turn()
    assert connection not in bench.hub.connections
    assert (bench.errors, len(bench.host.ends)) == ([], 1)


@pytest.mark.parametrize("then", ["ask", "sleep", "return"])
def test_a_reactor_that_ends_while_a_coroutine_runs_ends_that_at_its_next_wait(bench: Bench, then: str) -> None:
    seen: list[str] = []

    async def end_it_all(connection: Connection) -> None:
        try:
            async for _ in connection:
                assert isinstance(connection, WebSocketConnection)
                connection.drop()
                if then == "return":
                    return
                if then == "sleep":
                    await sleep(1)
        finally:
            seen.append("finally")

    connection, peer = open_with(bench, end_it_all)
    feed(peer, b"x")
    bench.turn()
    assert seen == ["finally"]
    assert connection not in bench.hub.connections
    assert bench.errors == []


@pytest.mark.parametrize("asks", [False, True])
def test_a_reactor_that_ends_ends_coroutines_where_they_wait(bench: Bench, asks: bool) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    if not asks:
        feed(peer, b"one", b"two", b"l" * 70_000)
    bench.turn()
    connection.drop()
    connection.drop()
    if asks:
        assert log.lines == ["over"]
    else:
        assert [type(error) for error in log.errors] == [GeneratorExit]
    assert bench.hub.connections == {}


def test_ctrl_c_in_a_coroutine_is_for_whoever_runs_the_reactor(bench: Bench) -> None:
    async def interrupted(connection: Connection) -> None:
        async for _ in connection:
            raise KeyboardInterrupt

    connection, peer = open_with(bench, interrupted)
    feed(peer, b"x")
    with pytest.raises(KeyboardInterrupt):
        bench.turn()
    connection.drop()
