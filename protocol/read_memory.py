"""Read memory: what a driver reads into again and again, with what can be settled once for all those reads.

A server's peer sends a medium frame (RFC 6455 §5.2) as 2 bytes of header, 2 of length and 4 of mask key; the payload
lies behind them. When it is sent back, the header of the reply has 4 bytes, for a server does not mask, and there is
room for them where the key was:

      0      1      2      3      4      5      6      7      8
     +------+------+-------------+---------------------------+----------
     | FIN  | 0xFE |    length   |            key            | payload      as it came
     +------+------+-------------+------+------+-------------+----------
     |             -             | FIN  | 0x7E |    length   | payload      as it goes back: one piece, nothing moved
     +---------------------------+------+------+-------------+----------
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from .masks import unmasker

MASKED_START: Final = 8
"""Where the payload of a medium frame begins that is masked and lies at the start of the memory."""

_REPLY_START: Final = 4
LEAST_BYTES: Final = MASKED_START + 1
"""Least size of read memory."""
_put_header = Struct(">BBH").pack_into


class ReadMemory:
    """Memory to read into. Thread rules: one thread. The owner of the memory releases it, and forgets this first."""

    __slots__ = ("lent", "memory", "shown", "unmask")

    def __init__(self, memory: memoryview) -> None:
        """``memory``: writable, format ``B``, contiguous, ``LEAST_BYTES`` or more; borrowed as long as this is used."""
        self.memory = memory
        self.shown = memory.toreadonly()
        """The same, to be lent."""
        self.lent = self.shown[:0]
        """The payload of the medium, masked frame that was taken last from the start of the memory."""
        self.unmask: Callable[[int, bytes], object] = unmasker(memory[MASKED_START:])
        """``unmask(length, key)``: unmask the payload of such a frame where it lies. 1 or more bytes."""

    def reply(self, first: int, length: int) -> memoryview:
        """Return the frame that sends back what was ``lent``, all of it: ``first`` is its first byte, ``length`` the
        payload's. The frame is made in place, and may be asked for again."""
        _put_header(self.memory, _REPLY_START, first, 126, length)
        return self.memory[_REPLY_START : MASKED_START + length]


__all__ = ["LEAST_BYTES", "MASKED_START", "ReadMemory"]
