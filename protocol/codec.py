"""The codec: a receiving half, a sending half, and the answers that the RFC obliges us to give.

The halves know nothing of each other. The only thing that joins them is ``answer``, and it is the driver who
calls it, event by event: so an echo that a handler sends for an earlier message leaves before the close frame
that answers a later event, and nothing is ever sent behind anybody's back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..api.codec import CloseReceived, CodecEvent, PingReceived, Role, ViolationDetected
from ..api.errors import InvalidArgument
from ..api.extension import Extension
from ..api.message import MessageKind
from ..api.pool import BufferPool
from ..api.transport import Sendable
from ..api.types import ReadableMemory
from .close import NO_STATUS, close_code_for
from .limits import Limits
from .receiver import Receiver
from .sender import Sender

_DEFAULT_LIMITS: Final = Limits()


class WebSocketCodec:
    """RFC 6455 §5 to §7 for one connection, without I/O; implements ``api.Codec``, whose contract holds here.

    ``limits``: what an incoming message may cost. ``pool``: where messages that come in pieces are stored;
    owned by the caller. ``mask_key``: returns 4 fresh, unpredictable bytes; called once per frame sent, by
    the client role only (RFC 6455 §5.3). ``extensions``: those agreed on, in the order agreed; the codec
    closes them. Raises ``InvalidArgument`` when two of them claim the same reserved bit.
    """

    __slots__ = ("_role", "receiver", "sender")

    def __init__(
        self,
        role: Role,
        *,
        limits: Limits = _DEFAULT_LIMITS,
        pool: BufferPool,
        mask_key: Callable[[], bytes],
        extensions: Sequence[Extension] = (),
    ) -> None:
        claimed_bits = 0
        for extension in extensions:
            if extension.rsv_bits & claimed_bits:
                raise InvalidArgument("two extensions claim the same reserved bit", extension=extension.name)
            claimed_bits |= extension.rsv_bits
        self._role = role
        self.receiver = Receiver(role is Role.SERVER, limits, pool, extensions)
        self.sender = Sender(role is Role.CLIENT, mask_key, extensions)

    @property
    def role(self) -> Role:
        """The end this codec plays."""
        return self._role

    @property
    def receiving(self) -> bool:
        """Whether the receiving half is open."""
        return self.receiver.open

    @property
    def sending(self) -> bool:
        """Whether the sending half is open."""
        return self.sender.open

    def receive(self, data: memoryview, /) -> Sequence[CodecEvent]:
        """Take all of ``data`` and return the events that it completes."""
        return self.receiver.receive(data)

    def receive_end(self) -> Sequence[CodecEvent]:
        """Tell the receiving half that the stream has ended."""
        return self.receiver.receive_end()

    def direct_target(self) -> memoryview | None:
        """Return where the rest of a large frame's payload is wanted (16 KiB or more of it), else ``None``.

        ``None``, too, where the pool has no memory: the next ``receive`` with bytes reports that.
        """
        return self.receiver.direct_target()

    def receive_direct(self, count_bytes: int, /) -> Sequence[CodecEvent]:
        """Say that ``count_bytes`` bytes were received into the start of ``direct_target()``."""
        return self.receiver.receive_direct(count_bytes)

    def answer(self, event: CodecEvent, /) -> Sequence[Sendable]:
        """Return what the RFC obliges us to send because of an event."""
        if not self.sender.open:
            return ()
        if isinstance(event, PingReceived):  # RFC 6455 §5.5.2
            return self.sender.encode_pong(event.payload)
        if isinstance(event, CloseReceived):  # RFC 6455 §5.5.1: typically echoes the status code
            return self.sender.encode_close(None if event.code == NO_STATUS else event.code)
        if isinstance(event, ViolationDetected):  # RFC 6455 §7.1.7
            return self.sender.encode_close(close_code_for(event.error))
        return ()

    def encode_message(
        self, kind: MessageKind, payload: Sendable, /, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        """Return the parts of one data frame; up to 512 plain bytes share a part with the header."""
        return self.sender.encode_message(kind, payload, final=final, first=first)

    def encode_ping(self, payload: ReadableMemory = b"", /) -> Sequence[Sendable]:
        """Return a ping frame."""
        return self.sender.encode_ping(payload)

    def encode_pong(self, payload: ReadableMemory = b"", /) -> Sequence[Sendable]:
        """Return a pong frame."""
        return self.sender.encode_pong(payload)

    def encode_close(self, code: int | None = 1000, reason: str = "", /) -> Sequence[Sendable]:
        """Return a close frame and close the sending half."""
        return self.sender.encode_close(code, reason)

    def close(self) -> None:
        """Release pooled memory and extensions; both halves are closed."""
        self.receiver.close()
        self.sender.close()


__all__ = ["WebSocketCodec"]
