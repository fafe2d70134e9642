"""Extension: a transformation of data frames that both ends agreed on in the handshake (RFC 6455 §9).

A *factory* knows how to offer and how to accept; the *extension* it makes belongs to one connection and
holds its state. Several extensions form a chain: outgoing payloads pass it in the order agreed, incoming
ones in reverse. The codec calls nothing else, so an extension of yours can do what a built-in one can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from .message import MessageKind
from .types import ReadableMemory

RSV1: Final = 0x40
"""Reserved bit 1 of a frame header's first byte (RFC 6455 §5.2)."""

RSV2: Final = 0x20
"""Reserved bit 2."""

RSV3: Final = 0x10
"""Reserved bit 3."""

ExtensionParameters: TypeAlias = "Sequence[tuple[str, str | None]]"
"""Parameters of one offer or answer in their order; the value is ``None`` where there is none (RFC 6455
§9.1)."""


class Extension(Protocol):
    """The state of an agreed extension on one connection.

    Thread rules: the codec's. Only data frames pass it (RFC 6455 §5.5).
    """

    @property
    def name(self) -> str:
        """The registered token (RFC 6455 §9.1)."""

    @property
    def rsv_bits(self) -> int:
        """The reserved bits this extension claims on data frames: a combination of ``RSV1`` to ``RSV3``; no
        two agreed extensions share one."""

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Transform the payload of one outgoing frame; return it with the reserved bits to set on it: some of
        ours, and only on the first frame of a message.

        The payload is not written to. May return the payload it was given. ``kind`` is the message's, also on
        continuations.
        """

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        """Say whether the incoming message that starts now passes ``decode``; ``rsv_bits`` are those of
        ours that its first frame has set.

        Raises ``ProtocolViolation`` where that combination is forbidden.
        """

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Transform a piece of an incoming message's payload, cut anywhere; ``final`` marks the end of the
        message, perhaps with an empty chunk.

        ``max_bytes`` is what the message may still grow by (a little more, where another extension is still to
        decode the result): producing more, even internally, must raise ``ProtocolViolation`` with code 1009
        *before* the memory is spent. Raises ``ProtocolViolation`` for a malformed payload. The result is
        borrowed until the next call.
        """

    def close(self) -> None:
        """Release what the extension holds. Idempotent."""


@dataclass(frozen=True, slots=True)
class ExtensionAnswer:
    """A server's yes: the parameters to answer with, and the extension that obeys them."""

    parameters: tuple[tuple[str, str | None], ...]
    extension: Extension


class ExtensionFactory(Protocol):
    """Negotiates one extension, for either role.

    Thread rules: any; it holds configuration, no connection state.
    """

    @property
    def name(self) -> str:
        """The registered token."""

    def offers(self) -> Sequence[ExtensionParameters]:
        """Client: the parameter lists to offer, in order of preference; one with fallbacks yields
        several."""

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        """Server: answer one offer, or decline it with ``None`` (also when it is malformed: RFC 7692
        §7)."""

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        """Client: make the extension that the server's answer describes.

        Raises ``HandshakeFailed`` for an answer that fits no offer.
        """


__all__ = [
    "RSV1",
    "RSV2",
    "RSV3",
    "Extension",
    "ExtensionAnswer",
    "ExtensionFactory",
    "ExtensionParameters",
]
