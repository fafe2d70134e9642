"""Messages: what the assembler hands to a handler, in one of three kinds of memory.

- *plain*: ``bytes`` of its own. Short messages are this: unmasking makes a new object anyway, and for
  so few bytes a view object costs more than the bytes do.
- *shared*: a view into the memory that the transport reads into. Nothing was copied; the next read overwrites
  it.
- *pooled*: a buffer of its own, because the message came in pieces.

Whatever the memory, the rule for the user is one: borrowed until the handler returns, unless retained. The
driver says when the handler has returned: it calls ``expire``, once, and forgets the message.

A pooled message owns one count of its buffer for being borrowed and one for every ``retain``. The buffer
counts, atomically, so a retained message may be released on any thread while the reactor expires it.
"""

from __future__ import annotations

from typing import Self

from ..api.buffer import Buffer
from ..api.errors import DoubleRelease, UseAfterRelease
from ..api.message import MessageKind
from ..api.pool import BufferPool
from ..api.transport import Sendable


class WireMessage:
    """One complete message off the wire; implements ``api.Message``, whose contract holds here.

    ``expire``, ``own``, ``sendable``, ``memory``, ``borrowed`` and ``tokens`` are for the library. Make one with
    ``memory`` (``bytes``, or a read-only view that is shared; then ``pool`` is where a ``retain`` copies to), or with
    ``buffer``, whose count it takes over. ``length`` in bytes.
    """

    __slots__ = ("_buffer", "_pool", "borrowed", "kind", "memory", "size_bytes", "tokens")

    def __init__(
        self,
        kind: MessageKind,
        memory: bytes | memoryview | None,
        length: int,
        pool: BufferPool | None = None,
        buffer: Buffer | None = None,
    ) -> None:
        # Invariant: at most one of ``memory`` and ``_buffer`` is set, and no memory once the message has
        # ended. (A buffer without counts left stays: it raises by itself.)
        self.kind: MessageKind = kind
        self.memory = memory
        self.size_bytes = length
        self._pool = pool
        self._buffer = buffer
        self.borrowed = True
        self.tokens: list[None] | None = None  # one per retain; ``None`` before the first

    @property
    def data(self) -> memoryview:
        """The payload as a read-only view."""
        memory = self.memory
        return self._pooled("data").view() if memory is None else memoryview(memory)

    @property
    def text(self) -> str:
        """The payload decoded as UTF-8. ``UseAfterRelease`` as for ``data``."""
        memory = self.memory
        return str(self._pooled("text").view() if memory is None else memory, "utf-8")

    def __len__(self) -> int:
        return self.size_bytes

    def copy(self) -> bytes:
        """Return the payload as ``bytes``. ``UseAfterRelease`` as for ``data``."""
        memory = self.memory
        return self._pooled("copy()").copy() if memory is None else bytes(memory)

    def retain(self) -> Self:
        """Keep the message; a shared one is copied into a pooled buffer, once.

        Raises ``UseAfterRelease`` once the message has ended, and ``ResourceExhausted`` or ``PoolClosed``
        where that copy gets no memory; the message is as before then.
        """
        memory = self.memory
        if type(memory) is memoryview:
            memory = self._move_to_pool(memory)
        if memory is None:
            self._pooled("retain()").retain()
        if self.tokens is None:
            self.tokens = []
        self.tokens.append(None)
        return self

    def own(self) -> None:
        """For the library: copy a shared message into memory of its own, so that views of it stay what they are."""
        memory = self.memory
        if type(memory) is memoryview:
            self.memory = bytes(memory)

    def release(self) -> None:
        """Give back what one ``retain`` took."""
        try:
            if self.tokens is None:
                raise IndexError
            self.tokens.pop()
        except IndexError:
            raise DoubleRelease("release() of a message that is not retained", length=self.size_bytes) from None
        if self._buffer is not None:
            self._buffer.release()
        elif not (self.borrowed or self.tokens):
            self.memory = None

    def expire(self) -> None:
        """End the loan: the handler has returned, or the memory is about to be overwritten. Idempotent.

        Without a ``retain`` outstanding, the memory is given back and every further access raises.
        """
        if not self.borrowed:
            return
        self.borrowed = False
        if self._buffer is not None:
            self._buffer.release()
        elif not self.tokens:
            self.memory = None

    def sendable(self) -> Sendable:
        """Return the payload in the form that a transport can keep at the least cost: the pooled ``Buffer``
        (to be retained), the ``bytes`` (kept by reference), or the borrowed view.

        The message keeps its counts. Raises ``UseAfterRelease`` as ``data``; for a buffer its first use does.
        """
        memory = self.memory
        return self._pooled("sendable()") if memory is None else memory

    def _pooled(self, what: str) -> Buffer:
        """Return the buffer of a message without plain memory, or raise: it has ended."""
        if self._buffer is None:
            raise UseAfterRelease(f"{what} of a message whose handler has returned", length=self.size_bytes)
        return self._buffer

    def _move_to_pool(self, memory: memoryview) -> bytes | None:
        """Copy shared memory into a buffer of our own; an empty message needs none and becomes plain."""
        if not self.size_bytes or self._pool is None:
            self.memory = bytes(memory)
            return self.memory
        buffer = self._pool.acquire(self.size_bytes)
        buffer.data()[:] = memory
        self._buffer, self.memory = buffer, None
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} kind={self.kind} of {self.size_bytes} bytes>"


__all__ = ["WireMessage"]
