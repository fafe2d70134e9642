"""Slabs: the mapped memory that every pooled buffer is cut from.

A slab is one anonymous, private ``mmap``: page aligned, filled with zeros by the kernel, and committed page
by page at first touch, so that mapping two megabytes costs nothing until they are used. It is cut into equal
slots one at a time, when a slot is first needed, which keeps every acquire constant in time.

Huge pages are a ladder, tried from the top: explicit pages of 1 GiB, then of 2 MiB (``MAP_HUGETLB``, where
the size is a multiple of the page), then transparent ones (``MADV_HUGEPAGE``), then normal ones. What is
reported is the rung that was reached, never the one that was asked for.

**Huge pages and nodes do not know of each other.** The kernel reserves explicit huge pages when they are
mapped, but counts them for the whole machine. Bound to a node that has none, such a mapping would end the
process with SIGBUS at first touch (Documentation/admin-guide/mm/hugetlbpage.rst). So explicit pages are
bound and then *populated* at once: ``MADV_POPULATE_WRITE`` answers with an error where a touch would kill,
and the next rung is tried. Normal pages stay untouched until somebody needs them.

Nothing is ever unmapped by force. CPython keeps a mapping alive as long as a ``memoryview`` of it exists, so
memory goes back to the system when the last view of it goes, and never under somebody's feet. ``Mappings``
counts what is really mapped for the same reason: it watches the mapping objects themselves.
"""

from __future__ import annotations

import errno
import mmap
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from ..api.errors import InvalidArgument
from ..api.types import NodeId

PAGE_BYTES: Final = mmap.PAGESIZE
HUGE_2M_BYTES: Final = 2 * 1024 * 1024
HUGE_1G_BYTES: Final = 1024 * 1024 * 1024

HugePages: TypeAlias = Literal["never", "try"]
"""``"never"``: normal pages only; ``"try"``: the best rung of the ladder that the machine grants."""

PageKind: TypeAlias = Literal["huge-1g", "huge-2m", "transparent", "normal"]

Binding: TypeAlias = Literal["bound", "refused", "first-touch"]
"""As in ``api.PoolStats.binding``."""

Bind: TypeAlias = Callable[[mmap.mmap, NodeId], bool]
"""Binds a fresh mapping, of which no page was touched yet, to a node. ``False``: this machine binds nothing,
the mapping can be used unbound. An ``OSError``: not this mapping to this node."""

Populate: TypeAlias = Callable[[mmap.mmap], None]
"""Gives every page of a mapping its memory now. Raises ``OSError``: EINVAL where the kernel has no such call,
else there is not enough."""

MapMemory: TypeAlias = Callable[[int, int], mmap.mmap]
"""Maps ``size_bytes`` anonymous bytes with extra mmap(2) flags; ``OSError`` where the machine refuses."""

# linux/mman.h: the page size is encoded as its binary logarithm, shifted by MAP_HUGE_SHIFT (26).
MAP_HUGETLB: Final = 0x40000
MAP_HUGE_2M: Final = MAP_HUGETLB | (21 << 26)
MAP_HUGE_1G: Final = MAP_HUGETLB | (30 << 26)

# asm-generic/mman-common.h; the mmap module does not name it.
_MADV_POPULATE_WRITE: Final = 23

_RUNGS: Final[tuple[tuple[PageKind, int, int], ...]] = (
    ("huge-1g", HUGE_1G_BYTES, MAP_HUGE_1G),
    ("huge-2m", HUGE_2M_BYTES, MAP_HUGE_2M),
)
_TRANSPARENT_SWITCH: Final = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_ON_LINUX: Final = hasattr(mmap, "MADV_HUGEPAGE")


def map_anonymous(size_bytes: int, extra_flags: int = 0) -> mmap.mmap:
    """Map ``size_bytes`` private, anonymous, zeroed bytes. Raises ``OSError`` where the machine refuses.

    Private, because Python's default (shared) is backed by shmem, which transparent huge pages skip. No
    ``MAP_NORESERVE``: explicit huge pages are reserved here, so that a shortage is an error of this call
    and not a SIGBUS at first touch (mmap(2)).
    """
    if not hasattr(mmap, "MAP_PRIVATE"):  # pragma: no cover - Windows: no flags, always private
        return mmap.mmap(-1, size_bytes)
    return mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | extra_flags)


def populate_pages(mapping: mmap.mmap) -> None:
    """Give every page its memory now (Linux 5.14, madvise(2)). Raises ``OSError``."""
    mapping.madvise(_MADV_POPULATE_WRITE)


def transparent_pages_allowed(switch: Path = _TRANSPARENT_SWITCH) -> bool:
    """Return whether the kernel honours ``MADV_HUGEPAGE``; with ``[never]`` it accepts and ignores it."""
    try:
        return "[never]" not in switch.read_text()
    except OSError:
        return False


def round_up_to_pages(size_bytes: int) -> int:
    """Return the smallest whole number of pages, in bytes, that holds ``size_bytes``."""
    return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES


class Mapped(NamedTuple):
    """What was got from the system."""

    mapping: mmap.mmap
    page_kind: PageKind
    binding: Binding


