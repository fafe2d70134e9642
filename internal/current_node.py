"""Which NUMA node the calling thread runs on: asked for every buffer that is taken "from where I am".

getcpu(2) tells, and is never wrong by more than a moment: a thread that is not pinned may be moved between
the answer and its use, which costs speed and nothing else. Where the call is missing or forbidden (other
systems, a seccomp filter) the affinity mask helps: a thread that may run on one node only, runs there. Else
the answer is the first node, always the same, so that memory does not scatter.

The kernel's answer need not be a node that the asker can use: a node may have CPUs and no memory, or be
hidden by a cpuset. So the answer is translated: to itself where it is served, else to the nearest that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..api.errors import InvalidArgument
from ..api.topology import Topology
from ..api.types import CpuId, NodeId
from .syscalls import NumaCalls, system_numa_calls
from .topology import allowed_cpus


class CurrentNode:
    """A function without arguments that returns the node of the calling thread. Thread rules: any.

    ``topology`` knows the nodes and CPUs; ``calls`` is the kernel (``None``: this machine's); ``served``
    are the nodes that may be answered (``None``: all of the topology); ``allowed`` returns the CPUs that
    the calling thread may use, or ``None`` where the system does not tell. Raises ``InvalidArgument`` when
    no node of the topology is served.
    """

    __slots__ = ("_allowed", "_first", "_getcpu", "_nearest", "_refusal", "_topology")

    def __init__(
        self,
        topology: Topology,
        calls: NumaCalls | None = None,
        *,
        served: Iterable[NodeId] | None = None,
        allowed: Callable[[], Iterable[int] | None] = allowed_cpus,
    ) -> None:
        nodes = set(topology.nodes) if served is None else set(served) & set(topology.nodes)
        if not nodes:
            raise InvalidArgument("no node of this machine is served", nodes=tuple(topology.nodes))
        self._topology = topology
        self._allowed = allowed
        self._getcpu = (system_numa_calls() if calls is None else calls).getcpu
        self._first = min(nodes)
        self._nearest = {
            node: next(near for near in topology.nearest(node) if near in nodes) for node in topology.nodes
        }
        self._refusal: OSError | None = None

    @property
    def refusal(self) -> OSError | None:
        """Why the system is not asked any more; ``None`` as long as it answers."""
        return self._refusal

    def __call__(self) -> NodeId:
        """Return the node, or the nearest one that is served. Never raises."""
        if self._refusal is None:
            try:
                return self._nearest.get(self._getcpu()[1], self._first)
            except OSError as error:
                # A filter or a missing call does not change its mind: asking again would only cost.
                self._refusal = error
        return self._guess()

    def _guess(self) -> NodeId:
        """Return the node that the affinity mask leaves, or the first when it leaves several."""
        known = self._topology.cpus
        nodes = {known[CpuId(cpu)].node for cpu in self._allowed() or () if cpu in known}
        return self._nearest[nodes.pop()] if len(nodes) == 1 else self._first


__all__ = ["CurrentNode"]
