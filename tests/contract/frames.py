"""Frames in the plainest form: what suites put on the wire, and how they read what was put there.

This is RFC 6455 §5.2 written down once more, with nothing in it that makes it fast or clever, so that it can be
compared with the section by eye. It also builds what no codec may send: lengths in the wrong form, reserved bits,
control frames in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..api.buffer import Buffer
from ..api.transport import Sendable

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FIN: Final = 0x80
_MASK: Final = 0x80
_FORMS: Final = {2: 126, 8: 127}


class Malformed(ValueError):
    """Bytes that are no sequence of whole frames in their shortest form."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. ``key``: its masking key, ``None`` for an unmasked one. ``reserved``: bits of the first byte."""

    opcode: int
    payload: bytes = b""
    final: bool = True
    reserved: int = 0
    key: bytes | None = None

    def build(self, length_bytes: int | None = None) -> bytes:
        """Return the frame's bytes; ``length_bytes`` (0, 2, 8) is the size of its extended length (default: the
        shortest)."""
        first = self.opcode | self.reserved | (FIN if self.final else 0)
        size_bytes = len(self.payload)
        if length_bytes is None:
            length_bytes = 0 if size_bytes < 126 else 2 if size_bytes < 65536 else 8
        second = _FORMS.get(length_bytes, size_bytes) | (0 if self.key is None else _MASK)
        head = bytes((first, second)) + (size_bytes.to_bytes(length_bytes, "big") if length_bytes else b"")
        return head + self.payload if self.key is None else head + self.key + masked(self.payload, self.key)


def masked(payload: bytes, key: bytes) -> bytes:
    """Return the payload with its mask put on, or taken off (RFC 6455 §5.3)."""
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return mixed.to_bytes(len(payload), "big")


def close_body(code: int | None, reason: str = "") -> bytes:
    """Return the payload of a close frame (RFC 6455 §5.5.1)."""
    return b"" if code is None else code.to_bytes(2, "big") + reason.encode()


def joined(parts: object) -> bytes:
    """Return the bytes of what a codec wants to have sent. Raises ``Malformed`` for a part that is no memory."""
    if not isinstance(parts, (tuple, list)):
        raise Malformed(f"{type(parts).__name__} is no sequence of parts")
    return b"".join(_bytes_of(part) for part in parts)


def _bytes_of(part: Sendable) -> bytes:
    if isinstance(part, (bytes, bytearray, memoryview)):
        return bytes(part)
    return _copy(part)


def _copy(part: Buffer) -> bytes:
    try:
        return part.copy()
    except AttributeError:
        raise Malformed(f"{type(part).__name__} is no memory") from None


def parse(data: bytes) -> Iterator[Frame]:
    """Yield the frames of ``data``, unmasked. Raises ``Malformed`` where they are cut, or not in their shortest
    form."""
    at = 0
    while at < len(data):
        if len(data) < at + 2:
            raise Malformed("the header is cut")
        first, second = data[at], data[at + 1]
        at += 2
        length = second & 0x7F
        if length >= 126:
            size_bytes = 2 if length == 126 else 8
            length = int.from_bytes(data[at : at + size_bytes], "big")
            at += size_bytes
            if length < (126 if size_bytes == 2 else 65536) or length >> 63:
                raise Malformed(f"{length} in an extended length of {size_bytes} bytes")
        key = None
        if second & _MASK:
            key = data[at : at + 4]
            at += 4
        payload = data[at : at + length]
        at += length
        if at > len(data):
            raise Malformed(f"the payload is cut: {len(payload)} of {length} bytes")
        yield Frame(
            first & 0x0F,
            payload if key is None else masked(payload, key),
            bool(first & FIN),
            first & 0x70,
            key,
        )


__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "FIN",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "Malformed",
    "close_body",
    "joined",
    "masked",
    "parse",
]
