"""Blocking handlers: plain functions that may take their time, because a worker thread runs them.

    @app.route("/thumbnails")
    @blocking
    def thumbnail(connection, message):
        connection.send(shrink(message.copy()))

``blocking`` makes a coroutine handler of the function, which gives each message to the server's executor and waits.
So the messages of one connection are handled one after the other, those of different connections at the same time,
and a connection whose handler does not keep up is not read. The connection that the function gets is a stand-in for
the real one, which belongs to the reactor's thread: ``send``, ``ping`` and ``close`` post there and return.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import NoReturn, Self, cast

from ..api.connection import Connection, SendableMessage
from ..api.errors import InvalidArgument, InvalidState, ResourceExhausted, TransportClosed
from ..api.handler import Handler
from ..api.http import Request
from ..api.message import TEXT, Message
from ..api.session import Session, SessionStatus
from ..api.transport import Address, Features
from ..api.types import ReadableMemory
from ..internal.coroutines import in_worker
from ..protocol.close import build_close
from .connection import kind_and_view
from .conversation import Partner

_MAX_PING_BYTES = 125  # RFC 6455 §5.5


class PostingConnection:
    """Stands in for a connection on a worker's thread. It has all of ``api.connection.Connection`` but for what is
    awaited: a blocking handler gets its messages one by one.

    Thread rules: one thread other than the reactor's. What was sent leaves soon; whether the connection is open is
    as it was a moment ago, so something sent while it closes may be dropped, as it may be on the wire.
    """

    __slots__ = ("_asked_bytes", "_connection", "_done_bytes", "_handler", "_partner", "_send_limit_bytes")

    def __init__(self, connection: Connection, handler: object) -> None:
        """``handler`` is what errors are said to come from."""
        self._connection = connection
        self._partner = cast(Partner, connection)  # coroutine handlers are given nothing else
        self._handler = handler
        self._send_limit_bytes = self._partner.send_limit_bytes
        # One is written by this thread, the other by the reactor's, so that neither needs a lock.
        self._asked_bytes = 0
        self._done_bytes = 0

    @property
    def session(self) -> Session:
        """The connection's session."""
        return self._connection.session

    @property
    def status(self) -> SessionStatus:
        """The connection's status, a moment ago."""
        return self._connection.status

    @property
    def request(self) -> Request:
        """The opening handshake's request."""
        return self._connection.request

    @property
    def path(self) -> str:
        """The request's path."""
        return self._connection.path

    @property
    def params(self) -> Mapping[str, str]:
        """Values of the route's parameters."""
        return self._connection.params

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol both ends agreed on."""
        return self._connection.subprotocol

    @property
    def peer_address(self) -> Address:
        """Address of the other end."""
        return self._connection.peer_address

    @property
    def local_address(self) -> Address:
        """Address of this end."""
        return self._connection.local_address

    @property
    def pending_bytes(self) -> int:
        """Bytes that were sent and the system has not taken yet."""
        return self._connection.pending_bytes + self._asked_bytes - self._done_bytes

    @property
    def close_code(self) -> int | None:
        """The code the connection closed with; ``None`` before."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str:
        """The reason it closed with."""
        return self._connection.close_reason

    def features(self) -> Features:
        """Return what the connection's transport can do."""
        return self._connection.features()

    def send(self, data: SendableMessage) -> int:
        """Have a message sent, and return ``pending_bytes``. Memory that can change is copied; errors as
        ``api.connection.Connection.send``."""
        self._check_open()
        owned, size_bytes = _owned(data)
        if self.pending_bytes + size_bytes > self._send_limit_bytes:
            raise ResourceExhausted(
                "the peer does not read fast enough for what is sent",
                pending_bytes=self.pending_bytes,
                message_bytes=size_bytes,
                limit_bytes=self._send_limit_bytes,
            )
        self._asked_bytes += size_bytes
        self._partner.runner.post(lambda: self._send_now(owned, size_bytes))
        return self.pending_bytes

    def ping(self, payload: ReadableMemory = b"") -> None:
        """Have a ping sent; errors as ``api.connection.Connection.ping``."""
        self._check_open()
        if len(payload) > _MAX_PING_BYTES:
            raise InvalidArgument("a ping has at most 125 bytes", size_bytes=len(payload))
        owned = bytes(payload)
        self._partner.runner.post(lambda: self._if_open(lambda: self._connection.ping(owned)))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Have the closing handshake started; errors as ``api.connection.Connection.close``."""
        build_close(code, reason)  # a mistake shows here
        self._partner.runner.post(lambda: self._connection.close(code, reason))

    def receive(self, timeout_s: float | None = None) -> Awaitable[Message]:
        """Raise ``InvalidState``."""
        self._refuse("receive()")

    def drain(self) -> Awaitable[None]:
        """Raise ``InvalidState``."""
        self._refuse("drain()")

    def __aiter__(self) -> Self:
        """Raise ``InvalidState``."""
        self._refuse("async for")

    def __anext__(self) -> Awaitable[Message]:
        """Raise ``InvalidState``."""
        self._refuse("async for")

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidState(f"{what} is for coroutine handlers; this one is blocking", state="blocking")

    def _check_open(self) -> None:
        if self.status is not SessionStatus.ACTIVE:
            raise TransportClosed("the connection is not open", status=self.status.name.lower())

    def _send_now(self, owned: str | bytes, size_bytes: int) -> None:
        """On the reactor's thread."""
        self._done_bytes += size_bytes
        self._if_open(lambda: self._connection.send(owned))

    def _if_open(self, function: Callable[[], object]) -> None:
        if self.status is SessionStatus.ACTIVE:
            try:
                function()
            except ResourceExhausted as error:  # others sent meanwhile
                self._partner.application_failed(error, self._handler)


def _owned(data: SendableMessage) -> tuple[str | bytes, int]:
    """Return a message that nobody can change any more, and its length in bytes."""
    if isinstance(data, str):
        try:
            return data, len(data.encode())
        except UnicodeEncodeError as error:
            raise InvalidArgument("text with a lone surrogate has no UTF-8") from error
    if isinstance(data, bytes):
        return data, len(data)
    kind, view = kind_and_view(data)
    return (str(view, "utf-8") if kind == TEXT else bytes(view)), len(view)


def blocking(handler: Handler) -> Callable[[Connection, Message], Coroutine[object, object, None]]:
    """Decorator: run the handler on a worker thread, one message of a connection at a time.

    It gets a connection on which it may ``send``, ``ping`` and ``close`` from there, and a message that is valid
    until it returns. What it raises is reported and closes the connection with code 1011, as for other handlers;
    so is ``ResourceExhausted`` when too many calls wait for a worker. It must not touch other connections.
    """

    @functools.wraps(handler)
    async def run(connection: Connection, message: Message) -> None:
        await in_worker(handler, PostingConnection(connection, handler), message)

    return run


__all__ = ["PostingConnection", "blocking"]
