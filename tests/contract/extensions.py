"""Extensions that suites agree on with a codec: simple enough to say what has to come out.

``Inverting`` turns every bit around; done twice, or in the wrong order with others, it shows. ``Tagging`` puts a
byte at the end of each message, so that the order in which several were passed can be read from their tags.
"""

from __future__ import annotations

from typing import Final

from ..api.errors import ProtocolViolation
from ..api.message import MessageKind
from ..api.types import ReadableMemory

_INVERTED: Final = bytes(255 - each for each in range(256))


class Inverting:
    """Implements ``api.Extension``: sends each byte inverted. ``refuses``: the code with which it refuses every
    message that arrives."""

    name = "x-inverting"

    def __init__(self, rsv_bits: int, refuses: int | None = None) -> None:
        self.rsv_bits = rsv_bits
        self._refuses = refuses
        self._made_bytes = 0
        self.told: list[tuple[int, int]] = []
        """For each piece that was decoded: bytes of the message made before it, and ``max_bytes``."""
        self.closed_count = 0

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Return the payload inverted, and our bits on the first frame."""
        return bytes(payload).translate(_INVERTED), self.rsv_bits if first else 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        """Messages with our bits pass ``decode``; without bits of our own, all do."""
        self._made_bytes = 0
        return rsv_bits == self.rsv_bits

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Return the piece inverted. Raises ``ProtocolViolation`` when told to refuse."""
        if self._refuses is not None:
            raise ProtocolViolation("refused, as the check wants it", close_code=self._refuses)
        self.told.append((self._made_bytes, max_bytes))
        self._made_bytes += len(chunk)
        return bytes(chunk).translate(_INVERTED)

    def close(self) -> None:
        """Count. Idempotent."""
        self.closed_count += 1


class Tagging(Inverting):
    """Implements ``api.Extension``: puts a byte at the end of each message, and takes it off."""

    name = "x-tagging"

    def __init__(self, rsv_bits: int, tag: bytes) -> None:
        super().__init__(rsv_bits)
        self._tag = tag
        self._held = b""

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Return the payload, with the tag at the end of the last."""
        return bytes(payload) + (self._tag if final else b""), self.rsv_bits if first else 0

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Hold the last byte back, which may be the tag. Raises ``ProtocolViolation`` if it is not."""
        whole = self._held + bytes(chunk)
        if not final:
            self._held = whole[-1:]
            return whole[:-1]
        self._held = b""
        if whole[-1:] != self._tag:
            raise ProtocolViolation("the tag is missing or another one", tag=whole[-1:])
        return whole[:-1]


__all__ = ["Inverting", "Tagging"]
