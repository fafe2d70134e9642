"""Outgoing queue: what ``send`` accepted and the system has not taken yet.

Every stream transport needs the same four things on its way out, and they are easy to get subtly wrong, so
they are here once; a transport adds only a function that gives some views to the system and says how many
bytes went.

*Ownership by kind.* ``bytes`` can't change, so a reference is enough. A ``Buffer`` is retained while any byte
of it waits and released with its last one. Borrowed memory (``memoryview``, ``bytearray``) may change as soon
as ``send`` returns, so what is left of it is copied, and only that. Nothing is retained or copied for what
the system takes at once, which is nearly everything.

*Partial sends.* The system takes any number of bytes, ending in the middle of any part. The rest of that part
becomes a view; no byte moves.

*Vectors and joins.* A vectored call costs some 30 ns a part, in the interpreter and in the kernel; joining
costs the copy. Measured on CPython 3.11 over loopback TCP (microseconds for the whole send, join against
vector): 2 x 10 B 1.0/1.1, 64 x 128 B 1.7/3.3, 1000 x 100 B 13/35, 64 x 1 KiB 4.9/5.1, 16 x 4 KiB 4.6/3.6, 4 x
64 KiB 15/10. So parts are joined while they are below 1 KiB on average, and go by reference above.

*Water marks.* Two marks instead of one, because a producer that is paused and resumed at the same number of
bytes would flap with every packet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

from ..api.buffer import Buffer
from ..api.errors import InvalidArgument
from ..api.transport import Sendable
from ..api.types import ReadableMemory

MAX_PARTS: Final = 1024
"""Most parts of one vectored call: UIO_MAXIOV on Linux, IOV_MAX elsewhere (writev(2))."""

WINDOW_BYTES: Final = 1 << 20
"""How much of a long queue is offered to the system at a time; socket buffers seldom hold more."""

JOIN_BELOW_BYTES: Final = 1024
"""Parts that are smaller than this on average are joined; see the measurement above."""

Write: TypeAlias = Callable[[Sequence[ReadableMemory]], int]
"""Gives 1 to ``MAX_PARTS`` views to the system, waits for nothing, and returns how many bytes it took.