@dataclass(frozen=True, slots=True)
class PageSource:
    """How memory is got from the system: huge pages or not, bound to which node, by which means.

    ``node`` is the node to ask memory from; ``bind`` puts a mapping there (``None``: the kernel's first
    touch decides). ``map_memory``, ``transparent_allowed`` and ``populate`` are the questions put to the
    machine, so that a machine which does not exist can answer them. Thread rules: any thread.
    """

    node: NodeId = NodeId(0)
    huge_pages: HugePages = "never"
    bind: Bind | None = None
    map_memory: MapMemory = map_anonymous
    transparent_allowed: Callable[[], bool] = transparent_pages_allowed
    populate: Populate = populate_pages

    def __post_init__(self) -> None:
        if self.huge_pages not in ("never", "try"):
            raise InvalidArgument("huge_pages must be 'never' or 'try'", huge_pages=self.huge_pages)

    def map(self, size_bytes: int) -> Mapped:
        """Map ``size_bytes`` (whole pages) and bind them; return the mapping and what kind of page and of
        binding it got.

        Raises ``OSError`` where the machine has no more or binding failed; nothing stays mapped then.
        """
        if self.huge_pages == "try" and _ON_LINUX:
            for kind, page_bytes, flags in _RUNGS:
                mapped = None if size_bytes % page_bytes else self._map_explicit(size_bytes, kind, flags)
                if mapped is not None:
                    return mapped
        mapping = self._map_normal(size_bytes)
        wants_advice = self.huge_pages == "try" and size_bytes >= HUGE_2M_BYTES
        kind = "transparent" if wants_advice and self._advise(mapping) else "normal"
        return Mapped(mapping, kind, self._bind(mapping))

    def _map_explicit(self, size_bytes: int, kind: PageKind, flags: int) -> Mapped | None:
        """Map huge pages that are really there; ``None`` where the next rung has to be tried."""
        try:
            mapping = self.map_memory(size_bytes, flags)
            binding = self._bind(mapping)
        except OSError:
            return None  # none of this size reserved, or not for this node
        try:
            self.populate(mapping)
        except OSError as error:
            # EINVAL: a kernel before 5.14, which can't tell. Unbound, the reservation of mmap(2) holds and
            # the mapping is safe; bound, it may not be.
            if error.errno != errno.EINVAL or binding == "bound":
                return None
        return Mapped(mapping, kind, binding)

    def _bind(self, mapping: mmap.mmap) -> Binding:
        """Bind a fresh mapping if there is a means to. Raises ``OSError`` as the means does."""
        if self.bind is None:
            return "first-touch"
        return "bound" if self.bind(mapping, self.node) else "refused"

    def _map_normal(self, size_bytes: int) -> mmap.mmap:
        try:
            return self.map_memory(size_bytes, 0)
        except (OverflowError, ValueError) as error:  # more than an address or an off_t can express
            raise OSError(f"cannot map {size_bytes} bytes") from error

    def _advise(self, mapping: mmap.mmap) -> bool:
        """Ask for transparent huge pages; ``False`` where the kernel would not honour it."""
        if not _ON_LINUX or not self.transparent_allowed():
            return False
        try:
            mapping.madvise(mmap.MADV_HUGEPAGE)
        except OSError:
            return False  # a kernel built without them: EINVAL
        return True


class Slab:
    """One mapping, cut into ``slot_count`` slots of ``slot_bytes`` each. A slab never resizes.

    Thread rules: cutting is for the owner of the pool.
    """

    __slots__ = ("_memory", "carved_count", "slot_bytes", "slot_count")

    def __init__(self, memory: memoryview, slot_bytes: int) -> None:
        self._memory = memory
        self.slot_bytes = slot_bytes
        self.slot_count = len(memory) // slot_bytes
        self.carved_count = 0

    @property
    def uncarved_count(self) -> int:
        """Slots that were never cut: mapped, and free."""
        return self.slot_count - self.carved_count

    def carve(self) -> memoryview | None:
        """Cut off the next slot and return its memory, or ``None`` when all are cut."""
        if self.carved_count == self.slot_count:
            return None
        start = self.carved_count * self.slot_bytes
        # Invariant: slots are disjoint; number n is bytes [n * slot_bytes, (n + 1) * slot_bytes).
        self.carved_count += 1
        return self._memory[start : start + self.slot_bytes]


class Mappings:
    """The mappings that are alive, with their sizes: counted by watching the mapping objects themselves.

    Thread rules: ``add`` is for the owner; a mapping may die, and sums may be asked for, on any thread. The
    only operations shared between threads are single calls of ``dict`` methods, see ``ring.py``.
    """

    __slots__ = ("_added_count", "_live")

    def __init__(self) -> None:
        self._added_count = 0
        self._live: dict[int, tuple[weakref.ref[mmap.mmap], int]] = {}

    def add(self, mapping: mmap.mmap) -> None:
        """Count a mapping until it is gone."""
        live, key = self._live, self._added_count
        self._added_count += 1
        # The watcher has to live as long as the mapping, so the entry holds it. The callback must not hold
        # ``self``: that would be a cycle.
        live[key] = (weakref.ref(mapping, lambda _: live.pop(key, None)), len(mapping))

    @property
    def count(self) -> int:
        """How many mappings are alive."""
        return len(self._live)

    def total_bytes(self) -> int:
        """Return the sum of their sizes; linear in their number, which is why only the mapping path asks."""
        return sum(size_bytes for _, size_bytes in self._live.copy().values())


__all__ = [
    "HUGE_1G_BYTES",
    "HUGE_2M_BYTES",
    "MAP_HUGETLB",
    "MAP_HUGE_1G",
    "MAP_HUGE_2M",
    "PAGE_BYTES",
    "Bind",
    "Binding",
    "HugePages",
    "MapMemory",
    "Mapped",
    "Mappings",
    "PageKind",
    "PageSource",
    "Populate",
    "Slab",
    "map_anonymous",
    "populate_pages",
    "round_up_to_pages",
    "transparent_pages_allowed",
]
