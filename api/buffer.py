"""Buffer: a counted lease on pooled, page-aligned memory.

A buffer is not memory, it is the *right to use* memory. ``BufferPool.acquire`` issues the right with a
count of one; ``retain`` and ``release`` move the count; ``slice`` makes a second name for a part of the
same memory and adds one to the count. When the count reaches zero the memory goes back to the node and size
class it came from, and every further use of the lease raises. Three ownership words are used throughout the
library:

- *borrowed*: valid until the call or callback returns; retain or copy to keep it;
- *owned*: you hold one count and must release it exactly once;
- *copied*: plain ``bytes``, nobody has to release anything.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from .types import NodeId


@runtime_checkable
class Buffer(Protocol):
    """A counted lease on ``len(buffer)`` bytes of pooled memory.

    Thread rules: ``retain`` and ``release`` may be called from any thread; the bytes themselves are not
    synchronised, and one thread at a time may write. Leaving a ``with`` block releases one count.

    A released lease keeps answering ``len``, ``capacity``, ``node`` and ``ref_count`` (which is 0);
    everything that gives access to memory raises ``UseAfterRelease``. A ``memoryview`` obtained earlier is
    *not* revoked by Python when the lease ends, which is why views are borrowed and leases are owned.
    """

    def __len__(self) -> int:
        """Return the number of usable bytes: what was asked for, or the length of the slice.

        Never more than ``capacity``.
        """

    @property
    def capacity(self) -> int:
        """Bytes from the start of this buffer to the end of its slot: ``len`` may be below it by up to a
        size class."""

    @property
    def node(self) -> NodeId:
        """The NUMA node the memory was asked from; ``NodeId(0)`` on a machine with one node."""

    @property
    def ref_count(self) -> int:
        """Counts outstanding on the lease, shared by all its slices; 0 once released.

        For diagnosis, not for decisions.
        """

    def data(self) -> memoryview:
        """Return a writable view of exactly ``len`` bytes, format ``B``, contiguous. Borrowed: it dies with
        the lease.

        Raises ``UseAfterRelease`` after the last release.
        """

    def view(self) -> memoryview:
        """Return a read-only view of exactly ``len`` bytes; otherwise as ``data``."""

    def copy(self) -> bytes:
        """Return the content as ``bytes``; nothing needs releasing.

        Raises ``UseAfterRelease`` after the last release.
        """

    def slice(self, start: int, stop: int) -> Buffer:
        """Return a second buffer over bytes ``start`` to ``stop`` of this one, sharing memory and count
        (owned: +1).

        Offsets in bytes from the start of *this* buffer, ``0 <= start <= stop <= len``. Nothing is copied.
        The slice has to be released like any other; releasing it never shrinks the slot. Raises
        ``InvalidArgument`` outside that range and ``UseAfterRelease`` after the last release; the count is
        then unchanged.
        """

    def retain(self) -> Self:
        """Add one count and return this same buffer. Raises ``UseAfterRelease`` after the last release."""

    def release(self) -> None:
        """Give one count back; at zero the memory returns to its pool.

        Raises ``DoubleRelease`` when this name has no count left; the pool's books are then unchanged and
        no other lease is affected. Legal after the pool was closed.
        """

    def __enter__(self) -> Self:
        """Return self; leaving the block releases one count."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Release one count, whatever the block raised."""


__all__ = ["Buffer"]
