"""Executors per NUMA node: work is done by threads that run where its memory lies.

One ``WorkerExecutor`` per node that has CPUs this process may use; each of its workers pins itself to the
node before it takes its first task, so workers that ``resize`` starts later are pinned as well. Tasks never
change the executor: stealing between nodes would bring the work to a CPU and leave the data behind.

A node can have memory and no CPU (persistent memory, CXL). Work for it goes to the nearest node that has
some. Which executor serves which node is decided once, from the topology, so that ``submit`` is a look-up.

Where the system can't pin, the executors work all the same, and ``pinned`` says ``False``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

from ..api.affinity import Scope
from ..api.errors import InvalidState, NotFound
from ..api.executor import ExecutorStats
from ..api.topology import Topology
from ..api.types import ANY_NODE, Nanoseconds, NodeId
from .affinity import SYSTEM_CPU_MASKS, CpuMasks, SystemAffinity
from .current_node import CurrentNode
from .executor import DEFAULT_QUEUE_CAPACITY, WorkerExecutor, do_nothing, start_thread
from .faults import ErrorHook, log_error
from .task import WorkerTask

T = TypeVar("T")


class NodeExecutors:
    """One executor per node with usable CPUs, its workers pinned to the node.

    ``topology`` must be taken before anything is pinned. ``worker_count`` is the number of workers per node
    (``None``: as many as the node has usable CPUs). ``queue_capacity`` bounds each executor's queue.
    ``masks`` pins (``None``: a system that can't), ``current_node`` tells where a caller runs (``None``:
    asks this machine). ``on_error`` and ``start`` are those of ``WorkerExecutor``.

    Raises ``InvalidState`` when no node has a usable CPU, ``InvalidArgument`` for numbers below 1 and
    ``ResourceExhausted`` when the system has no thread left; no worker keeps running then. Thread rules:
    any thread.
    """

    __slots__ = ("_by_node", "_current_node", "_executors", "_pinned")

    def __init__(
        self,
        topology: Topology,
        worker_count: int | None = None,
        *,
        queue_capacity: int = DEFAULT_QUEUE_CAPACITY,
        masks: CpuMasks | None = SYSTEM_CPU_MASKS,
        current_node: Callable[[], NodeId] | None = None,
        on_error: ErrorHook = log_error,
        start: Callable[[str, Callable[[], object]], threading.Thread] = start_thread,
    ) -> None:
        usable = {node: topology.usable_cpus(node) for node in topology.nodes}
        nodes = [node for node, cpus in usable.items() if cpus]
        if not nodes:
            raise InvalidState("no node has a CPU that may be used", nodes=tuple(usable))
        self._pinned = masks is not None
        executors: dict[NodeId, WorkerExecutor] = {}
        with ExitStack() as undo:
            for node in nodes:
                executors[node] = undo.enter_context(
                    WorkerExecutor(
                        len(usable[node]) if worker_count is None else worker_count,
                        node,
                        queue_capacity=queue_capacity,
                        prepare=_pinning(node, topology, masks),
                        on_error=on_error,
                        name=f"node{node}-worker",
                        start=start,
                    )
                )
            undo.pop_all()
        self._executors: Mapping[NodeId, WorkerExecutor] = MappingProxyType(executors)
        self._by_node = {
            node: next(executors[near] for near in topology.nearest(node) if near in executors)
            for node in usable
        }
        self._current_node = CurrentNode(topology, served=nodes) if current_node is None else current_node

    @property
    def executors(self) -> Mapping[NodeId, WorkerExecutor]:
        """The executors by their own node, ascending; at least one."""
        return self._executors

    @property
    def pinned(self) -> bool:
        """Whether the system can pin. A worker that could not be pinned is reported to ``on_error``."""
        return self._pinned

    def executor_for(self, node: NodeId = ANY_NODE) -> WorkerExecutor:
        """Return the executor of a node, or the nearest for one without usable CPUs; with ``ANY_NODE``
        that of the caller's node. Raises ``NotFound`` for an absent node."""
        wanted = self._current_node() if node == ANY_NODE else node
        try:
            return self._by_node[wanted]
        except KeyError:
            raise NotFound("the machine has no such node", node=wanted, nodes=tuple(self._by_node)) from None

    def submit(self, function: Callable[[], T], node: NodeId = ANY_NODE) -> WorkerTask[T]:
        """Queue a function near a node's memory. Errors of ``executor_for``, and as
        ``Executor.submit``."""
        return self.executor_for(node).submit(function)

    def resize(self, worker_count: int, node: NodeId | None = None) -> None:
        """Grow or shrink the executor of one node, or each of them (``None``), to ``worker_count``.

        Errors of ``executor_for``, and as ``Executor.resize``; with ``None``, the nodes before the one that
        failed have their new size then.
        """
        chosen = self._executors.values() if node is None else (self.executor_for(node),)
        for executor in chosen:
            executor.resize(worker_count)

    def stats(self) -> Mapping[NodeId, ExecutorStats]:
        """Return a snapshot per executor; each is consistent in itself."""
        return {node: executor.stats() for node, executor in self._executors.items()}

    def shutdown(self, *, cancel_queued: bool = False, timeout_ns: Nanoseconds | None = None) -> bool:
        """Refuse new tasks, run (or cancel) the queued ones and wait for all workers; whether all ended.

        ``timeout_ns`` bounds the whole (``None``: no end). Idempotent, and may be called again to wait on.
        """
        executors = self._executors.values()
        for executor in executors:
            # All are told before any is waited for, else the last would go on accepting meanwhile.
            executor.shutdown(cancel_queued=cancel_queued, timeout_ns=0)
        end_ns = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        ended = [
            executor.shutdown(timeout_ns=None if end_ns is None else end_ns - time.monotonic_ns())
            for executor in executors
        ]
        return all(ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.shutdown()


def _pinning(node: NodeId, topology: Topology, masks: CpuMasks | None) -> Callable[[], object]:
    """Return what a worker does first: pin itself to the node, if the system can."""
    if masks is None:
        return do_nothing
    return lambda: SystemAffinity(Scope.THREAD, topology, masks).pin_node(node)


__all__ = ["NodeExecutors"]
