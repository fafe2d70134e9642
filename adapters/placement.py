"""Placement: on which CPUs a server's thread runs, and from which node its buffers come.

Two settings say it. ``node`` keeps the thread on the CPUs of a NUMA node and takes buffers from the memory there;
``cpu`` keeps it on one CPU, of that node if one is named. A node may lack one of the two (memory on a card, CPUs
without memory): the nearest that has it stands in, by the machine's own distances. A node or CPU that is absent,
or that this process may not use, is refused when the server is made; so is pinning where the system can't pin.

The thread is pinned when it comes into ``Server.run`` and gets its old mask back when it leaves. Its number is
known meanwhile, so a change of ``cpu`` moves it at once, from whatever thread the change is made. Memory that was
mapped stays where it is, which is why ``node`` can't change while the server runs. Without a node, memory lies
where the pinned thread touches it first.

``spread`` is for those who run one server per CPU: it deals out places to workers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from types import MappingProxyType

from ..api.affinity import Scope
from ..api.errors import InvalidArgument, NotSupported
from ..api.executor import Executor
from ..api.topology import Topology
from ..api.types import ANY_NODE, CpuId, NodeId
from ..control.config import ServerConfig
from ..internal.affinity import SYSTEM_CPU_MASKS, CpuMasks, OneThread, SystemAffinity
from ..internal.executor import WorkerExecutor, do_nothing
from ..internal.faults import ErrorHook
from ..internal.late_executor import LateExecutor
from ..internal.memory_policy import MemoryPolicy
from ..internal.syscalls import NumaCalls
from ..internal.topology import allowed_cpus, count_cpus
from ..internal.windows_topology import system_topology
from ..pool.buffer_pool import SlabBufferPool
from ..pool.node_pools import nodes_with_memory
from ..pool.slab import HugePages, MapMemory, PageSource, map_anonymous


@dataclass(frozen=True, slots=True)
class Machine:
    """What placement asks and tells: this machine, or one that does not exist."""

    topology: Callable[[], Topology] = system_topology
    """Reads the machine; called once, when a place is first named."""
    masks: CpuMasks | None = SYSTEM_CPU_MASKS
    """Pins threads; ``None``: a system that can't."""
    calls: NumaCalls | None = None
    """Binds memory; ``None``: this system's."""
    map_memory: MapMemory = map_anonymous


@dataclass(frozen=True, slots=True)
class Place:
    """Where one reactor belongs."""

    cpus: frozenset[CpuId] = frozenset()
    """The CPUs its thread is kept on; empty: it is not pinned."""
    memory: NodeId | None = None
    """The node its buffers are bound to; ``None``: the first touch decides."""


