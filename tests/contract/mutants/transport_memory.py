"""Broken transports that only look right from afar: by what they do to lent memory, at marks, after many reads."""

from __future__ import annotations

from collections.abc import Sequence

from ...api.buffer import Buffer
from ...api.transport import Sendable
from ..mutation import Gallery
from ..suites.transport import TransportContract
from .transport_plain import Plain, pair_of

GALLERY = Gallery(TransportContract)


class ClearsBuffers(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        answer = super().send(batch)
        for item in batch:
            if not answer and not isinstance(item, (bytes, bytearray, memoryview)):
                item.data()[:] = bytes(len(item))
        return answer


class MasksWaiting(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        answer = super().send(batch)
        for item in batch:
            if answer and isinstance(item, bytearray) and item:
                item[0] ^= 0xFF
        return answer


class ClearsLate(Plain):
    def flush(self) -> int:
        owners = [owner.slice(0, len(owner)) for _, owner in self.queue if owner is not None]
        answer = super().flush()
        for owner in owners:
            if not answer:
                owner.data()[:] = bytes(len(owner))
            owner.release()
        return answer


class TellsAtHigh(Plain):
    def report(self) -> None:
        if self.marks is not None and not self.above and self.waiting_bytes == self.marks[0]:
            self.above = True
            self.marks[2](True)
        super().report()


class ReleasesAtEachClose(Plain):
    held: Sequence[Buffer] = ()

    def close(self) -> None:
        if self.closed:
            for owner in self.held:
                owner.release()
        self.held = [owner for _, owner in self.queue if owner is not None]
        super().close()


class LosesAtThousand(Plain):
    count = 0

    def receive(self, view: memoryview) -> int:
        answer = super().receive(view)
        self.count += 1
        return answer - 1 if answer > 1 and self.count % 1000 == 0 else answer


for kills, why, kind in (
    ("TRN-06", "loses a byte at each thousandth read", LosesAtThousand),
    ("TRN-24", "clears a pooled buffer whose bytes have left", ClearsBuffers),
    ("TRN-24", "clears a pooled buffer when the last byte that waited has left", ClearsLate),
    ("TRN-24", "masks borrowed memory in place where something has to wait", MasksWaiting),
    ("TRN-28", "tells at the high mark what is true above it only", TellsAtHigh),
    ("TRN-43", "releases at the second close what it has released at the first", ReleasesAtEachClose),
):
    GALLERY.mutant(kills, why)(pair_of(kind))


__all__ = ["GALLERY"]
