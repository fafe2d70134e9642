"""The contract of ``Affinity``: what is reported is what is in force, and it can be put back.

``make(scope)`` returns an affinity for this machine, or a pair of one and the ``Machine`` that it pins on. The
suite asks the machine, never the affinity, what is in force, and it also changes that behind the affinity's back.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from functools import partial
from typing import Protocol, TypeAlias

from ...api.affinity import Affinity, AffinityState, Scope
from ...api.errors import InvalidArgument, NotFound, NotSupported
from ...api.topology import Topology
from ...api.types import CpuId, NodeId
from ...internal.topology import SysTopology
from ..requirement import must, refusal, requirement
from ..suite import Contract
from ..trial import Trial

_must = partial(must, capability="pin")

AFFINITY = (
    must("AFF-01", "A new one has pinned nothing, tells its scope, and state() what the system says."),
    _must("AFF-02", "pin puts exactly the CPUs asked for in force, and returns what the system says then.", "AFF-01"),
    _must("AFF-03", "state() is read from the system, also when somebody else has changed it.", "AFF-02"),
    _must("AFF-04", "No CPU at all raises InvalidArgument, and nothing changes.", "AFF-02"),
    _must("AFF-05", "A CPU that is absent or not permitted raises InvalidArgument; nothing changes.", "AFF-02"),
    _must("AFF-06", "pin_node pins to the usable CPUs of a node; nodes in the state are those of its CPUs.", "AFF-02"),
    _must("AFF-07", "pin_node raises NotFound for an absent node, InvalidArgument for one without CPUs.", "AFF-06"),
    _must("AFF-08", "unpin puts back what was in force before the first pin, after any number of pins.", "AFF-02"),
    _must("AFF-09", "unpin without a pin, or again, changes nothing.", "AFF-08"),
    _must("AFF-10", "pinned is whether this object has changed something that is in force.", "AFF-08"),
    _must("AFF-11", "THREAD pins the calling thread and no other.", "AFF-02"),
    _must("AFF-12", "PROCESS pins the other threads, too, and unpin puts theirs back.", "AFF-08"),
)


class Machine(Protocol):
    """What an affinity pins on, seen from outside."""

    @property
    def topology(self) -> Topology:
        """The machine, as it was before anything was pinned."""

    def get(self) -> frozenset[CpuId]:
        """Return what is in force for the calling thread."""

    def set(self, cpus: Iterable[CpuId]) -> None:
        """Put something in force for the calling thread, as somebody else would."""

    def get_other(self) -> frozenset[CpuId]:
        """Return what is in force for another thread of the process."""


Made: TypeAlias = "Affinity | tuple[Affinity, Machine]"


class ThisMachine:
    """The machine that the suite runs on. Its other thread is one that waits until the check is over."""

    def __init__(self, trial: Trial) -> None:
        self.topology: Topology = SysTopology()
        self._before = {thread: os.sched_getaffinity(thread) for thread in self._threads()}
        self._over = threading.Event()
        self._other = threading.Thread(target=self._over.wait, name="contract affinity", daemon=True)
        self._other.start()
        trial.defer(self._end)

    def get(self) -> frozenset[CpuId]:
        """Ask the system."""
        return frozenset(map(CpuId, os.sched_getaffinity(0)))

    def set(self, cpus: Iterable[CpuId]) -> None:
        """Tell the system."""
        os.sched_setaffinity(0, cpus)

    def get_other(self) -> frozenset[CpuId]:
        """Ask the system about the other thread."""
        return frozenset(map(CpuId, os.sched_getaffinity(self._other.native_id or 0)))

    def _end(self) -> None:
        self._over.set()
        self._other.join()
        for thread in self._threads():
            if thread in self._before:
                try:
                    os.sched_setaffinity(thread, self._before[thread])
                except ProcessLookupError:
                    continue  # ended meanwhile

    @staticmethod
    def _threads() -> list[int]:
        return [thread.native_id for thread in threading.enumerate() if thread.native_id is not None]


class AffinityContract(Contract, name="affinity", requirements=AFFINITY):
    """What every affinity owes; override ``make``."""

    def make(self, scope: Scope) -> Made:
        """Return a new affinity, with the machine it pins on if that is not this one."""
        raise NotImplementedError

    def desk(self, trial: Trial, scope: Scope = Scope.THREAD) -> Desk:
        """Return a fresh affinity with its machine."""
        made = trial.make(self.make, scope)
        affinity, machine = made if isinstance(made, tuple) else (made, ThisMachine(trial))
        return Desk(trial, affinity, machine)

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return ``pin``, unless pinning is answered with NotSupported."""
        desk = self.desk(trial)
        try:
            desk.affinity.pin(desk.machine.get())
            desk.affinity.unpin()
        except NotSupported:
            return frozenset()
        return frozenset({"pin"})

    @requirement("AFF-01")
    def new_one_tells(self, trial: Trial) -> None:
        for scope in Scope:
            desk = self.desk(trial, scope)
            state = desk.affinity.state()
            found = (desk.affinity.scope, state.scope, state.pinned)
            trial.equal(found, (scope, scope, False), "scope, that of the state, and pinned")
            trial.equal(state.cpus, desk.machine.get(), "the CPUs in force")

    @requirement("AFF-02")
    def pinning_is_exact(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for cpus in desk.choices():
            for argument in (cpus, sorted(cpus), iter(sorted(cpus))):
                trial.did(f"pin({sorted(cpus)})")
                state = desk.affinity.pin(argument)
                trial.equal(desk.machine.get(), cpus, "what the system says")
                trial.equal(state.cpus, cpus, "what pin returned")
                trial.true(state.pinned, "pin returns a state that is pinned")

    @requirement("AFF-03")
    def state_is_read(self, trial: Trial) -> None:
        desk = self.desk(trial)
        usable = desk.machine.get()
        desk.pin(usable)
        for cpus in desk.choices():
            trial.did(f"somebody else allows {sorted(cpus)} only")
            desk.machine.set(cpus)
            trial.equal(desk.affinity.state().cpus, cpus, "what state() says")

    @requirement("AFF-04")
    def no_cpu_is_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        desk.refuses(InvalidArgument, "pin(no CPU)", partial(desk.affinity.pin, ()))
        desk.pin(desk.choices()[0])
        desk.refuses(InvalidArgument, "pin(no CPU)", partial(desk.affinity.pin, frozenset()))

    @requirement("AFF-05")
    def bad_cpus_are_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        good = min(desk.machine.get())
        topology = desk.machine.topology
        absent = CpuId(max(topology.cpus) + 1)
        bad = [absent, CpuId(-1), *(cpu for cpu, info in topology.cpus.items() if not info.usable)]
        desk.pin(desk.choices()[0])
        for cpu in bad:
            for cpus in ([cpu], [good, cpu]):
                desk.refuses(InvalidArgument, f"pin({cpus})", partial(desk.affinity.pin, cpus))

    @requirement("AFF-06")
    def nodes_are_pinned(self, trial: Trial) -> None:
        desk = self.desk(trial)
        topology = desk.machine.topology
        for node in topology.nodes:
            cpus = frozenset(topology.usable_cpus(node))
            if cpus:
                trial.did(f"pin_node({node})")
                state = desk.affinity.pin_node(node)
                found = (state.cpus, state.nodes, desk.machine.get())
                trial.equal(found, (cpus, {node}, cpus), "CPUs and nodes returned, and what the system says")
        everything = frozenset(topology.usable_cpus())
        state = desk.affinity.pin(everything)
        trial.equal(state.nodes, {topology.node_of(cpu) for cpu in everything}, "the nodes of all CPUs")

    @requirement("AFF-07")
    def bad_nodes_are_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        topology = desk.machine.topology
        desk.pin(desk.choices()[0])
        absent = NodeId(max(topology.nodes) + 1)
        desk.refuses(NotFound, f"pin_node({absent})", partial(desk.affinity.pin_node, absent))
        for node in topology.nodes:
            if not topology.usable_cpus(node):
                desk.refuses(InvalidArgument, f"pin_node({node})", partial(desk.affinity.pin_node, node))

    @requirement("AFF-08")
    def unpin_puts_back(self, trial: Trial) -> None:
        for count in (1, 3):
            desk = self.desk(trial)
            for before in desk.choices():
                desk.machine.set(before)
                for number in range(count):
                    desk.pin(desk.choices()[number % len(desk.choices())])
                trial.did("unpin()")
                state = desk.affinity.unpin()
                trial.equal((state.cpus, desk.machine.get()), (before, before), "what unpin and the system say")

    @requirement("AFF-09")
    def unpin_is_idempotent(self, trial: Trial) -> None:
        desk = self.desk(trial)
        first, *_, last = desk.choices()
        desk.machine.set(first)
        for _ in range(2):
            trial.did("unpin(), nothing is pinned")
            trial.equal(desk.affinity.unpin().cpus, first, "what unpin returns")
        desk.pin(last)
        desk.affinity.unpin()
        trial.did(f"somebody else allows {sorted(last)} only; unpin(), again")
        desk.machine.set(last)
        desk.affinity.unpin()
        trial.equal(desk.machine.get(), last, "what the system says")

    @requirement("AFF-10")
    def pinned_is_told(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for _ in range(2):
            trial.equal(desk.affinity.state().pinned, False, "pinned, when nothing is")
            desk.pin(desk.choices()[-1])
            trial.equal(desk.affinity.state().pinned, True, "pinned, when something is")
            trial.equal(desk.affinity.unpin().pinned, False, "pinned in what unpin returns")

    @requirement("AFF-11")
    def threads_are_pinned_alone(self, trial: Trial) -> None:
        desk = self.desk(trial)
        before = desk.machine.get_other()
        desk.pin(desk.choices()[0])
        trial.equal(desk.machine.get_other(), before, "what is in force for another thread")

    @requirement("AFF-12")
    def processes_are_pinned_whole(self, trial: Trial) -> None:
        desk = self.desk(trial, Scope.PROCESS)
        before = desk.machine.get_other()
        cpus = desk.choices()[0]
        desk.pin(cpus)
        found = (desk.machine.get(), desk.machine.get_other(), desk.affinity.state().cpus)
        trial.equal(found, (cpus, cpus, cpus), "in force for this thread, for another, and what state() says")
        trial.did("unpin()")
        desk.affinity.unpin()
        trial.equal(desk.machine.get_other(), before, "what is in force for the other thread")

    @refusal("pin")
    def pinning_is_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        cpus = desk.machine.get()
        desk.refuses(NotSupported, "pin()", partial(desk.affinity.pin, cpus))
        trial.true(not desk.affinity.unpin().pinned, "unpin answers, and nothing is pinned")


class Desk:
    """An affinity at work, and its machine."""

    def __init__(self, trial: Trial, affinity: Affinity, machine: Machine) -> None:
        self.trial = trial
        self.affinity = affinity
        self.machine = machine
        self._usable = sorted(machine.get())

    def choices(self) -> list[frozenset[CpuId]]:
        """Return some sets of usable CPUs: one, another, and all of them. On a machine with one CPU they are all
        the same."""
        return [frozenset(self._usable[:1]), frozenset(self._usable[-1:]), frozenset(self._usable)]

    def pin(self, cpus: frozenset[CpuId]) -> AffinityState:
        """Pin."""
        self.trial.did(f"pin({sorted(cpus)})")
        return self.affinity.pin(cpus)

    def refuses(self, kind: type[Exception], call: str, function: partial[AffinityState]) -> None:
        """Expect a refusal after which all is as before."""
        before = (self.machine.get(), self.affinity.state())
        self.trial.raises(kind, call, function)
        self.trial.equal((self.machine.get(), self.affinity.state()), before, "what is in force, and state()")


SUITES = (AffinityContract,)

__all__ = ["SUITES", "AffinityContract", "Machine"]
