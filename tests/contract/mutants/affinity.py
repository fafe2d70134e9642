"""Broken affinities, and unusual ones that are right, on a machine of their own: four CPUs, of which the system
silently takes one away, on two nodes, and a third node without CPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...api.affinity import AffinityState, Scope
from ...api.errors import InvalidArgument, NotFound, NotSupported
from ...api.topology import Topology
from ...api.types import CpuId, NodeId
from ...fake.topology import FakeTopology
from ..mutation import Gallery
from ..suites.affinity import AffinityContract, Machine

GALLERY = Gallery(AffinityContract)

CALLER, OTHER = 0, 1


class World:
    """The machine: masks of two threads, cut to what is permitted."""

    def __init__(self) -> None:
        self.topology: Topology = FakeTopology.parse("2x2, usable 0-2, memory-only 1")
        permitted = frozenset(self.topology.usable_cpus())
        self.masks = {CALLER: permitted, OTHER: permitted}

    def put(self, thread: int, cpus: frozenset[CpuId]) -> None:
        effective = cpus & frozenset(self.topology.usable_cpus())
        if not effective:
            raise OSError("EINVAL")
        self.masks[thread] = effective

    def get(self) -> frozenset[CpuId]:
        return self.masks[CALLER]

    def set(self, cpus: Iterable[CpuId]) -> None:
        self.put(CALLER, frozenset(cpus))

    def get_other(self) -> frozenset[CpuId]:
        return self.masks[OTHER]


class Plain:
    """An affinity that is right."""

    def __init__(self, scope: Scope, world: World) -> None:
        self.scope = scope
        self.world = world
        self.before: dict[int, frozenset[CpuId]] = {}

    def threads(self) -> tuple[int, ...]:
        return (CALLER, OTHER) if self.scope is Scope.PROCESS else (CALLER,)

    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        wanted = frozenset(cpus)
        self.check(wanted)
        for thread in self.threads():
            self.remember(thread)
            self.world.put(thread, wanted)
        return self.pinned_to(wanted)

    def check(self, wanted: frozenset[CpuId]) -> None:
        if not wanted or not wanted <= frozenset(self.world.topology.usable_cpus()):
            raise InvalidArgument("not usable", cpus=sorted(wanted))

    def remember(self, thread: int) -> None:
        self.before.setdefault(thread, self.world.masks[thread])

    def pinned_to(self, wanted: frozenset[CpuId]) -> AffinityState:
        return self.state()

    def pin_node(self, node: NodeId) -> AffinityState:
        return self.pin(self.world.topology.usable_cpus(node))

    def unpin(self) -> AffinityState:
        for thread, mask in self.before.items():
            self.world.put(thread, mask)
        self.before = {}
        return self.state()

    def state(self) -> AffinityState:
        return self.state_of(self.world.masks[CALLER])

    def state_of(self, cpus: frozenset[CpuId]) -> AffinityState:
        nodes = frozenset(map(self.world.topology.node_of, cpus))
        return AffinityState(self.scope, cpus, nodes, bool(self.before))


def machine(kind: type[Plain], scope: Scope) -> tuple[Plain, Machine]:
    world = World()
    return kind(scope, world), world


def mutant(kills: str, why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate a broken affinity."""

    def add(kind: type[Plain]) -> type[Plain]:
        def make(scope: Scope) -> tuple[Plain, Machine]:
            return machine(kind, scope)

        make.__name__ = make.__qualname__ = kind.__name__
        GALLERY.mutant(kills, why)(make)
        return kind

    return add


@mutant("AFF-01", "takes every affinity for a thread's")
class AlwaysThread(Plain):
    def __init__(self, scope: Scope, world: World) -> None:
        super().__init__(Scope.THREAD, world)


@mutant("AFF-01", "knows all CPUs of the machine, not those of its thread")
class TellsMachine(Plain):
    def state(self) -> AffinityState:
        return self.state_of(frozenset(self.world.topology.cpus)) if not self.before else super().state()


@mutant("AFF-02", "pins to the first CPU only")
class FirstOnly(Plain):
    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        return super().pin(sorted(cpus)[:1])


@mutant("AFF-02", "adds to what is in force")
class Adds(Plain):
    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        return super().pin(self.world.get() | frozenset(cpus) if self.before else cpus)


@mutant("AFF-02", "pins nothing, and says that it did")
class SaysPinned(Plain):
    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        wanted = frozenset(cpus)
        self.check(wanted)
        self.remember(CALLER)
        return self.state_of(wanted)


@mutant("AFF-03", "reports what was asked for, not what is in force")
class ReportsRequest(Plain):
    asked: frozenset[CpuId] = frozenset()

    def pinned_to(self, wanted: frozenset[CpuId]) -> AffinityState:
        self.asked = wanted
        return self.state()

    def state(self) -> AffinityState:
        return self.state_of(self.asked) if self.before else super().state()


