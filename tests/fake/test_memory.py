"""Memory of tests is poisoned, counted, and never quietly lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import (
    Buffer,
    BufferPool,
    DoubleRelease,
    ForeignRelease,
    InvalidArgument,
    InvalidState,
    NodeId,
    PoolClosed,
    ResourceExhausted,
    UseAfterRelease,
)
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.memory import FREED_BYTE, FRESH_BYTE, FakeBufferPool, fake_memory
from hioload_ws.fake.topology import FakeTopology

MIB = 1 << 20


def test_memory_is_poisoned_before_and_after() -> None:
    pool: BufferPool = FakeBufferPool()
    buffer: Buffer = pool.acquire(3)
    assert buffer.copy() == bytes([FRESH_BYTE] * 3)
    buffer.data()[:] = b"abc"
    kept = buffer.view()
    assert (bytes(kept), kept.readonly, len(buffer), buffer.capacity, buffer.node) == (b"abc", True, 3, 2048, 0)
    buffer.release()
    assert bytes(kept) == bytes([FREED_BYTE] * 3)


def test_a_slice_shares_memory_and_count() -> None:
    with FakeBufferPool() as pool:
        buffer = pool.acquire(10)
        part = buffer.slice(2, 5)
        part.data()[:] = b"xyz"
        assert (buffer.copy()[2:5], part.ref_count, part.capacity) == (b"xyz", 2, 2046)
        buffer.release()
        with pytest.raises(UseAfterRelease):
            buffer.data()
        assert part.retain().ref_count == 2
        part.release()
        with pytest.raises(InvalidArgument):
            part.slice(0, 4)
        with part:
            pass
        with pytest.raises(DoubleRelease):
            part.release()


def test_a_lease_that_is_out_at_the_end_is_named_by_its_place() -> None:
    with pytest.raises(InvalidState, match="test_a_lease_that_is_out"), FakeBufferPool() as pool:
        pool.try_acquire(10)
    [leak] = pool.leaks()
    assert (leak.size_bytes, leak.ref_count) == (2048, 1)


def test_an_error_in_the_block_is_not_hidden_by_leaks() -> None:
    with pytest.raises(KeyError), FakeBufferPool() as pool:
        pool.acquire(10)
        raise KeyError


def test_a_closed_pool_takes_back_and_gives_nothing() -> None:
    pool = FakeBufferPool()
    buffer = pool.acquire(1)
    pool.close()
    with pytest.raises(PoolClosed):
        pool.acquire(1)
    pool.release(buffer)
    assert pool.stats().in_use_count == 0


def test_foreign_buffers_and_foolish_sizes_are_refused() -> None:
    one, other = FakeBufferPool(), FakeBufferPool()
    with one.acquire(1) as buffer, pytest.raises(ForeignRelease):
        other.release(buffer)
    with pytest.raises(InvalidArgument):
        one.acquire(0)


def test_the_limit_counts_what_is_out() -> None:
    pool = FakeBufferPool(limit_bytes=4096)
    first = pool.acquire(2000)
    pool.acquire(2000)
    assert pool.try_acquire(1) is None
    first.release()
    assert pool.try_acquire(1) is not None
    assert pool.stats().refused_count == 1


def test_one_node_runs_out_while_the_other_has_plenty() -> None:
    with Faults() as faults:
        faults.on("acquire", nth=2, node=1).out_of_memory(1)
        faults.on("acquire", nth=1, node=0).skip().then.exhaust()
        memory = fake_memory(FakeTopology.parse("2x1, memory 16MiB"), faults=faults)
        memory.acquire(1, NodeId(1))
        for _ in range(2):
            with pytest.raises(ResourceExhausted):
                memory.acquire(1, NodeId(1))
        memory.acquire(1, NodeId(0))
        with pytest.raises(ResourceExhausted):
            memory.acquire(1)
        memory.acquire(1)
        pool = memory.pool_for(NodeId(1))
        assert isinstance(pool, FakeBufferPool)
        pool.refill()
        assert memory.acquire(1, NodeId(1)).node == 1
        assert memory.stats().refused_count == 3


def test_a_nodes_memory_is_a_limit() -> None:
    memory = fake_memory(FakeTopology.parse("1x1, memory 4MiB"))
    memory.acquire(3 * MIB)
    with pytest.raises(ResourceExhausted):
        memory.acquire(2 * MIB)


@given(st.lists(st.integers(1, 3 * MIB), max_size=12), st.data())
def test_the_books_balance_at_every_moment(sizes: list[int], data: st.DataObject) -> None:
    pool = FakeBufferPool()
    out = []
    for size_bytes in sizes:
        out.append(pool.acquire(size_bytes))
        assert len(out[-1]) == size_bytes <= out[-1].capacity
        if data.draw(st.booleans()):
            out.pop(data.draw(st.integers(0, len(out) - 1))).release()
        books = pool.stats()
        assert books.acquired_count - books.released_count == books.in_use_count == len(out)
        assert books.in_use_bytes == sum(buffer.capacity for buffer in out)
        assert sum(entry.in_use_count for entry in books.classes) == len(out)
