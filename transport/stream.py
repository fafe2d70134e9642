"""Stream: a transport over one connected, non-blocking stream socket.

TCP, Unix sockets and the in-process pair differ in how a connection comes about and what its ends are called;
how bytes move is the same, and is here. A call that moves bytes makes at most the system calls that are
needed: no look before it, no draining until "would block" after it (that exception costs a microsecond).

    connecting --(writable)--> open --(recv 0)--> input ended
        |                       |  `--(shutdown, all sent)--> output ended
        |                       |
        `----- any OSError -----+--> lost --(close)--> closed

*Lost* is one state, whatever the system's number for it was: reset, broken pipe, time-out, network down, and
anything else that send(2) and recv(2) answer for a connected socket. None of them can be repaired on this
connection, so all of them become ``ConnectionLost`` with the system's error as cause and its number in the
context. Only the number is kept for the next call, not the exception: its traceback would hold the frames,
and with them the buffers, of a connection that is gone.

*Connecting.* The outcome is not asked for until somebody wants to move bytes. ``SO_ERROR`` has the failure;
where it has none, ``getpeername`` tells a connection that is made from one that is still on its way, on every
system (what an early send answers differs between them).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import ClassVar, Final, NoReturn

from ..api.errors import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from ..api.poller import WRITABLE, Interest
from ..api.transport import END_OF_STREAM, WOULD_BLOCK, Address, Features, Sendable
from ..api.types import Handle, ReadableMemory, WritableMemory
from .outgoing import OutgoingQueue, WaterMarks, water_marks

HAS_VECTORS: Final = hasattr(socket.socket, "sendmsg")
"""Whether this system's sockets take several parts in one call (Windows' do not)."""

# CPython ignores SIGPIPE at start-up, but a program may restore it; a peer must not be able to kill it then.
NO_SIGNAL: Final[int] = getattr(socket, "MSG_NOSIGNAL", 0)
"""Flag for every send."""
LAST_WORDS: Final[int] = NO_SIGNAL | getattr(socket, "MSG_MORE", 0)
"""For what is sent right before ``shutdown``: both leave in one segment, where the system can do that (send(2))."""

NOT_NOW: Final = (BlockingIOError, InterruptedError)
"""What a socket raises when nothing moves now."""

# Of all transports for which nothing waits. Invariant: it stays empty.
_NOTHING_WAITS: Final = OutgoingQueue()


class StreamTransport:
    """Implements ``api.transport.Transport`` over a stream socket; a kind of socket adds names and features.

    It also implements ``api.transport.SocketTransport``. Owns the socket. Thread rules: the owning reactor's thread.
    """

    __slots__ = (
        "_connecting",
        "_dead",
        "_handle",
        "_input_ended",
        "_local",
        "_loss",
        "_marks",
        "_outgoing",
        "_output_ended",
        "_socket",
    )

    FEATURES: ClassVar[Features] = Features(
        "stream", zero_copy=True, batch=True, lock_free=True, descriptor=True
    )

    def __init__(
        self,
        stream: socket.SocketType,
        *,
        local: Address | None = None,
        connecting: bool = False,
    ) -> None:
        """Take over ``stream`` and make it non-blocking. ``local`` is the address of our end (asked for when
        wanted, if not given). ``connecting``: connect(2) is under way."""
        stream.setblocking(False)
        self._socket = stream
        self._handle = Handle(stream.fileno())
        self._local = local
        self._connecting = connecting
        self._outgoing = _NOTHING_WAITS
        self._marks: WaterMarks | None = None
        self._input_ended = self._output_ended = False
        # One flag for the hot path: lost or closed. ``_loss`` is the system's error number, 0 for none.
        self._dead = False
        self._loss = 0

    @staticmethod
    def address_of(name: object) -> Address:
        """Return the address that stands for a name of the socket module, the unknown address for ``None``.

        A kind of socket implements it.
        """
        raise NotImplementedError

    @property
    def handle(self) -> Handle:
        """What a poller watches; raises ``TransportClosed`` after ``close``."""
        if self._handle < 0:
            self._check_open()
        return self._handle

    @property
    def interest(self) -> Interest:
        """``WRITABLE`` while bytes wait or the connection is being made, else 0."""
        if self._handle < 0:
            self._check_open()
        return WRITABLE if self._outgoing.pending_bytes or self._connecting else 0

    @property
    def local_address(self) -> Address:
        """Address of this end; also after ``close``."""
        if self._local is None:
            try:
                self._local = self.address_of(self._socket.getsockname())
            except OSError:
                return self.address_of(None)  # some systems forget the name with the connection
        return self._local

    @property
    def peer_address(self) -> Address:
        """Address of the other end; also after ``close``. A kind of socket implements it."""
        raise NotImplementedError

    def features(self) -> Features:
        """Return what this kind of transport can do."""
        return self.FEATURES

    @property
    def buffered(self) -> bool:
        """Always False: all that has arrived is with the system, where a poller sees it."""
        if self._handle < 0:
            self._check_open()
        return False

    @property
    def pending_bytes(self) -> int:
        """Bytes accepted by ``send`` that the system has not taken yet."""
        self._check_open()
        return self._outgoing.pending_bytes

    @property
    def bare_socket(self) -> socket.SocketType:
        """The socket itself; see ``api.transport.SocketTransport``."""
        return self._socket

    def lost(self, error: OSError) -> ConnectionLost:
        """Enter the state *lost* because of what a call on the bare socket raised, and return the error to raise."""
        return self._lose(error.errno)

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive what has arrived, at most ``len(buffer)`` bytes: recv(2); see ``Transport.recv_into``."""
        if self._dead:
            self._refuse()
        try:
            if not buffer:
                raise InvalidArgument("a buffer to receive into has 1 byte or more")
            if self._input_ended:
                return END_OF_STREAM
            if self._connecting and not self._connected():
                return WOULD_BLOCK
            count = self._socket.recv_into(buffer)
        except NOT_NOW:
            return WOULD_BLOCK
        except OSError as error:
            raise self._lose(error.errno) from error
        except (TypeError, BufferError) as error:
            raise InvalidArgument("a buffer to receive into is writable and contiguous") from error
        if not count:
            self._input_ended = True
        return count

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Queue the batch, send what the system takes: send(2) or sendmsg(2); see ``Transport.send``."""
        if self._dead:
            self._refuse()
        if self._output_ended:
            raise InvalidState("sending was ended by shutdown", state="output ended")
        outgoing = self._outgoing
        if len(batch) == 1 and not outgoing.pending_bytes and isinstance(batch[0], bytes):
            # The commonest batch by far, a reply, without the queue's detours; its twin is ``outgoing.send``.
            views = (batch[0],)
            taken_bytes = self._write(views) if batch[0] else 0
            if taken_bytes == len(batch[0]):
                return 0
            outgoing = self._own_queue()
            outgoing.keep(views, views, taken_bytes)
        else:
            outgoing = self._own_queue()
            outgoing.send(batch, self._write)
            if not outgoing.pending_bytes:
                self._outgoing = _NOTHING_WAITS
        if self._marks is not None:
            self._marks.update(outgoing.pending_bytes)
        return outgoing.pending_bytes

    def flush(self) -> int:
        """Send more of what is pending; see ``Transport.flush``. Also finishes a connect and a shutdown."""
        if self._dead:
            self._refuse()
        if self._connecting and not self._connected():
            return self._outgoing.pending_bytes
        waited = self._outgoing.pending_bytes > 0
        pending_bytes = self._outgoing.flush(self._write)
        if self._output_ended and waited:
            self._end_output()  # without anything that waited, ``shutdown`` has done it
        if self._marks is not None:
            self._marks.update(pending_bytes)
        return self._outgoing.pending_bytes

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Replace the water marks; see ``Transport.set_water_marks``. The new ones start below: bytes that
        are pending already are reported by the next ``send`` or ``flush``."""
        self._check_open()
        self._marks = water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        """End our sending once everything pending is sent; see ``Transport.shutdown``. On a connection that
        is lost there is nothing left to end."""
        if self._handle < 0:
            self._check_open()
        if not self._output_ended and not self._dead:
            self._output_ended = True
            self._end_output()

    def close(self) -> None:
        """Release the socket and everything that is pending; see ``Transport.close``."""
        if self._handle < 0:
            return
        if self._local is None:
            self._local = self.local_address  # while the socket can still answer
        self._handle = Handle(-1)
        self._dead = True
        self._marks = None
        self._socket.close()
        if self._outgoing is not _NOTHING_WAITS:
            self._outgoing.drop()

    def _own_queue(self) -> OutgoingQueue:
        """Return a queue in which something may be kept."""
        if self._outgoing is _NOTHING_WAITS:
            self._outgoing = OutgoingQueue()
        return self._outgoing

    def _write(self, views: Sequence[ReadableMemory]) -> int:
        """Give ``views`` to the system; see ``outgoing.Write``."""
        if self._connecting and not self._connected():
            return 0
        try:
            if len(views) == 1 or not HAS_VECTORS:
                return self._socket.send(views[0], NO_SIGNAL)
            return self._socket.sendmsg(views, (), NO_SIGNAL)
        except NOT_NOW:
            return 0
        except OSError as error:
            raise self._lose(error.errno) from error

    def _connected(self) -> bool:
        """Return whether the connection is made by now. Raises ``ConnectionLost`` when it was refused."""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise self._lose(number) from OSError(number, os.strerror(number))
        try:
            self._socket.getpeername()
        except OSError as error:
            if error.errno == errno.ENOTCONN:
                return False
            raise self._lose(error.errno) from error
        self._connecting = False
        if self._output_ended:
            self._end_output()
        return True

    def _end_output(self) -> None:
        """Tell the system that we have finished, if everything is sent."""
        if self._outgoing.pending_bytes or self._connecting:
            return
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # The connection is gone; the next call that moves bytes meets the reason.

    def _lose(self, number: int | None) -> ConnectionLost:
        """Enter the state *lost* and return the error to raise."""
        self._loss = number or errno.EIO
        self._dead = True
        self._connecting = False
        self._outgoing.drop()
        return self._lost_error()

    def _lost_error(self) -> ConnectionLost:
        number = self._loss
        name = errno.errorcode.get(number, "")
        return ConnectionLost(f"the connection was lost: {os.strerror(number)}", errno=number, name=name)

    def _refuse(self) -> NoReturn:
        """Raise what a closed or lost transport answers to a call that moves bytes."""
        self._check_open()
        raise self._lost_error() from OSError(self._loss, os.strerror(self._loss))

    def _check_open(self) -> None:
        if self._handle < 0:
            raise TransportClosed("the transport is closed")


class NamedTransport(StreamTransport):
    """A stream that is given its peer's address, for kinds of socket that few have many of."""

    __slots__ = ("_peer",)

    def __init__(
        self, stream: socket.SocketType, *, peer: Address, local: Address | None = None, connecting: bool = False
    ) -> None:
        """``peer`` is the address of the other end; the rest as ``StreamTransport``."""
        super().__init__(stream, local=local, connecting=connecting)
        self._peer = peer

    @property
    def peer_address(self) -> Address:
        """Address of the other end; also after ``close``."""
        return self._peer


__all__ = ["HAS_VECTORS", "LAST_WORDS", "NOT_NOW", "NO_SIGNAL", "NamedTransport", "StreamTransport"]
