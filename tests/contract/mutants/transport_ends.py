"""Broken transports, by who owns the memory, by what a slow peer does to them, and by how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...api.errors import InvalidState, TransportClosed
from ...api.poller import Interest
from ...api.transport import END_OF_STREAM, WOULD_BLOCK, Sendable
from ...api.types import WritableMemory
from ..mutation import Gallery
from ..suites.transport import TransportContract
from .transport_plain import Part, Plain, pair_of

GALLERY = Gallery(TransportContract)


def mutant(kills: str, why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate one end of a broken pair."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.mutant(kills, why)(pair_of(kind))
        return kind

    return add


@mutant("TRN-21", "answers how much it sent")
class AnswersSent(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        return sum(map(len, batch)) - super().send(batch)


@mutant("TRN-21", "drops what the system does not take")
class DropsRest(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        if self.waiting_bytes > 150_000 and len(batch[0]) == 100_000:
            self.drop()
        return super().send(batch)


@mutant("TRN-21", "waits until the peer has read")
class WaitsForPeer(Plain):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.over = threading.Event()

    def send(self, batch: Sequence[Sendable], /) -> int:
        left = super().send(batch)
        if left > 200_000 and sum(map(len, batch)) == 100_000:
            self.over.wait(60)
        return left

    def close(self) -> None:
        self.over.set()
        super().close()


@mutant("TRN-22", "never asks to write")
class NeverAsks(Plain):
    @property
    def interest(self) -> Interest:
        self.check_open()
        return 0

    def receive(self, view: memoryview) -> int:
        count = super().receive(view)
        self.peer.flush()
        return count


@mutant("TRN-22", "answers 0 to flush, whatever is left")
class FlushAnswersZero(Plain):
    def flush(self) -> int:
        super().flush()
        return 0

    def send(self, batch: Sequence[Sendable], /) -> int:
        super().send(batch)
        return self.waiting_bytes


@mutant("TRN-23", "keeps borrowed memory without copying it")
class KeepsBorrowed(Plain):
    def part(self, item: Sendable) -> Part:
        if isinstance(item, (bytearray, memoryview)):
            return memoryview(item).cast("B") if memoryview(item) else b"", None
        return super().part(item)


@mutant("TRN-23", "copies borrowed memory when it has to, which is too late")
class CopiesLate(Plain):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.borrowed: list[tuple[bytearray, int]] = []

    def queue_up(self, part: Part) -> None:
        super().queue_up(part)
        if self.source is not None and len(self.queue) > 1:
            self.borrowed.append((self.source, len(self.queue) - 1))

    source: bytearray | None = None

    def part(self, item: Sendable) -> Part:
        self.source = item if isinstance(item, bytearray) else None
        return super().part(item)

    def flush(self) -> int:
        self.check()
        if not self.room() > 0:
            return super().flush()
        for source, place in self.borrowed:
            if place < len(self.queue):
                size = len(self.queue[place][0])
                self.queue[place] = bytes(source[:size]).ljust(size, b"\0"), None
        self.borrowed.clear()
        return super().flush()


@mutant("TRN-24", "masks the caller's memory in place")
class MasksInPlace(Plain):
    def part(self, item: Sendable) -> Part:
        part = super().part(item)
        if isinstance(item, bytearray) and item:
            item[-1] ^= 0xFF
        return part


@mutant("TRN-25", "empties the batch")
class EmptiesBatch(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        answer = super().send(batch)
        if isinstance(batch, list):
            batch.clear()
        return answer


@mutant("TRN-26", "never releases a buffer")
class NeverReleases(Plain):
    def part(self, item: Sendable) -> Part:
        data, owner = super().part(item)
        return data, owner and owner.retain()


@mutant("TRN-26", "releases the caller's count as well")
class ReleasesTwice(Plain):
    def part(self, item: Sendable) -> Part:
        data, owner = super().part(item)
        if owner is not None:
            owner.release()
        return data, owner


@mutant("TRN-27", "refers to a buffer's memory without retaining it")
class DoesNotRetain(Plain):
    def part(self, item: Sendable) -> Part:
        data, owner = super().part(item)
        if owner is not None:
            owner.release()
        return data, None


@mutant("TRN-28", "tells again and again that it is above")
class TellsAgain(Plain):
    def report(self) -> None:
        if self.marks is not None and self.waiting_bytes > self.marks[0]:
            self.above = False
        super().report()


@mutant("TRN-28", "never tells that it is low again")
class NeverLow(Plain):
    def report(self) -> None:
        if not self.above:
            super().report()


@mutant("TRN-28", "resumes as soon as it is below the high mark")
class ResumesEarly(Plain):
    def report(self) -> None:
        if self.marks is not None and self.above and self.waiting_bytes <= self.marks[0]:
            self.above = False
            self.marks[2](False)
            self.marks[2](True)
            self.marks[2](False)
        super().report()
        if self.marks is not None and self.marks[1] < self.waiting_bytes <= self.marks[0]:
            self.marks[2](False)


@mutant("TRN-29", "takes any marks")
class AnyMarks(Plain):
    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        super().set_water_marks(max(high_bytes, 0), 0, on_change)


@mutant("TRN-30", "resumes below the low mark only")
class BelowLow(Plain):
    def report(self) -> None:
        if self.marks is None or not self.above or self.waiting_bytes < self.marks[1]:
            super().report()


@mutant("TRN-31", "lets the end overtake the data")
class EndOvertakes(Plain):
    def recv_into(self, buffer: WritableMemory, /) -> int:
        self.check()
        return END_OF_STREAM if self.input_ended else super().recv_into(buffer)


@mutant("TRN-31", "never tells the peer")
class NeverTells(Plain):
    def tell_end(self) -> None:
        self.end_told = True


@mutant("TRN-31", "says that it has no half close, and breaks when it is asked to")
class BreaksOnShutdown(Plain):
    can = replace(Plain.can, half_close=False)

    def shutdown(self) -> None:
        self.check_open()
        raise RuntimeError("not here")


@mutant("TRN-32", "hangs on the second read of the end")
class HangsOnSecondEnd(Plain):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.over = threading.Event()

    def nothing(self) -> int:
        if self.input_ended and self.end_told:
            self.over.wait(60)
        self.end_told = self.input_ended
        return super().nothing()

    def close(self) -> None:
        self.over.set()
        super().close()


@mutant("TRN-32", "tells the end once")
class EndOnce(Plain):
    def nothing(self) -> int:
        answer = super().nothing()
        self.input_ended = False
        return answer


@mutant("TRN-32", "raises at the second read of the end")
class RaisesAfterEnd(Plain):
    def nothing(self) -> int:
        if self.end_told:
            raise EOFError
        self.end_told = self.input_ended
        return super().nothing()


@mutant("TRN-33", "ends both directions")
class EndsBoth(Plain):
    def tell_end(self) -> None:
        super().tell_end()
        self.peer.output_ended = True


@mutant("TRN-34", "drops what is pending when it is shut down")
class ShutdownDrops(Plain):
    def shutdown(self) -> None:
        self.check_open()
        self.drop()
        super().shutdown()


@mutant("TRN-35", "sends on after shutdown")
class SendsAfterShutdown(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        self.check()
        self.output_ended = False
        return super().send(batch)


@mutant("TRN-35", "calls a shut down transport closed")
class CallsItClosed(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        try:
            return super().send(batch)
        except InvalidState as error:
            raise TransportClosed("shut down") from error


@mutant("TRN-36", "fails at the second shutdown")
class FailsAtSecondShutdown(Plain):
    def shutdown(self) -> None:
        self.check_open()
        if self.output_ended:
            raise InvalidState("shut down already")
        super().shutdown()


@mutant("TRN-41", "accepts sends after close")
class SendsAfterClose(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        return 0 if self.closed else super().send(batch)


@mutant("TRN-41", "reads on after close")
class ReadsAfterClose(Plain):
    def recv_into(self, buffer: WritableMemory, /) -> int:
        return WOULD_BLOCK if self.closed else super().recv_into(buffer)


@mutant("TRN-42", "fails at the second close")
class FailsAtSecondClose(Plain):
    def close(self) -> None:
        self.check_open()
        super().close()


@mutant("TRN-43", "keeps pending buffers when it is closed")
class CloseKeeps(Plain):
    def close(self) -> None:
        self.queue.clear()
        super().close()


@mutant("TRN-44", "takes back what the peer has not read")
class TakesBack(Plain):
    def close(self) -> None:
        if not self.closed:
            self.peer.inbox.clear()
        super().close()


@mutant("TRN-44", "leaves the peer waiting")
class LeavesWaiting(Plain):
    def tell_end(self) -> None:
        if not self.closed:
            super().tell_end()


@mutant("TRN-45", "does not notice that nobody is there")
class NotesNothing(Plain):
    def room(self) -> int:
        return self.room_bytes - len(self.peer.inbox)

    def arrived(self, data: bytes) -> None:
        if not self.closed:
            super().arrived(data)


@mutant("TRN-45", "tells the loss once")
class TellsLossOnce(Plain):
    def check(self) -> None:
        self.lost = False
        super().check()

    def flush(self) -> int:
        return super().flush() if self.queue else 0


@mutant("TRN-46", "keeps pending buffers when the connection is lost")
class LossKeeps(Plain):
    def lose(self) -> None:
        self.queue.clear()
        super().lose()


@mutant("TRN-47", "answers questions after close")
class AnswersAfterClose(Plain):
    @property
    def pending_bytes(self) -> int:
        return self.waiting_bytes


__all__ = ["GALLERY"]
