"""Object pools: recycled objects whose construction is worth saving.

Unlike a buffer, an object that is out is not tracked: the pool holds no reference to it, so one that is never
released is simply garbage. What has to be prevented is the opposite, an object that is *in* twice, because it
would be given to two callers at once. So the idle objects are kept in a ``dict`` by identity, and an identity
is unique as long as the pool holds the object.

Any thread may use an object pool, several counters move together, and a snapshot of them has to be
consistent; this is therefore the one place in the room with a lock (50 ns). The factory and the reset
function are the user's and run outside of it. It is re-entrant, since a finaliser or a signal handler may
release in the middle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Generic, TypeVar

from ..api.errors import DoubleRelease, InvalidArgument, PoolClosed
from ..api.pool import ObjectPoolStats
from ..api.types import ANY_NODE, NodeId
from .manager import NodeTable

T = TypeVar("T")

DEFAULT_MAX_IDLE: Final = 1024


def keep_as_it_is(item: object) -> None:
    """The reset function of objects that need none."""


class RecyclingPool(Generic[T]):
    """A pool of recycled objects; implements ``api.ObjectPool``, whose contract holds here.

    ``factory`` makes an object, ``reset`` makes a released one like new, and at most ``max_idle`` (0 or more,
    else ``InvalidArgument``) wait for reuse. Thread rules: any thread.
    """

    __slots__ = (
        "_acquired_count",
        "_closed",
        "_created_count",
        "_discarded_count",
        "_factory",
        "_idle",
        "_lock",
        "_max_idle",
        "_released_count",
        "_reset",
    )

    def __init__(
        self,
        factory: Callable[[], T],
        reset: Callable[[T], object] = keep_as_it_is,
        *,
        max_idle: int = DEFAULT_MAX_IDLE,
    ) -> None:
        if max_idle < 0:
            raise InvalidArgument("max_idle must be 0 or more", max_idle=max_idle)
        self._factory = factory
        self._reset = reset
        self._max_idle = max_idle
        self._idle: dict[int, T] = {}
        self._lock = threading.RLock()
        self._closed = False
        self._created_count = self._acquired_count = self._released_count = self._discarded_count = 0

    def acquire(self) -> T:
        """Return the object released last, or a new one. What the factory raises leaves the books alone."""
        with self._lock:
            if self._closed:
                raise PoolClosed("acquire from a closed object pool")
            if self._idle:
                self._acquired_count += 1
                return self._idle.popitem()[1]
        item = self._factory()
        with self._lock:
            self._created_count += 1
            self._acquired_count += 1
        return item

    def release(self, item: T) -> None:
        """Reset the object and keep it, or drop it when the pool is full or closed."""
        self._refuse_idle(item)
        try:
            self._reset(item)
        except BaseException:
            with self._lock:
                self._released_count += 1
                self._discarded_count += 1
            raise
        with self._lock:
            self._refuse_idle(item)  # again: another thread may have released it during the reset
            self._released_count += 1
            if self._closed or len(self._idle) >= self._max_idle:
                self._discarded_count += 1
            else:
                self._idle[id(item)] = item

    def _refuse_idle(self, item: T) -> None:
        with self._lock:
            if id(item) in self._idle:
                raise DoubleRelease("release of an object that is idle already", kind=type(item).__name__)

    def stats(self) -> ObjectPoolStats[T]:
        """Return a consistent snapshot. Invariant: ``created == idle + discarded + (acquired - released)``
        as long as only objects of this pool were released to it."""
        with self._lock:
            return ObjectPoolStats(
                created_count=self._created_count,
                acquired_count=self._acquired_count,
                released_count=self._released_count,
                discarded_count=self._discarded_count,
                idle_count=len(self._idle),
            )

    def close(self) -> None:
        """Drop the idle objects and refuse further acquires. Idempotent."""
        with self._lock:
            self._closed = True
            self._discarded_count += len(self._idle)
            dropped, self._idle = self._idle, {}
        dropped.clear()  # outside the lock: this runs finalisers


class NodeRecyclingPools(Generic[T]):
    """One ``RecyclingPool`` per node; implements ``api.NodeObjectPools``.

    ``current_node`` tells the node of the calling thread. Raises ``InvalidArgument`` without any node. Thread
    rules: any thread.
    """

    __slots__ = ("_table",)

    def __init__(
        self,
        nodes: Iterable[NodeId],
        factory: Callable[[], T],
        reset: Callable[[T], object] = keep_as_it_is,
        *,
        current_node: Callable[[], NodeId],
        max_idle: int = DEFAULT_MAX_IDLE,
    ) -> None:
        self._table: NodeTable[RecyclingPool[T]] = NodeTable(
            nodes, lambda _: RecyclingPool(factory, reset, max_idle=max_idle), current_node
        )

    @property
    def nodes(self) -> Sequence[NodeId]:
        """The nodes that have a pool, ascending."""
        return self._table.nodes

    def pool_for(self, node: NodeId = ANY_NODE) -> RecyclingPool[T]:
        """Return the pool of ``node``, or of the calling thread's node. Raises ``NotFound``."""
        return self._table.find(node)

    def close(self) -> None:
        """Close every pool. Idempotent."""
        for pool in self._table.values:
            pool.close()


__all__ = ["DEFAULT_MAX_IDLE", "NodeRecyclingPools", "RecyclingPool", "keep_as_it_is"]