Less than all means that the system takes nothing more now. The views are borrowed until it returns. When it
raises, it has dropped the queue (``OutgoingQueue.drop``) or left it as it was.
"""

_Part: TypeAlias = "tuple[bytes | memoryview, Buffer | None]"


def view_of(item: Sendable) -> ReadableMemory:
    """Return the bytes of one item of a batch, not copied, in a form whose ``len`` counts bytes.

    Raises ``InvalidArgument`` for anything that is not ``Sendable`` (memory that is not contiguous, too) and
    ``UseAfterRelease`` for a released buffer.
    """
    if isinstance(item, (bytes, bytearray)):
        return item
    if isinstance(item, memoryview):
        try:
            if not item.nbytes:
                return b""
            return item if item.ndim == 1 and item.itemsize == 1 and item.contiguous else item.cast("B")
        except (TypeError, ValueError) as error:
            raise InvalidArgument("memory to send must be contiguous and not released") from error
    view = getattr(item, "view", None)
    if view is None:
        raise InvalidArgument("only bytes-like objects and buffers can be sent", kind=type(item).__name__)
    return cast(memoryview, view())


def gather(views: list[ReadableMemory], size_bytes: int) -> Sequence[ReadableMemory]:
    """Return what to hand to the system for ``views``, ``size_bytes`` in all: themselves, or joined."""
    count = len(views)
    if count > 1 and size_bytes < count * JOIN_BELOW_BYTES:
        return (b"".join(views),)
    return views


def rest_of(parts: Sequence[Sendable], taken_bytes: int) -> list[Sendable]:
    """Return what is left of ``parts``, bytes-like ones, when the system has taken their first bytes. No byte moves."""
    rest: list[Sendable] = []
    for part in parts:
        size_bytes = len(part)
        if taken_bytes >= size_bytes:
            taken_bytes -= size_bytes
        elif taken_bytes:
            rest.append(memoryview(cast(ReadableMemory, part))[taken_bytes:])
            taken_bytes = 0
        else:
            rest.append(part)
    return rest


class OutgoingQueue:
    """Parts in order, their owners, and how many bytes they are. Thread rules: the transport's thread.

    ``pending_bytes`` is there to be read; nobody else writes it.
    """

    __slots__ = ("_parts", "pending_bytes")

    def __init__(self) -> None:
        # None while nothing waits: an empty deque is 700 bytes, and nearly all connections wait for nothing.
        # Invariant: no part is empty, and their sizes add up to ``pending_bytes``.
        self._parts: deque[_Part] | None = None
        self.pending_bytes = 0

    def send(self, batch: Sequence[Sendable], write: Write) -> int:
        """Queue the batch behind what is pending, write what the system takes, return ``pending_bytes``.

        Raises as ``view_of`` before anything is queued, and what ``write`` raises.
        """
        views = [item if type(item) is bytes else view_of(item) for item in batch]
        if self._parts is not None:
            self.keep(batch, views, 0)
            return self.flush(write)
        size_bytes = sum(map(len, views))
        if not size_bytes:
            return 0
        if len(views) > MAX_PARTS:
            self.keep(batch, views, 0)
            return self.flush(write)
        taken_bytes = write(gather(views, size_bytes))
        if taken_bytes < size_bytes:
            self.keep(batch, views, taken_bytes)
        return self.pending_bytes

    def flush(self, write: Write) -> int:
        """Write what the system takes of what is pending; return ``pending_bytes``.

        Raises what ``write`` raises.
        """
        while self._parts is not None:
            window, size_bytes = self._window(self._parts)
            taken_bytes = write(gather(window, size_bytes))
            self._discard(taken_bytes)
            if taken_bytes < size_bytes:
                break
        return self.pending_bytes

    def drop(self) -> None:
        """Forget everything that is pending and release what was retained. Idempotent."""
        self._discard(self.pending_bytes)

    def keep(self, batch: Sequence[Sendable], views: Sequence[ReadableMemory], skip_bytes: int) -> None:
        """Queue all of the batch but its first ``skip_bytes``, which the system has taken."""
        parts: deque[_Part] = deque() if self._parts is None else self._parts
        for item, view in zip(batch, views, strict=True):
            size_bytes = len(view)
            if size_bytes <= skip_bytes:  # taken, or empty
                skip_bytes -= size_bytes
                continue
            rest = memoryview(view)[skip_bytes:] if skip_bytes else view
            skip_bytes = 0
            if isinstance(item, (bytearray, memoryview)):
                parts.append((bytes(rest), None))
            elif isinstance(item, bytes):
                parts.append((cast("bytes | memoryview", rest), None))
            else:
                parts.append((cast("bytes | memoryview", rest), item.retain()))
            self.pending_bytes += len(rest)
        self._parts = parts or None

    @staticmethod
    def _window(parts: deque[_Part]) -> tuple[list[ReadableMemory], int]:
        """Return the first parts, at most ``MAX_PARTS`` and some ``WINDOW_BYTES``, and their size."""
        window: list[ReadableMemory] = []
        size_bytes = 0
        for data, _ in parts:
            window.append(data)
            size_bytes += len(data)
            if size_bytes >= WINDOW_BYTES or len(window) == MAX_PARTS:
                break
        return window, size_bytes

    def _discard(self, taken_bytes: int) -> None:
        """Take the first ``taken_bytes`` off the queue; release the buffers that end in them."""
        parts = self._parts
        self.pending_bytes -= taken_bytes
        while taken_bytes and parts:
            data, owner = parts.popleft()
            if len(data) > taken_bytes:
                parts.appendleft((memoryview(data)[taken_bytes:], owner))
                return
            taken_bytes -= len(data)
            if owner is not None:
                owner.release()
        if not parts:
            self._parts = None


class WaterMarks:
    """Tells a producer when to pause and when to resume; see ``Transport.set_water_marks``.

    What a lost connection or ``close`` drops is not reported as fallen: there is nothing to resume for.
    """

    __slots__ = ("_above", "_high_bytes", "_low_bytes", "_on_change")

    def __init__(self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None]) -> None:
        """``0 <= low_bytes <= high_bytes``, else ``InvalidArgument``. Starts below."""
        if not 0 <= low_bytes <= high_bytes:
            raise InvalidArgument("0 <= low_bytes <= high_bytes", high_bytes=high_bytes, low_bytes=low_bytes)
        self._high_bytes = high_bytes
        self._low_bytes = low_bytes
        self._on_change = on_change
        self._above = False

    def crossed(self, pending_bytes: int) -> bool:
        """Return whether ``update`` would tell the producer something."""
        return pending_bytes <= self._low_bytes if self._above else pending_bytes > self._high_bytes

    def update(self, pending_bytes: int) -> None:
        """Tell the producer if a mark was crossed.

        Called last, when the books of the transport are right: the producer may send, close, or raise (which
        reaches the caller of ``send``).
        """
        if self.crossed(pending_bytes):
            self._above = not self._above
            self._on_change(self._above)


def water_marks(
    high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
) -> WaterMarks | None:
    """Return the marks that ``Transport.set_water_marks`` asks for; ``None`` where nobody wants to know.

    Raises ``InvalidArgument`` for marks out of order, also then.
    """
    marks = WaterMarks(high_bytes, low_bytes, _ignore if on_change is None else on_change)
    return None if on_change is None else marks


def _ignore(above: bool) -> None:
    """Stand in for a producer that does not want to know; never called."""


__all__ = [
    "JOIN_BELOW_BYTES",
    "MAX_PARTS",
    "WINDOW_BYTES",
    "OutgoingQueue",
    "WaterMarks",
    "Write",
    "gather",
    "rest_of",
    "view_of",
    "water_marks",
]
