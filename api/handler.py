"""Handlers, middleware and the events around a message.

A handler is a plain function of a connection and a message, called on the reactor's thread; or a coroutine
function of these two, or of the connection alone, which may wait where a plain one must not. A middleware
takes a handler and returns one, so that they compose like functions do: the first one listed is the
outermost.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Protocol, TypeAlias, runtime_checkable

from .connection import Connection
from .message import Message


@runtime_checkable
class Handler(Protocol):
    """Processes one message.

    The message is borrowed until the call returns. An exception that escapes is reported to the server's
    error hook and closes this connection with code 1011 (RFC 6455 §7.4.1); other connections do not notice.
    A handler must not block: it holds up every connection of its reactor.

    It may be a coroutine function. Then the message is valid until it is done, and the next message of the
    connection waits for that. What it may await, and how it ends, is as for ``ConnectionCoroutine``.
    """

    def __call__(self, connection: Connection, message: Message, /) -> object:
        """Process the message; the result is ignored."""


ConnectionCoroutine: TypeAlias = Callable[[Connection], Coroutine[object, object, object]]
"""Handles all messages of one connection: ``async for message in connection``.

Called once per connection, after its ``OpenHandler``. It may await messages and ``drain`` of its connection,
``sleep``, ``in_worker``, and coroutines made of these; anything else raises ``InvalidArgument`` where it is
awaited. A message is valid until the next one is asked for.

When it returns, the connection is closed with code 1000; an exception that escapes is reported and closes it with
1011. When the connection closes, messages that came before are still handled, within ``close_timeout_s``; the
iteration then ends, ``receive`` raises ``TransportClosed``, and any other wait raises ``Cancelled``. Neither of
these is reported when it escapes."""

AnyHandler: TypeAlias = Handler | ConnectionCoroutine
"""What routes and hooks for messages take."""

Middleware: TypeAlias = Callable[[Handler], Handler]
"""Wraps a handler: logging, recovery, metrics, authentication."""


class OpenEvent:
    """A connection finished its opening handshake. ``connection`` is active."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection


class CloseEvent:
    """A connection is closed for good.

    ``code`` and ``reason`` are those of RFC 6455 §7.1.5 and §7.1.6; ``error`` is what broke it, if anything
    did.
    """

    __slots__ = ("code", "connection", "error", "reason")

    def __init__(
        self, connection: Connection, code: int, reason: str, error: BaseException | None = None
    ) -> None:
        self.connection = connection
        self.code = code
        self.reason = reason
        self.error = error


OpenHandler: TypeAlias = Callable[[OpenEvent], object]
"""Called once per connection, before its first message."""

CloseHandler: TypeAlias = Callable[[CloseEvent], object]
"""Called exactly once for each connection whose ``OpenHandler`` was due, after its last message."""

__all__ = [
    "AnyHandler",
    "CloseEvent",
    "CloseHandler",
    "ConnectionCoroutine",
    "Handler",
    "Middleware",
    "OpenEvent",
    "OpenHandler",
]
