"""Scripted transport: one end of a byte stream whose other end, and whose system, are the test.

A test feeds bytes, the end of the stream or a reset, and decides how many bytes the "system" takes before it
blocks. What was sent is kept, as bytes and batch by batch, so that a test can see how a reply left and not only
that it did. Readiness goes to a ``ScriptedPoller``, so a real reactor turns over it in virtual time and no
descriptor is involved.

What the queue of unsent bytes does (ownership, partial sends, water marks) is the real thing, from
``transport/outgoing.py``: a second version of that would be a second truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from ..api.errors import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from ..api.poller import FAILED, READABLE, WRITABLE, Interest, Readiness
from ..api.transport import END_OF_STREAM, WOULD_BLOCK, Address, Features, MemoryAddress, Sendable
from ..api.types import Handle, ReadableMemory, WritableMemory
from ..transport.outgoing import OutgoingQueue, WaterMarks, water_marks
from .poller import ScriptedPoller

_FEATURES = Features("scripted", batch=True, lock_free=True)


class ScriptedTransport:
    """Implements ``api.transport.Transport``. Thread rules: one thread."""

    __slots__ = (
        "_closed",
        "_handle",
        "_inbound",
        "_input_ended",
        "_local",
        "_lost",
        "_marks",
        "_outgoing",
        "_output_ended",
        "_peer",
        "_poller",
        "_room_bytes",
        "batches",
        "hidden_bytes",
        "sent",
    )

    def __init__(self, poller: ScriptedPoller, handle: int, *, name: str = "scripted") -> None:
        """Play a connection to ``name`` under a number that the test chooses; the system takes everything."""
        self._poller = poller
        self._handle = Handle(handle)
        self._local = MemoryAddress(f"{name}-local")
        self._peer = MemoryAddress(f"{name}-peer")
        self._inbound = bytearray()
        self._input_ended = self._output_ended = self._lost = self._closed = False
        self._room_bytes: int | None = None
        self._outgoing = OutgoingQueue()
        self._marks: WaterMarks | None = None
        self.sent = bytearray()
        """What the system has taken, all of it."""
        self.batches: list[list[type]] = []
        """The types of the parts of each ``send``."""
        self.hidden_bytes = 0
        """How many of the bytes that wait no poller sees, as decrypted ones are: ``buffered`` while above 0."""
        self._show()

    def feed(self, data: bytes) -> None:
        """Let bytes arrive."""
        self._inbound += data
        self._show()

    def feed_hidden(self, data: bytes) -> None:
        """Let bytes arrive behind those that wait, where only ``buffered`` tells of them."""
        self._inbound += data
        self.hidden_bytes += len(data)
        self._show()

    def feed_end(self) -> None:
        """The peer finishes sending."""
        self._input_ended = True
        self._show()

    def reset(self) -> None:
        """The peer resets the connection; bytes that wait are lost, as with TCP."""
        self._lost = True
        self._inbound.clear()
        self._show()

    def limit_room(self, room_bytes: int | None) -> None:
        """Let the system take at most this many bytes from now on, until called again; ``None``: all."""
        self._room_bytes = room_bytes
        self._show()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    @property
    def output_ended(self) -> bool:
        """Whether ``shutdown`` was called and everything before it has left."""
        return self._output_ended and not self._outgoing.pending_bytes

    @property
    def handle(self) -> Handle:
        """The number the test chose; raises ``TransportClosed`` after ``close``."""
        self._check_open()
        return self._handle

    @property
    def interest(self) -> Interest:
        """``WRITABLE`` while something is pending."""
        self._check_open()
        return WRITABLE if self._outgoing.pending_bytes else 0

    @property
    def local_address(self) -> Address:
        """A made-up address."""
        return self._local

    @property
    def peer_address(self) -> Address:
        """A made-up address."""
        return self._peer

    @property
    def buffered(self) -> bool:
        """Whether hidden bytes wait."""
        self._check_open()
        return self.hidden_bytes > 0

    @property
    def pending_bytes(self) -> int:
        """Bytes accepted that the system has not taken."""
        self._check_open()
        return self._outgoing.pending_bytes

    def features(self) -> Features:
        """Return what it can do: batches."""
        return _FEATURES

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Give out what was fed; contract as ``api.transport.Transport.recv_into``."""
        self._check()
        view = memoryview(buffer)
        if view.readonly or not view.nbytes:
            raise InvalidArgument("the buffer must be writable and not empty", size_bytes=view.nbytes)
        count_bytes = min(len(view), len(self._inbound))
        if not count_bytes:
            return END_OF_STREAM if self._input_ended else WOULD_BLOCK
        view[:count_bytes] = self._inbound[:count_bytes]
        del self._inbound[:count_bytes]
        self.hidden_bytes = min(self.hidden_bytes, len(self._inbound))
        self._show()
        return count_bytes

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Queue and send; contract as ``api.transport.Transport.send``."""
        self._check()
        if self._output_ended:
            raise InvalidState("the output was shut down")
        self.batches.append([type(part) for part in batch])
        return self._moved(self._outgoing.send(batch, self._write))

    def flush(self) -> int:
        """Send what is pending; contract as ``api.transport.Transport.flush``."""
        self._check()
        return self._moved(self._outgoing.flush(self._write))

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Tell a producer when to pause; contract as ``api.transport.Transport.set_water_marks``."""
        self._check_open()
        self._marks = water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        """End our sending behind what is pending. Idempotent."""
        self._check_open()
        self._output_ended = True

    def close(self) -> None:
        """Drop everything. Idempotent."""
        self._closed = True
        self._outgoing.drop()
        self._poller.set_ready(self._handle, 0)

    def _check_open(self) -> None:
        if self._closed:
            raise TransportClosed("the transport is closed")

    def _check(self) -> None:
        self._check_open()
        if self._lost:
            self._lose()

    def _lose(self) -> NoReturn:
        self._outgoing.drop()
        raise ConnectionLost("the connection was reset")

    def _moved(self, pending_bytes: int) -> int:
        if self._marks is not None:
            self._marks.update(pending_bytes)
        return pending_bytes

    def _write(self, views: Sequence[ReadableMemory]) -> int:
        """Play the system: take what there is room for."""
        data = b"".join(views)
        if self._room_bytes is not None:
            data = data[: self._room_bytes]
            self._room_bytes -= len(data)
        self.sent += data
        self._show()
        return len(data)

    def _show(self) -> None:
        """Tell the poller what this end is ready for."""
        readiness: Readiness = 0
        if len(self._inbound) > self.hidden_bytes or self._input_ended or self._lost:
            readiness |= READABLE
        if self._room_bytes is None or self._room_bytes > 0:
            readiness |= WRITABLE
        if self._lost:
            readiness |= FAILED
        self._poller.set_ready(self._handle, readiness)


__all__ = ["ScriptedTransport"]
