"""Leases: the buffers that a pool hands out.

Three things are kept apart here. A *slot* is memory: it lives as long as its slab and is used again and
again. A *lease* is one turn of using a slot. A *name* (an object of class ``Lease``) is a handle on a lease;
every slice is a further name of the same lease, and each name has counts of its own, so that releasing a
slice twice cannot take the count that its origin still holds.

**Counting without a lock.** ``count -= 1`` is three steps in CPython, and two threads may both believe that
they took the last one. So counts are not numbers but tokens in lists. A lease owns one list, ``shared``, with
a token per outstanding count, and the bottom token is the slot itself; a name owns one list, ``own``. A
release pops one token from ``own`` (nothing there: double release), then one from ``shared``. Only one thread
can pop the slot, and whoever pops it, and nobody else, takes the memory home. Relied upon: that one call of
``list.pop`` or ``list.append`` is atomic, which the GIL gives, and the per-object lock of free-threaded
builds too (PEP 703, "Container thread-safety"). ``retain`` pushes ``shared`` before ``own``, ``release`` pops
in the opposite order, so at every moment

    ``len(shared) >= sum of len(own)``, and ``shared`` is empty only when the memory is on its way home.

**Generations.** Names and token lists are made anew for every lease; slots are recycled and carry the id of
the lease that uses them now, 0 when none does. Lease ids never repeat within a pool. A name whose id is not
the slot's is stale, and raises, even where an illegal race (a ``retain`` against the last ``release``) has
left it a token: such a token is never the slot, so it cannot send anything home.

**One limit.** An exception that a signal handler raises (Ctrl-C without a handler of ours) may land between
two steps of a call. Then a count, or a slot that was just taken, may be lost: the books go on showing it as
in use, and it is never given to two. Handlers that only post or set a flag cannot cause it.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ..api.errors import DoubleRelease, InvalidArgument, LeaseError, UseAfterRelease
from ..api.types import NodeId

if TYPE_CHECKING:
    from .size_class import SlotHome
    from .slab import Slab

NO_LEASE: Final = 0
"""The ``lease_id`` of a slot that nobody uses."""

_NO_MEMORY: Final = memoryview(b"")


class Slot:
    """A piece of memory that is leased again and again: ``size_bytes`` bytes of a slab, or a mapping.

    ``number`` is unique within its home. Thread rules: whoever holds the slot (its home's free list, or the
    lease that popped it) may write its attributes; anyone may read them.
    """

    __slots__ = ("home", "lease_id", "memory", "number", "size_bytes", "slab")

    def __init__(self, home: SlotHome, number: int, memory: memoryview, slab: Slab | None) -> None:
        self.home = home
        self.number = number
        self.memory = memory
        self.size_bytes = len(memory)
        self.slab = slab
        self.lease_id = NO_LEASE

    def drop_memory(self) -> None:
        """Let go of the memory, for good: stale names may keep this record, but not the mapping."""
        self.memory = _NO_MEMORY
        self.slab = None


class Lease:
    """One name of a lease; implements ``api.Buffer``, whose contract holds here.

    A name without counts of its own is finished: it raises although other names (slices, or the origin of
    a slice) keep the lease alive. Thread rules: as in ``api.Buffer``; the module docstring says why.
    """

    __slots__ = ("_own", "_shared", "_slot", "_start", "_stop", "lease_id")

    def __init__(
        self, slot: Slot, shared: list[Slot | None], lease_id: int, start: int, stop: int
    ) -> None:
        # Invariant: the caller has pushed into ``shared`` the token that this name starts with.
        self._own = [True]
        self._shared = shared
        self._slot = slot
        self._start = start
        self._stop = stop
        self.lease_id = lease_id

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def capacity(self) -> int:
        """Bytes from the start of this buffer to the end of its slot."""
        return self._slot.size_bytes - self._start

    @property
    def node(self) -> NodeId:
        """The node the memory was asked from."""
        return self._slot.home.node

    @property
    def home(self) -> SlotHome:
        """The size class that the memory goes back to."""
        return self._slot.home

    @property
    def ref_count(self) -> int:
        """Counts outstanding on the lease, shared by all its names; 0 once released."""
        return len(self._shared) if self._slot.lease_id == self.lease_id else 0

    def data(self) -> memoryview:
        """Return a writable view of exactly ``len`` bytes; a new object each time, so that a caller who
        releases his view takes nothing from another."""
        slot = self._slot
        if not self._own or slot.lease_id != self.lease_id:
            raise self.fault(UseAfterRelease, "data() of a released buffer")
        return slot.memory[self._start : self._stop]

    def view(self) -> memoryview:
        """Return a read-only view of exactly ``len`` bytes."""
        slot = self._slot
        if not self._own or slot.lease_id != self.lease_id:
            raise self.fault(UseAfterRelease, "view() of a released buffer")
        return slot.memory[self._start : self._stop].toreadonly()

    def copy(self) -> bytes:
        """Return the content as ``bytes``."""
        slot = self._slot
        if not self._own or slot.lease_id != self.lease_id:
            raise self.fault(UseAfterRelease, "copy() of a released buffer")
        return slot.memory[self._start : self._stop].tobytes()

    def slice(self, start: int, stop: int) -> Lease:
        """Return a second name over bytes ``start`` to ``stop`` of this one, with a count of its own."""
        if not 0 <= start <= stop <= self._stop - self._start:
            raise InvalidArgument("slice outside the buffer", start=start, stop=stop, length=len(self))
        self._add_shared("slice()")
        return self._name_slice(self._start + start, self._start + stop)

    def _name_slice(self, start: int, stop: int) -> Lease:
        """Make the second name; its count is in ``shared`` already."""
        return Lease(self._slot, self._shared, self.lease_id, start, stop)

    def retain(self) -> Self:
        """Add one count to this name and return it."""
        self._add_shared("retain()")
        self._own.append(True)
        return self

    def _add_shared(self, call: str) -> None:
        """Push a token into ``shared``, or raise ``UseAfterRelease``."""
        if not self._own:
            raise self.fault(UseAfterRelease, f"{call} of a released buffer")
        self._shared.append(None)
        if self._slot.lease_id != self.lease_id:
            # An illegal race: the last release came between the check and the push. The token is not the
            # slot, so leaving it in a finished list would be harmless; taking it out is merely tidy.
            self._shared.pop()
            raise self.fault(UseAfterRelease, f"{call} of a released buffer")

    def release(self) -> None:
        """Give one count of this name back; whoever gives the last one of the lease sends the slot home."""
        try:
            self._own.pop()
        except IndexError:
            raise self.fault(DoubleRelease, "release() of a buffer without a count left") from None
        slot = self._shared.pop()
        if slot is not None:
            slot.lease_id = NO_LEASE  # from here on every name of this lease is stale
            slot.home.take_back(slot)

    def fault(self, kind: type[LeaseError], message: str) -> LeaseError:
        """Return the error for a misuse of this name, with what is known about its lease."""
        return kind(message, lease_id=self.lease_id, size_bytes=len(self), ref_count=self.ref_count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.lease_id}: {len(self)} bytes, ref_count {self.ref_count}>"


__all__ = ["NO_LEASE", "Lease", "Slot"]
