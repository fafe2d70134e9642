"""The contract of ``Topology``: CPUs, nodes and distances that fit each other. ``make`` returns a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...api.errors import NotFound
from ...api.topology import Topology
from ...api.types import CpuId, NodeId
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

TOPOLOGY = (
    must("TOP-01", "There are a node and a CPU at least, each under its own number, ascending."),
    must("TOP-02", "Each CPU belongs to one node, and that node lists it.", "TOP-01"),
    must("TOP-03", "usable_cpus are the usable ones, of one node or of all, ascending; usable means online.", "TOP-02"),
    must("TOP-04", "The siblings of a CPU include itself, are siblings of each other, and share its node.", "TOP-02"),
    must("TOP-05", "Each node has a distance to each node, and none is nearer than itself.", "TOP-01"),
    must("TOP-06", "nearest has all nodes once, by distance, itself first, equals by number.", "TOP-05"),
    must("TOP-07", "What is absent raises NotFound.", "TOP-02"),
    must("TOP-08", "Nobody can change it, and it answers the same each time.", "TOP-01"),
    must("TOP-09", "Of memory and of huge pages no more is free than there is.", "TOP-01"),
)


class TopologyContract(Contract, name="topology", requirements=TOPOLOGY):
    """What every topology owes; override ``make``."""

    def make(self) -> Topology:
        """Return a snapshot of a machine."""
        raise NotImplementedError

    @requirement("TOP-01")
    def everything_has_its_number(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        nodes, cpus = list(topology.nodes), list(topology.cpus)
        trial.true(nodes and cpus, "there is a node and a CPU", got=(nodes, cpus))
        trial.equal((nodes, cpus), (sorted(nodes), sorted(cpus)), "the numbers of nodes and CPUs, in order")
        trial.equal([info.node for info in topology.nodes.values()], nodes, "the numbers in what is told of nodes")
        trial.equal([info.cpu for info in topology.cpus.values()], cpus, "the numbers in what is told of CPUs")

    @requirement("TOP-02")
    def cpus_have_one_node(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        homes = [(cpu, node) for node, info in topology.nodes.items() for cpu in info.cpus]
        told = [(cpu, info.node) for cpu, info in topology.cpus.items()]
        trial.equal(sorted(homes), sorted(told), "CPUs with their nodes, by node and by CPU")
        found = [(cpu, topology.node_of(cpu)) for cpu in topology.cpus]
        trial.equal(found, told, "CPUs with their nodes, by node_of")

    @requirement("TOP-03")
    def usable_ones_are_told(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        usable = tuple(cpu for cpu, info in topology.cpus.items() if info.usable)
        trial.true(all(topology.cpus[cpu].online for cpu in usable), "usable CPUs are online", got=usable)
        trial.equal(tuple(topology.usable_cpus()), usable, "usable_cpus()")
        for node in topology.nodes:
            wanted = tuple(cpu for cpu in usable if topology.cpus[cpu].node == node)
            trial.equal(tuple(topology.usable_cpus(node)), wanted, f"usable_cpus({node})")

    @requirement("TOP-04")
    def siblings_are_mutual(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        for cpu, info in topology.cpus.items():
            trial.true(cpu in info.siblings, f"CPU {cpu} is its own sibling", got=info.siblings)
            for other in info.siblings:
                trial.true(other in topology.cpus, f"sibling {other} of CPU {cpu} is present")
                found = (sorted(topology.cpus[other].siblings), topology.cpus[other].node)
                wanted = (sorted(info.siblings), info.node)
                trial.equal(found, wanted, f"siblings and node of {other}, sibling of {cpu}")

    @requirement("TOP-05")
    def distances_are_told(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        for node, info in topology.nodes.items():
            distances = dict(info.distances)
            trial.equal(sorted(distances), list(topology.nodes), f"the nodes that node {node} has a distance to")
            nearest = min(distances.values())
            trial.true(0 < distances[node] == nearest, f"node {node} is nearest to itself", got=distances)

    @requirement("TOP-06")
    def nearest_are_in_order(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        for node, info in topology.nodes.items():
            rest = sorted((info.distances[other], other) for other in topology.nodes if other != node)
            wanted = [node, *(other for _, other in rest)]
            trial.equal(list(topology.nearest(node)), wanted, f"nearest({node})")

    @requirement("TOP-07")
    def absent_are_refused(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        no_nodes = [NodeId(max(topology.nodes) + 1), NodeId(-5)]
        no_cpus = [CpuId(max(topology.cpus) + 1), CpuId(-1)]
        for node in no_nodes:
            trial.raises(NotFound, f"nearest({node})", partial(topology.nearest, node))
            trial.raises(NotFound, f"usable_cpus({node})", partial(topology.usable_cpus, node))
        for cpu in no_cpus:
            trial.raises(NotFound, f"node_of({cpu})", partial(topology.node_of, cpu))

    @requirement("TOP-08")
    def nobody_changes_it(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        before = (dict(topology.nodes), dict(topology.cpus))
        for name, mapping in (("nodes", topology.nodes), ("cpus", topology.cpus)):
            trial.did(f"try to clear what {name} answers")
            clear: Callable[[], object] | None = getattr(mapping, "clear", None)
            if clear is not None:
                clear()  # of a copy it may
        trial.equal((dict(topology.nodes), dict(topology.cpus)), before, "nodes and CPUs, again")

    @requirement("TOP-09")
    def no_more_is_free(self, trial: Trial) -> None:
        topology = trial.make(self.make)
        for node, info in topology.nodes.items():
            trial.true(0 <= info.free_bytes <= info.memory_bytes, f"node {node} has no more free than it has", got=info)
            for pages in info.huge_pages:
                fits = 0 <= pages.free_count <= pages.total_count and pages.size_bytes > 0
                trial.true(fits, f"node {node} has no more huge pages free than it has", got=pages)


SUITES = (TopologyContract,)

__all__ = ["SUITES", "TopologyContract"]
