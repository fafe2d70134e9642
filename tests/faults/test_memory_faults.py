"""What the Go original's pool got wrong: sizes, slices, double releases, its books, huge pages."""

from __future__ import annotations

import ctypes
import errno
import mmap
import re
import threading
from pathlib import Path

import pytest

from hioload_ws.api.errors import DoubleRelease, UseAfterRelease
from hioload_ws.pool import PageSource, SlabBufferPool
from tests.faults.conftest import InThread

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [1, 2_048, 2_049, MIB - 1, MIB, MIB + 1, 4 * MIB, 16 * MIB + 1])
def test_a_buffer_is_never_smaller_than_what_was_asked_for(size: int) -> None:
    with SlabBufferPool() as pool, pool.acquire(size) as buffer:
        assert len(buffer) == len(buffer.data()) == size <= buffer.capacity
        buffer.data()[size - 1] = 0x5A
        assert buffer.view()[size - 1] == 0x5A


def test_a_released_slice_does_not_shrink_the_next_buffer() -> None:
    with SlabBufferPool() as pool:
        buffer = pool.acquire(4_096)
        capacity = buffer.capacity
        part = buffer.slice(0, 10)
        buffer.release()
        part.release()
        with pool.acquire(4_096) as again:
            assert len(again) == 4_096 and again.capacity == capacity


def test_a_double_release_raises_and_hands_no_memory_out_twice() -> None:
    with SlabBufferPool() as pool:
        buffer = pool.acquire(100)
        buffer.release()
        with pytest.raises(DoubleRelease):
            buffer.release()
        with pool.acquire(100) as first, pool.acquire(100) as second:
            first.data()[:] = b"1" * 100
            second.data()[:] = b"2" * 100
            assert first.copy() == b"1" * 100


def test_a_released_buffer_gives_no_access_to_its_next_tenant() -> None:
    with SlabBufferPool() as pool:
        buffer = pool.acquire(100)
        buffer.release()
        with pool.acquire(100), pytest.raises(UseAfterRelease):
            buffer.data()


def test_the_count_in_use_is_never_negative_and_the_books_balance(in_thread: InThread) -> None:
    with SlabBufferPool() as pool:
        buffers = [pool.acquire(size) for size in (1, 3_000, 70_000, 4 * MIB) for _ in range(50)]
        for buffer in buffers[::2]:
            buffer.release()
            with pytest.raises(DoubleRelease):
                buffer.release()
        assert pool.stats().in_use_count == 100
        # Every lease that is left is released by two threads: one of them wins.
        barrier = threading.Barrier(2)
        refused: list[int] = []

        def release_all() -> None:
            barrier.wait(10)
            for left in buffers[1::2]:
                try:
                    left.release()
                except DoubleRelease:
                    refused.append(1)

        threads = [in_thread(release_all) for _ in range(2)]
        for thread in threads:
            thread.join(10)
        stats = pool.stats()
        assert len(refused) == 100
        assert stats.in_use_count == stats.in_use_bytes == 0
        assert stats.acquired_count == stats.released_count == 200
        assert all(each.in_use_count == 0 for each in stats.classes)


def flags_of_mapping(address: int) -> list[str]:
    """Return the kernel's flags of the mapping that holds an address (proc(5), /proc/PID/smaps, VmFlags)."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= address < int(found[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError(f"no mapping holds {address:#x}")


def test_what_the_pool_calls_huge_pages_is_what_the_kernel_calls_so() -> None:
    flag_of = {"huge-1g": "ht", "huge-2m": "ht", "transparent": "hg"}
    with SlabBufferPool(PageSource(huge_pages="try")) as pool, pool.acquire(MIB) as buffer:
        flags = flags_of_mapping(ctypes.addressof(ctypes.c_char.from_buffer(buffer.data())))
        kind = pool.stats().page_kind
        told = {name for name, flag in flag_of.items() if flag in flags} or {"normal"}
        assert kind in told


def test_explicit_huge_pages_are_asked_for_first_and_transparent_ones_next() -> None:
    asked: list[int] = []

    def refuse_flags(size_bytes: int, extra_flags: int) -> mmap.mmap:
        asked.append(extra_flags)
        if extra_flags:
            raise OSError(errno.ENOMEM, "no huge page is reserved")
        return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    source = PageSource(huge_pages="try", map_memory=refuse_flags, transparent_allowed=lambda: False)
    with SlabBufferPool(source) as pool, pool.acquire(MIB):
        assert pool.stats().page_kind == "normal"
    assert len(asked) >= 2 and asked[0] and not asked[-1]
