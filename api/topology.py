"""Topology: the machine as the operating system describes it.

CPUs, NUMA nodes and the distances between them. Ids may be sparse, a node may have memory and no CPU, a CPU
may be offline or outside what this process may use. A machine without NUMA is one node, 0, with everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from .types import CpuId, NodeId


@dataclass(frozen=True, slots=True)
class CpuInfo:
    """One logical CPU. ``siblings`` are the CPUs that share its core, itself included."""

    cpu: CpuId
    node: NodeId
    online: bool
    usable: bool
    """Online, and this process may run on it (affinity mask, cpuset)."""
    siblings: tuple[CpuId, ...]


@dataclass(frozen=True, slots=True)
class HugePages:
    """Huge pages of one size on one node: how many are reserved and how many of those are free."""

    size_bytes: int
    total_count: int
    free_count: int


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One NUMA node.

    ``memory_bytes`` is 0 where the system does not tell; ``cpus`` is empty on a memory-only node.
    """

    node: NodeId
    cpus: tuple[CpuId, ...]
    memory_bytes: int
    free_bytes: int
    distances: Mapping[NodeId, int]
    """Relative cost of reaching each node's memory; 10 is local (ACPI SLIT). May be asymmetric."""
    huge_pages: tuple[HugePages, ...]


class Topology(Protocol):
    """A snapshot of the machine. Thread rules: any; it never changes."""

    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        """The nodes, ascending by id; at least one."""

    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        """The present CPUs, ascending by id, offline ones included; at least one."""

    def node_of(self, cpu: CpuId) -> NodeId:
        """Return the node of a CPU. Raises ``NotFound`` for a CPU that is not present."""

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        """Return the CPUs this process may run on, of one node or of all (``None``).

        Raises ``NotFound`` for an absent node.
        """

    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        """Return all nodes by distance from ``node``, itself first, equals by id.

        Raises ``NotFound`` for an absent node.
        """


__all__ = ["CpuInfo", "HugePages", "NodeInfo", "Topology"]
