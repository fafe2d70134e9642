"""Fixtures of the pool's tests: pools that are closed, and whose books are checked, after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from hioload_ws.api.pool import PoolStats
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.slab import PageSource


class MakePool(Protocol):
    def __call__(
        self,
        pages: PageSource | None = None,
        *,
        limit_bytes: int | None = None,
        slab_bytes: int = 65536,
        large_cache_bytes: int = 16 << 20,
        leaks: str | None = "disabled",
    ) -> SlabBufferPool: ...


def books_balance(stats: PoolStats) -> None:
    """Assert what must hold of every snapshot."""
    assert stats.acquired_count - stats.released_count == stats.in_use_count >= 0
    for entry in stats.classes:
        assert entry.acquired_count - entry.released_count == entry.in_use_count >= 0
        assert entry.idle_count >= 0
        if entry.size_bytes:
            assert entry.mapped_bytes >= (entry.in_use_count + entry.idle_count) * entry.size_bytes
    for name in ("acquired_count", "released_count", "in_use_count", "mapped_bytes"):
        assert getattr(stats, name) == sum(getattr(entry, name) for entry in stats.classes)
        if stats.nodes:
            assert getattr(stats, name) == sum(getattr(part, name) for part in stats.nodes.values())


@pytest.fixture
def balance() -> Callable[[PoolStats], None]:
    return books_balance


@pytest.fixture
def make_pool() -> Iterator[MakePool]:
    made: list[SlabBufferPool] = []

    def make(
        pages: PageSource | None = None,
        *,
        limit_bytes: int | None = None,
        slab_bytes: int = 65536,
        large_cache_bytes: int = 16 << 20,
        leaks: str | None = "disabled",
    ) -> SlabBufferPool:
        pool = SlabBufferPool(
            pages,
            limit_bytes=limit_bytes,
            slab_bytes=slab_bytes,
            large_cache_bytes=large_cache_bytes,
            leaks=leaks,
        )
        made.append(pool)
        return pool

    yield make
    for pool in made:
        pool.close()
        books_balance(pool.stats())


@pytest.fixture
def pool(make_pool: MakePool) -> SlabBufferPool:
    return make_pool()
