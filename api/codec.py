"""Codec: the WebSocket protocol without I/O, as one object per connection.

A codec has two halves that share nothing but the role. The *receiving half* eats bytes, cut anywhere, and
returns events in the order they lie on the wire. The *sending half* turns messages and control frames into
parts to put on the wire. It never answers by itself: whoever drives it processes the events in order and
calls ``answer`` for each, so that a reply to an earlier message always leaves before the answer to a later
close frame.

Time, sockets and randomness are arguments or do not occur. RFC 6455 §5 to §7 are the law here.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from .errors import ProtocolViolation
from .message import Message, MessageKind
from .transport import Sendable
from .types import ReadableMemory


class Role(enum.Enum):
    """Which end of the connection a codec plays: a client masks what it sends, a server must not (RFC 6455
    §5.1)."""

    CLIENT = "client"
    SERVER = "server"


class PingReceived:
    """A ping frame.

    ``payload``: 0 to 125 bytes, copied. It is to be answered with a pong of the same payload (RFC 6455
    §5.5.2).
    """

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class PongReceived:
    """A pong frame, asked for or not (RFC 6455 §5.5.3). ``payload``: 0 to 125 bytes, copied."""

    __slots__ = ("payload",)

    def __init__(self, payload: bytes) -> None:
        self.payload = payload


class CloseReceived:
    """A close frame: the last event of a receiving half.

    ``code`` is 1005 when the frame had none (RFC 6455 §7.1.5).
    """

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason


class ViolationDetected:
    """The peer broke the protocol or a limit: the last event of a receiving half.

    ``error.close_code`` is what to answer with.
    """

    __slots__ = ("error",)

    def __init__(self, error: ProtocolViolation) -> None:
        self.error = error


class StreamEnded:
    """The byte stream ended without a close frame: the last event of a receiving half (RFC 6455 §7.1.5,
    code 1006)."""

    __slots__ = ()


CodecEvent: TypeAlias = (
    "Message | PingReceived | PongReceived | CloseReceived | ViolationDetected | StreamEnded"
)
"""What ``Codec.receive`` returns, in wire order."""


class Codec(Protocol):
    """Both halves of one WebSocket connection after its opening handshake.

    Thread rules: one thread at a time.
    """

    @property
    def role(self) -> Role:
        """The end this codec plays."""

    @property
    def receiving(self) -> bool:
        """Whether the receiving half is open: false after its last event; further bytes are then ignored
        (RFC 6455 §1.4)."""

    @property
    def sending(self) -> bool:
        """Whether the sending half is open: false once a close frame was encoded."""

    def receive(self, data: memoryview, /) -> Sequence[CodecEvent]:
        """Take all of ``data`` and return the events that it completes. Never raises for what the bytes
        say.

        ``data`` is writable, format ``B``, and is unmasked in place; messages may point into it, so it and
        the events are borrowed until the next call that receives. A message used later raises
        ``UseAfterRelease``, or shows what it was where it has memory of its own, but never other bytes. Any
        split of the stream yields the same messages. A violation is reported at the first byte that proves it,
        after the events before it; nothing after it is looked at.
        """

    def receive_end(self) -> Sequence[CodecEvent]:
        """Tell the receiving half that the stream has ended: ``StreamEnded`` while it is open, else
        nothing."""

    def direct_target(self) -> memoryview | None:
        """Return where the rest of a large frame's payload is wanted, so that the transport can receive
        straight into it; else ``None``.

        Writable, never longer than what is left of this frame. Borrowed until the next call that receives.
        """

    def receive_direct(self, count_bytes: int, /) -> Sequence[CodecEvent]:
        """Say that ``count_bytes`` bytes were received into the start of ``direct_target()``; otherwise as
        ``receive``.

        Raises ``InvalidState`` when there is no target and ``InvalidArgument`` for a count outside 0 to its
        length.
        """

    def answer(self, event: CodecEvent, /) -> Sequence[Sendable]:
        """Return what the RFC obliges us to send because of an event: a pong, the close frame, or nothing.

        Call it for each event in order. An empty sequence when the sending half is closed already.
        """

    def encode_message(
        self, kind: MessageKind, payload: Sendable, /, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        """Return the parts of one data frame: an unfragmented message by default, else a fragment (RFC 6455
        §5.4).

        ``first=False`` makes a continuation, ``final=False`` announces more. A server's payload is passed
        on by reference (borrowed until sent or copied by the transport; a ``Buffer`` stays one, so that the
        transport can retain instead of copying); a client's is masked into new memory.
        Text is *not* checked here. Raises ``InvalidState`` when the sending half is closed or fragments are out
        of order, and ``InvalidArgument`` for an unknown kind or a view that is not contiguous; nothing has
        changed then.
        """

    def encode_ping(self, payload: ReadableMemory = b"", /) -> Sequence[Sendable]:
        """Return a ping frame.

        Raises ``InvalidArgument`` above 125 bytes and ``InvalidState`` when the sending half is closed.
        """

    def encode_pong(self, payload: ReadableMemory = b"", /) -> Sequence[Sendable]:
        """Return a pong frame; errors as ``encode_ping``."""

    def encode_close(self, code: int | None = 1000, reason: str = "", /) -> Sequence[Sendable]:
        """Return a close frame and close the sending half; an empty sequence when it is closed already.

        ``code``: ``None`` for a frame without body (then no reason), else a code that RFC 6455 §7.4 allows
        on the wire: 1000 to 1003, 1007 to 1014, 3000 to 4999. Raises ``InvalidArgument`` for another code
        or a reason above 123 bytes of UTF-8; the half stays open then.
        """

    def close(self) -> None:
        """Release pooled memory and extensions; both halves are closed.

        Borrowed messages end here. Idempotent.
        """


__all__ = [
    "CloseReceived",
    "Codec",
    "CodecEvent",
    "PingReceived",
    "PongReceived",
    "Role",
    "StreamEnded",
    "ViolationDetected",
]
