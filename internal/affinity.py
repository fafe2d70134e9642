"""Affinity over sched_setaffinity(2): pinning, reading back, and putting back.

The system call takes the number of one *thread*. So pinning a process is pinning each of its threads, and a
thread that starts meanwhile may have inherited the old mask: the list of threads is read again until a
reading shows none that was not pinned. Threads that start later inherit the mask of the one that starts them,
which is pinned by then.

What is asked for and what is in force may differ: the kernel silently takes away what the cpuset of a
container forbids (cpuset(7)). Therefore each mask is read back, the calling thread's first, and when it is
not what was asked for, everything is put back and the call refused.

Putting back works by thread number as well: each thread gets the mask it had, a thread that has ended is
forgotten, and one that was started pinned gets the mask that the pinning thread had. One limit: thread
numbers are used again, so a stranger may get the mask of an ended thread back; both belong to this process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from ..api.affinity import AffinityState, Scope
from ..api.errors import InvalidArgument, NotSupported
from ..api.topology import Topology
from ..api.types import CpuId, NodeId

_TASKS: Final = Path("/proc/self/task")


class CpuMasks(Protocol):
    """The masks of this process's threads, as the system keeps them: the seam to the machine."""

    def threads(self) -> Iterable[int]:
        """Return the numbers of the threads that exist, the calling one first."""

    def get(self, thread: int) -> frozenset[CpuId]:
        """Return the CPUs a thread may run on. Raises ``ProcessLookupError`` when it has ended."""

    def set(self, thread: int, cpus: frozenset[CpuId]) -> None:
        """Allow a thread only these. Raises ``ProcessLookupError`` when it has ended and ``OSError`` when
        none of them is permitted."""


