"""The whole in one call: a pool per NUMA node that has memory, bound to it, found by where a thread runs.

This is the only module of the room that asks the machine anything: it takes the topology, the memory policy
and the current node from ``internal`` and puts them where ``PageSource`` and ``NodeBufferPools`` expect
functions. Everything can be replaced by an argument, so a machine with eight nodes fits on a laptop.

Which nodes get a pool: those with memory, as far as the topology tells, and within what the cpuset of a
container allows. A node that has CPUs and no memory gets none; its threads are served by the nearest that
has. Where the system refuses to bind (no NUMA, a seccomp filter) the pools work unbound, which
``PoolStats.binding`` says after the first slab.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..api.errors import InvalidArgument, NotFound
from ..api.topology import Topology
from ..api.types import NodeId
from ..internal.current_node import CurrentNode
from ..internal.memory_policy import MemoryPolicy
from ..internal.syscalls import NumaCalls, system_numa_calls
from ..internal.windows_topology import system_topology
from .buffer_pool import DEFAULT_SLAB_BYTES, SlabBufferPool
from .manager import NodeBufferPools
from .slab import HugePages, MapMemory, PageSource, map_anonymous


def node_pools(
    topology: Topology | None = None,
    *,
    limit_bytes: int | None = None,
    huge_pages: HugePages = "never",
    nodes: Iterable[NodeId] | None = None,
    strict: bool = True,
    slab_bytes: int = DEFAULT_SLAB_BYTES,
    leaks: str | None = None,
    calls: NumaCalls | None = None,
    map_memory: MapMemory = map_anonymous,
) -> NodeBufferPools:
    """Return one buffer pool per node with memory, each bound to its node.

    ``topology`` and ``calls`` are the machine (``None``: this one), ``map_memory`` maps. ``limit_bytes``
    bounds what the pool of *each* node maps (``None``: no bound; with ``strict``, a node that runs full may
    end the process, see ``internal.memory_policy``). ``huge_pages``, ``slab_bytes`` and ``leaks`` are those
    of ``PageSource`` and ``SlabBufferPool``. ``nodes`` chooses among the nodes (``None``: all with memory).
    ``strict`` of ``False`` only prefers the node. Close the result after use; nothing is mapped before the
    first acquire.

    Raises ``NotFound`` when ``nodes`` names one that is absent, has no memory or is not allowed, and
    ``InvalidArgument`` for a value out of range or no node at all.
    """
    machine = system_topology() if topology is None else topology
    kernel = system_numa_calls() if calls is None else calls
    policy = MemoryPolicy(kernel, strict=strict)
    possible = nodes_with_memory(machine, policy)
    chosen = possible if nodes is None else tuple(nodes)
    for node in chosen:
        if node not in possible:
            raise NotFound("this node has no memory for us", node=node, nodes=possible)
    if not chosen:
        raise InvalidArgument("at least one node is needed", nodes=possible)

    def make_pool(node: NodeId) -> SlabBufferPool:
        source = PageSource(node, huge_pages, policy.bind, map_memory)
        return SlabBufferPool(source, limit_bytes=limit_bytes, slab_bytes=slab_bytes, leaks=leaks)

    return NodeBufferPools(chosen, make_pool, current_node=CurrentNode(machine, kernel, served=chosen))


def nodes_with_memory(topology: Topology, policy: MemoryPolicy) -> tuple[NodeId, ...]:
    """Return the nodes that memory can be taken from, ascending; at least one.

    Where the topology tells no memory of any node, or the allowed nodes are none of it, that information is
    taken for missing: a pool on a node too many is refused by the kernel later, one too few never noticed.
    """
    told = [node for node, info in topology.nodes.items() if info.memory_bytes]
    nodes = told or list(topology.nodes)
    allowed = policy.allowed_nodes()
    permitted = [node for node in nodes if allowed is None or node in allowed]
    return tuple(permitted or nodes)


__all__ = ["node_pools", "nodes_with_memory"]
