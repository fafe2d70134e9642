"""Two extensions to test negotiation, chains and codecs with: one changes nothing, one turns messages around.

``x-identity`` claims no bit and passes on what it gets: whatever works without it works with it. ``x-reverse``
sets RSV1 on the first frame of a message and sends its bytes from the last to the first. For that it has to wait
for the message's end, in both directions, so it also plays the extension that holds payloads back: early fragments
leave empty.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..api.errors import HandshakeFailed, ProtocolViolation
from ..api.extension import RSV1, ExtensionAnswer, ExtensionParameters
from ..api.message import MessageKind
from ..api.types import ReadableMemory

_TOO_BIG = 1009


class IdentityExtension:
    """Implements ``api.extension.Extension``: passes everything on. ``closed`` tells whether it was closed."""

    name = "x-identity"
    """Its token."""
    rsv_bits = 0
    """It claims none."""

    def __init__(self) -> None:
        self.closed = False

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Return the payload."""
        return payload, 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        """Every message passes ``decode``."""
        return True

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Return the chunk. Raises ``ProtocolViolation`` above ``max_bytes``."""
        _check_size(len(chunk), max_bytes)
        return chunk

    def close(self) -> None:
        """Note that it was closed. Idempotent."""
        self.closed = True


class ReversingExtension(IdentityExtension):
    """Implements ``api.extension.Extension``: sends each message from its last byte to its first."""

    name = "x-reverse"
    rsv_bits = RSV1

    def __init__(self) -> None:
        super().__init__()
        self._outgoing = bytearray()
        self._incoming = bytearray()

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Hold the payload back until the message ends, then return all of it, reversed."""
        self._outgoing += payload
        return _turned(self._outgoing, final), RSV1 if first else 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        """Messages with RSV1 pass ``decode``, others are as they are."""
        return bool(rsv_bits & RSV1)

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Hold the chunk back until the message ends. Raises ``ProtocolViolation`` above ``max_bytes``."""
        _check_size(len(self._incoming) + len(chunk), max_bytes)
        self._incoming += chunk
        return _turned(self._incoming, final)

    def close(self) -> None:
        """Forget what was held back. Idempotent."""
        super().close()
        self._outgoing.clear()
        self._incoming.clear()


class FakeExtensionFactory:
    """Implements ``api.extension.ExtensionFactory`` for either class; keeps what it ``made``.

    With ``declines`` the server's side says no to every offer.
    """

    def __init__(self, kind: type[IdentityExtension] = IdentityExtension, *, declines: bool = False) -> None:
        self._kind = kind
        self._declines = declines
        self.made: list[IdentityExtension] = []

    @property
    def name(self) -> str:
        """The token of what it makes."""
        return self._kind.name

    def offers(self) -> Sequence[ExtensionParameters]:
        """Offer the extension, without parameters."""
        return ((),)

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        """Accept an offer without parameters."""
        return None if self._declines or parameters else ExtensionAnswer((), self._make())

    def accept_answer(self, parameters: ExtensionParameters) -> IdentityExtension:
        """Accept an answer without parameters. Raises ``HandshakeFailed`` for others: nobody offered them."""
        if parameters:
            raise HandshakeFailed("an answer that fits no offer", extension=self.name)
        return self._make()

    def _make(self) -> IdentityExtension:
        self.made.append(self._kind())
        return self.made[-1]


def _check_size(size_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise ProtocolViolation("the message is too long", close_code=_TOO_BIG, max_bytes=max_bytes)


def _turned(held: bytearray, final: bool) -> bytes:
    """Return what was held, reversed, when the message ends; nothing before."""
    if not final:
        return b""
    turned = bytes(held[::-1])
    held.clear()
    return turned


__all__ = ["FakeExtensionFactory", "IdentityExtension", "ReversingExtension"]
