"""Affinity: which CPUs a process or a thread may run on.

What is reported is always what the operating system says after the call, never what was asked for. Pinning
is an act with an owner: the state before it is remembered, so that it can be put back.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from .types import CpuId, NodeId


class Scope(enum.Enum):
    """What is pinned: the calling thread, or every thread the process has and will start from a pinned
    one."""

    PROCESS = "process"
    THREAD = "thread"


@dataclass(frozen=True, slots=True)
class AffinityState:
    """What the system says now.

    ``pinned`` is whether this object changed it; ``nodes`` are the nodes that ``cpus`` belong to.
    """

    scope: Scope
    cpus: frozenset[CpuId]
    nodes: frozenset[NodeId]
    pinned: bool


class Affinity(Protocol):
    """Pins the calling thread or the process.

    Thread rules: ``THREAD`` acts on the calling thread; one object per thread or process.
    """

    @property
    def scope(self) -> Scope:
        """What this object pins."""

    def pin(self, cpus: Iterable[CpuId]) -> AffinityState:
        """Allow only ``cpus`` and return what is in force now, read back from the system.

        Raises ``InvalidArgument`` for no CPU or one that is absent, offline or not permitted (nothing
        changed then), and ``NotSupported`` where the platform can't pin.
        """

    def pin_node(self, node: NodeId) -> AffinityState:
        """Pin to the usable CPUs of a node.

        Raises ``NotFound`` for an absent node and ``InvalidArgument`` for one without usable CPUs; else as
        ``pin``.
        """

    def unpin(self) -> AffinityState:
        """Put back what was in force before the first ``pin`` of this object.

        Without a pin, nothing changes.
        """

    def state(self) -> AffinityState:
        """Return what is in force now, read from the system."""


__all__ = ["Affinity", "AffinityState", "Scope"]
