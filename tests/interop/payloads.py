"""The messages that every peer echoes: each length at which the header changes its form, and a large one.

RFC 6455 §5.2 writes a length up to 125 in 7 bits, up to 65 535 in 16 and beyond that in 64, so the lengths on
both sides of each step are tried, in binary and in text. The text holds characters of one to four bytes, and
its length is counted in bytes, since that is what the header carries.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Final

LENGTHS_BYTES: Final = (0, 1, 125, 126, 65_535, 65_536, 16 * 1024 * 1024)
_PATTERN: Final = "aé€😀 Zwölf Boxkämpfer. "


@cache
def binary_of(length_bytes: int) -> bytes:
    """Return `length_bytes` bytes that look random and are the same each time."""
    return random.Random(length_bytes).randbytes(length_bytes)


@cache
def text_of(length_bytes: int) -> str:
    """Return a text whose UTF-8 form has exactly `length_bytes` bytes."""
    whole, rest_bytes = divmod(length_bytes, len(_PATTERN.encode()))
    return _PATTERN * whole + "x" * rest_bytes


@dataclass(frozen=True, slots=True)
class Payload:
    """One message to echo: its kind as a Python type, and its length in bytes."""

    kind: str
    length_bytes: int

    @property
    def value(self) -> str | bytes:
        """The message itself."""
        return text_of(self.length_bytes) if self.kind == "text" else binary_of(self.length_bytes)

    def __str__(self) -> str:
        return f"{self.kind}-{self.length_bytes}"


PAYLOADS: Final = tuple(Payload(kind, length) for kind in ("text", "binary") for length in LENGTHS_BYTES)


def same(received: object, sent: str | bytes) -> bool:
    """Return whether type and content are equal; a plain `assert ==` would print 16 MiB when it fails."""
    return type(received) is type(sent) and received == sent


__all__ = ["LENGTHS_BYTES", "PAYLOADS", "Payload", "binary_of", "same", "text_of"]
