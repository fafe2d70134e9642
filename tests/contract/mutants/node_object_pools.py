"""Broken object pools per node, over the plain object pool."""

from __future__ import annotations

from collections.abc import Sequence

from ...api.errors import NotFound
from ...api.types import ANY_NODE, NodeId
from ..mutation import Gallery
from ..suites.node_pools import NodeObjectPoolsContract
from ..suites.object_pool import Thing
from .object_pool import Correct as ObjectPool

GALLERY = Gallery(NodeObjectPoolsContract)

NODES = (NodeId(0), NodeId(3))


class Objects:
    """Object pools that are right."""

    order: Sequence[NodeId] = NODES

    def __init__(self) -> None:
        self.pools = {node: ObjectPool(Thing, lambda thing: None, 4) for node in NODES}

    @property
    def nodes(self) -> Sequence[NodeId]:
        return self.order

    def pool_for(self, node: NodeId = ANY_NODE) -> ObjectPool:
        if node == ANY_NODE:
            return self.pools[NODES[0]]
        if node not in self.pools:
            raise NotFound("not served", node=node)
        return self.pools[node]

    def close(self) -> None:
        for pool in self.pools.values():
            pool.close()


GALLERY.oddball("two nodes with sparse numbers")(Objects)


@GALLERY.mutant("NOP-01", "tells its nodes in any order")
class ObjectsInAnyOrder(Objects):
    order = NODES[::-1]


@GALLERY.mutant("NOP-02", "has one pool for all nodes")
class OneObjectPool(Objects):
    def pool_for(self, node: NodeId = ANY_NODE) -> ObjectPool:
        super().pool_for(node)
        return self.pools[NODES[0]]


@GALLERY.mutant("NOP-03", "has a pool of its own for those without a preference")
class PoolForNobody(Objects):
    def pool_for(self, node: NodeId = ANY_NODE) -> ObjectPool:
        return ObjectPool(Thing, lambda thing: None, 4) if node == ANY_NODE else super().pool_for(node)


@GALLERY.mutant("NOP-04", "takes an absent node for the first")
class AbsentObjectsAreFirst(Objects):
    def pool_for(self, node: NodeId = ANY_NODE) -> ObjectPool:
        return self.pools.get(node, self.pools[NODES[0]])


@GALLERY.mutant("NOP-05", "has one store behind all its pools")
class OneStore(Objects):
    def __init__(self) -> None:
        super().__init__()
        first = self.pools[NODES[0]]
        for pool in self.pools.values():
            pool.idle = first.idle


@GALLERY.mutant("NOP-06", "closes the first pool only")
class ClosesOneObjectPool(Objects):
    def close(self) -> None:
        self.pools[NODES[0]].close()


__all__ = ["GALLERY"]
