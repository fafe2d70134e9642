"""Broken transports with a bare socket, and unusual ones. ``Correct`` keeps what the socket does not take in a list."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from ...api.errors import ConnectionLost, TransportClosed
from ...api.poller import WRITABLE, Interest
from ...api.transport import END_OF_STREAM, WOULD_BLOCK, Address, Features, MemoryAddress, Sendable
from ...api.types import Handle, WritableMemory
from ..mutation import Gallery
from ..suites.socket_transport import SocketTransportContract

GALLERY = Gallery(SocketTransportContract)


class Correct:
    """One end of a pair of sockets."""

    def __init__(self, stream: socket.socket) -> None:
        stream.setblocking(False)
        self.stream = stream
        self.waiting = b""
        self.loss: int | None = None
        self.ending = False

    @property
    def bare_socket(self) -> socket.socket:
        return self.stream

    def lost(self, error: OSError) -> ConnectionLost:
        self.loss = error.errno or 1
        self.waiting = b""
        return ConnectionLost("lost", errno=self.loss)

    def check(self) -> None:
        if self.stream.fileno() < 0:
            raise TransportClosed("closed")
        if self.loss is not None:
            raise ConnectionLost("lost", errno=self.loss)

    @property
    def handle(self) -> Handle:
        return Handle(self.stream.fileno())

    @property
    def interest(self) -> Interest:
        return WRITABLE if self.waiting else 0

    @property
    def buffered(self) -> bool:
        return False

    @property
    def pending_bytes(self) -> int:
        return len(self.waiting)

    @property
    def local_address(self) -> Address:
        return MemoryAddress("one")

    peer_address = local_address

    def features(self) -> Features:
        return Features("plain", descriptor=True)

    def recv_into(self, buffer: WritableMemory) -> int:
        self.check()
        try:
            return self.stream.recv_into(buffer) or END_OF_STREAM
        except BlockingIOError:
            return WOULD_BLOCK

    def send(self, batch: Sequence[Sendable]) -> int:
        self.check()
        for part in batch:
            self.waiting += bytes(part) if isinstance(part, (bytes, bytearray, memoryview)) else part.copy()
        return self.flush()

    def flush(self) -> int:
        self.check()
        try:
            while self.waiting:
                self.waiting = self.waiting[self.stream.send(self.waiting) :]
        except BlockingIOError:
            return len(self.waiting)
        if self.ending:
            self.stream.shutdown(socket.SHUT_WR)
        return 0

    def set_water_marks(self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None) -> None:
        return None

    def shutdown(self) -> None:
        self.ending = True
        self.flush()

    def close(self) -> None:
        self.stream.close()


def both(kind: type[Correct]) -> Callable[[], tuple[Correct, Correct]]:
    """Return a factory of a pair, which is named like its near end."""

    def make() -> tuple[Correct, Correct]:
        near, far = socket.socketpair()
        return kind(near), Correct(far)

    make.__name__ = make.__qualname__ = kind.__name__
    return make


def breaks(kills: str, why: str, kind: type[Correct]) -> None:
    """Add a pair whose near end is of this kind."""
    GALLERY.mutant(kills, why)(both(kind))


class Duplicates(Correct):
    """Base: keeps what it made for the caller, so that it can be closed."""

    def __init__(self, stream: socket.socket) -> None:
        super().__init__(stream)
        self.copy = stream.dup()

    def close(self) -> None:
        super().close()
        self.copy.close()


class HandsOutCopy(Duplicates):
    @property
    def bare_socket(self) -> socket.socket:
        return self.copy


class Blocks(Correct):
    @property
    def bare_socket(self) -> socket.socket:
        self.stream.setblocking(True)
        return self.stream


class HoldsBack(Correct):
    def send(self, batch: Sequence[Sendable]) -> int:
        if self.waiting or sum(map(len, batch)) > 100:
            return super().send(batch)
        self.waiting += b"".join(bytes(part) for part in batch if isinstance(part, bytes))
        return 0


class ReadsAhead(Correct):
    ahead = b""

    def recv_into(self, buffer: WritableMemory) -> int:
        if not self.ahead:
            more = bytearray(len(buffer) + 500)
            count_bytes = super().recv_into(more)
            if count_bytes <= 0:
                return count_bytes
            self.ahead = bytes(more[:count_bytes])
        piece, self.ahead = self.ahead[: len(buffer)], self.ahead[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


class CountsTwice(Correct):
    def send(self, batch: Sequence[Sendable]) -> int:
        pending_bytes = super().send(batch)
        if pending_bytes > 1_000_000:
            self.waiting = self.waiting[1:]
        return pending_bytes


class EndsOnce(Correct):
    ended = 0

    def recv_into(self, buffer: WritableMemory) -> int:
        count_bytes = super().recv_into(buffer)
        if count_bytes == END_OF_STREAM:
            self.ended += 1
            return WOULD_BLOCK if self.ended == 2 else count_bytes
        return count_bytes


class ForgetsLoss(Correct):
    def lost(self, error: OSError) -> ConnectionLost:
        answer = super().lost(error)
        self.loss = None
        return answer


class TellsSystem(Correct):
    def lost(self, error: OSError) -> ConnectionLost:
        super().lost(error)
        return error  # type: ignore[return-value]  # that is what is wrong with it


class KeepsPending(Correct):
    def lost(self, error: OSError) -> ConnectionLost:
        waiting = self.waiting
        answer = super().lost(error)
        self.waiting = waiting
        return answer


breaks("SOK-01", "hands out a copy of its socket", HandsOutCopy)
breaks("SOK-01", "makes the socket block", Blocks)
breaks("SOK-02", "holds back what is short", HoldsBack)
breaks("SOK-03", "reads ahead", ReadsAhead)
breaks("SOK-04", "loses a byte of what the socket did not take", CountsTwice)
breaks("SOK-05", "forgets the end of the stream now and then", EndsOnce)
breaks("SOK-06", "goes on when it is lost", ForgetsLoss)
breaks("SOK-06", "answers with the system's error", TellsSystem)
breaks("SOK-07", "keeps what is pending when it is lost", KeepsPending)


class LeavesOpen(Correct):
    """Closes its socket only when the other end is closed, so that nothing is left behind."""

    far: Correct | None = None

    def close(self) -> None:
        if self.far is None or self.far.stream.fileno() < 0:
            super().close()


@GALLERY.mutant("SOK-08", "leaves the socket open for as long as the other end is")
def leaves_open() -> tuple[Correct, Correct]:
    near, far = socket.socketpair()
    ends = LeavesOpen(near), Correct(far)
    ends[0].far = ends[1]
    return ends



GALLERY.oddball("joins all that waits, each time")(both(Correct))

__all__ = ["GALLERY", "Correct"]
