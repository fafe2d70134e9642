"""The pool of one node: sizes, the limit, refusals, misuse, close, and the books over all of it."""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import queue
import threading
from collections.abc import Callable
from typing import TypeAlias

import pytest

from hioload_ws.api.buffer import Buffer
from hioload_ws.api.errors import (
    DoubleRelease,
    ForeignRelease,
    InvalidArgument,
    PoolClosed,
    ResourceExhausted,
)
from hioload_ws.api.pool import BufferPool, PoolStats
from hioload_ws.api.types import NodeId
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.slab import HUGE_2M_BYTES, PAGE_BYTES, PageSource, map_anonymous
from hioload_ws.pool.tracking import LeakLevel

MIB = 1 << 20
MakePool: TypeAlias = Callable[..., SlabBufferPool]
Balance: TypeAlias = Callable[[PoolStats], None]


def test_the_pool_is_a_buffer_pool(pool: SlabBufferPool) -> None:
    typed: BufferPool = pool
    assert typed.node == NodeId(0)
    assert pool.leak_level is LeakLevel.DISABLED
    assert (list(pool.leaks()), list(pool.collected_leaks())) == ([], [])


@pytest.mark.parametrize(
    ("size_bytes", "capacity"),
    [
        (1, 2048),
        (2047, 2048),
        (2048, 2048),
        (2049, 4096),
        (65536, 65536),
        (65537, 131072),
        (MIB - 1, MIB),
        (MIB, MIB),
        (MIB + 1, MIB + PAGE_BYTES),
        (4 * MIB, 4 * MIB),
        (16 * MIB + 5, 16 * MIB + PAGE_BYTES),
    ],
)
def test_a_size_gets_its_class_and_never_less(pool: SlabBufferPool, size_bytes: int, capacity: int) -> None:
    with pool.acquire(size_bytes) as buffer:
        assert (len(buffer), buffer.capacity, len(buffer.data())) == (size_bytes, capacity, size_bytes)
        buffer.data()[-1] = 7
        assert pool.stats().in_use_bytes == capacity


@pytest.mark.parametrize("size_bytes", [0, -1, -2048, -(1 << 30)])
def test_a_size_below_one_is_refused_and_not_counted(
    pool: SlabBufferPool, balance: Balance, size_bytes: int
) -> None:
    pool.acquire(10).release()  # so that there is a free slot which must not be lost
    for call in (pool.acquire, pool.try_acquire):
        with pytest.raises(InvalidArgument):
            call(size_bytes)
    stats = pool.stats()
    balance(stats)
    assert (stats.acquired_count, stats.refused_count) == (1, 0)


@pytest.mark.parametrize("size", [1.5, "10", None])
def test_a_size_that_is_no_integer_is_refused(pool: SlabBufferPool, size: int) -> None:
    with pytest.raises(InvalidArgument):
        pool.acquire(size)


def test_nothing_is_mapped_before_the_first_acquire(pool: SlabBufferPool) -> None:
    assert pool.stats().mapped_bytes == 0


def test_memory_starts_on_a_page_from_page_sized_classes_on(pool: SlabBufferPool) -> None:
    for size_bytes in (4096, 8192, MIB, 3 * MIB):
        with pool.acquire(size_bytes) as buffer:
            assert ctypes.addressof(ctypes.c_char.from_buffer(buffer.data())) % PAGE_BYTES == 0


def test_released_memory_is_used_again(pool: SlabBufferPool) -> None:
    for size_bytes in (100, 4 * MIB):
        for _ in range(10):
            pool.acquire(size_bytes).release()
    mapped = {entry.size_bytes: entry.slab_count for entry in pool.stats().classes if entry.slab_count}
    assert mapped == {2048: 1, 0: 1}


def test_a_slab_holds_one_slot_where_the_class_is_larger(make_pool: MakePool) -> None:
    pool = make_pool(slab_bytes=PAGE_BYTES)
    with pool.acquire(MIB), pool.acquire(MIB):
        assert pool.stats().mapped_bytes == 2 * MIB


