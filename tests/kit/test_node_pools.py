"""The contracts of pools per node, on this machine and on machines that do not exist."""

from __future__ import annotations

from functools import partial

from hioload_ws.api.types import NodeId
from hioload_ws.contract import BufferPoolManagerContract, NodeObjectPoolsContract
from hioload_ws.contract.suites.object_pool import Thing
from hioload_ws.fake import FakeTopology, fake_memory
from hioload_ws.pool import NodeBufferPools, NodeRecyclingPools
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.node_pools import node_pools
from hioload_ws.pool.slab import PageSource
from tests.kit.holding import hold

NODES = (NodeId(0), NodeId(3))


def of_this_machine(*, limit_bytes: int | None) -> NodeBufferPools:
    return node_pools(limit_bytes=limit_bytes, strict=False, slab_bytes=256 * 1024)


def of_two_nodes(*, limit_bytes: int | None) -> NodeBufferPools:
    def make(node: NodeId) -> SlabBufferPool:
        return SlabBufferPool(PageSource(node), limit_bytes=limit_bytes, slab_bytes=256 * 1024)

    return NodeBufferPools(NODES, make, current_node=lambda: NODES[1])


def played(*, limit_bytes: int | None) -> NodeBufferPools:
    memory = "" if limit_bytes is None else f", memory {limit_bytes}"
    return fake_memory(FakeTopology.parse(f"3x1{memory}"))


def test_buffer_pools_of_this_machine_are_conformant() -> None:
    hold(BufferPoolManagerContract, of_this_machine, "NodeBufferPools of this machine")


def test_buffer_pools_of_two_nodes_are_conformant() -> None:
    hold(BufferPoolManagerContract, of_two_nodes, "NodeBufferPools of two nodes")


def test_buffer_pools_that_are_played_are_conformant() -> None:
    hold(BufferPoolManagerContract, played, "fake_memory()")


def test_object_pools_per_node_are_conformant() -> None:
    for nodes, name in ((NODES, "NodeRecyclingPools"), (NODES[:1], "NodeRecyclingPools, without the thread's node")):
        make = partial(NodeRecyclingPools, nodes, Thing, current_node=lambda: NODES[1])
        hold(NodeObjectPoolsContract, make, name)
