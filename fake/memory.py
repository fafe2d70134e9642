"""Memory for tests: every buffer is memory of its own, poisoned at both ends of its life, and every leak is named.

A real pool gives released memory to the next tenant, so a use after release reads bytes that are plausible.
Here memory is never used again: it is filled with ``0xA5`` before it is handed out (whoever relies on zeros reads
something else) and with ``0xDE`` when its last count goes (a view kept too long reads nothing plausible), and
closing a pool with leases out raises, naming where each was acquired.

``fake_memory`` makes one such pool per node of a machine that does not exist, each as large as the node's memory
says. A fault script makes a node run out while the others have plenty.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, Self

from ..api.buffer import Buffer
from ..api.errors import (
    DoubleRelease,
    ForeignRelease,
    InvalidArgument,
    InvalidState,
    LeaseError,
    PoolClosed,
    ResourceExhausted,
    UseAfterRelease,
)
from ..api.pool import MAX_CLASS_BYTES, MIN_CLASS_BYTES, ClassStats, LeakReport, PoolStats
from ..api.topology import Topology
from ..api.types import NodeId
from ..pool.manager import NodeBufferPools
from ..pool.slab import round_up_to_pages
from .faults import Faults, OutOfMemory

FRESH_BYTE: Final = 0xA5
"""What memory is filled with before it is handed out."""
FREED_BYTE: Final = 0xDE
"""What memory is filled with when its last count goes."""

_LARGE: Final = 0


class _Lease:
    """What all names of one lease share."""

    __slots__ = ("acquired_at", "class_bytes", "count", "lease_id", "memory", "pool")

    def __init__(self, pool: FakeBufferPool, lease_id: int, capacity_bytes: int, acquired_at: str) -> None:
        self.pool = pool
        self.lease_id = lease_id
        self.memory = bytearray([FRESH_BYTE]) * capacity_bytes
        self.class_bytes = capacity_bytes if capacity_bytes <= MAX_CLASS_BYTES else _LARGE
        self.count = 1
        self.acquired_at = acquired_at


class FakeBuffer:
    """One name of a lease; implements ``api.Buffer``. Any thread may retain and release."""

    __slots__ = ("_lease", "_own_count", "_start", "_stop")

    def __init__(self, lease: _Lease, start: int, stop: int) -> None:
        """Made by a pool; takes over one count."""
        self._lease = lease
        self._start = start
        self._stop = stop
        self._own_count = 1

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def capacity(self) -> int:
        """Bytes to the end of the slot."""
        return len(self._lease.memory) - self._start

    @property
    def node(self) -> NodeId:
        """The node of its pool."""
        return self._lease.pool.node

    @property
    def pool(self) -> FakeBufferPool:
        """The pool that issued it."""
        return self._lease.pool

    @property
    def ref_count(self) -> int:
        """Counts outstanding on the lease."""
        return self._lease.count

    def data(self) -> memoryview:
        """Return a writable view. Raises ``UseAfterRelease``."""
        self._check("data()")
        return memoryview(self._lease.memory)[self._start : self._stop]

    def view(self) -> memoryview:
        """Return a read-only view. Raises ``UseAfterRelease``."""
        self._check("view()")
        return memoryview(self._lease.memory)[self._start : self._stop].toreadonly()

    def copy(self) -> bytes:
        """Return the content. Raises ``UseAfterRelease``."""
        self._check("copy()")
        return bytes(self._lease.memory[self._start : self._stop])

    def slice(self, start: int, stop: int) -> FakeBuffer:
        """Return a second name over a part, with a count of its own; contract as ``api.Buffer.slice``."""
        if not 0 <= start <= stop <= len(self):
            raise InvalidArgument("slice outside the buffer", start=start, stop=stop, length=len(self))
        with self._lease.pool.lock:
            self._check("slice()")
            self._lease.count += 1
        return FakeBuffer(self._lease, self._start + start, self._start + stop)

    def retain(self) -> Self:
        """Add one count. Raises ``UseAfterRelease``."""
        with self._lease.pool.lock:
            self._check("retain()")
            self._lease.count += 1
            self._own_count += 1
        return self

    def release(self) -> None:
        """Give one count back; the last one poisons the memory. Raises ``DoubleRelease``."""
        with self._lease.pool.lock:
            if not self._own_count:
                raise self._fault(DoubleRelease, "release() of a buffer without a count left")
            self._own_count -= 1
            self._lease.count -= 1
            if not self._lease.count:
                self._lease.pool._take_back(self._lease)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()

    def _check(self, call: str) -> None:
        if not self._own_count:
            raise self._fault(UseAfterRelease, f"{call} of a released buffer")

    def _fault(self, kind: type[LeaseError], message: str) -> LeaseError:
        return kind(message, lease_id=self._lease.lease_id, acquired_at=self._lease.acquired_at)


class FakeBufferPool:
    """Memory of one made-up node; implements ``api.BufferPool``. One thread, except for releasing: any.

    ``limit_bytes`` (``None``: none) bounds the capacity that is out. ``faults`` is applied at each ``acquire``,
    with ``node=``: ``exhaust`` refuses one, ``out_of_memory`` all from there on.
    """

    __slots__ = ("_books", "_closed", "_empty", "_faults", "_leases", "_limit_bytes", "_refused_count", "lock", "node")

    def __init__(
        self, node: NodeId = NodeId(0), *, limit_bytes: int | None = None, faults: Faults | None = None
    ) -> None:
        self.node = node
        """The node it stands for."""
        self.lock = threading.RLock()
        """For its buffers: held while counts and books change."""
        self._limit_bytes = limit_bytes
        self._faults = Faults() if faults is None else faults
        self._leases: dict[int, _Lease] = {}
        # Per size class: acquired, released.
        self._books: dict[int, list[int]] = {}
        self._refused_count = 0
        self._closed = self._empty = False

    def acquire(self, size_bytes: int) -> FakeBuffer:
        """Return an owned buffer of ``size_bytes``; contract as ``api.BufferPool.acquire``."""
        if self._closed:
            raise PoolClosed("acquire from a closed buffer pool", node=self.node)
        if size_bytes < 1:
            raise InvalidArgument("size must be 1 byte or more", size_bytes=size_bytes)
        try:
            for fault in self._faults.apply("acquire", node=self.node):
                self._empty |= isinstance(fault, OutOfMemory) and fault.node == self.node
            capacity_bytes = _capacity(size_bytes)
            with self.lock:
                in_use_bytes = sum(len(lease.memory) for lease in self._leases.values())
            if self._empty or in_use_bytes + capacity_bytes > (self._limit_bytes or sys.maxsize):
                raise ResourceExhausted(
                    "no memory left for a buffer", size_bytes=size_bytes, node=self.node, limit_bytes=self._limit_bytes
                )
        except ResourceExhausted:
            self._refused_count += 1
            raise
        with self.lock:
            lease_id = sum(acquired for acquired, _ in self._books.values()) + 1
            lease = _Lease(self, lease_id, capacity_bytes, _caller())
            self._leases[lease_id] = lease
            self._books.setdefault(lease.class_bytes, [0, 0])[0] += 1
        return FakeBuffer(lease, 0, size_bytes)

    def try_acquire(self, size_bytes: int) -> FakeBuffer | None:
        """As ``acquire``, with ``None`` for an exhausted pool."""
        try:
            return self.acquire(size_bytes)
        except ResourceExhausted:
            return None

    def release(self, buffer: Buffer) -> None:
        """Give back one count of a buffer of this pool. Raises ``ForeignRelease`` and ``DoubleRelease``."""
        if not isinstance(buffer, FakeBuffer) or buffer.pool is not self:
            raise ForeignRelease("release of a buffer of another pool", kind=type(buffer).__name__)
        buffer.release()

    def refill(self) -> None:
        """End an ``out_of_memory``: the node has memory again."""
        self._empty = False

    def stats(self) -> PoolStats:
        """Return the books."""
        with self.lock:
            return self._stats()

    def _stats(self) -> PoolStats:
        classes = []
        for class_bytes, (acquired, released) in self._books.items():
            sizes = [len(each.memory) for each in self._leases.values() if each.class_bytes == class_bytes]
            classes.append(
                ClassStats(class_bytes, acquired, released, acquired - released, 0, len(sizes), sum(sizes))
            )
        in_use_bytes = sum(entry.mapped_bytes for entry in classes)
        return PoolStats(
            acquired_count=sum(entry.acquired_count for entry in classes),
            released_count=sum(entry.released_count for entry in classes),
            in_use_count=len(self._leases),
            in_use_bytes=in_use_bytes,
            mapped_bytes=in_use_bytes,
            refused_count=self._refused_count,
            page_kind="normal",
            classes=tuple(classes),
            nodes=MappingProxyType({}),
        )

    def leaks(self) -> Sequence[LeakReport]:
        """Return the leases that are out, oldest first."""
        with self.lock:
            leases = list(self._leases.values())
        return [LeakReport(each.lease_id, len(each.memory), each.count, each.acquired_at) for each in leases]

    def close(self) -> None:
        """Refuse further acquires; leases that are out stay valid. Idempotent, and never raises."""
        self._closed = True

    def check_leaks(self) -> None:
        """Raise ``InvalidState`` naming where each lease that is out was acquired."""
        leaks = self.leaks()
        if leaks:
            lines = "; ".join(f"lease {leak.lease_id} acquired at {leak.acquired_at}" for leak in leaks)
            raise InvalidState(f"never released: {lines}", count=len(leaks))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()
        # A test that fails already has a better reason than the buffers it could not release.
        if kind is None:
            self.check_leaks()

    def _take_back(self, lease: _Lease) -> None:
        lease.memory[:] = bytes([FREED_BYTE]) * len(lease.memory)
        del self._leases[lease.lease_id]
        self._books[lease.class_bytes][1] += 1


def fake_memory(
    topology: Topology,
    *,
    faults: Faults | None = None,
    current_node: Callable[[], NodeId] = lambda: NodeId(0),
) -> NodeBufferPools:
    """Return the real ``NodeBufferPools`` over one ``FakeBufferPool`` per node of a machine.

    ``current_node`` plays the system that tells where the calling thread runs.
    """

    def make(node: NodeId) -> FakeBufferPool:
        return FakeBufferPool(node, limit_bytes=topology.nodes[node].memory_bytes or None, faults=faults)

    return NodeBufferPools(topology.nodes, make, current_node=current_node)


def _capacity(size_bytes: int) -> int:
    """Return the size of the slot: a power of two up to the largest class, then whole pages."""
    if size_bytes > MAX_CLASS_BYTES:
        return round_up_to_pages(size_bytes)
    return max(MIN_CLASS_BYTES, 1 << (size_bytes - 1).bit_length())


def _caller() -> str:
    """Return ``file:line function`` of whoever called ``acquire`` from outside this module."""
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__") == __name__ and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"


__all__ = ["FREED_BYTE", "FRESH_BYTE", "FakeBuffer", "FakeBufferPool", "fake_memory"]
