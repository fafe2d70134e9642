"""Toys: an extension that changes nothing, for the tests that need one to negotiate about."""

from __future__ import annotations

from hioload_ws.api.message import MessageKind
from hioload_ws.api.types import ReadableMemory


class InertExtension:
    """Claims its bits and leaves every payload as it is; remembers whether it was closed."""

    def __init__(self, name: str, rsv_bits: int) -> None:
        self.name = name
        self.rsv_bits = rsv_bits
        self.closed = False

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        return payload, 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        return False

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        return chunk

    def close(self) -> None:
        self.closed = True
