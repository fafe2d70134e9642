"""The contract of ``api.transport`` about moving bytes, kept by every kind of transport."""

from __future__ import annotations

import random

import pytest

from hioload_ws.api.errors import InvalidArgument, TransportClosed, UseAfterRelease
from hioload_ws.api.poller import WRITABLE
from hioload_ws.api.transport import WOULD_BLOCK, Sendable
from hioload_ws.pool.buffer_pool import SlabBufferPool
from tests.transport.conftest import Link, wait_readable

LARGE = random.Random(5).randbytes(16 << 20)


def test_a_new_transport_wants_nothing_and_has_nothing_to_read(link: Link) -> None:
    for end in (link.client, link.server):
        assert end.recv_into(bytearray(10)) == WOULD_BLOCK
        assert (end.interest, end.pending_bytes, end.buffered) == (0, 0, False)


def test_a_batch_of_all_kinds_of_memory_arrives_in_order(link: Link, pool: SlabBufferPool) -> None:
    with pool.acquire(5) as buffer:
        buffer.data()[:] = b"owned"
        batch: list[Sendable] = [b"one ", memoryview(b"two "), b"", bytearray(b"three "), buffer]
        assert link.client.send(batch) == 0
        assert buffer.ref_count == 1
    assert link.receive(link.server, link.client, 19) == b"one two three owned"


def test_empty_batches_and_items_send_nothing(link: Link) -> None:
    assert link.client.send([]) == 0
    assert link.client.send([b"", bytearray(), memoryview(b"")]) == 0
    link.client.shutdown()
    link.receive_end(link.server, link.client)


def test_a_view_of_wide_items_is_sent_byte_by_byte(link: Link) -> None:
    link.client.send([memoryview(b"abcdefgh").cast("I"), memoryview(b"12345678").cast("B", (2, 4))])
    assert link.receive(link.server, link.client, 16) == b"abcdefgh12345678"


@pytest.mark.parametrize("small", [False, True])
def test_sixteen_mebibytes_arrive_byte_by_byte_both_ways_at_once(link: Link, small: bool) -> None:
    if small:
        link.make_small()
    large = LARGE[: 1 << 20] if small else LARGE
    ends = (link.client, link.server)
    got = {link.client: bytearray(), link.server: bytearray()}
    for end in ends:
        end.send([large[:100], memoryview(large)[100:]])
    buffer = bytearray(100_000)
    while any(len(content) < len(large) for content in got.values()):
        for end in ends:
            if end.interest & WRITABLE:
                end.flush()
            count = end.recv_into(buffer)
            if count != WOULD_BLOCK:
                got[end] += buffer[:count]
    assert all(content == large for content in got.values())
    assert [end.flush() for end in ends] == [0, 0]


def test_more_parts_than_one_call_can_take_arrive_in_order(link: Link) -> None:
    parts = [number.to_bytes(3, "big") for number in range(5000)]
    parts += [bytes([number % 256]) * 2000 for number in range(1500)]
    link.client.send(parts)
    whole = b"".join(parts)
    assert link.receive(link.server, link.client, len(whole)) == whole


def test_receiving_never_writes_beyond_the_count(link: Link) -> None:
    link.client.send([b"abc"])
    buffer = bytearray(b"." * 10)
    assert link.receive(link.server, link.client, 0) == b""
    wait_readable(link.server)
    assert link.server.recv_into(buffer) == 3
    assert buffer == b"abc......."


def test_receiving_into_a_part_of_a_pooled_buffer_touches_only_that(link: Link, pool: SlabBufferPool) -> None:
    link.client.send([b"abcdef"])
    wait_readable(link.server)
    with pool.acquire(10) as buffer:
        buffer.data()[:] = b"." * 10
        assert link.server.recv_into(buffer.data()[2:5]) == 3
        assert buffer.copy() == b"..abc....."
    assert link.receive(link.server, link.client, 3) == b"def"


def test_a_count_below_the_room_means_that_nothing_more_is_there(link: Link) -> None:
    link.client.send([bytes(40_000)])
    buffer, total = bytearray(3000), 0
    while total < 40_000:
        if not link.server.buffered:
            wait_readable(link.server)
        total += link.server.recv_into(buffer)
    assert link.server.recv_into(buffer) == WOULD_BLOCK
    assert not link.server.buffered


@pytest.mark.parametrize("buffer", [bytearray(), memoryview(bytearray()), memoryview(b"readonly")])
def test_receiving_into_no_room_or_read_only_memory_is_refused(
    link: Link, buffer: bytearray | memoryview
) -> None:
    with pytest.raises(InvalidArgument):
        link.server.recv_into(buffer)
    link.client.send([b"x"])
    assert link.receive(link.server, link.client, 1) == b"x"


def test_receiving_into_memory_with_gaps_is_refused(link: Link) -> None:
    with pytest.raises(InvalidArgument):
        link.server.recv_into(memoryview(bytearray(10))[::2])


