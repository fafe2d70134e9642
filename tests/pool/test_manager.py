"""One pool per node: which pool is chosen, and that the sums are sums."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.api.errors import InvalidArgument, NotFound, PoolClosed
from hioload_ws.api.pool import BufferPool, BufferPoolManager, PoolStats
from hioload_ws.api.types import ANY_NODE, NodeId
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.manager import NodeBufferPools
from hioload_ws.pool.slab import HUGE_2M_BYTES, PageSource, map_anonymous

NODES = [NodeId(4), NodeId(0), NodeId(4)]


class Thread:
    """The thread that asks, and the node it runs on."""

    node = NodeId(0)

    def current_node(self) -> NodeId:
        return self.node


def plain_pool(node: NodeId) -> BufferPool:
    return SlabBufferPool(PageSource(node), slab_bytes=65536, limit_bytes=1 << 20, leaks="disabled")


def test_pools_are_found_by_node_and_by_the_thread_that_asks() -> None:
    thread = Thread()
    with NodeBufferPools(NODES, plain_pool, current_node=thread.current_node) as manager:
        typed: BufferPoolManager = manager
        assert list(typed.nodes) == [0, 4]
        assert manager.pool_for(NodeId(4)).node == 4
        assert manager.pool_for() is manager.pool_for(NodeId(0))
        thread.node = NodeId(4)
        assert manager.pool_for(ANY_NODE) is manager.pool_for(NodeId(4))
        thread.node = NodeId(7)  # a node without a pool: no preference means that this is no error
        assert manager.pool_for() is manager.pool_for(NodeId(0))


def test_a_node_asked_for_by_name_and_not_served_is_not_found() -> None:
    with NodeBufferPools(NODES, plain_pool, current_node=Thread().current_node) as manager:
        with pytest.raises(NotFound) as caught:
            manager.acquire(10, NodeId(7))
        assert caught.value.context["nodes"] == (0, 4)


def test_a_manager_without_nodes_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        NodeBufferPools([], plain_pool, current_node=Thread().current_node)


def test_statistics_are_the_sum_over_the_nodes(balance: Callable[[PoolStats], None]) -> None:
    with NodeBufferPools(NODES, plain_pool, current_node=Thread().current_node) as manager:
        first, second = manager.acquire(10), manager.acquire(5000, NodeId(4))
        assert (first.node, second.node) == (0, 4)
        assert manager.pool_for(NodeId(4)).try_acquire(2 << 20) is None
        manager.acquire(10, NodeId(4)).release()
        stats = manager.stats()
        balance(stats)
        assert list(stats.nodes) == [0, 4]
        assert (stats.acquired_count, stats.in_use_count, stats.refused_count) == (3, 2, 1)
        assert stats.in_use_bytes == 2048 + 8192
        classes = {entry.size_bytes: entry for entry in stats.classes}
        assert (classes[2048].acquired_count, classes[2048].slab_count) == (2, 2)
        assert [entry.size_bytes for entry in stats.classes].count(2048) == 1
        first.release()
        second.release()


def test_the_page_kind_is_the_least_that_any_node_got() -> None:
    def pool_of(node: NodeId) -> BufferPool:
        if node == 0:
            return SlabBufferPool(PageSource(node), leaks="disabled")
        pages = PageSource(node, huge_pages="try", map_memory=lambda size, flags: map_anonymous(size))
        return SlabBufferPool(pages, slab_bytes=HUGE_2M_BYTES, leaks="disabled")

    with NodeBufferPools(NODES, pool_of, current_node=Thread().current_node) as manager:
        assert manager.stats().page_kind == "normal"
        with manager.acquire(10, NodeId(4)):
            assert manager.stats().page_kind == "huge-2m"
            with manager.acquire(10, NodeId(0)):
                assert manager.stats().page_kind == "normal"


def test_the_binding_is_the_least_that_any_node_with_memory_got() -> None:
    def pool_of(node: NodeId) -> BufferPool:
        return SlabBufferPool(PageSource(node, bind=lambda mapping, where: where == 4), leaks="disabled")

    with NodeBufferPools(NODES, pool_of, current_node=Thread().current_node) as manager:
        assert manager.stats().binding == "first-touch"
        with manager.acquire(10, NodeId(4)):
            assert manager.stats().binding == "bound"
            with manager.acquire(10, NodeId(0)):
                stats = manager.stats()
                assert stats.binding == "refused"
                assert {node: part.binding for node, part in stats.nodes.items()} == {0: "refused", 4: "bound"}


def test_close_closes_every_pool_and_may_be_repeated() -> None:
    manager = NodeBufferPools(NODES, plain_pool, current_node=Thread().current_node)
    manager.close()
    manager.close()
    for node in manager.nodes:
        with pytest.raises(PoolClosed):
            manager.acquire(10, node)
