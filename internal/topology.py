"""Topology as Linux tells it: files below ``/sys/devices/system`` and ``/proc``, read once.

What the kernel says is not always complete. Without NUMA support there is no ``node`` folder; in a container
files are hidden; an offline CPU has neither siblings nor a place in its node's ``cpulist``. So there is an
order of trust for every figure, and at the end of it an answer that is safe: a CPU that no node claims
belongs to the first node, a missing distance is 10 to oneself and 20 to others, memory that nobody tells is
0, and a machine that says nothing at all is one node with as many CPUs as Python counts. Garbage is treated
like silence. Reading therefore never raises, on any system, and a wrong file can make placement worse, but
never the program.

The folder that all paths start from is an argument: a machine with eight nodes is a small tree of text files.

Sources: Documentation/ABI/stable/sysfs-devices-node, Documentation/admin-guide/cputopology.rst and
Documentation/admin-guide/mm/hugetlbpage.rst of the Linux kernel; proc_meminfo(5); sched_getaffinity(2).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ..api.errors import InvalidArgument, NotFound
from ..api.topology import CpuInfo, HugePages, NodeInfo
from ..api.types import CpuId, NodeId
from .cpu_list import MAX_ID, parse_cpu_list

LOCAL_DISTANCE: Final = 10
"""Distance of a node to itself (ACPI 6.5 §5.2.17, SLIT)."""
REMOTE_DISTANCE: Final = 20
"""What Linux takes for every other node where the firmware has no table."""

_FIRST_NODE: Final = NodeId(0)
_MEMORY_LINE: Final = re.compile(r"(MemTotal|MemFree):\s*([0-9]{1,15}) kB")
_HUGE_FOLDER: Final = re.compile(r"hugepages-([0-9]{1,12})kB")
_COUNT: Final = re.compile(r"[0-9]{1,9}")


def allowed_cpus() -> Iterable[int] | None:
    """Return the CPUs that the calling thread may run on, or ``None`` where the system has no such notion."""
    getter: Callable[[int], Iterable[int]] | None = getattr(os, "sched_getaffinity", None)
    return None if getter is None else getter(0)


def count_cpus() -> int:
    """Return how many CPUs Python knows of; 1 or more."""
    return os.cpu_count() or 1


class SysTopology:
    """The machine, read when the object is made; implements ``api.Topology``, whose contract holds here.

    ``root`` is the folder that has ``sys`` and ``proc``. ``allowed`` tells which CPUs may be used (``None``:
    all that are online); take the snapshot before pinning, else only what was pinned is usable. ``cpu_count``
    is asked when the files name no CPU. Nothing is raised for files that are missing or wrong. Thread rules:
    any.
    """

    __slots__ = ("_cpus", "_nodes")

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        allowed: Callable[[], Iterable[int] | None] = allowed_cpus,
        cpu_count: Callable[[], int] = count_cpus,
    ) -> None:
        files = _Files(root)
        present, online = files.cpus(cpu_count)
        permitted = allowed()
        usable = online if permitted is None else online & set(permitted)
        node_ids = files.node_ids()
        homes = files.homes(node_ids, present)
        self._cpus: Mapping[CpuId, CpuInfo] = MappingProxyType(
            {
                cpu: CpuInfo(cpu, homes[cpu], cpu in online, cpu in usable, files.siblings(cpu, present))
                for cpu in sorted(present)
            }
        )
        self._nodes: Mapping[NodeId, NodeInfo] = MappingProxyType(
            {node: files.node(node, node_ids, homes) for node in node_ids}
        )

    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        """The nodes, ascending by id; at least one."""
        return self._nodes

    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        """The present CPUs, ascending by id, offline ones included; at least one."""
        return self._cpus

    def node_of(self, cpu: CpuId) -> NodeId:
        """Return the node of a CPU. Raises ``NotFound`` for a CPU that is not present."""
        try:
            return self._cpus[cpu].node
        except KeyError:
            raise NotFound("the machine has no such CPU", cpu=cpu, cpus=tuple(self._cpus)) from None

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        """Return the CPUs that may be used, of one node or of all. Raises ``NotFound`` for an absent node."""
        cpus = tuple(self._cpus) if node is None else self._node(node).cpus
        return tuple(cpu for cpu in cpus if self._cpus[cpu].usable)

    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        """Return all nodes by distance, ``node`` first, equals by id. Raises ``NotFound`` for an absent
        node."""
        distances = self._node(node).distances
        return tuple(sorted(self._nodes, key=lambda other: (other != node, distances[other], other)))

    def _node(self, node: NodeId) -> NodeInfo:
        try:
            return self._nodes[node]
        except KeyError:
            raise NotFound("the machine has no such node", node=node, nodes=tuple(self._nodes)) from None


class _Files:
    """The kernel's files below one root, each read with its fallback."""

    __slots__ = ("_cpu", "_node", "_root")

    def __init__(self, root: Path) -> None:
        self._root = root
        self._cpu = root / "sys/devices/system/cpu"
        self._node = root / "sys/devices/system/node"

    def cpus(self, cpu_count: Callable[[], int]) -> tuple[set[CpuId], set[CpuId]]:
        """Return the CPUs that are present and those that are online; neither is empty."""
        listed = _numbers(self._cpu / "present") or _numbered_entries(self._cpu, "cpu") or range(cpu_count())
        present = {CpuId(number) for number in listed}
        online = {CpuId(number) for number in _numbers(self._cpu / "online")} & present
        return present, online or present

    def node_ids(self) -> tuple[NodeId, ...]:
        """Return the nodes that are online, ascending; one where the machine has no NUMA."""
        listed = _numbers(self._node / "online") or _numbered_entries(self._node, "node")
        return tuple(NodeId(number) for number in listed) or (_FIRST_NODE,)

    def homes(self, node_ids: tuple[NodeId, ...], present: set[CpuId]) -> dict[CpuId, NodeId]:
        """Return the node of every CPU. A CPU that two nodes claim belongs to the first of them."""
        homes: dict[CpuId, NodeId] = {}
        for node in node_ids:
            folder = self._folder(node)
            # ``cpulist`` has the online CPUs only; the links ``cpuN`` beside it are there for offline ones
            # too.
            for number in (*_numbers(folder / "cpulist"), *_numbered_entries(folder, "cpu")):
                homes.setdefault(CpuId(number), node)
        return {cpu: homes.get(cpu, node_ids[0]) for cpu in sorted(present)}

    def siblings(self, cpu: CpuId, present: set[CpuId]) -> tuple[CpuId, ...]:
        """Return the present CPUs of this CPU's core, itself included."""
        topology = self._cpu / f"cpu{cpu}" / "topology"
        # The second name is the one before Linux 5.3.
        listed = _numbers(topology / "core_cpus_list") or _numbers(topology / "thread_siblings_list")
        return tuple(sorted({CpuId(number) for number in listed} & present | {cpu}))

    def node(self, node: NodeId, node_ids: tuple[NodeId, ...], homes: Mapping[CpuId, NodeId]) -> NodeInfo:
        """Return all that is known about one node."""
        folder = self._folder(node)
        memory, huge = _memory(folder / "meminfo"), _huge_pages(folder / "hugepages")
        if len(node_ids) == 1:
            # The only node has everything, so what is said of the whole machine is true of it.
            memory = memory or _memory(self._root / "proc/meminfo")
            huge = huge or _huge_pages(self._root / "sys/kernel/mm/hugepages")
        return NodeInfo(
            node=node,
            cpus=tuple(cpu for cpu, home in homes.items() if home == node),
            memory_bytes=memory.get("MemTotal", 0),
            free_bytes=memory.get("MemFree", 0),
            distances=MappingProxyType(_distances(folder / "distance", node, node_ids)),
            huge_pages=huge,
        )

    def _folder(self, node: NodeId) -> Path:
        return self._node / f"node{node}"