@pytest.mark.parametrize("item", ["text", 5, None, memoryview(b"abcdef")[::2]])
def test_a_batch_with_something_unsendable_is_refused_as_a_whole(link: Link, item: Sendable) -> None:
    with pytest.raises(InvalidArgument):
        link.client.send([b"not this", item])
    link.client.send([b"but this"])
    assert link.receive(link.server, link.client, 8) == b"but this"


def test_a_batch_with_a_released_buffer_is_refused_as_a_whole(link: Link, pool: SlabBufferPool) -> None:
    buffer = pool.acquire(5)
    buffer.release()
    with pytest.raises(UseAfterRelease):
        link.client.send([b"not this", buffer])
    link.client.send([b"but this"])
    assert link.receive(link.server, link.client, 8) == b"but this"


def test_back_pressure_is_visible_and_goes_away(link: Link) -> None:
    total = link.fill()
    assert 0 < link.client.pending_bytes <= total + 1000
    assert link.client.interest & WRITABLE
    link.receive(link.server, link.client, total)
    assert (link.client.flush(), link.client.pending_bytes, link.client.interest) == (0, 0, 0)


def test_pending_memory_is_kept_by_its_kind(link: Link, pool: SlabBufferPool) -> None:
    total = link.fill()
    borrowed = bytearray(b"borrowed")
    with pool.acquire(5) as buffer:
        buffer.data()[:] = b"owned"
        link.client.send([borrowed, memoryview(borrowed)[:4], buffer, b"bytes", buffer])
        assert buffer.ref_count == 3
    borrowed[:] = b"--------"
    assert buffer.ref_count == 2
    got = link.receive(link.server, link.client, total + 27)
    assert got[total:] == b"borrowed" + b"borr" + b"owned" + b"bytes" + b"owned"
    assert buffer.ref_count == 0


def test_a_buffer_that_is_sent_in_part_stays_retained_until_its_last_byte(
    link: Link, pool: SlabBufferPool
) -> None:
    size = 8 << 20
    buffer = pool.acquire(size)
    buffer.data()[:] = LARGE[:size]
    assert link.client.send([b"head", buffer]) > 0
    assert buffer.ref_count == 2
    buffer.release()
    assert link.receive(link.server, link.client, size + 4) == b"head" + LARGE[:size]
    assert (link.client.flush(), buffer.ref_count) == (0, 0)


def test_sending_goes_on_with_what_is_pending_when_there_is_room_again(link: Link) -> None:
    total = link.fill()
    before = link.client.pending_bytes
    buffer, got = bytearray(1 << 20), 0
    while link.client.pending_bytes >= before:
        count = link.server.recv_into(buffer)
        got += max(count, 0)
        link.client.send([b""])
    link.receive(link.server, link.client, total - got)


def test_water_marks_alternate_and_start_with_true(link: Link) -> None:
    seen: list[bool] = []
    link.client.set_water_marks(100_000, 10_000, seen.append)
    link.client.send([b"few"])
    assert seen == []
    link.receive(link.server, link.client, 3)
    for turn in (1, 2):
        total = 0
        while len(seen) < 2 * turn - 1:
            total += 30_000
            link.client.send([bytes(30_000)])
        assert link.client.pending_bytes > 100_000
        link.receive(link.server, link.client, total)
        link.client.flush()
        assert seen == [True, False] * turn


def test_water_marks_set_above_are_told_at_the_next_call(link: Link) -> None:
    link.fill()
    seen: list[bool] = []
    link.client.set_water_marks(0, 0, seen.append)
    assert seen == []
    link.client.flush()
    assert seen == [True]
    link.client.set_water_marks(0, 0, None)
    link.client.send([b"more"])
    assert seen == [True]


def test_a_producer_may_send_from_within_the_water_marks(link: Link) -> None:
    seen: list[bool] = []

    def on_change(above: bool) -> None:
        seen.append(above)
        if not above and len(seen) == 2:
            link.client.send([bytes(3)])

    link.client.set_water_marks(0, 0, on_change)
    total = link.fill() + 3
    link.receive(link.server, link.client, total)
    assert link.client.flush() == 0
    assert seen == [True, False]


def test_a_producer_may_close_from_within_the_water_marks(link: Link) -> None:
    link.client.set_water_marks(1000, 0, lambda above: link.client.close())
    assert link.client.send([LARGE]) == 0
    with pytest.raises(TransportClosed):
        link.client.send([b"x"])


@pytest.mark.parametrize("marks", [(1, 2), (5, -1), (-1, -1)])
def test_water_marks_out_of_order_are_refused(link: Link, marks: tuple[int, int]) -> None:
    with pytest.raises(InvalidArgument):
        link.client.set_water_marks(*marks, None)


def test_interest_never_asks_for_writing_without_anything_to_write(link: Link) -> None:
    link.client.send([b"small"])
    link.receive(link.server, link.client, 5)
    assert link.client.interest == link.server.interest == 0