class Placement:
    """The place of one server, and its thread there. Thread rules: any thread; ``held`` is about the calling one."""

    __slots__ = ("_affinity", "_lock", "_machine", "_place", "_thread", "_topology")

    def __init__(self, config: ServerConfig, machine: Machine | None = None) -> None:
        """Find the place that a configuration names on ``machine`` (``None``: this one).

        Raises ``NotFound`` for a node or CPU that is absent, ``InvalidArgument`` for one that may not be used
        and for a CPU of another node, and ``NotSupported`` where the system can't pin.
        """
        self._machine = Machine() if machine is None else machine
        self._topology: Topology | None = None
        # Re-entrant, for signal handlers that change the configuration.
        self._lock = threading.RLock()
        self._thread: int | None = None
        self._affinity: SystemAffinity | None = None
        self._place = self._find(config)

    @property
    def place(self) -> Place:
        """Where the server's thread and memory belong."""
        return self._place

    def places(self, config: ServerConfig) -> Sequence[Place]:
        """Return a place for each worker: a CPU of its own, on the configured node if one is named.

        Empty, so that they go where the system puts them, when ``worker_pinning`` is off, where the system can't pin,
        and with fewer CPUs than workers. Raises ``InvalidArgument`` when a CPU is named: they can't all have it.
        """
        if config.cpu is not None:
            raise InvalidArgument("a CPU is for one worker: name a node, or none", cpu=config.cpu)
        if config.worker_pinning == "off" or self._machine.masks is None:
            return ()
        topology = self._known_topology()
        node = None if config.node is None else NodeId(config.node)
        if config.workers > len(topology.usable_cpus(node)):
            return ()
        return spread(topology, config.workers, node=node, calls=self._machine.calls)

    def settle(self, place: Place) -> None:
        """Take another place than the configuration names: for a worker, before its server starts. Its pool is
        then made anew."""
        self._place = place

    def make_pool(self, config: ServerConfig) -> SlabBufferPool:
        """Return the pool for this place, of the limits and kind of pages that are configured."""
        machine, memory = self._machine, self._place.memory
        huge_pages: HugePages = "try" if config.huge_pages == "try" else "never"
        if memory is None:
            source = PageSource(huge_pages=huge_pages, map_memory=machine.map_memory)
        else:
            source = PageSource(memory, huge_pages, MemoryPolicy(machine.calls).bind, machine.map_memory)
        return SlabBufferPool(source, limit_bytes=config.pool_limit_bytes, leaks=config.leaks)

    def make_executor(self, config: ServerConfig, on_error: ErrorHook) -> LateExecutor:
        """Return the executor of this place: its threads run on all CPUs of the node, not only on the reactor's own,
        and start with the first task. Without a place they run wherever the system likes."""
        masks, cpus = self._machine.masks, self._place.cpus
        prepare, node = do_nothing, ANY_NODE
        if cpus and masks is not None:
            topology = self._known_topology()
            node = topology.node_of(min(cpus))
            cpus = cpus.union(topology.usable_cpus(node))
            prepare = partial(_pin_caller, topology, masks, cpus)
        make = partial(
            WorkerExecutor, node=node, queue_capacity=config.executor_capacity, prepare=prepare, on_error=on_error
        )
        return LateExecutor(node, self.thread_count(config), make)

    def thread_count(self, config: ServerConfig) -> int:
        """Return how many threads the executor is to have."""
        cpus: Iterable[int] | None = self._place.cpus
        if cpus:
            topology = self._known_topology()
            cpus = topology.usable_cpus(topology.node_of(min(self._place.cpus)))
        return config.executor_threads or len(tuple(cpus or allowed_cpus() or range(count_cpus())))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the calling thread in its place within the block; afterwards it has the mask it had before.

        Raises ``InvalidArgument`` when the system does not permit the place; nothing has changed then.
        """
        self._thread = threading.get_native_id()
        try:
            with self._lock:
                self._move(self._place)
            yield
        finally:
            with self._lock:
                self._thread = None
                affinity, self._affinity = self._affinity, None
                if affinity is not None:
                    affinity.close()

    def resize(self, executor: Executor, old: ServerConfig, new: ServerConfig) -> None:
        """Have an executor follow ``executor_threads``; errors as ``Executor.resize``."""
        if old.executor_threads != new.executor_threads:
            executor.resize(self.thread_count(new))

    def follow(self, old: ServerConfig, new: ServerConfig) -> None:
        """Move to where a changed configuration says; a hook for ``ConfigControl.on_reload``. Errors as the
        constructor and as ``held``; the place is the old one then."""
        if old.cpu == new.cpu:
            return
        place = Place(self._find(new).cpus, self._place.memory)
        with self._lock:
            if self._thread is not None:
                self._move(place)
            self._place = place

    def state(self) -> Mapping[str, object]:
        """Return what was asked for, and what the system says of the thread now (``None``: nobody runs, or the
        system does not tell); a probe."""
        with self._lock:
            masks, thread = self._machine.masks, self._thread
            return MappingProxyType(
                {
                    "asked_cpus": sorted(self._place.cpus),
                    "asked_memory_node": self._place.memory,
                    "thread": thread,
                    "cpus": None if masks is None or thread is None else sorted(masks.get(thread)),
                    "pinned": self._affinity is not None and self._affinity.state().pinned,
                }
            )

    def _move(self, place: Place) -> None:
        """Pin the thread that holds this place, or let it loose. With the lock held."""
        masks = self._machine.masks
        if place.cpus:
            if self._affinity is None:
                assert masks is not None and self._thread is not None  # _find and held saw to that
                self._affinity = SystemAffinity(Scope.THREAD, self._known_topology(), OneThread(masks, self._thread))
            self._affinity.pin(place.cpus)
        elif self._affinity is not None:
            self._affinity.unpin()

    def _known_topology(self) -> Topology:
        """Return the machine as it was when it was first asked: before anything of ours was pinned."""
        if self._topology is None:
            self._topology = self._machine.topology()
        return self._topology

    def _find(self, config: ServerConfig) -> Place:
        if config.node is None and config.cpu is None:
            return Place()
        if self._machine.masks is None:
            raise NotSupported("this system has no call that pins a thread", node=config.node, cpu=config.cpu)
        topology = self._known_topology()
        cpus, memory = frozenset(topology.usable_cpus()), None
        if config.node is not None:
            node = NodeId(config.node)
            cpus = _cpus_near(topology, node)
            memory = _memory_near(topology, node, self._machine.calls)
        if config.cpu is not None:
            cpu = CpuId(config.cpu)
            topology.node_of(cpu)  # raises NotFound for one that is absent
            if cpu not in cpus:
                raise InvalidArgument("this CPU may not be used here", cpu=cpu, node=config.node, usable=sorted(cpus))
            cpus = frozenset({cpu})
        return Place(cpus, memory)


def _pin_caller(topology: Topology, masks: CpuMasks, cpus: frozenset[CpuId]) -> None:
    # A thread begins with the mask of the one that starts it, which may be the reactor's single CPU.
    SystemAffinity(Scope.THREAD, topology, masks).pin(cpus)


def spread(
    topology: Topology, count: int, *, node: NodeId | None = None, calls: NumaCalls | None = None
) -> tuple[Place, ...]:
    """Return a place for each of ``count`` workers: one CPU each, and the memory of its node.

    The nodes take turns, and a second thread of a core gets a worker only when every core has one; with more
    workers than CPUs the CPUs are dealt out again. ``node`` keeps all of them on one node. Raises ``NotFound``
    for an absent node and ``InvalidArgument`` for a count below 1 or where no CPU may be used.
    """
    nodes = tuple(topology.nodes) if node is None else (node,)
    ranked = []
    for each in nodes:
        cpus = sorted(topology.usable_cpus(each), key=lambda cpu: (_thread_of_core(topology, cpu), cpu))
        ranked += [(_thread_of_core(topology, cpu), turn, each, cpu) for turn, cpu in enumerate(cpus)]
    if count < 1 or not ranked:
        raise InvalidArgument("workers need a CPU each, and there is 1 or more", count=count, nodes=nodes)
    memory = {each: _memory_near(topology, each, calls) for each in nodes}
    places = [Place(frozenset({cpu}), memory[each]) for _, _, each, cpu in sorted(ranked)]
    return tuple(islice(cycle(places), count))


def _thread_of_core(topology: Topology, cpu: CpuId) -> int:
    """Return the how-manieth usable CPU of its core this is: 0 for the first."""
    return sum(other < cpu and topology.cpus[other].usable for other in topology.cpus[cpu].siblings)


def _cpus_near(topology: Topology, node: NodeId) -> frozenset[CpuId]:
    """Return the usable CPUs of a node, or for one without any CPU those of the nearest that has some.

    Raises ``NotFound`` for an absent node and ``InvalidArgument`` where it has CPUs and none may be used.
    """
    order = topology.nearest(node)
    if topology.nodes[node].cpus:
        order = (node,)
    cpus = next((found for near in order if (found := topology.usable_cpus(near))), ())
    if not cpus:
        raise InvalidArgument("none of the node's CPUs may be used", node=node, usable=topology.usable_cpus())
    return frozenset(cpus)


def _memory_near(topology: Topology, node: NodeId, calls: NumaCalls | None) -> NodeId:
    """Return the nearest node with memory that may be used."""
    served = nodes_with_memory(topology, MemoryPolicy(calls))
    return next(near for near in topology.nearest(node) if near in served)


__all__ = ["Machine", "Place", "Placement", "spread"]
