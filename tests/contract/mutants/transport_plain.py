"""A transport that is as plain as one can be, and right: two ends in memory, without descriptors.

The way from one end to the other holds ``room_bytes`` that have not been read; what does not fit is pending. The
mutants of transports differ from it in a line or two.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

from ...api.buffer import Buffer
from ...api.errors import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from ...api.poller import WRITABLE, Interest
from ...api.transport import END_OF_STREAM, WOULD_BLOCK, Features, MemoryAddress, Sendable
from ...api.types import Handle, WritableMemory

Part = tuple["bytes | memoryview", "Buffer | None"]


class Plain:
    """One end."""

    room_bytes: ClassVar[int] = 100_000
    can: ClassVar[Features] = Features("plain")

    def __init__(self, name: str) -> None:
        self.local_address = MemoryAddress(f"{name} end")
        self.peer_address = MemoryAddress(f"not the {name} end")
        self.peer: Self
        self.inbox = bytearray()
        self.queue: deque[Part] = deque()
        self.waiting_bytes = 0
        self.input_ended = self.output_ended = self.end_told = self.lost = self.closed = False
        self.marks: tuple[int, int, Callable[[bool], None]] | None = None
        self.above = False

    @property
    def handle(self) -> Handle:
        self.check_open()
        return Handle(id(self))

    @property
    def interest(self) -> Interest:
        self.check_open()
        return WRITABLE if self.queue else 0

    @property
    def buffered(self) -> bool:
        self.check_open()
        return False

    @property
    def pending_bytes(self) -> int:
        self.check_open()
        return self.waiting_bytes

    def features(self) -> Features:
        return self.can

    def recv_into(self, buffer: WritableMemory, /) -> int:
        self.check()
        view = memoryview(buffer)
        if view.readonly or not view:
            raise InvalidArgument("the buffer is writable and not empty")
        return self.receive(view) if self.inbox else self.nothing()

    def receive(self, view: memoryview) -> int:
        count = min(len(view), len(self.inbox))
        view[:count] = self.inbox[:count]
        del self.inbox[:count]
        return count

    def nothing(self) -> int:
        return END_OF_STREAM if self.input_ended else WOULD_BLOCK

    def send(self, batch: Sequence[Sendable], /) -> int:
        self.check()
        if self.output_ended:
            raise InvalidState("shut down")
        for item in batch:
            gaps = isinstance(item, memoryview) and not item.contiguous
            if gaps or not (isinstance(item, (bytes, bytearray, memoryview)) or hasattr(item, "retain")):
                raise InvalidArgument("can't be sent", kind=type(item).__name__)
        for item in batch:
            self.queue_up(self.part(item))
        return self.flush()

    def part(self, item: Sendable) -> Part:
        if isinstance(item, (bytes, bytearray, memoryview)):
            return bytes(item), None
        return item.view(), item.retain()

    def queue_up(self, part: Part) -> None:
        if part[0]:
            self.queue.append(part)
            self.waiting_bytes += len(part[0])
        elif part[1] is not None:
            part[1].release()

    def flush(self) -> int:
        self.check()
        while self.queue and (room := self.room()) > 0:
            data, owner = self.queue.popleft()
            if len(data) > room:
                self.queue.appendleft((memoryview(data)[room:], owner))
                data, owner = data[:room], None
            self.waiting_bytes -= len(data)
            self.peer.arrived(bytes(data))
            if owner is not None:
                owner.release()
        if self.output_ended and not self.queue:
            self.tell_end()
        self.report()
        return self.waiting_bytes

    def room(self) -> int:
        if self.peer.closed:
            self.lose()
        return self.room_bytes - len(self.peer.inbox)

    def lose(self) -> None:
        self.lost = True
        self.drop()
        raise ConnectionLost("the peer is gone")

    def arrived(self, data: bytes) -> None:
        self.inbox += data

    def tell_end(self) -> None:
        self.peer.input_ended = True

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        self.check_open()
        if not 0 <= low_bytes <= high_bytes:
            raise InvalidArgument("0 <= low <= high")
        self.marks = None if on_change is None else (high_bytes, low_bytes, on_change)
        self.above = False

    def report(self) -> None:
        if self.marks is not None:
            high_bytes, low_bytes, on_change = self.marks
            crossed = self.waiting_bytes <= low_bytes if self.above else self.waiting_bytes > high_bytes
            if crossed:
                self.above = not self.above
                on_change(self.above)

    def shutdown(self) -> None:
        self.check_open()
        self.output_ended = True
        if not self.queue:
            self.tell_end()

    def drop(self) -> None:
        while self.queue:
            data, owner = self.queue.popleft()
            if owner is not None:
                owner.release()
        self.waiting_bytes = 0

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.drop()
            self.tell_end()

    def check_open(self) -> None:
        if self.closed:
            raise TransportClosed("closed")

    def check(self) -> None:
        self.check_open()
        if self.lost:
            raise ConnectionLost("the peer is gone")


def pair_of(kind: type[Plain]) -> Callable[[], tuple[Plain, Plain]]:
    """Return a factory of pairs."""

    def make() -> tuple[Plain, Plain]:
        near, far = kind("near"), kind("far")
        near.peer, far.peer = far, near
        return near, far

    make.__name__ = make.__qualname__ = kind.__name__
    return make


__all__ = ["Part", "Plain", "pair_of"]