class SystemCpuMasks:
    """``CpuMasks`` of the machine: sched_setaffinity(2), and proc(5) for the threads. Thread rules: any."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: Path = _TASKS) -> None:
        self._tasks = tasks

    def threads(self) -> Iterable[int]:
        """Return the threads in ``/proc/self/task``, or where that is hidden, those that Python started."""
        own = threading.get_native_id()
        try:
            found = [int(name) for name in os.listdir(self._tasks)]
        except OSError:
            found = [thread.native_id or own for thread in threading.enumerate()]
        return (own, *(each for each in found if each != own))

    def get(self, thread: int) -> frozenset[CpuId]:
        """Return the mask that is in force, read from the kernel."""
        return frozenset(map(CpuId, os.sched_getaffinity(thread)))

    def set(self, thread: int, cpus: frozenset[CpuId]) -> None:
        """Set the mask; what the kernel made of it only ``get`` tells."""
        os.sched_setaffinity(thread, cpus)


class OneThread:
    """``CpuMasks`` of which the calling thread is always the same one: so another thread can pin that one, and put
    its mask back. Thread rules: those of ``masks``."""

    __slots__ = ("_thread", "get", "set")

    def __init__(self, masks: CpuMasks, thread: int) -> None:
        """``thread`` is the number the system knows it by (``threading.get_native_id``)."""
        self._thread = thread
        self.get = masks.get
        self.set = masks.set

    def threads(self) -> Iterable[int]:
        """Return the one thread."""
        return (self._thread,)


SYSTEM_CPU_MASKS: Final[CpuMasks | None] = SystemCpuMasks() if hasattr(os, "sched_setaffinity") else None
"""``None`` where the system cannot pin."""


class SystemAffinity:
    """Pins the calling thread or the process; implements ``api.Affinity``, whose contract holds here.

    ``topology`` says which CPUs exist and may be used, and must be taken before anything is pinned. ``masks``
    is the machine (``None``: one that cannot pin). Leaving a ``with`` block, or ``close``, puts back what was
    in force. Thread rules: one object per thread or process; ``unpin`` and ``close`` may come from another
    thread and then put back the pinned one.
    """

    __slots__ = ("_before", "_default", "_masks", "_scope", "_topology")

    def __init__(
        self, scope: Scope, topology: Topology, masks: CpuMasks | None = SYSTEM_CPU_MASKS
    ) -> None:
        self._scope = scope
        self._topology = topology
        self._masks = masks
        # Masks to put back, by thread. Invariant: empty exactly when nothing of ours is in force.
        self._before: dict[int, frozenset[CpuId]] = {}
        # For threads that were started pinned: what the pinning thread had.
        self._default: frozenset[CpuId] = frozenset()

    @property
    def scope(self) -> Scope:
        """What this object pins."""
        return self._scope

    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        """Allow only ``cpus`` and return what is in force now.

        Raises ``InvalidArgument`` for no CPU or one that is absent, offline or not permitted, and
        ``NotSupported`` where the platform can't pin; nothing has changed then.
        """
        masks = self._masks
        if masks is None:
            raise NotSupported("this system has no call that pins a thread")
        wanted, usable = frozenset(cpus), self._topology.usable_cpus()
        if not wanted or not wanted <= set(usable):
            raise InvalidArgument("pin to one or more usable CPUs", cpus=sorted(wanted), usable=usable)
        replaced: dict[int, frozenset[CpuId]] = {}
        try:
            self._replace_masks(masks, wanted, replaced)
        except OSError as error:
            for thread, mask in replaced.items():
                _put_back(masks, thread, mask)
            raise InvalidArgument(
                "the system does not permit these CPUs", cpus=sorted(wanted), reason=str(error)
            ) from error
        if self._before:
            for thread in replaced:
                self._before.setdefault(thread, self._default)
        else:
            self._before = replaced
            self._default = next(iter(replaced.values()))
        return self.state()

    def pin_node(self, node: NodeId) -> AffinityState:
        """Pin to the usable CPUs of a node. Raises ``NotFound`` for an absent one; else as ``pin``."""
        return self.pin(self._topology.usable_cpus(node))

    def unpin(self) -> AffinityState:
        """Put back what was in force before the first ``pin``, and return what is in force now.

        A mask that the system no longer takes (its CPUs went offline) stays as it is and is tried again by
        the next call; ``pinned`` stays true then.
        """
        masks = self._masks
        if masks is not None and self._before:
            left: dict[int, frozenset[CpuId]] = {}
            pinned = tuple(self._before)
            for thread, _ in _visit(masks.threads if self._scope is Scope.PROCESS else lambda: pinned):
                mask = self._before.get(thread, self._default)
                if not _put_back(masks, thread, mask):
                    left[thread] = mask
            self._before = left
        return self.state()

    def state(self) -> AffinityState:
        """Return what is in force now, read from the system; for a process, what any of its threads may use.

        Where the system can't pin, that is every CPU which is online.
        """
        topology = self._topology
        cpus: set[CpuId] = set()
        if self._masks is None:
            cpus.update(cpu for cpu, info in topology.cpus.items() if info.online)
        else:
            for thread in self._targets(self._masks):
                try:
                    cpus |= self._masks.get(thread)
                except ProcessLookupError:
                    continue  # ended meanwhile
        nodes = frozenset(topology.node_of(cpu) for cpu in cpus if cpu in topology.cpus)
        return AffinityState(self._scope, frozenset(cpus), nodes, pinned=bool(self._before))

    def close(self) -> None:
        """Put back what was in force, as ``unpin``. Idempotent; the object stays usable."""
        self.unpin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _targets(self, masks: CpuMasks) -> tuple[int, ...]:
        """Return the threads that this object is about, the calling one first."""
        threads = tuple(masks.threads())
        return threads if self._scope is Scope.PROCESS else threads[:1]

    def _replace_masks(
        self, masks: CpuMasks, wanted: frozenset[CpuId], replaced: dict[int, frozenset[CpuId]]
    ) -> None:
        """Give every target the mask, noting in ``replaced`` what to put back, the calling thread first.

        Raises ``OSError`` when the system refuses, or takes less than all of it.
        """
        for thread, late in _visit(lambda: self._targets(masks)):
            try:
                mask = masks.get(thread)
                # A thread that was started while we pinned may have inherited the new mask.
                replaced[thread] = next(iter(replaced.values())) if late else mask
                masks.set(thread, wanted)
                effective = masks.get(thread)
            except ProcessLookupError:
                continue  # ended meanwhile
            if effective != wanted:
                raise PermissionError(f"only {sorted(effective)} came into force")


def _visit(list_threads: Callable[[], Iterable[int]]) -> Iterator[tuple[int, bool]]:
    """Yield each thread once, and whether it appeared only after the first reading of the list."""
    seen: set[int] = set()
    while fresh := [thread for thread in list_threads() if thread not in seen]:
        late = bool(seen)
        seen.update(fresh)
        for thread in fresh:
            yield thread, late


def _put_back(masks: CpuMasks, thread: int, mask: frozenset[CpuId]) -> bool:
    """Set a mask again; ``False`` when the system refuses. An ended thread needs none."""
    try:
        masks.set(thread, mask)
    except ProcessLookupError:
        pass
    except OSError:
        return False
    return True


__all__ = ["SYSTEM_CPU_MASKS", "CpuMasks", "OneThread", "SystemAffinity", "SystemCpuMasks"]
