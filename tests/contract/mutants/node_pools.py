"""Broken managers of buffer pools, and unusual ones that are right, over the plain pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...api.errors import NotFound, PoolClosed
from ...api.pool import PoolStats
from ...api.types import ANY_NODE, NodeId
from ..mutation import Gallery
from ..suites.node_pools import BufferPoolManagerContract
from .buffer import Lease, Pool

GALLERY = Gallery(BufferPoolManagerContract)

NODES = (NodeId(0), NodeId(3))


class NodePool(Pool):
    """A plain pool that knows its node."""

    def __init__(self, *, limit_bytes: int | None, node: NodeId) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self.node = node


class Buffers:
    """A manager that is right."""

    order: Sequence[NodeId] = NODES

    def __init__(self, *, limit_bytes: int | None) -> None:
        self.pools = {node: NodePool(limit_bytes=limit_bytes, node=node) for node in NODES}

    @property
    def nodes(self) -> Sequence[NodeId]:
        return self.order

    def pool_for(self, node: NodeId = ANY_NODE) -> NodePool:
        if node == ANY_NODE:
            return self.pools[self.here()]
        if node not in self.pools:
            raise NotFound("not served", node=node)
        return self.pools[node]

    def here(self) -> NodeId:
        return NODES[0]

    def acquire(self, size_bytes: int, node: NodeId = ANY_NODE) -> Lease:
        return self.pool_for(node).acquire(size_bytes)

    def stats(self) -> PoolStats:
        parts = {node: pool.stats() for node, pool in self.pools.items()}
        first, *rest = parts.values()
        for part in rest:
            first = replace(
                first,
                acquired_count=first.acquired_count + part.acquired_count,
                released_count=first.released_count + part.released_count,
                in_use_count=first.in_use_count + part.in_use_count,
                in_use_bytes=first.in_use_bytes + part.in_use_bytes,
                mapped_bytes=first.mapped_bytes + part.mapped_bytes,
                refused_count=first.refused_count + part.refused_count,
                classes=(*first.classes, *part.classes),
            )
        return replace(first, nodes=parts)

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()


GALLERY.oddball("two nodes with sparse numbers")(Buffers)


@GALLERY.oddball("another node each time nobody has a preference")
class TakesTurns(Buffers):
    turn = 0

    def here(self) -> NodeId:
        self.turn += 1
        return NODES[self.turn % 2]


@GALLERY.mutant("BPM-01", "tells its nodes in any order")
class AnyOrder(Buffers):
    order = NODES[::-1]


@GALLERY.mutant("BPM-02", "has one pool for all nodes")
class OnePool(Buffers):
    def pool_for(self, node: NodeId = ANY_NODE) -> NodePool:
        super().pool_for(node)
        return self.pools[NODES[0]]


@GALLERY.mutant("BPM-02", "makes a pool each time it is asked")
class NewPools(Buffers):
    def pool_for(self, node: NodeId = ANY_NODE) -> NodePool:
        return NodePool(limit_bytes=None, node=super().pool_for(node).node)


@GALLERY.mutant("BPM-03", "serves nobody without a preference")
class WantsNode(Buffers):
    def here(self) -> NodeId:
        raise NotFound("no node")


@GALLERY.mutant("BPM-04", "takes an absent node for the first")
class AbsentIsFirst(Buffers):
    def pool_for(self, node: NodeId = ANY_NODE) -> NodePool:
        return self.pools.get(node, self.pools[NODES[0]])


@GALLERY.mutant("BPM-05", "takes all memory from where the caller is")
class TakesHere(Buffers):
    def acquire(self, size_bytes: int, node: NodeId = ANY_NODE) -> Lease:
        self.pool_for(node)
        return self.pool_for().acquire(size_bytes)


@GALLERY.mutant("BPM-06", "takes 0 for 1")
class ZeroIsOne(Buffers):
    def acquire(self, size_bytes: int, node: NodeId = ANY_NODE) -> Lease:
        return super().acquire(size_bytes or 1, node)


@GALLERY.mutant("BPM-07", "forgets a node in its sums")
class SumsOne(Buffers):
    def stats(self) -> PoolStats:
        parts = {node: pool.stats() for node, pool in self.pools.items()}
        return replace(parts[NODES[0]], acquired_count=super().stats().acquired_count, nodes=parts)


@GALLERY.mutant("BPM-07", "does not tell the nodes apart")
class NoNodes(Buffers):
    def stats(self) -> PoolStats:
        return replace(super().stats(), nodes={})


@GALLERY.mutant("BPM-08", "takes back whatever it is given")
class TakesForeign(Buffers):
    def __init__(self, *, limit_bytes: int | None) -> None:
        super().__init__(limit_bytes=limit_bytes)
        for pool in self.pools.values():
            pool.release = lambda buffer: buffer.release()  # type: ignore[method-assign]  # that is what is wrong


@GALLERY.mutant("BPM-09", "has one limit for all nodes together")
class OneLimit(Buffers):
    def __init__(self, *, limit_bytes: int | None) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self.limit_bytes = limit_bytes

    def pool_for(self, node: NodeId = ANY_NODE) -> NodePool:
        pool = super().pool_for(node)
        used = sum(each.stats().in_use_bytes for each in self.pools.values())
        pool.limit_bytes = self.limit_bytes and self.limit_bytes - used + pool.stats().in_use_bytes
        return pool


@GALLERY.mutant("BPM-09", "has no limit")
class NoLimit(Buffers):
    def __init__(self, *, limit_bytes: int | None) -> None:
        super().__init__(limit_bytes=None)


@GALLERY.mutant("BPM-10", "closes the first pool only")
class ClosesOne(Buffers):
    def close(self) -> None:
        self.pools[NODES[0]].close()


@GALLERY.mutant("BPM-10", "fails at the second close")
class FailsAtSecondClose(Buffers):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise PoolClosed("closed")
        self.closed = True
        super().close()


__all__ = ["GALLERY"]
