"""Broken topologies, and unusual ones that are right: a machine of three nodes, told in other ways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ...api.errors import NotFound
from ...api.topology import CpuInfo, HugePages, NodeInfo
from ...api.types import CpuId, NodeId
from ...fake.topology import FakeTopology
from ..mutation import Gallery
from ..suites.topology import TopologyContract

GALLERY = Gallery(TopologyContract)

MACHINE = "2x4, threads 2, nodes 0,4,7, cpus 0-3,8-11, memory-only 1, offline 3, usable 0-2,8-9, distance 0->4=30"


class Plain:
    """A topology that is right, over one that was made up."""

    def __init__(self) -> None:
        self.machine = FakeTopology.parse(MACHINE)

    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        return dict(self.machine.nodes)

    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        return dict(self.machine.cpus)

    def node_of(self, cpu: CpuId) -> NodeId:
        return self.machine.node_of(cpu)

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        return self.machine.usable_cpus(node)

    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        return self.machine.nearest(node)


GALLERY.oddball("sparse numbers, asymmetric distances, a node without CPUs")(Plain)


@GALLERY.oddball("one CPU")
class OneCpu(Plain):
    def __init__(self) -> None:
        self.machine = FakeTopology.parse("1x1")


@GALLERY.oddball("all CPUs are offline but one, and that is not ours")
class Nothing(Plain):
    def __init__(self) -> None:
        self.machine = FakeTopology.parse("1x2, offline 1, usable 1")


@GALLERY.mutant("TOP-01", "tells the nodes in the order in which it found them")
class AnyOrder(Plain):
    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        return dict(sorted(self.machine.nodes.items(), reverse=True))


@GALLERY.mutant("TOP-01", "numbers its CPUs anew")
class Renumbers(Plain):
    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        return {CpuId(number): info for number, info in enumerate(self.machine.cpus.values())}


@GALLERY.mutant("TOP-02", "forgets offline CPUs in its nodes")
class ForgetsOffline(Plain):
    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        online = {cpu for cpu, info in self.machine.cpus.items() if info.online}
        nodes = self.machine.nodes.items()
        return {node: replace(info, cpus=tuple(cpu for cpu in info.cpus if cpu in online)) for node, info in nodes}


@GALLERY.mutant("TOP-02", "puts every CPU on the first node")
class FirstNode(Plain):
    def node_of(self, cpu: CpuId) -> NodeId:
        self.machine.node_of(cpu)
        return NodeId(0)


@GALLERY.mutant("TOP-03", "takes all that are online for usable")
class OnlineIsUsable(Plain):
    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        self.machine.usable_cpus(node)
        return tuple(c for c, info in self.cpus.items() if info.online and node in (None, info.node))


@GALLERY.mutant("TOP-03", "calls CPUs usable that are offline")
class OfflineIsUsable(Plain):
    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        return {cpu: replace(info, usable=True) for cpu, info in self.machine.cpus.items()}

    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        self.machine.usable_cpus(node)
        return tuple(c for c, info in self.cpus.items() if node in (None, info.node))


@GALLERY.mutant("TOP-04", "does not count a CPU among its siblings")
class NoSelf(Plain):
    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        cpus = self.machine.cpus.items()
        return {cpu: replace(info, siblings=tuple(set(info.siblings) - {cpu})) for cpu, info in cpus}


@GALLERY.mutant("TOP-04", "knows the sibling of one and not of the other")
class OneSided(Plain):
    @property
    def cpus(self) -> Mapping[CpuId, CpuInfo]:
        return {**self.machine.cpus, CpuId(0): replace(self.machine.cpus[CpuId(0)], siblings=(CpuId(0),))}


@GALLERY.mutant("TOP-05", "knows the distances to other nodes only")
class NoOwnDistance(Plain):
    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        nodes = self.machine.nodes.items()
        return {
            node: replace(info, distances={other: far for other, far in info.distances.items() if other != node})
            for node, info in nodes
        }


@GALLERY.mutant("TOP-05", "has a node that is far from itself")
class FarFromItself(Plain):
    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        first = self.machine.nodes[NodeId(0)]
        return {**self.machine.nodes, NodeId(0): replace(first, distances={**first.distances, NodeId(0): 99})}


@GALLERY.mutant("TOP-06", "sorts by number, not by distance")
class ByNumber(Plain):
    def nearest(self, node: NodeId) -> tuple[NodeId, ...]:
        self.machine.nearest(node)
        return (node, *(each for each in self.machine.nodes if each != node))


@GALLERY.mutant("TOP-07", "takes an absent CPU for one of the first node")
class AbsentIsFirst(Plain):
    def node_of(self, cpu: CpuId) -> NodeId:
        try:
            return self.machine.node_of(cpu)
        except NotFound:
            return NodeId(0)


@GALLERY.mutant("TOP-07", "knows no usable CPU on an absent node")
class AbsentIsEmpty(Plain):
    def usable_cpus(self, node: NodeId | None = None) -> tuple[CpuId, ...]:
        try:
            return self.machine.usable_cpus(node)
        except NotFound:
            return ()


@GALLERY.mutant("TOP-08", "lends its own dictionary")
class LendsOwn(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.own = dict(self.machine.nodes)

    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        return self.own


@GALLERY.mutant("TOP-09", "has more free than there is")
class MoreFree(Plain):
    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        return {node: replace(info, free_bytes=info.memory_bytes + 1) for node, info in self.machine.nodes.items()}


@GALLERY.mutant("TOP-09", "takes reserved huge pages for free ones")
class MorePages(Plain):
    @property
    def nodes(self) -> Mapping[NodeId, NodeInfo]:
        pages = (HugePages(size_bytes=1 << 21, total_count=4, free_count=8),)
        return {node: replace(info, huge_pages=pages) for node, info in self.machine.nodes.items()}


__all__ = ["GALLERY"]
