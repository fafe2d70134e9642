"""A coroutine and the messages of its connection: order, memory, back-pressure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.adapters.conversation import MAX_WAITING, MAX_WAITING_BYTES
from hioload_ws.adapters.routing import compose
from hioload_ws.api import (
    BINARY,
    TEXT,
    Connection,
    InvalidArgument,
    Message,
    SessionStatus,
    TimedOut,
    TransportClosed,
    UseAfterRelease,
)
from hioload_ws.internal.coroutines import in_worker, sleep
from hioload_ws.protocol.message import WireMessage
from tests.adapters.bench import Bench
from tests.adapters.slow import Log, echo, feed, open_with

MakeBench = Callable[..., Bench]


@pytest.mark.parametrize("size_bytes", [0, 1, 125, 126, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_an_echo_by_coroutine_is_an_echo(bench: Bench, kind: int, size_bytes: int) -> None:
    _, peer = open_with(bench, echo)
    peer.send(kind, b"x" * size_bytes)
    bench.turn()
    assert peer.messages() == [b"x" * size_bytes]


def test_messages_of_one_read_are_answered_in_one_send(bench: Bench) -> None:
    _, peer = open_with(bench, echo)
    before = len(peer.transport.batches)
    feed(peer, *(b"%d" % number for number in range(100)))
    bench.turn()
    assert len(peer.transport.batches) == before + 1
    assert peer.messages() == [b"%d" % number for number in range(100)]


def test_messages_wait_for_a_coroutine_that_takes_its_time(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    feed(peer, b"one", b"two")
    bench.turn()
    assert log.lines == [b"one"]
    assert connection.conversation is not None
    assert connection.conversation.waiting_count == 1
    bench.advance(1)
    assert log.lines == [b"one", "done", b"two"]
    bench.advance(1)
    assert log.lines == [b"one", "done", b"two", "done"]


def test_a_run_waits_for_a_coroutine_that_has_not_asked_yet(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    feed(peer, b"first")
    bench.turn()
    feed(peer, *(b"same%d" % number for number in range(5)))
    bench.turn()
    assert log.lines == [b"first"]
    assert connection.conversation is not None
    assert connection.conversation.waiting_count == 5
    for _ in range(6):
        bench.advance(1)
    assert log.lines[::2] == [b"first", *(b"same%d" % number for number in range(5))]


def test_a_message_is_valid_until_the_next_one_is_asked_for_and_not_longer(bench: Bench) -> None:
    kept: list[Message] = []

    async def keep(connection: Connection) -> None:
        async for message in connection:
            kept.append(message)
            await sleep(1)
            assert message.copy()

    _, peer = open_with(bench, keep)
    for payload in (b"short", b"m" * 5000, b"l" * 500_000):
        peer.send(BINARY, payload)
        bench.turn()
        assert kept[-1].copy() == payload
        bench.advance(1)
        with pytest.raises(UseAfterRelease):
            kept[-1].copy()
    assert bench.errors == []


def test_a_message_that_is_retained_outlives_the_coroutine_s_interest(bench: Bench) -> None:
    kept: list[Message] = []

    async def keep(connection: Connection) -> None:
        async for message in connection:
            kept.append(message.retain())

    _, peer = open_with(bench, keep)
    payloads = [b"short", b"m" * 5000, b"l" * 500_000]
    for payload in payloads:
        peer.send(BINARY, payload)
        bench.turn()
    assert [message.copy() for message in kept] == payloads
    for message in kept:
        message.release()


SIZES = st.sampled_from([0, 1, 3, 125, 126, 127, 1000, 20_000, 65_000, 66_000, 150_000])
PAUSES = st.sampled_from(["", "", "before", "after", "worker"])


@given(st.lists(st.tuples(SIZES, PAUSES, st.booleans()), max_size=24), st.integers(0, 3))
def test_views_stay_what_they_are_wherever_the_coroutine_stops(
    script: list[tuple[int, str, bool]], feeds_between: int
) -> None:
    """The contract of memory: a view taken before a stop shows the same bytes after it, though the connection, and
    others that share its read memory, have received more meanwhile."""
    bench = Bench(read_buffer_bytes=66_000)
    try:
        check_views(bench, script, feeds_between)
    finally:
        bench.close()


def check_views(bench: Bench, script: list[tuple[int, str, bool]], feeds_between: int) -> None:
    """Run one script."""
    seen: list[bytes] = []

    async def handle(connection: Connection) -> None:
        for _, pause, _ in script:
            message = await connection.receive()
            if pause == "before":
                await sleep(1)
            view = message.data
            before = bytes(view)
            if pause == "after":
                await sleep(1)
            elif pause == "worker":
                assert await in_worker(bytes, view) == before
            assert view == before
            connection.send(view)
            seen.append(before)

    bench.router.add("/neighbour", lambda connection, message: None)
    _, peer = open_with(bench, handle)
    _, neighbour = bench.open("ws://test/neighbour")
    expected = [bytes([number % 251]) * size for number, (size, _, _) in enumerate(script)]
    batch = b""
    for payload, (_, _, cut) in zip(expected, script, strict=True):
        batch += peer.encode(BINARY, payload)
        if cut:
            peer.transport.feed(batch)
            batch = b""
            for _ in range(feeds_between):
                bench.turn()
                neighbour.send(BINARY, b"\xff" * 60_000)  # overwrites the shared read memory
    peer.transport.feed(batch)
    for _ in range(2 * len(script) + 1):
        bench.turn()
        bench.executor.run_all()
        bench.advance(1)
    assert bench.errors == []
    assert seen == expected
    assert [event.copy() for event in peer.events() if isinstance(event, WireMessage)] == expected


def test_reading_pauses_while_too_many_messages_wait_and_goes_on_when_half_are_handled(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    for number in range(MAX_WAITING):
        feed(peer, b"%d" % number)
        bench.turn()
        assert not connection.held_back
    feed(peer, b"the last straw")
    bench.turn()
    assert connection.held_back
    feed(peer, b"not read")
    bench.turn()
    assert bench.traffic.messages_received.count == MAX_WAITING + 1
    bench.advance(MAX_WAITING // 2)
    assert connection.held_back
    bench.advance(1)
    assert not connection.held_back
    assert bench.traffic.messages_received.count == MAX_WAITING + 2
    bench.advance(MAX_WAITING + 2)
    assert log.lines[-2:] == [b"not read", "done"]
    assert len(log.lines) == 2 * (MAX_WAITING + 2)


def test_large_messages_pause_reading_sooner(bench: Bench) -> None:
    log = Log()
    connection, peer = open_with(bench, log.slowly)
    feed(peer, b"first")
    feed(peer, b"x" * MAX_WAITING_BYTES)
    bench.turn()
    assert connection.held_back
    bench.advance(1)
    assert not connection.held_back


def test_a_peer_that_is_not_read_is_not_taken_for_dead_or_idle(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=5, ping_timeout_s=5, idle_timeout_s=30)
    log = Log(lambda: sleep(100))
    connection, peer = open_with(bench, log.slowly)
    feed(peer, *[b"x"] * (MAX_WAITING + 1))
    bench.advance(99)
    assert connection.status is SessionStatus.ACTIVE
    connection.drop()


def test_receive_waits_for_a_message_as_long_as_it_is_told(bench: Bench) -> None:
    seen: list[object] = []

    async def handler(connection: Connection) -> None:
        try:
            await connection.receive(timeout_s=2)
        except TimedOut as error:
            seen.append(type(error))
        seen.append((await connection.receive(timeout_s=2)).copy())
        seen.append((await connection.receive()).copy())
        seen.append((await connection.receive()).copy())
        try:
            await connection.receive(timeout_s=60)
        except TransportClosed as error:
            seen.append(type(error))
        await connection.receive()

    _, peer = open_with(bench, handler)
    bench.advance(2)
    assert seen == [TimedOut]
    feed(peer, b"one", b"two")
    bench.turn()
    peer.send(BINARY, b"l" * 70_000)
    bench.turn()
    assert seen == [TimedOut, b"one", b"two", b"l" * 70_000]
    peer.transport.feed_end()
    bench.turn()
    assert seen[-1] is TransportClosed
    assert bench.errors == []
    bench.advance(61)  # the timer is gone


@pytest.mark.parametrize("timeout_s", [-1, float("nan"), float("inf")])
def test_a_time_out_that_is_none_is_refused(bench: Bench, timeout_s: float) -> None:
    connection, _ = bench.open()
    with pytest.raises(InvalidArgument):
        connection.receive(timeout_s)


@pytest.mark.parametrize("by", ["receive", "iteration"])
def test_another_connection_s_messages_are_not_to_be_had(bench: Bench, by: str) -> None:
    async def steal(connection: Connection) -> None:
        async for _ in connection:
            if by == "receive":
                await other.receive()
            async for _ in other:
                pass

    other, _ = bench.open()
    _, peer = open_with(bench, steal)
    peer.send(TEXT, b"x")
    bench.turn()
    assert [type(error) for error in bench.errors] == [InvalidArgument]


def test_a_message_for_a_coroutine_that_has_ended_is_ignored(bench: Bench) -> None:
    """It may come through middleware that keeps messages for later."""
    kept: list[Callable[[], object]] = []

    async def one(connection: Connection) -> None:
        await connection.receive()

    def twice(handler: Callable[[Connection, Message], object]) -> Callable[[Connection, Message], object]:
        def deliver(connection: Connection, message: Message) -> None:
            handler(connection, message)
            handler(connection, message)

        return deliver

    bench.router.fallback = compose(one, (twice,))
    _, peer = bench.open()
    feed(peer, b"x")
    bench.turn()
    assert (bench.errors, kept) == ([], [])


class Foreign:
    """Somebody else's message, as a middleware may make one."""

    kind = TEXT
    text = "foreign"
    data = memoryview(b"foreign")

    def __init__(self) -> None:
        self.count = 0

    def __len__(self) -> int:
        return len(self.data)

    def copy(self) -> bytes:
        return bytes(self.data)

    def retain(self) -> Foreign:
        self.count += 1
        return self

    def release(self) -> None:
        self.count -= 1


def test_a_message_of_another_make_is_retained_while_it_is_handled(bench: Bench) -> None:
    foreign = Foreign()
    counts: list[int] = []

    async def handler(connection: Connection) -> None:
        async for message in connection:
            await sleep(1)
            counts.append(foreign.count)

    bench.router.fallback = compose(handler, (lambda inner: lambda connection, message: inner(connection, foreign),))
    _, peer = bench.open()
    feed(peer, b"x")
    bench.turn()
    bench.advance(1)
    assert (counts, foreign.count) == ([1], 0)
