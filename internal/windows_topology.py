"""Topology on Windows: nodes and their CPUs as kernel32 tells them.

Windows numbers CPUs within *processor groups* of at most 64 and gives each NUMA node a mask within one group
(``GetNumaNodeProcessorMaskEx``). Here a CPU's number is ``64 * group + bit``. The system tells the memory of a node
that is available now, not how much it has, and no distances: so ``memory_bytes`` is what is available, and every
other node is as far as any. A node whose question fails is left out; without any answer the machine is one node
with the CPUs that Python counts.

Sources: processthreadsapi.h, winbase.h and systemtopologyapi.h in Microsoft's documentation; GROUP_AFFINITY in winnt.h.
The calls are behind ``NodeCalls``, and were tested there only: no Windows was at hand.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from ..api.errors import NotFound
from ..api.topology import CpuInfo, NodeInfo, Topology
from ..api.types import CpuId, NodeId
from .topology import LOCAL_DISTANCE, REMOTE_DISTANCE, SysTopology, count_cpus

_GROUP_CPUS: Final = 64


class GroupAffinity(ctypes.Structure):
    """GROUP_AFFINITY: a mask within one processor group."""

    _fields_ = (("mask", ctypes.c_size_t), ("group", ctypes.c_uint16), ("reserved", ctypes.c_uint16 * 3))


class NodeCalls(Protocol):
    """What kernel32 is asked; each answer is ``None`` where the call fails."""

    def highest_node(self) -> int | None:
        """Return the highest number of a node; nodes below it may be absent."""

    def node_mask(self, node: int) -> tuple[int, int] | None:
        """Return the processor group of a node, and the mask of its CPUs in it."""

    def available_bytes(self, node: int) -> int | None:
        """Return how much memory of a node is available."""


class Kernel32Calls:
    """``NodeCalls`` through kernel32.dll. Thread rules: any."""

    __slots__ = ("_kernel32",)

    def __init__(self, kernel32: Any) -> None:
        """``kernel32`` is ``ctypes.WinDLL("kernel32")``, or something with the same functions."""
        self._kernel32 = kernel32

    def highest_node(self) -> int | None:
        """As ``GetNumaHighestNodeNumber``."""
        number = ctypes.c_uint32()
        return number.value if self._kernel32.GetNumaHighestNodeNumber(ctypes.byref(number)) else None

    def node_mask(self, node: int) -> tuple[int, int] | None:
        """As ``GetNumaNodeProcessorMaskEx``."""
        affinity = GroupAffinity()
        found = self._kernel32.GetNumaNodeProcessorMaskEx(ctypes.c_uint16(node), ctypes.byref(affinity))
        return (affinity.group, affinity.mask) if found else None

    def available_bytes(self, node: int) -> int | None:
        """As ``GetNumaAvailableMemoryNodeEx``."""
        size = ctypes.c_uint64()
        found = self._kernel32.GetNumaAvailableMemoryNodeEx(ctypes.c_uint16(node), ctypes.byref(size))
        return size.value if found else None


class WindowsTopology:
    """The machine, read when the object is made; implements ``api.Topology``, whose contract holds here. Every CPU
    counts as a core of its own, and as usable. Thread rules: any."""

    __slots__ = ("_cpus", "_nodes")

    def __init__(self, calls: NodeCalls, cpu_count: Callable[[], int] = count_cpus) -> None:
        """Ask ``calls``; ``cpu_count`` is asked when they name no CPU."""
        highest = calls.highest_node()
        masks = {number: calls.node_mask(number) for number in range(0 if highest is None else highest + 1)}
        members = {NodeId(number): _numbers(*found) for number, found in masks.items() if found is not None}
        if not any(members.values()):
            members = {NodeId(0): tuple(map(CpuId, range(cpu_count())))}
        homes = {cpu: node for node, cpus in members.items() for cpu in cpus}
        self._cpus = MappingProxyType(
            {cpu: CpuInfo(cpu, homes[cpu], True, True, (cpu,)) for cpu in sorted(homes)}
        )
        memory = {node: calls.available_bytes(node) or 0 for node in members}
        self._nodes = MappingProxyType(
            {node: _node(node, cpus, tuple(members), memory[node]) for node, cpus in members.items()}
        )

    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        """The nodes, ascending by id; at least one."""
        return self._nodes

    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        """The CPUs, ascending by id; at least one."""
        return self._cpus

    def node_of(self, cpu: CpuId) -> NodeId:
        """Return the node of a CPU. Raises ``NotFound`` for a CPU that is not present."""
        if cpu not in self._cpus:
            raise NotFound("the machine has no such CPU", cpu=cpu, cpus=tuple(self._cpus))
        return self._cpus[cpu].node

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        """Return the CPUs of one node or of all. Raises ``NotFound`` for an absent node."""
        return tuple(self._cpus) if node is None else self._node(node).cpus

    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        """Return all nodes, ``node`` first, the others by id. Raises ``NotFound`` for an absent node."""
        return (self._node(node).node, *(other for other in self._nodes if other != node))

    def _node(self, node: NodeId) -> NodeInfo:
        if node not in self._nodes:
            raise NotFound("the machine has no such node", node=node, nodes=tuple(self._nodes))
        return self._nodes[node]


def _numbers(group: int, mask: int) -> tuple[CpuId, ...]:
    return tuple(CpuId(_GROUP_CPUS * group + bit) for bit in range(_GROUP_CPUS) if mask >> bit & 1)


def _node(node: NodeId, cpus: tuple[CpuId, ...], nodes: tuple[NodeId, ...], available_bytes: int) -> NodeInfo:
    distances = {other: LOCAL_DISTANCE if other == node else REMOTE_DISTANCE for other in nodes}
    return NodeInfo(node, cpus, available_bytes, available_bytes, MappingProxyType(distances), ())


def system_topology(platform: str = sys.platform) -> Topology:
    """Return this machine: by kernel32 on Windows, by sysfs and ``/proc`` elsewhere."""
    if platform == "win32":
        load: Any = getattr(ctypes, "WinDLL")  # noqa: B009  # there on Windows only
        return WindowsTopology(Kernel32Calls(load("kernel32")))
    return SysTopology()


__all__ = ["GroupAffinity", "Kernel32Calls", "NodeCalls", "WindowsTopology", "system_topology"]
