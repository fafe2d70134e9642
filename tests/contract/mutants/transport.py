"""Broken transports, by what arrives, and unusual ones that are right. ``transport_ends.py`` has the others."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...api.errors import ConnectionLost, InvalidArgument, NotSupported
from ...api.poller import WRITABLE, Interest
from ...api.transport import END_OF_STREAM, Features, MemoryAddress, Sendable
from ...api.types import Handle, WritableMemory
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


def oddball(why: str) -> Callable[[type[Plain]], type[Plain]]:
    """Decorate one end of a pair that is right, and unusual."""

    def add(kind: type[Plain]) -> type[Plain]:
        GALLERY.oddball(why)(pair_of(kind))
        return kind

    return add


@mutant("TRN-01", "always wants to write")
class Restless(Plain):
    @property
    def interest(self) -> Interest:
        self.check_open()
        return WRITABLE


@mutant("TRN-01", "says that something is buffered when nothing is")
class SaysBuffered(Plain):
    @property
    def buffered(self) -> bool:
        self.check_open()
        return True


@mutant("TRN-02", "finds out what it can do while it works")
class ChangesFeatures(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        self.able = True
        return super().send(batch)

    def features(self) -> Features:
        return replace(self.can, batch=hasattr(self, "able"))


@mutant("TRN-03", "answers 0 when nothing has arrived")
class ZeroForNothing(Plain):
    def nothing(self) -> int:
        return END_OF_STREAM


@mutant("TRN-03", "clears the buffer before it looks")
class ClearsFirst(Plain):
    def recv_into(self, buffer: WritableMemory, /) -> int:
        self.check()
        buffer[:] = bytes(len(buffer))
        return super().recv_into(buffer)


@mutant("TRN-03", "waits for bytes to arrive")
class WaitsForBytes(Plain):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.over = threading.Event()

    def nothing(self) -> int:
        self.over.wait(60)
        return super().nothing()

    def close(self) -> None:
        self.over.set()
        super().close()


@mutant("TRN-04", "loses one byte of pieces above 64 KiB")
class LosesOneByte(Plain):
    def arrived(self, data: bytes) -> None:
        super().arrived(data[:-1] if len(data) > 65536 else data)


@mutant("TRN-04", "gives a piece of exactly 4096 bytes twice")
class GivesTwice(Plain):
    def arrived(self, data: bytes) -> None:
        super().arrived(data * 2 if len(data) == 4096 else data)


@mutant("TRN-05", "ignores how much was asked for, and answers with all there is")
class IgnoresLimit(Plain):
    def receive(self, view: memoryview) -> int:
        return max(super().receive(view), len(self.inbox))


@mutant("TRN-05", "fills the rest of the buffer with zeros")
class FillsUp(Plain):
    def receive(self, view: memoryview) -> int:
        count = super().receive(view)
        view[count:] = bytes(len(view) - count)
        return count


@mutant("TRN-06", "thinks that one byte is no buffer")
class OneIsNone(Plain):
    def receive(self, view: memoryview) -> int:
        return super().receive(view) if len(view) > 1 else self.nothing()


@mutant("TRN-07", "answers WOULD_BLOCK where nothing can be received into")
class BlocksOnEmpty(Plain):
    def recv_into(self, buffer: WritableMemory, /) -> int:
        return super().recv_into(buffer) if len(buffer) else self.nothing()


@mutant("TRN-07", "takes the bytes before it sees that the buffer is read-only")
class LosesOnReadOnly(Plain):
    def recv_into(self, buffer: WritableMemory, /) -> int:
        try:
            return super().recv_into(buffer)
        except InvalidArgument:
            del self.inbox[:1]
            raise


@mutant("TRN-08", "fills the last buffer again when more arrives")
class ReusesBuffer(Plain):
    last = memoryview(bytearray())

    def receive(self, view: memoryview) -> int:
        self.last = view
        return super().receive(view)

    def arrived(self, data: bytes) -> None:
        count = min(len(data), len(self.last))
        self.last[:count] = data[:count]
        super().arrived(data)


@mutant("TRN-08", "holds a view of the last buffer")
class HoldsView(Plain):
    def receive(self, view: memoryview) -> int:
        self.last = view
        return super().receive(view)


@mutant("TRN-09", "dies after 3 MiB")
class DiesLate(Plain):
    total_bytes = 0

    def arrived(self, data: bytes) -> None:
        self.total_bytes += len(data)
        if self.total_bytes > 3 * 1024 * 1024:
            self.lost = True
        super().arrived(data)

    def check(self) -> None:
        super().check()
        if self.lost or self.peer.lost:
            raise ConnectionLost("worn out")


@mutant("TRN-09", "forgets to give a little of its room back with each read")
class LeaksRoom(Plain):
    leaked_bytes = 0

    def receive(self, view: memoryview) -> int:
        self.peer.leaked_bytes += 4096 if len(self.inbox) > 1000 else 0
        return super().receive(view)

    def room(self) -> int:
        return super().room() - self.leaked_bytes


@mutant("TRN-10", "does not read while it has something to send")
class OneAtATime(Plain):
    def receive(self, view: memoryview) -> int:
        return self.nothing() if self.queue else super().receive(view)


@mutant("TRN-11", "sends the last item of a batch first")
class LastFirst(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        return super().send(batch[::-1])


@mutant("TRN-11", "takes an empty item for the end of the batch")
class StopsAtEmpty(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        return super().send(list(itertools.takewhile(len, batch)))


@mutant("TRN-12", "takes the number of items for the number of bytes")
class CountsItems(Plain):
    def part(self, item: Sendable) -> Part:
        data, owner = super().part(item)
        return data[: len(item)], owner


@mutant("TRN-12", "knows bytes only")
class BytesOnly(Plain):
    def part(self, item: Sendable) -> Part:
        if isinstance(item, bytearray):
            raise TypeError("bytes, please")
        return super().part(item)


@mutant("TRN-13", "has a descriptor on which nothing ever happens")
class DeadDescriptor(Plain):
    can = replace(Plain.can, descriptor=True)
    signalled = 0

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.descriptor = os.eventfd(self.signalled)

    @property
    def handle(self) -> Handle:
        self.check_open()
        return Handle(self.descriptor)

    def close(self) -> None:
        if not self.closed:
            os.close(self.descriptor)
        super().close()


@mutant("TRN-14", "forgets what has arrived when it sends an empty batch")
class ForgetsOnEmpty(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        if not batch:
            self.inbox.clear()
        return super().send(batch)


@mutant("TRN-15", "has room for 900 pieces that were not read")
class FewPieces(Plain):
    pieces = 0

    def arrived(self, data: bytes) -> None:
        self.pieces += 1
        if self.pieces <= 900:
            super().arrived(data)

    def receive(self, view: memoryview) -> int:
        self.pieces = 0
        return super().receive(view)


@mutant("TRN-16", "has another handle each time")
class HandleChanges(Plain):
    count = itertools.count()

    @property
    def handle(self) -> Handle:
        self.check_open()
        return Handle(next(self.count))


@mutant("TRN-16", "forgets its address when it is closed")
class ForgetsAddress(Plain):
    def close(self) -> None:
        self.local_address = MemoryAddress("")
        super().close()


@mutant("TRN-17", "gives half of what is there, and does not say that there is more")
class GivesHalf(Plain):
    def receive(self, view: memoryview) -> int:
        return super().receive(view[: (len(self.inbox) + 1) // 2])


@mutant("TRN-18", "sends what it can of a batch before it complains about the rest")
class SendsGoodPart(Plain):
    def send(self, batch: Sequence[Sendable], /) -> int:
        for item in batch:
            super().send([item])
        return self.flush()


oddball("the plain one")(Plain)


@oddball("one byte per read")
class OneByte(Plain):
    @property
    def buffered(self) -> bool:
        self.check_open()
        return bool(self.inbox)

    def receive(self, view: memoryview) -> int:
        return super().receive(view[:1])


@oddball("a few bytes are on the way at most")
class TinyRoom(Plain):
    room_bytes = 7


@oddball("a system that takes everything")
class TakesAll(Plain):
    room_bytes = 1 << 40


@oddball("nothing leaves within send")
class Lazy(Plain):
    sending = False

    def send(self, batch: Sequence[Sendable], /) -> int:
        self.sending = True
        try:
            return super().send(batch)
        finally:
            self.sending = False

    def room(self) -> int:
        return 0 if self.sending and not self.peer.closed else super().room()


@oddball("bytes are on the way for some milliseconds")
class Late(Plain):
    delay_seconds = 0.003

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.flying: deque[tuple[float, bytes]] = deque()
        self.end_seconds = 0.0

    def arrived(self, data: bytes) -> None:
        self.flying.append((time.monotonic() + self.delay_seconds, data))

    def room(self) -> int:
        return super().room() - sum(len(data) for _, data in self.peer.flying)

    def tell_end(self) -> None:
        if not self.peer.end_seconds:
            self.peer.end_seconds = time.monotonic() + self.delay_seconds

    def recv_into(self, buffer: WritableMemory, /) -> int:
        now = time.monotonic()
        while self.flying and self.flying[0][0] <= now:
            self.inbox += self.flying.popleft()[1]
        self.input_ended = 0.0 < self.end_seconds <= now
        return super().recv_into(buffer)


@oddball("its descriptor wakes up for nothing, all the time")
class Spurious(DeadDescriptor):
    signalled = 1


@oddball("can't end one direction alone")
class NoHalfClose(Plain):
    can = replace(Plain.can, half_close=False)

    def shutdown(self) -> None:
        self.check_open()
        raise NotSupported("not here")


@oddball("gives as much as it likes, and says that there is more")
class Moody(Plain):
    mood = 0

    @property
    def buffered(self) -> bool:
        self.check_open()
        return bool(self.inbox)

    def receive(self, view: memoryview) -> int:
        self.mood = (self.mood * 31 + 17) % 10_007
        return super().receive(view[: self.mood + 1])


__all__ = ["GALLERY"]
