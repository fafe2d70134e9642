"""Pools: where payload memory and recycled objects come from.

A ``BufferPool`` serves one NUMA node: its memory is carved from page-aligned slabs into size classes
(powers of two from 2 KiB to 1 MiB), and anything larger gets an exact mapping of its own, so that asking
for 4 MiB never yields less. A ``BufferPoolManager`` holds one pool per node and picks among them in
constant time. An ``ObjectPool`` recycles ordinary objects whose construction is worth saving.

The books always balance: at every moment ``acquired_count - released_count == in_use_count``, per pool, per
node and per class, also after errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from .buffer import Buffer
from .types import ANY_NODE, NodeId

MIN_CLASS_BYTES: Final = 2 * 1024
"""Smallest size class, in bytes."""

MAX_CLASS_BYTES: Final = 1024 * 1024
"""Largest size class, in bytes; a larger request gets an exact mapping, rounded up to whole pages."""


@dataclass(frozen=True, slots=True)
class ClassStats:
    """The books of one size class (``size_bytes``; 0 stands for the exact, large buffers) of one pool."""

    size_bytes: int
    acquired_count: int
    released_count: int
    in_use_count: int
    idle_count: int
    """Slots that are mapped and free."""
    slab_count: int
    mapped_bytes: int
    """Address space mapped for this class, in use or not."""


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A consistent snapshot of a pool's books. Sums over nodes and classes equal the totals, always."""

    acquired_count: int
    released_count: int
    in_use_count: int
    in_use_bytes: int
    """Sum of the capacities in use."""
    mapped_bytes: int
    refused_count: int
    """Requests that were answered with ``None`` or ``ResourceExhausted``."""
    page_kind: str
    """What the newest slab really got: ``"huge-1g"``, ``"huge-2m"``, ``"transparent"`` (advised) or
    ``"normal"``; never what was merely asked."""
    classes: tuple[ClassStats, ...]
    nodes: Mapping[NodeId, PoolStats]
    """Per node; empty in the statistics of a pool that serves one node."""
    binding: str = "first-touch"
    """How the newest slab got to its node: ``"bound"`` (the system took the order), ``"refused"`` (it takes
    none here, so whoever touches a page first decides) or ``"first-touch"`` (nobody asked)."""


@dataclass(frozen=True, slots=True)
class LeakReport:
    """One lease that is still out: ``lease_id``, its size, its count and, from level ``advanced`` on, where
    it was acquired and touched."""

    lease_id: int
    size_bytes: int
    ref_count: int
    acquired_at: str
    """``file:line`` and function of the acquire, or ``""`` where the tracking level does not record it."""
    touched_at: tuple[str, ...] = ()
    """Places of later retains, slices and releases; only on level ``paranoid``."""


class BufferPool(Protocol):
    """Memory of one NUMA node, handed out as counted leases in constant time.

    Thread rules: a pool belongs to the reactor that made it; ``acquire`` is for that thread.
    ``Buffer.release`` may come from any thread. Leaving a ``with`` block closes the pool.
    """

    @property
    def node(self) -> NodeId:
        """The node this pool's memory was asked from."""

    def acquire(self, size_bytes: int) -> Buffer:
        """Return an owned buffer with ``len == size_bytes`` and a count of one, in constant time.

        ``size_bytes`` is 1 or more. The content is undefined (old bytes, or poison in debug levels). Raises
        ``InvalidArgument`` for a size below 1, ``ResourceExhausted`` where the pool's limit or the machine
        has no more, and ``PoolClosed`` after ``close``; nothing was taken then.
        """

    def try_acquire(self, size_bytes: int) -> Buffer | None:
        """As ``acquire``, but an exhausted pool is answered with ``None``."""

    def release(self, buffer: Buffer) -> None:
        """Give back one count of a buffer that this pool issued (itself or a slice of it).

        Raises ``ForeignRelease`` when another pool issued it and ``DoubleRelease`` when no count is left;
        the books of both pools are unchanged then.
        """

    def stats(self) -> PoolStats:
        """Return a consistent snapshot. Never raises, also after ``close``."""

    def leaks(self) -> Sequence[LeakReport]:
        """Return the leases that are still out. Empty when tracking is disabled."""

    def close(self) -> None:
        """Refuse further acquires and unmap what is idle; leases that are out stay valid until released.

        Idempotent.
        """

    def __enter__(self) -> Self:
        """Return self; leaving the block closes the pool."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Close the pool, whatever the block raised."""


class BufferPoolManager(Protocol):
    """One ``BufferPool`` per NUMA node, chosen in constant time."""

    @property
    def nodes(self) -> Sequence[NodeId]:
        """The nodes that have a pool, ascending."""

    def pool_for(self, node: NodeId = ANY_NODE) -> BufferPool:
        """Return the pool of ``node``; with ``ANY_NODE`` the pool of the calling thread's node.

        Raises ``NotFound`` for a node this manager does not serve, naming those it does.
        """

    def acquire(self, size_bytes: int, node: NodeId = ANY_NODE) -> Buffer:
        """Acquire from ``pool_for(node)``; errors of both."""

    def stats(self) -> PoolStats:
        """Return the sum over all nodes, with ``nodes`` filled."""

    def close(self) -> None:
        """Close every pool. Idempotent."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ObjectPoolStats(Generic[T]):
    """The books of an object pool: ``created_count`` is what the factory made, ``idle_count`` what waits to
    be reused."""

    created_count: int
    acquired_count: int
    released_count: int
    discarded_count: int
    """Objects that came back when the pool was full or closed, and were dropped."""
    idle_count: int


class ObjectPool(Protocol[T]):
    """Recycled objects of one kind.

    An object that is acquired belongs to the caller until released; the pool keeps no reference to it
    meanwhile, so one that is never released is garbage, not a leak. Thread rules: any thread.
    """

    def acquire(self) -> T:
        """Return an idle object, or a new one from the factory when none is idle.

        Raises what the factory raises, and ``PoolClosed``.
        """

    def release(self, item: T) -> None:
        """Reset the object and keep it for reuse, or drop it when the pool is full or closed.

        Raises ``DoubleRelease`` when the object is idle in this pool already; what the reset function
        raises is passed on and the object dropped.
        """

    def stats(self) -> ObjectPoolStats[T]:
        """Return a consistent snapshot."""

    def close(self) -> None:
        """Drop the idle objects and refuse further acquires. Idempotent."""


class NodeObjectPools(Protocol[T]):
    """One ``ObjectPool`` per NUMA node, so that a recycled object is reused where its memory is near."""

    @property
    def nodes(self) -> Sequence[NodeId]:
        """The nodes that have a pool, ascending."""

    def pool_for(self, node: NodeId = ANY_NODE) -> ObjectPool[T]:
        """Return the pool of ``node`` (``ANY_NODE``: of the calling thread's node).

        Raises ``NotFound`` for a node not served.
        """

    def close(self) -> None:
        """Close every pool. Idempotent."""


__all__ = [
    "MAX_CLASS_BYTES",
    "MIN_CLASS_BYTES",
    "BufferPool",
    "BufferPoolManager",
    "ClassStats",
    "LeakReport",
    "NodeObjectPools",
    "ObjectPool",
    "ObjectPoolStats",
    "PoolStats",
]
