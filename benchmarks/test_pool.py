"""Cost of the room of memory: a lease's turn by size and leak level, and a ring's hand-over.

Run with ``pytest benchmarks/test_pool.py``; pytest-benchmark records the machine and the Python. Every
benchmark asserts that what it measured was done right.

For orientation, the best of 15 runs of 20 000 turns each with ``timeit``, on two virtual CPUs of an Intel Xeon
(Linux 6.18, nothing else running), in nanoseconds, CPython 3.11.2 / 3.13.0:

- ``acquire`` + ``release`` of 2 KiB to 1 MiB: 360 / 480; of 4 MiB, from the cache: 1070 / 1640;
- the same of 2 KiB with leak level simple: 1260 / 1250, advanced: 1980 / 2100, paranoid: 3070 / 3460;
- ``slice`` + ``release``: 290 / 410; ``view``: 100 / 135;
- ``try_enqueue`` + ``try_dequeue``, either ring: 80 / 75.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.internal.memory_policy import MemoryPolicy
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.node_pools import node_pools
from hioload_ws.pool.object_pool import RecyclingPool
from hioload_ws.pool.ring import MpmcRing, SpscRing
from hioload_ws.pool.slab import PageSource

TURNS = 100


@pytest.mark.parametrize("size_bytes", [2048, 65536, 1 << 20, 4 << 20])
def test_acquire_and_release(benchmark: BenchmarkFixture, size_bytes: int) -> None:
    with SlabBufferPool(leaks="disabled") as pool:

        def turns() -> None:
            for _ in range(TURNS):
                pool.acquire(size_bytes).release()

        benchmark(turns)
        stats = pool.stats()
        assert stats.in_use_count == 0
        assert stats.acquired_count == stats.released_count > 0
        assert sum(entry.slab_count for entry in stats.classes) == 1


@pytest.mark.parametrize("level", ["disabled", "simple", "advanced", "paranoid"])
def test_acquire_and_release_by_leak_level(benchmark: BenchmarkFixture, level: str) -> None:
    with SlabBufferPool(leaks=level) as pool:

        def turns() -> None:
            for _ in range(TURNS):
                pool.acquire(2048).release()

        benchmark(turns)
        assert (pool.stats().in_use_count, list(pool.leaks())) == (0, [])


def test_acquire_and_release_where_the_thread_runs(benchmark: BenchmarkFixture) -> None:
    """Through the pools of all nodes: one system call more than from a pool that is known."""
    with node_pools(leaks="disabled") as pools:

        def turns() -> None:
            for _ in range(100):
                pools.acquire(4096).release()

        benchmark(turns)
        assert pools.stats().in_use_count == 0 and pools.stats().acquired_count % 100 == 0


def test_map_and_bind_a_slab(benchmark: BenchmarkFixture) -> None:
    """The price of binding: one system call per slab, none per buffer."""
    source = PageSource(bind=MemoryPolicy().bind)
    assert benchmark(source.map, 2 << 20).binding in ("bound", "refused")


def test_slice_and_release(benchmark: BenchmarkFixture) -> None:
    with SlabBufferPool(leaks="disabled") as pool, pool.acquire(65536) as buffer:

        def turns() -> None:
            for _ in range(TURNS):
                buffer.slice(100, 200).release()

        benchmark(turns)
        assert buffer.ref_count == 1


@pytest.mark.parametrize("kind", [SpscRing, MpmcRing])
def test_enqueue_and_dequeue(benchmark: BenchmarkFixture, kind: type[SpscRing[int]]) -> None:
    ring = kind(1024)

    def turns() -> int:
        total = 0
        for number in range(TURNS):
            ring.try_enqueue(number)
            item = ring.try_dequeue()
            assert isinstance(item, int)
            total += item
        return total

    assert benchmark(turns) == sum(range(TURNS))
    assert len(ring) == 0


@pytest.mark.parametrize("kind", [SpscRing, MpmcRing])
def test_enqueue_and_dequeue_in_batches(benchmark: BenchmarkFixture, kind: type[SpscRing[int]]) -> None:
    ring, numbers = kind(1024), list(range(TURNS))

    def turn() -> list[int]:
        assert ring.enqueue_batch(numbers) == TURNS
        return ring.dequeue_batch(TURNS)

    assert benchmark(turn) == numbers


def test_object_acquire_and_release(benchmark: BenchmarkFixture) -> None:
    pool: RecyclingPool[bytearray] = RecyclingPool(bytearray)

    def turns() -> None:
        for _ in range(TURNS):
            pool.release(pool.acquire())

    benchmark(turns)
    assert (pool.stats().created_count, pool.stats().idle_count) == (1, 1)
