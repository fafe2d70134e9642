"""A store for a process whose threads run on several NUMA nodes: a sharded store per node.

A session is made by the thread that will use it, so its objects lie on that thread's node, and so should the table,
the lock and the heap that know it: what one node's threads write, the other nodes' caches do not lose. The id says
where a session lives (``1.kZ…``: node 1), so a session that is looked up on another node is found at once, with one
look into the right table and no search.

An id of somebody else's making names no node. It gets a home by its hash, always the same, so get-or-create is as
atomic as within one store. Which node a thread runs on only the system knows: the function that asks it comes in
(``internal.CurrentNode``), as in ``pool/manager.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from ..api.clock import Clock
from ..api.context import ContextFactory
from ..api.errors import InvalidArgument
from ..api.types import Nanoseconds, NodeId, SessionId
from ..internal.faults import ErrorHook, log_error
from .session import LiveSession
from .store import DEFAULT_SHARD_COUNT, ShardedSessions, permits_for, random_id


class NodeSessions:
    """Sessions by id, sharded by node first; implements ``api.SessionManager``, whose contract holds here. Any
    thread."""

    __slots__ = ("_by_prefix", "_current_node", "_first", "_limit", "_stores")

    def __init__(
        self,
        clock: Clock,
        nodes: Iterable[NodeId],
        *,
        current_node: Callable[[], NodeId],
        shard_count: int = DEFAULT_SHARD_COUNT,
        limit: int | None = None,
        new_id: Callable[[], str] = random_id,
        contexts: ContextFactory | None = None,
        on_error: ErrorHook = log_error,
    ) -> None:
        """Make a store of ``shard_count`` shards per node. ``current_node()`` tells the calling thread's node; one
        that is not among ``nodes`` is served by the lowest. ``limit`` counts over all nodes. The other arguments are
        those of ``ShardedSessions``, and so are the errors, with ``InvalidArgument`` for no node at all."""
        numbers = sorted(set(nodes))
        if not numbers:
            raise InvalidArgument("at least one node is needed")
        permits = permits_for(limit)
        self._stores: Mapping[NodeId, ShardedSessions] = MappingProxyType(
            {
                node: ShardedSessions(
                    clock,
                    shard_count=shard_count,
                    limit=limit,
                    new_id=partial(_id_on, node, new_id),
                    contexts=contexts,
                    on_error=on_error,
                    permits=permits,
                )
                for node in numbers
            }
        )
        self._by_prefix = {str(node): store for node, store in self._stores.items()}
        self._first = self._stores[numbers[0]]
        self._current_node = current_node
        self._limit = limit

    @property
    def stores(self) -> Mapping[NodeId, ShardedSessions]:
        """The store of each node, ascending."""
        return self._stores

    @property
    def limit(self) -> int | None:
        """Most live sessions on all nodes together, or ``None``."""
        return self._limit

    def create(
        self, session_id: SessionId | None = None, *, deadline_ns: Nanoseconds | None = None
    ) -> LiveSession:
        """Return the live session of that id, or a new one; without an id, a new one on the calling thread's node.
        Errors as ``ShardedSessions.create``."""
        if session_id is None:
            return self._stores.get(self._current_node(), self._first).create(deadline_ns=deadline_ns)
        return self._home(session_id).create(session_id, deadline_ns=deadline_ns)

    def get(self, session_id: SessionId) -> LiveSession | None:
        """Return the live session of that id, on whatever node, or ``None``. Takes no lock."""
        return self._home(session_id).get(session_id)

    def delete(self, session_id: SessionId) -> bool:
        """Cancel and remove a session; whether there was one."""
        return self._home(session_id).delete(session_id)

    def expire(self, now_ns: Nanoseconds) -> int:
        """Cancel and remove the sessions whose deadline is at or before ``now_ns``; return how many."""
        return sum(store.expire(now_ns) for store in self._stores.values())

    def __iter__(self) -> Iterator[LiveSession]:
        """Iterate over snapshots of the live sessions, node by node."""
        for store in self._stores.values():
            yield from store

    def __len__(self) -> int:
        """Return the number of live sessions on all nodes."""
        return sum(map(len, self._stores.values()))

    def close(self) -> None:
        """Cancel and remove every session and refuse new ones. Idempotent."""
        for store in self._stores.values():
            store.close()

    def _home(self, session_id: str) -> ShardedSessions:
        """Return the store that a session of this id lives in, if it lives."""
        found = self._by_prefix.get(session_id.partition(".")[0]) if "." in session_id else None
        if found is not None:
            return found
        stores: Sequence[ShardedSessions] = tuple(self._stores.values())
        return stores[hash(session_id) % len(stores)]


def _id_on(node: NodeId, new_id: Callable[[], str]) -> str:
    return f"{node}.{new_id()}"


__all__ = ["NodeSessions"]
