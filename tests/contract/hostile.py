"""Hostile data: the sizes, shapes and surroundings that break what was tried with "hello" only.

Sizes lie at the borders that matter (0 and 1; 125 and 126, where a WebSocket header grows; 64 KiB, where many a
buffer ends; more than 3 MiB, where kernels stop taking everything at once). Memory comes read-only, cut from
the middle of something, and with items that are not bytes. Content is random by seed: nothing repeats, so what
is lost, doubled or swapped shows at once.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from typing import Final

SIZES: Final = (0, 1, 2, 125, 126, 127, 4095, 4096, 65535, 65536, 65537)
"""Sizes in bytes, up to just above 64 KiB."""

HUGE_BYTES: Final = 3 * 1024 * 1024 + 7
"""More than any usual buffer on the way holds, and odd."""

MARGIN_BYTES: Final = 64


def content(size_bytes: int, rng: random.Random) -> bytes:
    """Return bytes in which no part is like another."""
    return rng.randbytes(size_bytes)


def shapes(data: bytes) -> Iterator[tuple[str, bytes | bytearray | memoryview]]:
    """Yield the same bytes in every form that readable memory may have, each with its name."""
    yield "bytes", data
    yield "bytearray", bytearray(data)
    yield "read-only memoryview", memoryview(data)
    yield "writable memoryview", memoryview(bytearray(data))
    around = bytes(MARGIN_BYTES)
    yield "memoryview cut from the middle", memoryview(around + data + around)[MARGIN_BYTES:-MARGIN_BYTES]
    yield "memoryview cut from a bytearray", memoryview(bytearray(around + data))[MARGIN_BYTES:]
    if len(data) % 4 == 0:
        yield "memoryview of 32-bit items", memoryview(array("I", data))


class Canaries:
    """Writable memory with known bytes on both sides: ``window`` is to be used, and nothing else.

    ``window`` itself is filled with known bytes, too, so that writing beyond what is reported shows.
    """

    FILL: Final = 0xA5

    def __init__(self, size_bytes: int) -> None:
        self._all = bytearray([self.FILL]) * (size_bytes + 2 * MARGIN_BYTES)
        self.window = memoryview(self._all)[MARGIN_BYTES : MARGIN_BYTES + size_bytes]

    def touched_beyond(self, count: int) -> int | None:
        """Return the first offset from the start of the window, at or after ``count`` or before 0, that is
        not as it was; ``None`` where all is well."""
        start = MARGIN_BYTES + count
        for first, stop in ((0, MARGIN_BYTES), (start, len(self._all))):
            part = self._all[first:stop]
            if part.count(self.FILL) != len(part):
                where = next(at for at, value in enumerate(part) if value != self.FILL)
                return first + where - MARGIN_BYTES
        return None


__all__ = ["HUGE_BYTES", "MARGIN_BYTES", "SIZES", "Canaries", "content", "shapes"]
