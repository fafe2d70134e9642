"""Transport: how bytes move, and nothing else.

A transport is one end of a reliable, ordered, non-blocking byte stream. It knows batches and buffers, not
frames. TCP, Unix sockets, TLS over either, an in-process pair, and a simulated network all look the same
from here, which is what lets the whole server run on any of them unchanged.

Sending never blocks and never loses: ``send`` takes the whole batch, gives the system what it takes now and
keeps the rest; ``pending_bytes`` makes back-pressure visible, ``flush`` goes on when the handle is
writable, and two water marks say when a producer should pause and resume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import SocketType
from typing import Final, Protocol, TypeAlias

from .buffer import Buffer
from .errors import ConnectionLost
from .poller import Interest
from .types import Handle, ReadableMemory, WritableMemory

WOULD_BLOCK: Final = -1
"""What ``recv_into`` returns when nothing has arrived yet. (0 is the end of the stream.)"""

END_OF_STREAM: Final = 0
"""What ``recv_into`` returns when the peer has finished sending; from then on, always."""

Sendable: TypeAlias = "ReadableMemory | Buffer"
"""What can stand in an outgoing batch, by ownership:

- ``bytes``: immutable, kept by reference until sent;
- ``Buffer``: the transport retains it for as long as any of its bytes is queued and releases it then; the
  caller keeps its own count;
- ``memoryview``, ``bytearray``: borrowed until ``send`` returns; what the system did not take by then is
  copied.
"""


@dataclass(frozen=True, slots=True)
class Features:
    """What a transport can really do on this machine.

    A flag that is set is true; the contract suite tries those that show from outside (``descriptor`` and
    ``half_close``).
    """

    name: str
    zero_copy: bool = False
    """Payload passes between pooled memory and the system without a copy in this process."""
    batch: bool = False
    """A batch of buffers is sent in one system call."""
    numa_aware: bool = False
    lock_free: bool = False
    """No lock is taken on the way of a message in this process."""
    shared_memory: bool = False
    tls: bool = False
    descriptor: bool = False
    """The handle is a file descriptor that any poller of the system can watch."""
    half_close: bool = True
    """``shutdown`` ends our sending and leaves receiving open."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """Host name or literal and port 0 to 65535; port 0 lets the system choose when listening."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """File system path of a Unix socket, or an abstract name that starts with ``@`` (Linux, unix(7)).

    ``""`` is an unnamed peer.
    """

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class MemoryAddress:
    """Name of an in-process listener, unique within its transport provider."""

    name: str

    def __str__(self) -> str:
        return f"memory:{self.name}"


Address: TypeAlias = "TcpAddress | UnixAddress | MemoryAddress"
"""Where a listener listens and a peer is. Further transports add their own kind."""


class Transport(Protocol):
    """One end of a reliable, ordered, non-blocking byte stream.

    States: open, input ended (peer finished), output ended (``shutdown``), closed. Thread rules: the owning
    reactor's thread. After ``close`` every call and property raises ``TransportClosed``, except ``close``,
    ``features`` and the addresses. When the peer resets the connection, the call that meets it
    (``recv_into``, ``send`` or ``flush``) raises ``ConnectionLost``; the transport must then be closed, and
    until it is, calls that move bytes raise it again.
    """

    @property
    def handle(self) -> Handle:
        """What a poller watches. Stable until ``close``."""

    @property
    def interest(self) -> Interest:
        """What the poller should watch for *now* for this transport's own sake: ``WRITABLE`` while
        something is pending or a connection is being made, and ``READABLE`` where the transport itself must
        read to go on (TLS). The owner adds ``READABLE`` when it wants data."""

    @property
    def local_address(self) -> Address:
        """Address of this end."""

    @property
    def peer_address(self) -> Address:
        """Address of the other end."""

    def features(self) -> Features:
        """Return what this transport can do; constant over its life."""

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive into the start of ``buffer`` (1 byte or more) and return the number of bytes;
        ``WOULD_BLOCK`` or ``END_OF_STREAM``.

        Never writes beyond the count returned. A count below ``len(buffer)`` means that nothing more is
        available now, unless ``buffered`` is set. Raises ``ConnectionLost`` on a reset and
        ``InvalidArgument`` for an empty or read-only buffer.
        """

    @property
    def buffered(self) -> bool:
        """Whether data is available that no poller can see (TLS holds decrypted bytes): read again before
        polling."""

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Queue the whole batch behind what is pending, send what the system takes, return
        ``pending_bytes``. Never blocks, never sends partly and forgets.

        0 means: all of it is with the system. Empty batches and empty items are legal. On
        ``ConnectionLost`` everything queued is dropped and retained buffers are released. Raises
        ``InvalidState`` after ``shutdown`` and ``InvalidArgument`` for a batch with an item that can't be
        sent (memory that is not contiguous, too); nothing is queued then. The batch is borrowed.
        """

    def flush(self) -> int:
        """Send more of what is pending (call it when the handle is writable) and return ``pending_bytes``.

        Raises ``ConnectionLost`` as ``send``.
        """

    @property
    def pending_bytes(self) -> int:
        """Bytes accepted by ``send`` that the system has not taken yet."""

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Call ``on_change(True)`` when ``pending_bytes`` rises above ``high_bytes``, and
        ``on_change(False)`` when it has fallen to ``low_bytes`` or below. Equal to the high mark is not above it;
        equal to the low mark is low.

        ``0 <= low_bytes <= high_bytes``, else ``InvalidArgument``. Called from within ``send`` or
        ``flush``, alternating, starting with ``True``.
        """

    def shutdown(self) -> None:
        """End our sending once everything pending is sent (shutdown(2), SHUT_WR); receiving goes on.

        Idempotent. Raises ``NotSupported`` where ``features().half_close`` is not set.
        """

    def close(self) -> None:
        """Release the handle now; what is pending is dropped and retained buffers are released.

        The peer receives what was sent, then the end of the stream or ``ConnectionLost``; when it goes on
        sending, it meets ``ConnectionLost`` sooner or later. Idempotent. Unregister the handle first.
        """


