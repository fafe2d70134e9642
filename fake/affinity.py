"""Affinity on a machine that does not exist: the masks of made-up threads.

Pinning itself is the real thing, ``SystemAffinity``: it has a seam to the system calls, and only those are
played here. So what a test sees of EPERM, of a cpuset that silently takes CPUs away, and of threads that come
and go, is what the real code makes of it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

from ..api.affinity import Scope
from ..api.topology import Topology
from ..api.types import CpuId
from ..internal.affinity import SystemAffinity
from .faults import Faults


class FakeCpuMasks:
    """Implements ``internal.affinity.CpuMasks``: the seam below ``SystemAffinity``.

    ``threads`` are the numbers of the threads there are, the calling one first. ``cpuset`` is what the container
    allows (default: every CPU that is online): a mask is cut to it, as cpuset(7) does, and one of which nothing
    is left is refused with EINVAL. ``faults`` is applied at each ``set_affinity``, with ``thread=``.
    """

    __slots__ = ("_cpuset", "_faults", "_masks")

    def __init__(
        self,
        topology: Topology,
        *,
        threads: Iterable[int] = (1,),
        cpuset: Iterable[int] | None = None,
        faults: Faults | None = None,
    ) -> None:
        online = frozenset(cpu for cpu, info in topology.cpus.items() if info.online)
        self._cpuset = online if cpuset is None else online & frozenset(map(CpuId, cpuset))
        self._masks = {thread: self._cpuset for thread in threads}
        self._faults = Faults() if faults is None else faults

    def threads(self) -> Iterable[int]:
        """Return the numbers of the threads there are."""
        return tuple(self._masks)

    def get(self, thread: int) -> frozenset[CpuId]:
        """Return a thread's mask. Raises ``ProcessLookupError`` when it has ended."""
        self._check(thread)
        return self._masks[thread]

    def set(self, thread: int, cpus: frozenset[CpuId]) -> None:
        """Set a thread's mask to what the cpuset leaves of ``cpus``. Raises ``OSError``, as the system does."""
        self._check(thread)
        self._faults.apply("set_affinity", thread=thread)
        effective = cpus & self._cpuset
        if not effective:
            raise OSError(errno.EINVAL, "no CPU of the mask is permitted")
        self._masks[thread] = effective

    def start_thread(self, thread: int, parent: int) -> None:
        """Let a thread come, with the mask of the one that starts it."""
        self._masks[thread] = self._masks[parent]

    def end_thread(self, thread: int) -> None:
        """Let a thread go."""
        del self._masks[thread]

    def _check(self, thread: int) -> None:
        if thread not in self._masks:
            raise ProcessLookupError(errno.ESRCH, "no such thread")


def permission_denied() -> PermissionError:
    """Return what a system answers that forbids pinning: ``faults.on("set_affinity").fail(...)``."""
    return PermissionError(errno.EPERM, "pinning is not permitted")


def fake_affinity(
    topology: Topology, masks: FakeCpuMasks | None = None, scope: Scope = Scope.THREAD
) -> SystemAffinity:
    """Return the real ``SystemAffinity`` on a machine that does not exist."""
    return SystemAffinity(scope, topology, FakeCpuMasks(topology) if masks is None else masks)


__all__ = ["FakeCpuMasks", "fake_affinity", "permission_denied"]
