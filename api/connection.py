"""Connection: what a handler holds in its hand.

One object per WebSocket connection, the same on the server and on the client. It belongs to its reactor's
thread; the two calls that other threads need are ``post`` on the reactor and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Protocol, TypeAlias

from .http import Request
from .message import Message
from .session import Session, SessionStatus
from .transport import Address, Features
from .types import ReadableMemory

SendableMessage: TypeAlias = "str | ReadableMemory | Message"
"""What ``Connection.send`` takes: ``str`` becomes a text message; bytes, bytearray and memoryview a binary
one; a message keeps its kind."""


class Connection(Protocol):
    """One open WebSocket connection.

    Status moves one way: connecting, active, closing, closed. Thread rules: the owning reactor's thread,
    else ``WrongThread`` where it can be told cheaply. After the connection is closed, ``send`` and ``ping``
    raise ``TransportClosed``; ``close`` is harmless.
    """

    @property
    def session(self) -> Session:
        """The connection's session: id, context, status, deadline.

        Cancelling it closes the connection with code 1001.
        """

    @property
    def status(self) -> SessionStatus:
        """The connection's status."""

    @property
    def request(self) -> Request:
        """The opening handshake's request."""

    @property
    def path(self) -> str:
        """The request's path, percent-encoded as it came."""

    @property
    def params(self) -> Mapping[str, str]:
        """Values of the route's ``:name`` segments, percent-decoded; empty without a route."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol both ends agreed on, or ``None`` (RFC 6455 §1.9)."""

    @property
    def peer_address(self) -> Address:
        """Address of the other end, also after the connection closed."""

    @property
    def local_address(self) -> Address:
        """Address of this end, also after the connection closed."""

    @property
    def pending_bytes(self) -> int:
        """Bytes accepted by ``send`` that the system has not taken yet, those of this turn's batch
        included."""

    @property
    def close_code(self) -> int | None:
        """The status code the connection closed with (RFC 6455 §7.1.5: 1005 without one, 1006 without a
        close frame); ``None`` before."""

    @property
    def close_reason(self) -> str:
        """The peer's reason, or ours when we closed first; ``""`` without one."""

    def features(self) -> Features:
        """Return what the connection's transport can do."""

    def send(self, data: SendableMessage) -> int:
        """Queue one message behind those before it and return ``pending_bytes``. Never blocks, never loses.

        Memory that can change (bytearray, memoryview, a borrowed message) is borrowed until ``send``
        returns when called outside a handler, and until the handler returns when called inside one: do not
        change it before. All messages of one turn leave in one system call. Raises ``TransportClosed`` once
        closing has begun, ``InvalidArgument`` for another type, a non-contiguous view or a ``str`` that has no
        UTF-8, and ``ResourceExhausted`` when ``pending_bytes`` would pass the connection's send limit: nothing
        was queued then.
        """

    def drain(self) -> Awaitable[None]:
        """Await this in a coroutine handler, of this connection or another one, to send no faster than the peer
        reads: above ``high_water_bytes`` it waits until ``pending_bytes`` are at most ``low_water_bytes``.

        Raises ``TransportClosed``, at the ``await``, once closing has begun.
        """

    def receive(self, timeout_s: float | None = None) -> Awaitable[Message]:
        """Await this in the coroutine handler of this connection for the next message; the one before ends.

        Raises ``TransportClosed`` at the ``await`` once the connection has closed and no message waits, and
        ``TimedOut`` when none came within ``timeout_s`` (0 or more, else ``InvalidArgument``).
        """

    def __aiter__(self) -> AsyncIterator[Message]:
        """Iterate over the messages, in the coroutine handler of this connection, until it has closed. A message
        is valid until the next one is asked for."""

    def ping(self, payload: ReadableMemory = b"") -> None:
        """Send a ping, 0 to 125 bytes (else ``InvalidArgument``).

        Raises ``TransportClosed`` once closing has begun.
        """

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake (RFC 6455 §7.1.2): what is queued leaves first, then the close frame.
        Idempotent; later codes are ignored.

        Messages that arrive once closing has begun are discarded: nobody could answer them. When the peer does
        not answer in time, the connection is dropped. Raises ``InvalidArgument`` for a code that may not be
        sent or a reason above 123 bytes; nothing closes then.
        """


__all__ = ["Connection", "SendableMessage"]
