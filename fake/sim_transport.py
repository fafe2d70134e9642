"""The two ends of a simulated TCP connection.

An end plays what a program sees of a socket: bytes arrive later and in pieces, the system takes only as much as
its window has room for, a peer that does not read lets the window fill up, a connection that is closed with
unread bytes is reset, and a peer that has vanished says nothing at all (*half-open*).

The window counts every byte that the other end's program has not read yet. Room that becomes free is known to a
sender that waits for it one latency later; a sender that does not wait is told at once, which nobody can tell
apart and which saves an event per read.

What the queue of unsent bytes does (ownership, partial sends, water marks) is the real thing, from
``transport/outgoing.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from ..api.errors import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from ..api.poller import FAILED, READABLE, WRITABLE, Interest, Readiness
from ..api.transport import END_OF_STREAM, WOULD_BLOCK, Features, Sendable, TcpAddress
from ..api.types import Handle, ReadableMemory, WritableMemory
from ..transport.outgoing import OutgoingQueue, WaterMarks, water_marks
from .sim_link import Lane, Link
from .world import Watcher

FEATURES: Final = Features("tcp", batch=True, lock_free=True)


class Net(Protocol):
    """What an end asks of its network."""

    def send_fault(self, end: SimTransport, room_bytes: int) -> tuple[int, int, int]:
        """Return how many bytes may be taken now, how often they arrive, and how much later.

        Raises what a fault script says."""

    def recv_fault(self, end: SimTransport, room_bytes: int) -> int:
        """Return how many bytes may be received now, 0 for none; raises as ``send_fault``."""

    def happened(self, what: bytes, end: SimTransport, data: bytes = b"") -> None:
        """Note what reached an end, or left it."""

    def gone(self, end: SimTransport) -> None:
        """An end was closed."""


class SimTransport:
    """Implements ``api.transport.Transport``. Thread rules: the world's thread."""

    __slots__ = (
        "_end_told",
        "_far",
        "_handle",
        "_inbound",
        "_input_ended",
        "_lane",
        "_link",
        "_lost",
        "_marks",
        "_net",
        "_outgoing",
        "_output_ended",
        "_starved",
        "_unread_bytes",
        "_watcher",
        "_window_bytes",
        "closed",
        "connecting",
        "local_address",
        "number",
        "peer_address",
        "vanished",
    )

    def __init__(
        self, net: Net, handle: Handle, link: Link, local: TcpAddress, peer: TcpAddress, window_bytes: int
    ) -> None:
        """Made by the network. ``link`` leads to the other end."""
        self._net = net
        self._handle = handle
        self._link = link
        self._lane = Lane()
        self._far: SimTransport | None = None
        self._window_bytes = window_bytes
        self._unread_bytes = 0  # sent, and not read by the program at the far end
        self._starved = False  # the program wants to send and there is no room
        self._inbound: deque[bytes | memoryview] = deque()
        self._input_ended = self._output_ended = self._end_told = self._lost = False
        self._outgoing = OutgoingQueue()
        self._marks: WaterMarks | None = None
        self._watcher: Watcher | None = None
        self.local_address = local
        """Address of this end."""
        self.peer_address = peer
        """Address of the other end."""
        self.number = 0
        """Number of the connection, for traces: even for the end that connected, odd for the other."""
        self.connecting = False
        """Whether the other end has not answered yet."""
        self.closed = False
        """Whether ``close`` was called."""
        self.vanished = False
        """Whether its host crashed: nothing it does is seen, and nothing reaches it."""

    @property
    def handle(self) -> Handle:
        """What a poller watches."""
        self._check_open()
        return self._handle

    @property
    def known_handle(self) -> Handle:
        """The handle, also after ``close``; for the network."""
        return self._handle

    @property
    def interest(self) -> Interest:
        """``WRITABLE`` while bytes wait or the connection is being made, else 0."""
        self._check_open()
        return WRITABLE if self._outgoing.pending_bytes or self.connecting else 0

    @property
    def buffered(self) -> bool:
        """Always False."""
        self._check_open()
        return False

    @property
    def pending_bytes(self) -> int:
        """Bytes accepted by ``send`` that the system has not taken yet."""
        self._check_open()
        return self._outgoing.pending_bytes

    def features(self) -> Features:
        """Return what it can do: batches."""
        return FEATURES

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive what has arrived; contract as ``api.transport.Transport.recv_into``."""
        self._check_open()
        if self._lost and not (self._inbound or self._input_ended):
            raise self._lost_error()
        view = memoryview(buffer)
        if view.readonly or not view.nbytes:
            raise InvalidArgument("the buffer must be writable and not empty", size_bytes=view.nbytes)
        inbound = self._inbound
        if not inbound:
            return END_OF_STREAM if self._input_ended else WOULD_BLOCK
        limit_bytes = self._net.recv_fault(self, len(view))
        count_bytes = 0
        while inbound and count_bytes < limit_bytes:
            piece = inbound.popleft()
            room_bytes = limit_bytes - count_bytes
            if len(piece) > room_bytes:
                inbound.appendleft(memoryview(piece)[room_bytes:])
                piece = piece[:room_bytes]
            view[count_bytes : count_bytes + len(piece)] = piece
            count_bytes += len(piece)
        self._free(count_bytes)
        return count_bytes or WOULD_BLOCK

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Queue and send; contract as ``api.transport.Transport.send``."""
        self._check()
        if self._output_ended:
            raise InvalidState("the output was shut down")
        return self._moved(self._outgoing.send(batch, self._write))

    def flush(self) -> int:
        """Send what is pending; contract as ``api.transport.Transport.flush``."""
        self._check()
        if self.connecting:
            return self._outgoing.pending_bytes
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
        if not self._output_ended:
            self._output_ended = True
            self._end_output()

    def close(self) -> None:
        """Close; what was not read resets the connection, as with TCP. Idempotent."""
        if self.closed:
            return
        had_unread = bool(self._inbound)
        self.closed = True
        self._marks = None
        self._outgoing.drop()
        if had_unread and not self._lost:
            self._tell(SimTransport.lose)
        elif not self._end_told:
            self._tell(SimTransport.end_input)
        self._inbound.clear()
        self._net.gone(self)

    def pair_with(self, far: SimTransport) -> None:
        """Make the two ends of a connection that is made."""
        self._far, far._far = far, self

    def readiness(self) -> Readiness:
        """Return what the handle is ready for."""
        if self._lost:
            return READABLE | WRITABLE | FAILED
        if self.connecting:
            return 0
        readiness = READABLE if self._inbound or self._input_ended else 0
        return readiness | WRITABLE if self._unread_bytes < self._window_bytes else readiness

    def watched_by(self, watcher: Watcher | None) -> None:
        """Tell ``watcher`` of changes."""
        self._watcher = watcher

    def deliver(self, data: object) -> None:
        """For the network: bytes have arrived."""
        assert isinstance(data, bytes)
        if self.vanished or self._lost:
            return
        if self.closed:
            # Nobody is there to read: the system answers with a reset.
            self._tell(SimTransport.lose)
            return
        self._net.happened(b"data", self, data)
        self._inbound.append(data)
        self._touch()

    def established(self, far: object = None) -> None:
        """For the network: the other end has answered."""
        if not (self.vanished or self._lost or self.closed):
            self._net.happened(b"open", self)
            self.connecting = False
            self._touch()

    def end_input(self, nothing: object = None) -> None:
        """For the network: the other end has finished sending."""
        if not (self.vanished or self.closed or self._lost or self._input_ended):
            self._net.happened(b"end", self)
            self._input_ended = True
            self._touch()

    def lose(self, nothing: object = None) -> None:
        """For the network: the connection was reset. What arrived before, the end too, can still be read: as Linux
        does it, and the contract wants it."""
        if not (self.vanished or self._lost or self.closed):
            self._net.happened(b"reset", self)
            self._lost = True
            self.connecting = False
            self._outgoing.drop()
            self._touch()

    def answer(self) -> None:
        """For the network: accept the other end's request to connect."""
        self._tell(SimTransport.established)

    def abort(self) -> ConnectionLost:
        """Reset the connection from this end; return what to raise."""
        self.lose()
        self._tell(SimTransport.lose)
        return self._lost_error()

    def _free(self, count_bytes: int) -> None:
        """The program read: the far end has room again."""
        far = self._far
        assert far is not None  # It sent what was read.
        if far._starved:
            far._starved = False
            self._link.carry(Lane(), 0, far._room, count_bytes)
        else:
            far._room(count_bytes)

    def _room(self, count_bytes: object) -> None:
        assert isinstance(count_bytes, int)
        was_full = self._unread_bytes >= self._window_bytes
        self._unread_bytes -= count_bytes
        if was_full:
            self._touch()

    def _write(self, views: Sequence[ReadableMemory]) -> int:
        """Play the system: take what the window has room for."""
        room_bytes = self._window_bytes - self._unread_bytes
        far = self._far
        if self.connecting or far is None or room_bytes <= 0:
            self._starved = not self.connecting
            return 0
        room_bytes, times, extra_ns = self._net.send_fault(self, room_bytes)
        data = bytes(views[0]) if len(views) == 1 else b"".join(views)
        if len(data) > room_bytes:
            data = data[:room_bytes]
            self._starved = self._unread_bytes + len(data) >= self._window_bytes
        if data:
            self._unread_bytes += len(data) * times
            for _ in range(times):
                self._link.carry(self._lane, len(data), far.deliver, data, extra_ns)
        return len(data)

    def _moved(self, pending_bytes: int) -> int:
        if self._output_ended:
            self._end_output()
        if self._marks is not None:
            self._marks.update(pending_bytes)
        return pending_bytes

    def _end_output(self) -> None:
        if not (self._outgoing.pending_bytes or self.connecting or self._lost or self._end_told):
            self._end_told = True
            self._tell(SimTransport.end_input)

    def _tell(self, function: Callable[[SimTransport], object]) -> None:
        """Send the far end a packet without bytes."""
        far = self._far
        if far is not None and not self.vanished:
            self._link.carry(self._lane, 0, lambda _: function(far))

    def _touch(self) -> None:
        if self._watcher is not None:
            self._watcher.touch(self._handle)

    def _lost_error(self) -> ConnectionLost:
        # The program knows now, and each call says so from here on.
        self._inbound.clear()
        self._input_ended = False
        return ConnectionLost("the connection was reset", peer=str(self.peer_address))

    def _check_open(self) -> None:
        if self.closed:
            raise TransportClosed("the transport is closed")

    def _check(self) -> None:
        self._check_open()
        if self._lost:
            raise self._lost_error()


__all__ = ["FEATURES", "Net", "SimTransport"]
