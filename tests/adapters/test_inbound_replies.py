"""Replies of an express turn: which of them wait for others, where they lie meanwhile, and that each is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.adapters import wire
from hioload_ws.adapters.hub import MOST_READS, MOST_WAITING, SPARE_READ_BYTES
from hioload_ws.api import BINARY, TEXT, Connection, Message, ResourceExhausted, TransportClosed
from hioload_ws.pool import SlabBufferPool
from tests.adapters.bench import Bench

MakeBench = Callable[..., Bench]


@pytest.mark.parametrize("room_bytes", [0, 3])
def test_what_the_socket_does_not_take_waits_in_the_transport(bench: Bench, room_bytes: int) -> None:
    connection, peer = bench.open()
    peer.transport.limit_room(room_bytes)
    peer.send(TEXT, b"hello")
    bench.turn()
    assert connection.pending_bytes == 7 - room_bytes
    peer.transport.limit_room(None)
    bench.turn()
    assert peer.messages() == [b"hello"]


def test_replies_of_many_connections_leave_together_but_not_too_many(bench: Bench) -> None:
    pairs = [bench.open() for _ in range(MOST_WAITING + 3)]
    order: list[str] = []

    def echo(connection: Connection, message: Message) -> None:
        order.append(f"{sum(len(peer.transport.batches) - 1 for _, peer in pairs)}")
        connection.send(message)

    bench.handler = echo
    for _, peer in pairs:
        peer.send(TEXT, b"x")
    bench.turn()
    sent = [int(each) for each in order]
    if pairs[0][0]._bare is None:
        assert sent == list(range(MOST_WAITING + 3))
    else:
        assert sent == [0] * (MOST_WAITING + 1) + [MOST_WAITING] * 2
    assert all(peer.messages() == [b"x"] for _, peer in pairs)
    assert bench.traffic.messages_sent.count == MOST_WAITING + 3


def test_longer_replies_wait_in_buffers_of_their_own_as_long_as_there_are_some(bench: Bench) -> None:
    pairs = [bench.open() for _ in range(2 * MOST_READS + 1)]
    order: list[int] = []

    def echo(connection: Connection, message: Message) -> None:
        order.append(sum(len(peer.transport.batches) - 1 for _, peer in pairs))
        connection.send(message)

    bench.handler = echo
    payloads = [bytes([65 + number]) * (300 + number) for number in range(len(pairs))]
    for turn in (1, 2):
        for (_, peer), payload in zip(pairs, payloads, strict=True):
            peer.send(TEXT, payload)
        bench.turn()
        assert [peer.messages() for _, peer in pairs] == [[payload] for payload in payloads]
        assert bench.traffic.messages_sent.count == turn * len(pairs)
        assert bench.traffic.bytes_sent.count == turn * sum(map(len, payloads))
    if pairs[0][0]._bare is None:
        assert order == list(range(2 * len(pairs)))
    else:
        assert order[: len(pairs)] == [0] * MOST_READS + [MOST_READS] * MOST_READS + [2 * MOST_READS]
    assert bench.pool.stats().in_use_count == len(bench.hub._read_buffers) <= MOST_READS


def test_for_short_messages_there_is_one_buffer_to_read_into(bench: Bench) -> None:
    _, peer = bench.open()
    peer.send(TEXT, b"x" * 125)
    bench.turn()
    assert peer.messages() == [b"x" * 125]
    assert len(bench.hub._read_buffers) == 1


def test_buffers_to_wait_in_are_no_larger_than_need_be(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane", read_buffer_bytes=1 << 20)
    _, peer = bench.open()
    peer.send(TEXT, b"x" * 300)
    bench.turn()
    assert peer.messages() == [b"x" * 300]
    assert [len(read.memory) for read in bench.hub._reads] == [1 << 20, SPARE_READ_BYTES]


def test_where_the_pool_has_no_memory_for_them_replies_leave_at_once(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    pairs = [bench.open() for _ in range(3)]
    sent: list[int] = []

    def echo(connection: Connection, message: Message) -> None:
        sent.append(sum(len(peer.transport.batches) - 1 for _, peer in pairs))
        connection.send(message)

    bench.handler = echo
    own, bench.hub.pool = bench.hub.pool, SlabBufferPool(limit_bytes=4096)
    for _, peer in pairs:
        peer.send(BINARY, b"m" * 3000)
    bench.turn()
    bench.hub.pool.close()
    bench.hub.pool = own
    assert sent == [0, 1, 2]
    assert [peer.messages() for _, peer in pairs] == [[b"m" * 3000]] * 3


def test_what_is_sent_while_replies_of_others_leave_is_counted_too(make_bench: MakeBench) -> None:
    bench = make_bench(road="lane")
    pairs = [bench.open() for _ in range(MOST_WAITING + 1)]
    kept: list[Message] = []

    def echo(connection: Connection, message: Message) -> None:
        if not kept:
            kept.append(message.retain())
        connection.send(message)
        if connection is pairs[-1][0]:
            pairs[0][1].transport.reset()  # which is noticed when the replies that wait make room for this one

    bench.handler = echo
    bench.host.on_end = lambda _: pairs[-1][0].send(kept[0])
    for _, peer in pairs:
        peer.send(TEXT, b"x")
    bench.turn()
    bench.host.on_end = lambda _: None
    kept[0].release()
    assert pairs[-1][1].messages() == [b"x"] * 2
    assert bench.traffic.messages_sent.count == MOST_WAITING + 2


@pytest.mark.parametrize("payload", [b"m" * 3000, b"short"])
def test_what_was_sent_before_an_interrupt_is_what_arrives(bench: Bench, payload: bytes) -> None:
    def interrupted(connection: Connection, message: Message) -> None:
        connection.send(message)
        raise KeyboardInterrupt

    (_, peer), (_, other) = bench.open(), bench.open()
    bench.handler = interrupted
    peer.send(BINARY, payload)
    with pytest.raises(KeyboardInterrupt):
        bench.turn()
    bench.handler = lambda connection, message: None
    other.send(BINARY, b"n" * 3000)  # into the memory that the first one lay in
    bench.turn()
    peer.send(BINARY, b"n" * 3000)
    bench.turn()
    assert peer.messages() == [payload]
    assert (bench.traffic.messages_sent.count, bench.traffic.bytes_sent.count) == (1, len(payload))


def test_a_connection_that_is_gone_before_its_replies_leave_takes_them_along(bench: Bench) -> None:
    connection, peer = bench.open()

    def end(_: Connection, message: Message) -> None:
        connection.send(message)
        connection.finish()
        with pytest.raises(TransportClosed):
            connection.send(message)

    bench.handler = end
    peer.send(TEXT, b"x")
    bench.turn()
    assert peer.messages() == []
    assert not bench.errors


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize(("size_bytes", "header_bytes"), [(8, 2), (300, 4)])
def test_beyond_the_send_limit_a_reply_is_refused(
    make_bench: MakeBench, size_bytes: int, header_bytes: int, together: int
) -> None:
    limit_bytes = 3 * (size_bytes + header_bytes)
    bench = make_bench(send_limit_bytes=limit_bytes, high_water_bytes=limit_bytes, low_water_bytes=10)
    refused: list[int] = []

    def flood(connection: Connection, message: Message) -> None:
        for _ in range(5):
            try:
                connection.send(message)
            except ResourceExhausted as error:
                refused.append(int(str(error.context["pending_bytes"])))

    bench.handler = flood
    _, peer = bench.open()
    peer.transport.feed(peer.encode(TEXT, b"x" * size_bytes) * together)
    bench.turn()
    assert refused == [limit_bytes] * (5 * together - 3)
    assert peer.messages() == [b"x" * size_bytes] * 3


@pytest.mark.parametrize("room_bytes", [0, 3, 4, 1000, 2004])
def test_what_the_socket_does_not_take_of_a_reply_in_place_waits_as_a_copy(bench: Bench, room_bytes: int) -> None:
    bench.handler = lambda connection, message: (connection.send(message), connection.send(message))
    connection, peer = bench.open()
    peer.transport.limit_room(room_bytes)
    peer.send(BINARY, b"m" * 3000)
    bench.turn()
    assert connection.pending_bytes == 6008 - room_bytes
    peer.send(BINARY, b"n" * 3000)  # into the memory that the first one lay in
    bench.turn()
    peer.transport.limit_room(None)
    bench.turn()
    assert peer.messages() == [b"m" * 3000] * 2 + [b"n" * 3000] * 2
    assert bench.traffic.bytes_sent.count == 12_000


def test_a_socket_without_vectors_has_its_transport_send(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HAS_VECTORS", False)
    bench.handler = lambda connection, message: (connection.send(message), connection.send(message))
    _, peer = bench.open()
    peer.send(BINARY, b"m" * 3000)
    bench.turn()
    assert peer.messages() == [b"m" * 3000] * 2
