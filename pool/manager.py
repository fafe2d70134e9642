"""Pools per NUMA node: memory is taken where the thread that uses it runs.

Which node that is, only the system knows; the function that asks it is an argument, so that this room stays
free of system calls, and a machine with eight nodes can be played on a laptop. A thread may be moved to a
node without a pool; "no preference" then falls back to the lowest node served, while a node that was asked
for by name and is not served is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, Generic, Self, TypeVar

from ..api.buffer import Buffer
from ..api.errors import InvalidArgument, NotFound
from ..api.pool import BufferPool, ClassStats, PoolStats
from ..api.types import ANY_NODE, NodeId

V = TypeVar("V")

_PAGE_KINDS: Final = ("normal", "transparent", "huge-2m", "huge-1g")
"""Kinds of page from the least to the best."""

_BINDINGS: Final = ("first-touch", "refused", "bound")
"""Kinds of binding from the least to the best."""


class NodeTable(Generic[V]):
    """One value per node, found in constant time; fixed after construction, so any thread may read it.

    Raises ``InvalidArgument`` without any node.
    """

    __slots__ = ("_by_node", "_current_node", "_fallback")

    def __init__(
        self, nodes: Iterable[NodeId], make: Callable[[NodeId], V], current_node: Callable[[], NodeId]
    ) -> None:
        self._by_node = {node: make(node) for node in sorted(set(nodes))}
        if not self._by_node:
            raise InvalidArgument("at least one node is needed")
        self._fallback = next(iter(self._by_node.values()))
        self._current_node = current_node

    @property
    def nodes(self) -> Sequence[NodeId]:
        """The nodes, ascending."""
        return tuple(self._by_node)

    @property
    def values(self) -> Sequence[V]:
        """The values, in the order of ``nodes``."""
        return tuple(self._by_node.values())

    def find(self, node: NodeId) -> V:
        """Return the value of ``node``; ``ANY_NODE`` is the calling thread's. Raises ``NotFound``."""
        if node == ANY_NODE:
            return self._by_node.get(self._current_node(), self._fallback)
        try:
            return self._by_node[node]
        except KeyError:
            raise NotFound("no pool serves this node", node=node, nodes=self.nodes) from None


class NodeBufferPools:
    """One buffer pool per node; implements ``api.BufferPoolManager``, whose contract holds here.

    ``make_pool`` makes the pool of a node (``lambda node: SlabBufferPool(PageSource(node))``), and
    ``current_node`` tells the node of the calling thread. Raises ``InvalidArgument`` without any node.

    Thread rules: those of the pools: one owner acquires, releases come from anywhere.
    """

    __slots__ = ("_table",)

    def __init__(
        self,
        nodes: Iterable[NodeId],
        make_pool: Callable[[NodeId], BufferPool],
        *,
        current_node: Callable[[], NodeId],
    ) -> None:
        self._table = NodeTable(nodes, make_pool, current_node)

    @property
    def nodes(self) -> Sequence[NodeId]:
        """The nodes that have a pool, ascending."""
        return self._table.nodes

    def pool_for(self, node: NodeId = ANY_NODE) -> BufferPool:
        """Return the pool of ``node``, or of the calling thread's node. Raises ``NotFound``."""
        return self._table.find(node)

    def acquire(self, size_bytes: int, node: NodeId = ANY_NODE) -> Buffer:
        """Acquire from the pool of ``node``."""
        return self._table.find(node).acquire(size_bytes)

    def stats(self) -> PoolStats:
        """Return the sum over all nodes. ``page_kind`` and ``binding`` are the least that any node
        with memory got."""
        per_node = {node: self._table.find(node).stats() for node in self.nodes}
        parts = tuple(per_node.values())
        mapped = [part for part in parts if part.mapped_bytes]
        return PoolStats(
            acquired_count=sum(part.acquired_count for part in parts),
            released_count=sum(part.released_count for part in parts),
            in_use_count=sum(part.in_use_count for part in parts),
            in_use_bytes=sum(part.in_use_bytes for part in parts),
            mapped_bytes=sum(part.mapped_bytes for part in parts),
            refused_count=sum(part.refused_count for part in parts),
            page_kind=min((part.page_kind for part in mapped), key=_PAGE_KINDS.index, default=_PAGE_KINDS[0]),
            classes=_sum_of_classes(parts),
            nodes=MappingProxyType(per_node),
            binding=min((part.binding for part in mapped), key=_BINDINGS.index, default=_BINDINGS[0]),
        )

    def close(self) -> None:
        """Close every pool. Idempotent."""
        for pool in self._table.values:
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


def _sum_of_classes(parts: Sequence[PoolStats]) -> tuple[ClassStats, ...]:
    """Return the books per size class, summed over the nodes, in the order of first appearance."""
    sums: dict[int, ClassStats] = {}
    for entry in (entry for part in parts for entry in part.classes):
        before = sums.get(entry.size_bytes, ClassStats(entry.size_bytes, 0, 0, 0, 0, 0, 0))
        sums[entry.size_bytes] = ClassStats(
            size_bytes=entry.size_bytes,
            acquired_count=before.acquired_count + entry.acquired_count,
            released_count=before.released_count + entry.released_count,
            in_use_count=before.in_use_count + entry.in_use_count,
            idle_count=before.idle_count + entry.idle_count,
            slab_count=before.slab_count + entry.slab_count,
            mapped_bytes=before.mapped_bytes + entry.mapped_bytes,
        )
    return tuple(sums.values())


__all__ = ["NodeBufferPools", "NodeTable"]
