"""Message: what a handler receives, and what it may do with the memory.

The data of a message is a read-only view into pooled memory, *borrowed*: it is valid until the handler
returns. A handler that needs it longer has two ways: ``copy()`` gives plain ``bytes``; ``retain()`` keeps
the pooled memory (or, where the bytes lie in memory that every connection shares, makes the one copy that
is needed) until ``release()``.
"""

from __future__ import annotations

from typing import Final, Protocol, Self, TypeAlias

MessageKind: TypeAlias = int
"""``TEXT`` or ``BINARY``: the opcode of the message's first frame (RFC 6455 §5.6)."""

TEXT: Final = 0x1
"""A message of UTF-8 text (RFC 6455 §5.6, opcode %x1)."""

BINARY: Final = 0x2
"""A message of arbitrary bytes (RFC 6455 §5.6, opcode %x2)."""


class Message(Protocol):
    """One complete message, all fragments joined.

    Thread rules: a borrowed message stays on the reactor's thread; a retained one may travel.
    """

    @property
    def kind(self) -> MessageKind:
        """``TEXT`` or ``BINARY``."""

    @property
    def data(self) -> memoryview:
        """The payload as a read-only view, format ``B``, contiguous. Borrowed until the handler returns,
        unless retained.

        Raises ``UseAfterRelease`` after that.
        """

    @property
    def text(self) -> str:
        """The payload decoded as UTF-8 (a copy).

        Text messages were checked on arrival; raises ``UnicodeDecodeError`` for other binary data.
        """

    def __len__(self) -> int:
        """Return the payload's length in bytes."""

    def copy(self) -> bytes:
        """Return the payload as ``bytes``. Nothing needs releasing."""

    def retain(self) -> Self:
        """Keep the message valid beyond the handler's return and return it; each ``retain`` needs one
        ``release``. May be called within the handler only."""

    def release(self) -> None:
        """Give back what ``retain`` took. Raises ``DoubleRelease`` without a matching ``retain``."""


__all__ = ["BINARY", "TEXT", "Message", "MessageKind"]
