"""The buffer pool of one NUMA node: size classes, large buffers, a limit, and the books over all of it.

A request is rounded up to a power of two from 2 KiB to 1 MiB and served from that class's free slots: a table
look-up and a ``pop``. When none is free, the next slot is cut from the newest slab, and when that is used up,
a new slab is mapped. Above 1 MiB the request gets a mapping of its own, in whole pages, so it is never
answered with less than it asked for.

``limit_bytes`` bounds what is *mapped*, which is what the machine feels. Before a request is refused for it,
memory that serves nobody is let go: first the cache of large buffers, then slabs without a slot in use. A
peak of one size can thus not starve every other size for good.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, Self

from ..api.buffer import Buffer
from ..api.errors import ForeignRelease, InvalidArgument, PoolClosed, ResourceExhausted
from ..api.pool import MAX_CLASS_BYTES, MIN_CLASS_BYTES, LeakReport, PoolStats
from ..api.types import NodeId
from .lease import Lease, Slot
from .size_class import LargeBuffers, SizeClass, SlotHome
from .slab import PAGE_BYTES, Binding, PageKind, PageSource, Slab, round_up_to_pages
from .snapshot import snapshot
from .tracking import LeakHook, LeakLevel, LeakTracker, leak_level, warn_of_leak

DEFAULT_SLAB_BYTES: Final = 2 * 1024 * 1024
DEFAULT_LARGE_CACHE_BYTES: Final = 16 * 1024 * 1024

_MIN_BITS: Final = MIN_CLASS_BYTES.bit_length() - 1
_MAX_BITS: Final = MAX_CLASS_BYTES.bit_length() - 1
_NO_NODES: Final[Mapping[NodeId, PoolStats]] = MappingProxyType({})


class SlabBufferPool:
    """Pooled buffers in mapped memory; implements ``api.BufferPool``, whose contract holds here.

    ``pages`` says where memory comes from (node, huge pages, binding). ``limit_bytes`` (``None``: none)
    bounds what is mapped; ``slab_bytes`` is the size of a slab, in whole pages (smaller near the limit,
    larger where a slot does not fit); ``large_cache_bytes`` bounds the released large buffers that are kept
    (0: none). ``leaks`` is a level of ``tracking.py`` (``None``: the environment decides), ``on_leak`` is
    told of every lease that was garbage-collected, on whatever thread that happens.

    Thread rules: acquire on the owner's thread only, and not from a signal handler or a finaliser that
    interrupts it; release and the books from any thread, also from those.

    Raises ``InvalidArgument`` for a value outside these ranges. Nothing is mapped before the first acquire.
    """

    __slots__ = (
        "_binding",
        "_by_bits",
        "_classes",
        "_closed",
        "_issued_count",
        "_large",
        "_limit_bytes",
        "_os_error",
        "_page_kind",
        "_pages",
        "_refused_count",
        "_slab_bytes",
        "_tracker",
    )

    def __init__(
        self,
        pages: PageSource | None = None,
        *,
        limit_bytes: int | None = None,
        slab_bytes: int = DEFAULT_SLAB_BYTES,
        large_cache_bytes: int = DEFAULT_LARGE_CACHE_BYTES,
        leaks: str | None = None,
        on_leak: LeakHook = warn_of_leak,
    ) -> None:
        if limit_bytes is not None and limit_bytes < 1:
            raise InvalidArgument("limit_bytes must be 1 or more, or None", limit_bytes=limit_bytes)
        if slab_bytes < PAGE_BYTES or slab_bytes % PAGE_BYTES:
            raise InvalidArgument("slab_bytes must be whole pages", slab_bytes=slab_bytes)
        if large_cache_bytes < 0:
            raise InvalidArgument("large_cache_bytes must be 0 or more", large_cache_bytes=large_cache_bytes)
        level = leak_level(leaks)
        self._tracker = None if level is LeakLevel.DISABLED else LeakTracker(level, on_leak)
        self._pages = PageSource() if pages is None else pages
        self._limit_bytes = limit_bytes
        self._slab_bytes = slab_bytes
        self._closed = False
        self._issued_count = 0
        self._refused_count = 0
        self._page_kind: PageKind = "normal"
        self._binding: Binding = "first-touch"
        self._os_error: OSError | None = None
        owner, node, poisoned = object(), self._pages.node, level is LeakLevel.PARANOID
        self._classes = tuple(
            SizeClass(1 << bits, node, owner, poisoned=poisoned) for bits in range(_MIN_BITS, _MAX_BITS + 1)
        )
        self._large = LargeBuffers(node, owner, cache_bytes=large_cache_bytes, poisoned=poisoned)
        # Index: (size - 1).bit_length(). One look-up instead of a search; everything below the smallest
        # class shares that class, everything above the largest runs out of the table.
        self._by_bits = (self._classes[0],) * _MIN_BITS + self._classes

    @property
    def node(self) -> NodeId:
        """The node this pool's memory is asked from."""
        return self._pages.node

    @property
    def leak_level(self) -> LeakLevel:
        """How closely leases are watched."""
        return LeakLevel.DISABLED if self._tracker is None else self._tracker.level

    def try_acquire(self, size_bytes: int) -> Buffer | None:
        """Return an owned buffer of ``size_bytes``, or ``None`` where the limit or the machine says no."""
        if self._closed:
            raise PoolClosed("acquire from a closed buffer pool", node=self.node)
        try:
            home = self._by_bits[(size_bytes - 1).bit_length()]
        except IndexError:  # large, or far below zero
            slot = self._take_large(size_bytes) if size_bytes > 0 else None
        except (AttributeError, TypeError):
            raise InvalidArgument("size must be an integer, in bytes", size_bytes=size_bytes) from None
        else:
            try:
                slot = home.free.pop() if size_bytes > 0 else None
            except IndexError:
                slot = home.carve() or self._take_from_new_slab(home)
        if slot is None:
            if size_bytes < 1:
                raise InvalidArgument("size must be 1 byte or more", size_bytes=size_bytes)
            self._refused_count += 1
            return None
        slot.home.acquired_count += 1
        self._issued_count = lease_id = self._issued_count + 1
        slot.lease_id = lease_id
        shared: list[Slot | None] = [slot]
        if self._tracker is None:
            return Lease(slot, shared, lease_id, 0, size_bytes)
        return self._tracker.watch(slot, shared, lease_id, size_bytes)

    def acquire(self, size_bytes: int) -> Buffer:
        """Return an owned buffer of ``size_bytes``; ``ResourceExhausted`` where ``try_acquire`` has none."""
        buffer = self.try_acquire(size_bytes)
        if buffer is None:
            raise ResourceExhausted(
                "no memory left for a buffer",
                size_bytes=size_bytes,
                limit_bytes=self._limit_bytes,
                mapped_bytes=self._mapped_bytes(),
                node=self.node,
            ) from self._os_error
        return buffer

    def release(self, buffer: Buffer) -> None:
        """Give back one count of a buffer of this pool."""
        if not isinstance(buffer, Lease):
            raise ForeignRelease("release of a buffer of another kind of pool", kind=type(buffer).__name__)
        if buffer.home.owner is not self._large.owner:
            raise buffer.fault(ForeignRelease, "release of a buffer of another pool")
        buffer.release()

    def stats(self) -> PoolStats:
        """Return the books; the totals are the sums over the classes, by construction."""
        books = [home.books() for home in self._homes()]
        classes = tuple(entry for entry, _ in books)
        return PoolStats(
            acquired_count=sum(entry.acquired_count for entry in classes),
            released_count=sum(entry.released_count for entry in classes),
            in_use_count=sum(entry.in_use_count for entry in classes),
            in_use_bytes=sum(in_use_bytes for _, in_use_bytes in books),
            mapped_bytes=sum(entry.mapped_bytes for entry in classes),
            refused_count=self._refused_count,
            page_kind=self._page_kind,
            classes=classes,
            nodes=_NO_NODES,
            binding=self._binding,
        )

    def leaks(self) -> Sequence[LeakReport]:
        """Return the leases that are out, oldest first; empty when tracking is disabled."""
        return () if self._tracker is None else self._tracker.reports()

    def collected_leaks(self) -> Sequence[LeakReport]:
        """Return reports of the latest leases (256 at most) that were garbage-collected with counts left."""
        return () if self._tracker is None else tuple(snapshot(self._tracker.collected))

    def close(self) -> None:
        """Refuse further acquires and let go of what is idle. Idempotent."""
        self._closed = True
        for home in self._homes():
            home.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()

    def _homes(self) -> Iterator[SlotHome]:
        yield from self._classes
        yield self._large

    def _mapped_bytes(self) -> int:
        return sum(home.mappings.total_bytes() for home in self._homes())

    def _take_large(self, size_bytes: int) -> Slot | None:
        """Return a slot above the largest class, from the cache or freshly mapped."""
        whole_bytes = round_up_to_pages(size_bytes)
        slot = self._large.reuse(whole_bytes)
        if slot is None and self._make_room(whole_bytes) >= whole_bytes:
            memory = self._map(whole_bytes, self._large)
            slot = None if memory is None else self._large.adopt(memory)
        return slot

    def _take_from_new_slab(self, home: SizeClass) -> Slot | None:
        """Map a slab for this class, as large as the limit allows, and cut its first slot."""
        unit_bytes = max(home.size_bytes, PAGE_BYTES)
        wanted_bytes = max(self._slab_bytes // unit_bytes, 1) * unit_bytes
        room_bytes = min(self._make_room(unit_bytes), wanted_bytes) // unit_bytes * unit_bytes
        if room_bytes == 0:
            return None
        memory = self._map(room_bytes, home)
        if memory is None:
            return None
        home.add_slab(Slab(memory, home.size_bytes))
        return home.carve()

    def _make_room(self, needed_bytes: int) -> int:
        """Return how many bytes may still be mapped, after letting go of idle memory if that is less than
        ``needed_bytes``."""
        self._os_error = None
        if self._limit_bytes is None:
            return sys.maxsize
        room_bytes = self._limit_bytes - self._mapped_bytes()
        idle_bytes = sum(home.idle_bytes() for home in self._homes())
        # Looked at first, so that a pool that is simply full refuses at once.
        if room_bytes < needed_bytes <= room_bytes + idle_bytes:
            self._large.drop_idle()
            for size_class in self._classes:
                if self._limit_bytes - self._mapped_bytes() >= needed_bytes:
                    break
                size_class.drop_idle_slabs()
            room_bytes = self._limit_bytes - self._mapped_bytes()
        return room_bytes

    def _map(self, size_bytes: int, home: SlotHome) -> memoryview | None:
        """Map memory for this home, or return ``None`` and remember why the machine refused."""
        try:
            mapping, self._page_kind, self._binding = self._pages.map(size_bytes)
        except OSError as error:
            self._os_error = error
            return None
        home.mappings.add(mapping)
        return memoryview(mapping)


__all__ = ["DEFAULT_LARGE_CACHE_BYTES", "DEFAULT_SLAB_BYTES", "SlabBufferPool"]