def _read(path: Path) -> str:
    """Return the text of a file, or ``""`` where it can't be read; what is not ASCII becomes ``?``."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _numbers(path: Path) -> tuple[int, ...]:
    """Return the CPU list in a file; empty where there is none."""
    try:
        return parse_cpu_list(_read(path))
    except InvalidArgument:
        return ()


def _numbered_entries(folder: Path, prefix: str) -> tuple[int, ...]:
    """Return n of every entry ``<prefix>n`` in a folder, ascending."""
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    tails = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return tuple(sorted(int(tail) for tail in tails if _COUNT.fullmatch(tail) and int(tail) <= MAX_ID))


def _memory(path: Path) -> dict[str, int]:
    """Return ``MemTotal`` and ``MemFree`` in bytes, as far as told; a node's file and the machine's look
    alike."""
    return {name: int(kilobytes) * 1024 for name, kilobytes in _MEMORY_LINE.findall(_read(path))}


def _huge_pages(folder: Path) -> tuple[HugePages, ...]:
    """Return the kinds of huge page that a folder describes completely, ascending by size."""
    try:
        names = os.listdir(folder)
    except OSError:
        return ()
    found: list[HugePages] = []
    for match in filter(None, map(_HUGE_FOLDER.fullmatch, names)):
        total, free = (_read(folder / match[0] / name).strip() for name in ("nr_hugepages", "free_hugepages"))
        if _COUNT.fullmatch(total) and _COUNT.fullmatch(free):
            found.append(HugePages(int(match[1]) * 1024, int(total), int(free)))
    return tuple(sorted(found, key=lambda pages: pages.size_bytes))


def _distances(path: Path, node: NodeId, node_ids: tuple[NodeId, ...]) -> dict[NodeId, int]:
    """Return the distance to every node: the file has one number per online node, ascending by id."""
    fields = _read(path).split()
    if len(fields) == len(node_ids) and all(map(_COUNT.fullmatch, fields)):
        return dict(zip(node_ids, map(int, fields), strict=True))
    return {other: LOCAL_DISTANCE if other == node else REMOTE_DISTANCE for other in node_ids}


__all__ = ["LOCAL_DISTANCE", "REMOTE_DISTANCE", "SysTopology", "allowed_cpus", "count_cpus"]