def test_the_limit_refuses_and_counts_and_takes_nothing(make_pool: MakePool, balance: Balance) -> None:
    pool = make_pool(limit_bytes=65536)
    held = [pool.acquire(16384) for _ in range(4)]
    before = pool.stats()
    assert pool.try_acquire(16384) is None
    assert pool.try_acquire(2 * MIB) is None
    with pytest.raises(ResourceExhausted) as caught:
        pool.acquire(10)
    assert caught.value.context["limit_bytes"] == 65536
    assert caught.value.context["mapped_bytes"] == 65536
    after = pool.stats()
    balance(after)
    assert after.refused_count == 3
    assert (after.acquired_count, after.in_use_bytes) == (before.acquired_count, before.in_use_bytes)
    held.pop().release()
    held.append(pool.acquire(16384))
    for buffer in held:
        buffer.release()


def test_near_the_limit_a_slab_is_as_large_as_still_fits(make_pool: MakePool) -> None:
    pool = make_pool(limit_bytes=65536 + 3 * PAGE_BYTES)
    with pool.acquire(65536), pool.acquire(PAGE_BYTES):
        assert pool.stats().mapped_bytes == 65536 + 3 * PAGE_BYTES


def test_a_limit_below_the_smallest_mapping_refuses_everything(make_pool: MakePool) -> None:
    assert make_pool(limit_bytes=1).try_acquire(1) is None


def test_cached_large_buffers_make_room_before_a_refusal(make_pool: MakePool) -> None:
    pool = make_pool(limit_bytes=4 * MIB)
    pool.acquire(4 * MIB).release()
    assert pool.stats().mapped_bytes == 4 * MIB
    with pool.acquire(10):
        assert pool.stats().mapped_bytes == 65536


def test_idle_slabs_of_one_size_make_room_for_another(make_pool: MakePool) -> None:
    pool = make_pool(limit_bytes=4 * 65536)
    for buffer in [pool.acquire(2048) for _ in range(128)]:
        buffer.release()
    with pool.acquire(10) as busy:
        held = [pool.acquire(65536) for _ in range(3)]
        assert pool.try_acquire(65536) is None
        busy.data()[:] = b"0123456789"
        assert busy.copy() == b"0123456789"
        for buffer in held:
            buffer.release()


def test_idle_memory_that_would_not_suffice_is_kept(make_pool: MakePool) -> None:
    pool = make_pool(limit_bytes=4 * MIB)
    with pool.acquire(3 * MIB):
        pool.acquire(10).release()
        mapped_bytes = pool.stats().mapped_bytes
        assert pool.try_acquire(3 * MIB) is None
        assert pool.stats().mapped_bytes == mapped_bytes


def test_every_class_is_emptied_before_a_large_request_is_refused(make_pool: MakePool) -> None:
    pool = make_pool(limit_bytes=2 * MIB)
    for size_bytes in (2048, 65536, MIB):
        pool.acquire(size_bytes).release()
    with pool.acquire(2 * MIB):
        assert pool.stats().mapped_bytes == 2 * MIB


def test_idle_slabs_that_a_lease_pins_do_not_make_room(make_pool: MakePool) -> None:
    pool = make_pool(limit_bytes=65536)
    with pool.acquire(2048):
        assert pool.try_acquire(65536) is None


def test_a_machine_without_memory_is_a_refusal_with_its_cause(make_pool: MakePool) -> None:
    def refuse(size_bytes: int, flags: int) -> mmap.mmap:
        raise OSError(errno.ENOMEM, "no memory")

    pool = make_pool(PageSource(map_memory=refuse))
    for size_bytes in (10, 2 * MIB):
        assert pool.try_acquire(size_bytes) is None
        with pytest.raises(ResourceExhausted) as caught:
            pool.acquire(size_bytes)
        assert isinstance(caught.value.__cause__, OSError)
    assert pool.stats().refused_count == 4


def test_a_size_beyond_the_address_space_is_a_refusal(pool: SlabBufferPool) -> None:
    assert pool.try_acquire(1 << 62) is None
    assert pool.try_acquire(1 << 80) is None
    assert pool.stats().mapped_bytes == 0


def test_a_failed_binding_leaves_nothing_mapped(make_pool: MakePool) -> None:
    def bind(mapping: mmap.mmap, node: NodeId) -> bool:
        raise OSError(errno.EINVAL, f"no node {node}")

    pool = make_pool(PageSource(NodeId(5), bind=bind))
    assert pool.node == NodeId(5)
    assert pool.try_acquire(10) is None
    assert pool.stats().mapped_bytes == 0


