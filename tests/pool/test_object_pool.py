"""Object pools: reuse, bounds, double release, what user functions may do, and the books."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hioload_ws.api.errors import DoubleRelease, InvalidArgument, NotFound, PoolClosed
from hioload_ws.api.pool import NodeObjectPools, ObjectPool
from hioload_ws.api.types import NodeId
from hioload_ws.pool.object_pool import NodeRecyclingPools, RecyclingPool, keep_as_it_is


class Item:
    def __init__(self) -> None:
        self.content: list[int] = []

    def clear(self) -> None:
        self.content.clear()


def test_a_released_object_is_reset_and_used_again() -> None:
    pool: ObjectPool[Item] = RecyclingPool(Item, Item.clear)
    item = pool.acquire()
    item.content.append(1)
    pool.release(item)
    assert pool.acquire() is item
    assert item.content == []
    stats = pool.stats()
    assert (stats.created_count, stats.acquired_count, stats.released_count, stats.idle_count) == (1, 2, 1, 0)


def test_equal_objects_are_not_the_same_object() -> None:
    pool: RecyclingPool[list[int]] = RecyclingPool(list)
    first, second = pool.acquire(), pool.acquire()
    pool.release(first)
    pool.release(second)
    assert pool.stats().idle_count == 2


def test_releasing_an_idle_object_raises_and_does_not_double_or_reset_it() -> None:
    resets: list[Item] = []
    pool = RecyclingPool(Item, resets.append)
    item = pool.acquire()
    pool.release(item)
    with pytest.raises(DoubleRelease):
        pool.release(item)
    assert len(resets) == 1
    assert pool.stats().released_count == 1
    assert pool.acquire() is item
    assert pool.acquire() is not item


def test_a_release_that_another_thread_overtakes_during_the_reset_raises() -> None:
    nested: list[bool] = []

    def reset(item: Item) -> None:
        if not nested:
            nested.append(True)
            pool.release(item)

    pool = RecyclingPool(Item, reset)
    with pytest.raises(DoubleRelease):
        pool.release(pool.acquire())
    assert (pool.stats().idle_count, pool.stats().released_count) == (1, 1)


def test_a_full_pool_drops_what_comes_back() -> None:
    pool = RecyclingPool(Item, max_idle=1)
    first, second = pool.acquire(), pool.acquire()
    pool.release(first)
    pool.release(second)
    stats = pool.stats()
    assert (stats.idle_count, stats.discarded_count) == (1, 1)
    with pytest.raises(InvalidArgument):
        RecyclingPool(Item, max_idle=-1)


def test_a_factory_that_raises_leaves_the_books_alone() -> None:
    def fail() -> Item:
        raise KeyError

    pool = RecyclingPool(fail)
    with pytest.raises(KeyError):
        pool.acquire()
    assert (pool.stats().acquired_count, pool.stats().created_count) == (0, 0)


def test_an_object_whose_reset_raises_is_dropped() -> None:
    def fail(item: Item) -> None:
        raise KeyError

    pool = RecyclingPool(Item, fail)
    with pytest.raises(KeyError):
        pool.release(pool.acquire())
    stats = pool.stats()
    assert (stats.idle_count, stats.discarded_count, stats.released_count) == (0, 1, 1)


def test_the_pool_keeps_no_reference_to_what_is_out_and_close_drops_what_is_idle() -> None:
    pool = RecyclingPool(Item)
    out, idle = pool.acquire(), pool.acquire()
    watchers = [weakref.ref(out), weakref.ref(idle)]
    pool.release(idle)
    del out, idle
    gc.collect()
    assert watchers[0]() is None
    pool.close()
    pool.close()
    gc.collect()
    assert watchers[1]() is None
    with pytest.raises(PoolClosed):
        pool.acquire()
    stats = pool.stats()
    assert (stats.idle_count, stats.discarded_count) == (0, 1)


def test_an_object_that_comes_back_after_close_is_dropped() -> None:
    pool = RecyclingPool(Item)
    item = pool.acquire()
    pool.close()
    pool.release(item)
    assert (pool.stats().idle_count, pool.stats().discarded_count) == (0, 1)


def test_the_empty_reset_changes_nothing() -> None:
    items = [1]
    keep_as_it_is(items)
    assert items == [1]


class Books(RuleBasedStateMachine):
    """Objects go out and in, in any order; the books and the identities agree with a model."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = RecyclingPool(Item, Item.clear, max_idle=3)
        self.out: list[Item] = []
        self.closed = False

    @rule()
    def acquire(self) -> None:
        if self.closed:
            with pytest.raises(PoolClosed):
                self.pool.acquire()
        else:
            item = self.pool.acquire()
            assert all(item is not other for other in self.out)
            assert item.content == []
            item.content.append(1)
            self.out.append(item)

    @rule(index=st.integers(0, 9))
    def release(self, index: int) -> None:
        if self.out:
            item = self.out.pop(index % len(self.out))
            self.pool.release(item)
            if id(item) in self.pool._idle:
                with pytest.raises(DoubleRelease):
                    self.pool.release(item)

    @rule(really=st.integers(0, 9))
    def close(self, really: int) -> None:
        if really == 0:
            self.pool.close()
            self.closed = True

    @invariant()
    def books_balance(self) -> None:
        stats = self.pool.stats()
        assert stats.acquired_count - stats.released_count == len(self.out)
        assert stats.created_count == stats.idle_count + stats.discarded_count + len(self.out)
        assert 0 <= stats.idle_count <= 3


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_many_threads_never_share_an_object() -> None:
    pool, shared = RecyclingPool(Item, Item.clear, max_idle=4), []

    def work(name: int) -> None:
        for _ in range(400):
            item = pool.acquire()
            item.content.append(name)
            if item.content != [name]:
                shared.append(item)
            pool.release(item)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = pool.stats()
    assert shared == []
    assert (stats.acquired_count, stats.released_count) == (1600, 1600)
    assert stats.created_count == stats.idle_count + stats.discarded_count


def test_there_is_one_pool_per_node() -> None:
    pools = NodeRecyclingPools([NodeId(2), NodeId(0)], Item, current_node=lambda: NodeId(2))
    typed: NodeObjectPools[Item] = pools
    assert list(typed.nodes) == [0, 2]
    assert pools.pool_for() is pools.pool_for(NodeId(2))
    assert pools.pool_for(NodeId(0)) is not pools.pool_for(NodeId(2))
    with pytest.raises(NotFound):
        pools.pool_for(NodeId(1))
    pools.close()
    pools.close()
    for node in pools.nodes:
        with pytest.raises(PoolClosed):
            pools.pool_for(node).acquire()
