"""How much a connection takes and keeps: portions, limits, back-pressure, bytes that no poller sees."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.adapters.connection import READ_BUDGET_BYTES
from hioload_ws.api import BINARY, TEXT, Connection, Message, ResourceExhausted
from tests.adapters.bench import Bench

MakeBench = Callable[..., Bench]


def test_pending_bytes_tell_what_the_system_has_not_taken(bench: Bench) -> None:
    connection, peer = bench.open()
    peer.transport.limit_room(10)
    assert connection.send(b"x" * 1000) == 1004  # this turn's batch, header included
    bench.turn()
    assert connection.pending_bytes == 994
    peer.transport.limit_room(None)
    bench.turn()
    assert connection.pending_bytes == 0
    assert peer.messages() == [b"x" * 1000]


def test_beyond_the_send_limit_nothing_is_queued(make_bench: MakeBench) -> None:
    bench = make_bench(send_limit_bytes=1000, high_water_bytes=1000, low_water_bytes=10)
    connection, peer = bench.open()
    peer.transport.limit_room(0)
    connection.send(b"x" * 900)
    with pytest.raises(ResourceExhausted) as caught:
        connection.send(b"y" * 200)
    assert caught.value.context["limit_bytes"] == 1000
    peer.transport.limit_room(None)
    bench.turn()
    connection.send(b"z" * 200)
    bench.turn()
    assert peer.messages() == [b"x" * 900, b"z" * 200]


def test_a_busy_connection_reads_in_portions(bench: Bench) -> None:
    _, peer = bench.open()
    _, other = bench.open()
    count = 2 * READ_BUDGET_BYTES // 1000
    for _ in range(count):
        peer.send(BINARY, b"x" * 1000)
    other.send(TEXT, b"small")
    bench.reactor.run_once(0)
    assert other.messages() == [b"small"]
    assert 0 < len(peer.messages()) < count
    bench.turn()
    assert len(bench.received) == count + 1


def test_bytes_that_no_poller_sees_are_read_all_the_same(make_bench: MakeBench) -> None:
    bench = make_bench(road="clear")  # a socket hides nothing
    _, peer = bench.open()
    messages = [b"%06d" % number * 1000 for number in range(200)]  # 1.2 MB: more than one portion
    wire = b"".join(peer.encode(BINARY, message) for message in messages)
    peer.transport.feed(wire[:100])
    peer.transport.feed_hidden(wire[100:])
    bench.turn()
    assert peer.messages() == messages


def test_a_peer_that_does_not_read_is_not_read_from(make_bench: MakeBench) -> None:
    bench = make_bench(high_water_bytes=10_000, low_water_bytes=1000)
    _, peer = bench.open()
    peer.transport.limit_room(0)
    for _ in range(100):
        peer.send(BINARY, b"x" * 8000)
        bench.turn()
    assert 10_000 < len(bench.received) * 8000 <= 24_000
    peer.transport.limit_room(None)
    bench.turn()
    assert [len(message) for message in peer.messages()] == [8000] * 100


def test_a_paused_connection_goes_on_with_bytes_that_no_poller_sees(make_bench: MakeBench) -> None:
    bench = make_bench(road="clear", high_water_bytes=10_000, low_water_bytes=1000, read_buffer_bytes=4096)
    connection, peer = bench.open()
    peer.transport.limit_room(0)
    for _ in range(4):
        peer.send(BINARY, b"y" * 3000)
    peer.transport.feed_hidden(b"".join(peer.encode(BINARY, b"z" * 3000) for _ in range(4)))
    bench.turn()
    assert len(bench.received) == 4
    peer.transport.limit_room(None)
    bench.turn()
    assert peer.messages() == [b"y" * 3000] * 4 + [b"z" * 3000] * 4
    connection.finish()
    connection._read_on()  # asked for before the connection ended


def test_two_buffers_may_leave_in_one_batch(bench: Bench) -> None:
    _, peer = bench.open()
    bench.handler = lambda connection, message: (connection.send(message), connection.send(message))
    peer.send(BINARY, b"b" * 100_000)
    bench.turn()
    assert peer.messages() == [b"b" * 100_000] * 2


def test_a_broadcast_frame_is_refused_where_it_does_not_fit(make_bench: MakeBench) -> None:
    bench = make_bench(send_limit_bytes=100, high_water_bytes=100, low_water_bytes=10)
    connection, peer = bench.open()
    assert connection.send_encoded([b"\x82\x03abc"], 3)
    assert not connection.send_encoded([b"\x82\x7e"], 101)
    bench.turn()
    assert peer.messages() == [b"abc"]
    connection.close()
    assert not connection.send_encoded([b"\x82\x03abc"], 3)


def test_memory_that_a_handler_lends_leaves_before_it_may_change(bench: Bench) -> None:
    scratch = bytearray(b"....")

    def reuse(connection: Connection, message: Message) -> None:
        scratch[:] = message.data.tobytes() * 4
        connection.send(scratch)
        connection.send(memoryview(scratch)[1:])

    bench.handler = reuse
    _, peer = bench.open()
    peer.transport.feed(b"".join(peer.encode(BINARY, bytes([letter])) for letter in b"abc"))
    bench.turn()
    assert peer.messages() == [b"aaaa", b"aaa", b"bbbb", b"bbb", b"cccc", b"ccc"]