def test_the_page_kind_is_what_was_got(make_pool: MakePool) -> None:
    def grant(size_bytes: int, flags: int) -> mmap.mmap:
        return map_anonymous(size_bytes)

    pool = make_pool(PageSource(huge_pages="try", map_memory=grant), slab_bytes=HUGE_2M_BYTES)
    assert pool.stats().page_kind == "normal"
    with pool.acquire(10):
        assert pool.stats().page_kind == "huge-2m"
    with pool.acquire(MIB + 1):
        assert pool.stats().page_kind == "normal"


def test_the_binding_is_that_of_the_newest_slab(make_pool: MakePool) -> None:
    answers = [True, False]
    pool = make_pool(PageSource(NodeId(5), bind=lambda mapping, node: answers.pop(0)))
    assert pool.stats().binding == "first-touch"
    with pool.acquire(10):
        assert pool.stats().binding == "bound"
    with pool.acquire(MIB + 1):
        assert pool.stats().binding == "refused"


def test_release_through_the_pool_gives_back_buffers_and_slices(pool: SlabBufferPool) -> None:
    buffer = pool.acquire(10)
    part = buffer.slice(0, 5)
    pool.release(part)
    pool.release(buffer)
    assert pool.stats().in_use_count == 0
    with pytest.raises(DoubleRelease):
        pool.release(buffer)


def test_a_foreign_release_is_refused_and_changes_no_books(make_pool: MakePool) -> None:
    home, other = make_pool(), make_pool()
    for size_bytes in (10, 2 * MIB):
        with home.acquire(size_bytes) as buffer:
            before = (home.stats(), other.stats())
            with pytest.raises(ForeignRelease) as caught:
                other.release(buffer)
            assert caught.value.context["ref_count"] == 1
            assert (home.stats(), other.stats()) == before


def test_a_buffer_of_another_kind_is_foreign(pool: SlabBufferPool) -> None:
    class Strange:
        pass

    with pytest.raises(ForeignRelease):
        pool.release(Strange())  # type: ignore[arg-type]  # the refusal is what is tested


def test_a_closed_pool_refuses_and_what_is_out_stays_valid(make_pool: MakePool, balance: Balance) -> None:
    pool = make_pool()
    small, big = pool.acquire(10), pool.acquire(2 * MIB)
    pool.acquire(70000).release()
    with pool:
        pass
    pool.close()
    for call in (pool.acquire, pool.try_acquire):
        with pytest.raises(PoolClosed):
            call(10)
    small.data()[:] = b"0123456789"
    big.data()[:4] = b"abcd"
    assert small.copy() == b"0123456789"
    stats = pool.stats()
    balance(stats)
    assert (stats.in_use_count, stats.refused_count) == (2, 0)
    assert sum(entry.idle_count for entry in stats.classes) == 0
    assert stats.mapped_bytes == 65536 + 2 * MIB
    small.release()
    pool.release(big)
    with pytest.raises(DoubleRelease):
        small.release()
    gc.collect()
    stats = pool.stats()
    balance(stats)
    assert (stats.in_use_count, stats.mapped_bytes) == (0, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"limit_bytes": 0},
        {"limit_bytes": -1},
        {"slab_bytes": 0},
        {"slab_bytes": PAGE_BYTES + 1},
        {"large_cache_bytes": -1},
        {"leaks": "loud"},
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, int], make_pool: MakePool) -> None:
    with pytest.raises(InvalidArgument):
        make_pool(**options)


def test_a_pool_that_is_dropped_without_close_gives_its_memory_back(make_pool: MakePool) -> None:
    pool = SlabBufferPool(leaks="disabled")
    buffer = pool.acquire(10)
    mappings = pool._by_bits[0].mappings
    del pool
    gc.collect()
    assert buffer.copy() is not None
    buffer.release()
    del buffer
    gc.collect()
    assert mappings.count == 0


def test_books_balance_in_every_snapshot_while_others_release(
    make_pool: MakePool, balance: Balance
) -> None:
    """The owner acquires and looks; two other threads release what it hands over."""
    pool = make_pool()
    handed: queue.SimpleQueue[Buffer | None] = queue.SimpleQueue()

    def releaser() -> None:
        while (buffer := handed.get()) is not None:
            buffer.release()

    threads = [threading.Thread(target=releaser) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(3000):
            handed.put(pool.acquire((10, 5000, MIB + 1)[turn % 3]))
            if turn % 10 == 0:
                balance(pool.stats())
    finally:
        for _ in threads:
            handed.put(None)
        for thread in threads:
            thread.join()
    stats = pool.stats()
    balance(stats)
    assert (stats.acquired_count, stats.released_count, stats.in_use_count) == (3000, 3000, 0)