class SocketTransport(Protocol):
    """Optional capability of a transport whose bytes are exactly those of one stream socket.

    Its owner may then move bytes past the transport, which saves a call each way: ``bare_socket.recv_into`` and
    ``bare_socket.send`` (with ``MSG_NOSIGNAL`` where there is one), as long as the transport is open, neither
    end of the stream was seen or sent, and ``pending_bytes`` is 0. What the socket did not take goes to
    ``Transport.send``; an end of the stream is read once more by ``Transport.recv_into``; and what the socket
    raises, other than that it would block, goes to ``lost``.
    """

    @property
    def bare_socket(self) -> SocketType:
        """The socket, non-blocking. The transport goes on to own it: it is not for closing or setting options."""

    def lost(self, error: OSError) -> ConnectionLost:
        """Say that a call on the bare socket raised ``error``. The transport is lost then, as if a call of its
        own had met it; returns what such a call raises, so that the caller can."""


class Listener(Protocol):
    """Accepts transports.

    Thread rules: the owning reactor's thread. Its handle is readable when a connection waits.
    """

    @property
    def handle(self) -> Handle:
        """What a poller watches. Stable until ``close``."""

    @property
    def address(self) -> Address:
        """Where it really listens (the chosen port, not 0)."""

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        """Accept up to ``max_count`` (1 or more) waiting connections without waiting; fewer, or none, when
        fewer wait.

        A connection that died in the queue is skipped. Raises ``ResourceExhausted`` when descriptors or
        memory ran out *and nothing was accepted in this call*: the connection still waits, and the caller
        should pause before it tries again, since the handle stays readable. Raises ``TransportClosed``
        after ``close``.
        """

    def close(self) -> None:
        """Stop listening and release the address (a Unix socket's file, too).

        Transports accepted before live on. Idempotent.
        """


__all__ = [
    "END_OF_STREAM",
    "WOULD_BLOCK",
    "Address",
    "Features",
    "Listener",
    "MemoryAddress",
    "Sendable",
    "SocketTransport",
    "TcpAddress",
    "Transport",
    "UnixAddress",
]
