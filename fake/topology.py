"""Machines that do not exist here, described in one line.

    FakeTopology.parse("2x8, distance 10/21")

is two nodes with eight CPUs each. The first part is nodes x CPUs per node; after it, in any order:

| Part | Meaning | Default |
|---|---|---|
| `distance 10/21` | local and remote distance (ACPI SLIT) | 10/20 |
| `distance 0->1=17` | one direction of one pair: distances may be asymmetric | |
| `threads 2` | CPUs per core, numbered next to each other | 1 |
| `memory 16GiB` | memory of each node; `memory 0=16GiB` of one | 1GiB |
| `memory-only 2` | so many further nodes without a CPU | 0 |
| `nodes 0,4` | the nodes' numbers, which may be sparse | from 0 |
| `cpus 0-3,8-11` | the CPUs' numbers, which may be sparse, dealt out to the nodes in order | from 0 |
| `offline 3,7` | present, and switched off | none |
| `usable 0-1` | what this process may run on (its cpuset) | all that are online |

A snapshot never changes; ``hotplug`` returns the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ..api.errors import InvalidArgument, NotFound
from ..api.topology import CpuInfo, NodeInfo
from ..api.types import CpuId, NodeId
from ..internal.cpu_list import parse_cpu_list

GIB: Final = 1 << 30
_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": GIB}
_SHAPE: Final = re.compile(r"([1-9][0-9]{0,3})x([0-9]{1,4})")
_PART: Final = re.compile(r"([a-z-]+)\s+(.+)")
_SIZE: Final = re.compile(r"(?:([0-9]{1,5})=)?([0-9]{1,12})(|KiB|MiB|GiB)")
_PAIR: Final = re.compile(r"([0-9]{1,5})->([0-9]{1,5})=([0-9]{1,3})")
_UNIFORM: Final = re.compile(r"([0-9]{1,3})/([0-9]{1,3})")
# A comma between two parts is followed by a word, one within a list by a number.
_BETWEEN: Final = re.compile(r",\s*(?=[a-z])")


class FakeTopology:
    """A made-up machine; implements ``api.Topology``, whose contract holds here. Thread rules: any."""

    __slots__ = ("_cpus", "_nodes")

    def __init__(self, cpus: Iterable[CpuInfo], nodes: Iterable[NodeInfo]) -> None:
        """Take over what is given; at least one of each, else ``InvalidArgument``."""
        by_cpu, by_node = {info.cpu: info for info in cpus}, {info.node: info for info in nodes}
        if not by_cpu or not by_node:
            raise InvalidArgument("a machine has a CPU and a node")
        self._cpus = MappingProxyType(dict(sorted(by_cpu.items())))
        self._nodes = MappingProxyType(dict(sorted(by_node.items())))

    @classmethod
    def parse(cls, text: str) -> FakeTopology:
        """Return the machine that ``text`` describes; see the module for the form.

        Raises ``InvalidArgument`` for what is malformed or does not fit together.
        """
        shape, *parts = _BETWEEN.split(text.strip())
        match = _SHAPE.fullmatch(shape.strip())
        if match is None:
            raise InvalidArgument("a machine begins with nodes x CPUs per node, such as 2x8", text=text)
        return _Plan(int(match[1]), int(match[2]), parts).build()

    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        """The nodes, ascending by id."""
        return self._nodes

    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        """The present CPUs, ascending by id."""
        return self._cpus

    def node_of(self, cpu: CpuId) -> NodeId:
        """Return the node of a CPU. Raises ``NotFound`` for a CPU that is not present."""
        found = self._cpus.get(cpu)
        if found is None:
            raise NotFound("the machine has no such CPU", cpu=cpu, cpus=tuple(self._cpus))
        return found.node

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        """Return the CPUs that may be used, of one node or of all. Raises ``NotFound`` for an absent node."""
        cpus = tuple(self._cpus) if node is None else self._node(node).cpus
        return tuple(cpu for cpu in cpus if self._cpus[cpu].usable)

    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        """Return all nodes by distance, ``node`` first, equals by id. Raises ``NotFound``."""
        distances = self._node(node).distances
        return tuple(sorted(self._nodes, key=lambda other: (other != node, distances[other], other)))

    def hotplug(self, *, offline: Iterable[int] = (), online: Iterable[int] = ()) -> FakeTopology:
        """Return the machine after CPUs were switched off and on; those that come on are usable.

        Raises ``NotFound`` for a CPU that is not present.
        """
        cpus = dict(self._cpus)
        for numbers, on in ((offline, False), (online, True)):
            for cpu in map(CpuId, numbers):
                self.node_of(cpu)
                cpus[cpu] = replace(cpus[cpu], online=on, usable=on)
        return FakeTopology(cpus.values(), self._nodes.values())

    def _node(self, node: NodeId) -> NodeInfo:
        found = self._nodes.get(node)
        if found is None:
            raise NotFound("the machine has no such node", node=node, nodes=tuple(self._nodes))
        return found


class _Plan:
    """What a description says, part by part."""

    __slots__ = (
        "_cpu_ids",
        "_distances",
        "_local",
        "_memory",
        "_memory_only",
        "_node_count",
        "_node_ids",
        "_offline",
        "_per_node",
        "_remote",
        "_threads",
        "_usable",
    )

    def __init__(self, node_count: int, per_node: int, parts: Iterable[str]) -> None:
        self._node_count, self._per_node = node_count, per_node
        self._memory_only, self._threads = 0, 1
        self._local, self._remote = 10, 20
        self._distances: dict[tuple[int, int], int] = {}
        self._memory: dict[int | None, int] = {None: GIB}
        self._node_ids: tuple[int, ...] | None = None
        self._cpu_ids: tuple[int, ...] | None = None
        self._offline: tuple[int, ...] = ()
        self._usable: tuple[int, ...] | None = None
        for part in parts:
            match = _PART.fullmatch(part.strip())
            if match is None or not self._read(match[1], match[2]):
                raise InvalidArgument("not a part of the description of a machine", part=part)

    def build(self) -> FakeTopology:
        """Return the machine. Raises ``InvalidArgument`` where parts do not fit together."""
        node_ids = self._numbers(self._node_ids, self._node_count + self._memory_only, "nodes")
        cpu_ids = self._numbers(self._cpu_ids, self._node_count * self._per_node, "cpus")
        named = {number for pair in self._distances for number in pair} | (set(self._memory) - {None})
        switched = set(self._offline) | set(self._usable or ())
        if not named <= set(node_ids) or not switched <= set(cpu_ids):
            raise InvalidArgument("a part names what is not there", nodes=node_ids, cpus=cpu_ids)
        homes = {cpu: node_ids[place // self._per_node] for place, cpu in enumerate(cpu_ids)}
        return FakeTopology(self._cpus(cpu_ids, homes), [self._node(node, node_ids, homes) for node in node_ids])

    def _read(self, word: str, value: str) -> bool:
        """Note one part; whether it was understood."""
        if word in ("threads", "memory-only") and value.isdecimal():
            setattr(self, f"_{word.replace('-', '_')}", int(value))
            return self._threads > 0
        if word == "memory" and (size := _SIZE.fullmatch(value)):
            self._memory[None if size[1] is None else int(size[1])] = int(size[2]) * _UNITS[size[3]]
            return True
        if word == "distance" and (uniform := _UNIFORM.fullmatch(value)):
            self._local, self._remote = int(uniform[1]), int(uniform[2])
            return True
        if word == "distance" and (pair := _PAIR.fullmatch(value)):
            self._distances[int(pair[1]), int(pair[2])] = int(pair[3])
            return True
        fields = {"nodes": "_node_ids", "cpus": "_cpu_ids", "offline": "_offline", "usable": "_usable"}
        if word not in fields:
            return False
        setattr(self, fields[word], parse_cpu_list(value))
        return True

    @staticmethod
    def _numbers(given: tuple[int, ...] | None, count: int, what: str) -> tuple[int, ...]:
        if given is not None and len(given) != count:
            raise InvalidArgument(f"the machine has another number of {what}", given=len(given), count=count)
        return tuple(range(count)) if given is None else given

    def _cpus(self, cpu_ids: tuple[int, ...], homes: Mapping[int, int]) -> list[CpuInfo]:
        found = []
        for place, cpu in enumerate(cpu_ids):
            core = place % self._per_node // self._threads
            mates = [
                CpuId(other)
                for index, other in enumerate(cpu_ids)
                if homes[other] == homes[cpu] and index % self._per_node // self._threads == core
            ]
            online = cpu not in self._offline
            usable = online and (self._usable is None or cpu in self._usable)
            found.append(CpuInfo(CpuId(cpu), NodeId(homes[cpu]), online, usable, tuple(mates)))
        return found

    def _node(self, node: int, node_ids: tuple[int, ...], homes: Mapping[int, int]) -> NodeInfo:
        memory_bytes = self._memory.get(node, self._memory[None])
        distances = {
            NodeId(other): self._distances.get((node, other), self._local if other == node else self._remote)
            for other in node_ids
        }
        return NodeInfo(
            node=NodeId(node),
            cpus=tuple(CpuId(cpu) for cpu, home in homes.items() if home == node),
            memory_bytes=memory_bytes,
            free_bytes=memory_bytes,
            distances=MappingProxyType(distances),
            huge_pages=(),
        )


__all__ = ["GIB", "FakeTopology"]