@mutant("AFF-04", "takes no CPU for every CPU")
class NoneIsAll(Plain):
    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        return super().pin(frozenset(cpus) or self.world.topology.usable_cpus())


@mutant("AFF-05", "lets the system take away what is not permitted, and reports the request")
class CutSilently(Plain):
    def check(self, wanted: frozenset[CpuId]) -> None:
        if not wanted & frozenset(self.world.topology.usable_cpus()):
            raise InvalidArgument("none is usable")


@mutant("AFF-05", "passes the system's error on")
class PassesError(Plain):
    def check(self, wanted: frozenset[CpuId]) -> None:
        if not wanted:
            raise InvalidArgument("none")
        if not wanted <= frozenset(self.world.topology.usable_cpus()):
            raise OSError("EINVAL")


@mutant("AFF-05", "has pinned before it finds out")
class PinsBeforeRefusal(Plain):
    def check(self, wanted: frozenset[CpuId]) -> None:
        usable = frozenset(self.world.topology.usable_cpus())
        if wanted & usable and not wanted <= usable:
            self.world.put(CALLER, usable)
        super().check(wanted)


@mutant("AFF-06", "takes the node's number for a CPU's")
class NodeIsCpu(Plain):
    def pin_node(self, node: NodeId) -> AffinityState:
        self.world.topology.usable_cpus(node)
        return self.pin([CpuId(node)])


@mutant("AFF-06", "knows one node only")
class OneNode(Plain):
    def state_of(self, cpus: frozenset[CpuId]) -> AffinityState:
        return AffinityState(self.scope, cpus, frozenset({NodeId(0)}), bool(self.before))


@mutant("AFF-07", "takes a node without CPUs for absent")
class EmptyIsAbsent(Plain):
    def pin_node(self, node: NodeId) -> AffinityState:
        if not self.world.topology.usable_cpus(node):
            raise NotFound("no such node")
        return super().pin_node(node)


@mutant("AFF-07", "pins to everything where there is no such node")
class AbsentIsAll(Plain):
    def pin_node(self, node: NodeId) -> AffinityState:
        if node not in self.world.topology.nodes:
            return self.pin(self.world.topology.usable_cpus())
        return super().pin_node(node)


@mutant("AFF-08", "puts back what was in force before the last pin")
class PutsLastBack(Plain):
    def remember(self, thread: int) -> None:
        self.before[thread] = self.world.masks[thread]


@mutant("AFF-08", "allows every CPU when it lets go")
class AllowsAll(Plain):
    def unpin(self) -> AffinityState:
        if self.before:
            self.before[CALLER] = frozenset(self.world.topology.usable_cpus())
        return super().unpin()


@mutant("AFF-09", "puts the same back again and again")
class PutsBackAgain(Plain):
    def unpin(self) -> AffinityState:
        kept = self.kept = self.before or self.kept
        self.before = dict(kept)
        return super().unpin()

    kept: dict[int, frozenset[CpuId]] = {}


@mutant("AFF-10", "stays pinned for ever")
class StaysPinned(Plain):
    ever = False

    def state_of(self, cpus: frozenset[CpuId]) -> AffinityState:
        self.ever = self.ever or bool(self.before)
        nodes = frozenset(map(self.world.topology.node_of, cpus))
        return AffinityState(self.scope, cpus, nodes, self.ever)


@mutant("AFF-11", "pins the whole process for a thread")
class PinsAll(Plain):
    def threads(self) -> tuple[int, ...]:
        return CALLER, OTHER


@mutant("AFF-12", "pins the calling thread for a process")
class PinsOne(Plain):
    def threads(self) -> tuple[int, ...]:
        return (CALLER,)


@mutant("AFF-12", "puts back the calling thread only")
class PutsOneBack(Plain):
    def unpin(self) -> AffinityState:
        self.before.pop(OTHER, None)
        return super().unpin()


@mutant("AFF-02", "says that it can't pin, and does")
class RefusesAndPins(Plain):
    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        self.world.put(CALLER, frozenset(sorted(self.world.get())[:1]))
        raise NotSupported("not here")


@GALLERY.oddball("an affinity on a machine that takes CPUs away")
def plain(scope: Scope) -> tuple[Plain, Machine]:
    return machine(Plain, scope)


@GALLERY.oddball("a platform that can't pin")
def unpinnable(scope: Scope) -> tuple[Plain, Machine]:
    return machine(Unpinnable, scope)


class Unpinnable(Plain):
    """Refuses."""

    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        raise NotSupported("not here")


__all__ = ["GALLERY"]
