"""The outgoing queue against a system that takes any number of bytes, and against a model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hioload_ws.api.buffer import Buffer
from hioload_ws.api.errors import ConnectionLost, InvalidArgument
from hioload_ws.api.transport import Sendable
from hioload_ws.api.types import ReadableMemory
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.transport.outgoing import (
    JOIN_BELOW_BYTES,
    MAX_PARTS,
    WINDOW_BYTES,
    OutgoingQueue,
    WaterMarks,
    gather,
    rest_of,
    view_of,
    water_marks,
)


class System:
    """Takes ``room`` bytes and remembers them, and how it was called."""

    def __init__(self, room: int = 0) -> None:
        self.room = room
        self.got = bytearray()
        self.calls: list[int] = []
        self.fails = False

    def write(self, views: Sequence[ReadableMemory]) -> int:
        if self.fails:
            raise ConnectionLost("gone")
        assert 1 <= len(views) <= MAX_PARTS
        self.calls.append(len(views))
        data = b"".join(views)[: self.room]
        self.got += data
        self.room -= len(data)
        return len(data)


@pytest.fixture
def queue() -> OutgoingQueue:
    return OutgoingQueue()


def test_small_parts_are_joined_and_large_ones_go_by_reference() -> None:
    small: list[ReadableMemory] = [b"x" * (JOIN_BELOW_BYTES - 1)] * 3
    large: list[ReadableMemory] = [b"x" * JOIN_BELOW_BYTES] * 3
    assert list(gather(small, 3 * (JOIN_BELOW_BYTES - 1))) == [b"".join(small)]
    assert gather(large, 3 * JOIN_BELOW_BYTES) is large
    one: list[ReadableMemory] = [b"x"]
    assert gather(one, 1) is one


def test_bytes_that_wait_are_kept_by_reference(queue: OutgoingQueue) -> None:
    large = bytes(10_000)
    seen: list[ReadableMemory] = []

    def write(views: Sequence[ReadableMemory]) -> int:
        seen.extend(views)
        return 0

    queue.send([large], write)
    queue.flush(write)
    assert [view is large for view in seen] == [True, True]


def test_a_batch_that_is_taken_at_once_retains_nothing(queue: OutgoingQueue) -> None:
    with SlabBufferPool(leaks="disabled") as pool, pool.acquire(5000) as buffer:
        counts: list[int] = []

        def write(views: Sequence[ReadableMemory]) -> int:
            counts.append(buffer.ref_count)
            return 5000

        assert queue.send([buffer], write) == 0
        assert counts == [1]


def test_a_long_queue_is_offered_in_windows(queue: OutgoingQueue) -> None:
    system = System()
    parts = [bytes(WINDOW_BYTES // 2)] * 5
    queue.send(parts, system.write)
    system.calls.clear()
    system.room = 1 << 30
    assert queue.flush(system.write) == 0
    assert system.calls == [2, 2, 1]


def test_parts_beyond_one_call_are_sent_by_several(queue: OutgoingQueue) -> None:
    system = System(1 << 30)
    assert queue.send([bytes(2000)] * (MAX_PARTS + 7), system.write) == 0
    assert sum(system.calls) == MAX_PARTS + 7 and max(system.calls) <= MAX_PARTS


def test_what_is_kept_of_borrowed_memory_is_only_the_rest(queue: OutgoingQueue) -> None:
    system = System(3)
    borrowed = bytearray(b"abcdef")
    assert queue.send([borrowed, memoryview(borrowed)], system.write) == 9
    borrowed[:] = b"------"
    system.room = 100
    assert queue.flush(system.write) == 0
    assert system.got == b"abcdefabcdef"


def test_memory_that_was_released_is_refused(queue: OutgoingQueue) -> None:
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(InvalidArgument):
        queue.send([view], System().write)


def test_an_empty_view_of_any_shape_is_nothing() -> None:
    assert view_of(memoryview(b"").cast("I")) == b""


def test_flushing_nothing_does_not_bother_the_system(queue: OutgoingQueue) -> None:
    system = System(10)
    assert (queue.flush(system.write), queue.send([], system.write), system.calls) == (0, 0, [])


def test_marks_report_each_crossing_once() -> None:
    seen: list[bool] = []
    marks = WaterMarks(10, 5, seen.append)
    for pending in (10, 11, 50, 6, 5, 0, 10, 11):
        marks.update(pending)
    assert seen == [True, False, True]
    assert marks.crossed(5) and not marks.crossed(6)


def test_marks_out_of_order_are_refused_even_if_nobody_wants_them() -> None:
    with pytest.raises(InvalidArgument):
        water_marks(1, 2, None)
    assert water_marks(2, 1, None) is None


class QueueMachine(RuleBasedStateMachine):
    """Any batches, any room, drops in between: what the system got is what was sent, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = SlabBufferPool(leaks="disabled")
        self.queue = OutgoingQueue()
        self.system = System()
        self.expected = bytearray()
        self.next_byte = 0

    def content(self, size: int) -> bytes:
        self.next_byte += 1
        return bytes((self.next_byte + position) % 251 for position in range(size))

    @rule(
        items=st.lists(st.tuples(st.sampled_from("bavo"), st.integers(0, 3000)), max_size=6),
        room=st.integers(0, 9000),
    )
    def send(self, items: list[tuple[str, int]], room: int) -> None:
        batch: list[Sendable] = []
        borrowed: list[bytearray] = []
        owned: list[Buffer] = []
        for kind, size in items:
            content = self.content(size)
            self.expected += content
            if kind == "b":
                batch.append(content)
            elif kind == "o":
                with self.pool.acquire(max(size, 1)) as whole:
                    lease = whole.slice(0, size)
                lease.data()[:] = content
                batch.append(lease)
                owned.append(lease)
            else:
                borrowed.append(bytearray(content))
                batch.append(borrowed[-1] if kind == "a" else memoryview(borrowed[-1]))
        self.system.room = room
        assert self.queue.send(batch, self.system.write) == self.queue.pending_bytes
        for memory in borrowed:
            memory[:] = bytes(len(memory))
        for lease in owned:
            lease.release()

    @rule(room=st.integers(0, 20_000))
    def flush(self, room: int) -> None:
        self.system.room = room
        before = self.queue.pending_bytes
        assert self.queue.flush(self.system.write) == max(0, before - room)

    @precondition(lambda self: self.queue.pending_bytes)
    @rule()
    def lose(self) -> None:
        self.system.fails = True
        with pytest.raises(ConnectionLost):
            self.queue.flush(self.system.write)
        self.system.fails = False

    @rule()
    def drop(self) -> None:
        del self.expected[len(self.system.got) :]
        self.queue.drop()
        assert self.queue.pending_bytes == 0

    @invariant()
    def in_order_and_counted(self) -> None:
        assert self.expected.startswith(self.system.got)
        assert self.queue.pending_bytes == len(self.expected) - len(self.system.got)
        if not self.queue.pending_bytes:
            assert self.pool.stats().in_use_count == 0

    def teardown(self) -> None:
        self.queue.drop()
        assert self.pool.stats().in_use_count == 0
        self.pool.close()


TestQueueMachine = QueueMachine.TestCase


def test_the_rest_of_a_batch_begins_where_the_system_stopped() -> None:
    parts = [b"abc", b"", b"de"]
    assert rest_of(parts, 0) == [b"abc", b"de"]
    assert rest_of(parts, 2) == [b"c", b"de"]
    assert rest_of(parts, 3) == [b"de"]
    assert rest_of(parts, 4) == [b"e"]
    assert rest_of(parts, 5) == []


@given(sizes=st.lists(st.integers(0, 5), max_size=6), taken=st.data())
def test_what_is_left_of_a_batch_is_its_end(sizes: list[int], taken: st.DataObject) -> None:
    parts: list[bytes | memoryview] = [bytes(range(size)) for size in sizes]
    parts = [memoryview(part) if index % 2 else part for index, part in enumerate(parts)]
    whole = b"".join(parts)
    count = taken.draw(st.integers(0, len(whole)))
    rest = rest_of(parts, count)
    assert b"".join(bytes(part) for part in rest if not isinstance(part, Buffer)) == whole[count:]
    assert all(rest) or count == 0
