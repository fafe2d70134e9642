"""A connection and its coroutine: not sending faster than the peer reads."""

from __future__ import annotations

from collections.abc import Callable

from hioload_ws.adapters.routing import compose
from hioload_ws.api import BINARY, Connection, SessionStatus, TransportClosed
from hioload_ws.internal.coroutines import sleep
from tests.adapters.bench import Bench

MakeBench = Callable[..., Bench]
MARKS = {"high_water_bytes": 1000, "low_water_bytes": 100}


def test_drain_waits_from_the_high_mark_to_the_low_one(make_bench: MakeBench) -> None:
    bench = make_bench(**MARKS)
    sent: list[int] = []

    async def pour(connection: Connection) -> None:
        for number in range(5):
            connection.send(b"x" * 400)
            await connection.drain()
            sent.append(number)
        await sleep(60)

    bench.router.fallback = compose(pour, ())
    peer = bench.admit()
    peer.transport.feed(peer.request())
    peer.transport.limit_room(200)  # more than the response
    bench.turn()
    assert sent == [0, 1]  # the third one is above the mark
    peer.transport.limit_room(700)
    bench.turn()
    assert sent == [0, 1]  # below the high mark, and not at the low one
    peer.transport.limit_room(None)
    bench.turn()
    assert sent == [0, 1, 2, 3, 4]


def test_another_connection_may_be_drained(make_bench: MakeBench) -> None:
    bench = make_bench(**MARKS)
    slow, reader = bench.open()
    reader.transport.limit_room(0)
    done: list[bool] = []

    async def forward(connection: Connection) -> None:
        async for message in connection:
            slow.send(message)
            await slow.drain()
            done.append(True)

    bench.router.fallback = compose(forward, ())
    _, writer = bench.open()
    writer.send(BINARY, b"x" * 2000)
    bench.turn()
    assert done == []
    reader.transport.limit_room(None)
    bench.turn()
    assert done == [True]
    assert reader.messages() == [b"x" * 2000]


def test_a_connection_that_goes_ends_the_wait_for_its_peer(make_bench: MakeBench) -> None:
    bench = make_bench(**MARKS)
    seen: list[type] = []

    async def pour(connection: Connection) -> None:
        connection.send(b"x" * 5000)
        for _ in range(2):
            try:
                await connection.drain()
            except TransportClosed as error:
                seen.append(type(error))

    bench.router.fallback = compose(pour, ())
    peer = bench.admit()
    peer.transport.feed(peer.request())
    peer.transport.limit_room(500)
    bench.turn()
    assert seen == []
    # Without a message in hand it is cancelled rather than told of its own connection's end.
    peer.transport.reset()
    bench.turn()
    assert bench.errors == []
    assert bench.hub.connections == {}


def test_what_is_awaited_of_another_connection_ends_with_that(make_bench: MakeBench) -> None:
    bench = make_bench(**MARKS)
    slow, reader = bench.open()
    reader.transport.limit_room(0)
    seen: list[type] = []

    async def pour(connection: Connection) -> None:
        slow.send(b"x" * 5000)
        try:
            await slow.drain()
        except TransportClosed as error:
            seen.append(type(error))
        await sleep(60)

    bench.router.fallback = compose(pour, ())
    connection, _ = bench.open()
    slow.finish()
    bench.turn()
    assert seen == [TransportClosed]
    assert connection.status is SessionStatus.ACTIVE


def test_who_gave_up_waiting_is_not_resumed(make_bench: MakeBench) -> None:
    bench = make_bench(close_timeout_s=1, **MARKS)
    slow, reader = bench.open()
    reader.transport.limit_room(0)

    async def pour(connection: Connection) -> None:
        slow.send(b"x" * 5000)
        await slow.drain()

    bench.router.fallback = compose(pour, ())
    connection, _ = bench.open()
    connection.finish()
    assert connection not in bench.hub.connections
    reader.transport.limit_room(None)
    bench.turn()
    assert bench.errors == []
    assert reader.messages() == [b"x" * 5000]
