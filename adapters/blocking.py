"""Blocking connection: a client for scripts and tests, whose calls wait.

    with connect("ws://127.0.0.1:9001/") as connection:
        connection.send("hello")
        print(connection.receive(timeout_s=5))

There is no thread behind it: each call turns the client's reactor until what it waits for has happened. So
pings are answered, and keep-alive works, while a call waits and not in between; a program that goes away for
longer than the peer's patience should use ``Client`` on a thread of its own.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from ..api.connection import Connection, SendableMessage
from ..api.errors import ConnectionLost, InvalidState, TimedOut, TransportClosed
from ..api.extension import ExtensionFactory
from ..api.handler import CloseEvent
from ..api.http import HeaderFields, Response
from ..api.message import TEXT, Message
from ..api.registry import TransportRegistry
from ..api.session import SessionStatus
from ..api.types import ReadableMemory
from ..internal.faults import ErrorHook, log_error
from .client import Client
from .connection import WebSocketConnection
from .hub import ns
from .proxy import ProxyChoice


class BlockingConnection:
    """One connection whose calls wait. Thread rules: the thread that made it.

    Made by ``connect``. Leaving a ``with`` block closes it with code 1000. Messages that arrive while another
    call waits are kept, in order, for ``receive``.
    """

    __slots__ = ("_client", "_messages")

    def __init__(self, client: Client, timeout_s: float | None) -> None:
        """Connect ``client`` and wait until it is open, at most ``timeout_s``; errors as ``connect``."""
        self._client = client
        self._messages: deque[str | bytes] = deque()
        client.on_message(self._keep)
        client.start()
        try:
            self._wait(lambda: client.ended or client.connection is not None, timeout_s, "the connection")
            if client.connection is None:
                raise client.failure or InvalidState("the client was closed before it connected")
        except BaseException:
            client.close()
            raise

    @property
    def connection(self) -> Connection:
        """The connection underneath: addresses, features, session, close code."""
        return self._open_connection()

    @property
    def response(self) -> Response:
        """The head of the server's 101 response."""
        response = self._client.response
        if response is None:  # pragma: no cover - an open connection has one
            raise InvalidState("no response")
        return response

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol both ends agreed on, or ``None``."""
        return self._open_connection().subprotocol

    @property
    def closed(self) -> bool:
        """Whether the connection has gone. Messages that arrived before may still wait."""
        return self._client.ended

    @property
    def closed_event(self) -> CloseEvent | None:
        """How the connection closed, and what broke it, if anything did; ``None`` before."""
        return self._client.closed_event

    @property
    def close_code(self) -> int | None:
        """The code it closed with (RFC 6455 §7.1.5), ``None`` before."""
        return self._open_connection().close_code

    @property
    def close_reason(self) -> str:
        """The reason it closed with."""
        return self._open_connection().close_reason

    def send(self, data: SendableMessage, timeout_s: float | None = None) -> None:
        """Send one message and wait until the system has taken all of it.

        Raises ``TimedOut`` after ``timeout_s`` (the rest stays queued, and leaves during later calls),
        ``ConnectionLost`` or ``TransportClosed`` when the connection has gone, and errors as
        ``Connection.send``.
        """
        connection = self._open_connection()
        if connection.status is not SessionStatus.ACTIVE:
            raise self._why_closed()
        connection.send(data)
        connection.flush()
        self._wait(lambda: self.closed or not connection.pending_bytes, timeout_s, "sending")
        if self.closed:
            raise self._why_closed()

    def receive(self, timeout_s: float | None = None) -> str | bytes:
        """Return the next message: ``str`` for text, ``bytes`` for binary (copied).

        Raises ``TimedOut`` when none came within ``timeout_s`` (0 does not wait; nothing is lost),
        ``TransportClosed`` when the connection closed in an orderly way, else ``ConnectionLost`` or what broke it.
        """
        self._wait(lambda: bool(self._messages) or self.closed, timeout_s, "a message")
        if self._messages:
            return self._messages.popleft()
        raise self._why_closed()

    def ping(self, payload: ReadableMemory = b"") -> None:
        """Send a ping, 0 to 125 bytes; errors as ``Connection.ping``."""
        connection = self._open_connection()
        connection.ping(payload)
        connection.flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection and wait until it has gone, at most the client's ``close_timeout_s``.

        Messages that arrived before may still be received. Idempotent. Raises ``InvalidArgument`` for a code
        that may not be sent; the connection stays open then.
        """
        if not self.closed:
            self._open_connection().close(code, reason)
            self._wait(lambda: self.closed, None, "the end")
        self._client.close()

    def drop(self) -> None:
        """Release everything at once, without a closing handshake. Idempotent."""
        self._client.close()

    def __iter__(self) -> Iterator[str | bytes]:
        """Iterate over messages until the connection closes; ``ConnectionLost`` and the like are raised."""
        while True:
            try:
                yield self.receive()
            except TransportClosed:
                return

    def __enter__(self) -> Self:
        """Return self; leaving the block closes the connection."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close with code 1000; after an interruption drop the connection without waiting."""
        if kind is None or issubclass(kind, Exception):
            self.close()
        else:
            self.drop()

    def _keep(self, connection: Connection, message: Message) -> None:
        self._messages.append(message.text if message.kind == TEXT else message.copy())

    def _open_connection(self) -> WebSocketConnection:
        connection = self._client.connection
        if connection is None:  # pragma: no cover - the constructor raises instead
            raise InvalidState("not connected")
        return connection

    def _why_closed(self) -> Exception:
        event = self._client.closed_event
        code, reason = self._open_connection().close_code, self._open_connection().close_reason
        if event is not None and event.error is not None:
            lost = ConnectionLost("the connection broke", code=code, reason=reason)
            lost.__cause__ = event.error
            return lost
        return TransportClosed("the connection is closed", code=code, reason=reason)

    def _wait(self, condition: Callable[[], bool], timeout_s: float | None, what: str) -> None:
        """Turn the reactor until the condition holds; ``TimedOut`` after ``timeout_s``."""
        client = self._client
        end_ns = None if timeout_s is None else client.now_ns() + ns(timeout_s)
        while not condition():
            rest_ns = None if end_ns is None else max(end_ns - client.now_ns(), 0)
            client.turn(rest_ns)
            if rest_ns == 0 and not condition():
                raise TimedOut(f"{what} took too long", timeout_s=timeout_s)


def connect(
    url: str,
    *,
    timeout_s: float | None = 10.0,
    subprotocols: Sequence[str] = (),
    extensions: Sequence[ExtensionFactory] = (),
    headers: HeaderFields = (),
    origin: str | None = None,
    tls: ssl.SSLContext | None = None,
    unix: str | None = None,
    proxy: ProxyChoice = None,
    max_redirects: int = 0,
    registry: TransportRegistry | None = None,
    on_error: ErrorHook = log_error,
    **settings: object,
) -> BlockingConnection:
    """Connect to ``url`` and return the open connection.

    ``timeout_s`` bounds the wait (``None``: the client's ``handshake_timeout_s`` alone does); the rest is as for
    ``Client``. Raises ``InvalidArgument`` for wrong arguments, ``ConnectionLost`` when there is nobody or the
    peer hung up (``ProxyRefused`` when a proxy says no), ``HandshakeFailed`` with status and ``response`` when the
    server refuses, and ``TimedOut``; everything is released then.
    """
    client = Client(
        url,
        subprotocols=subprotocols,
        extensions=extensions,
        headers=headers,
        origin=origin,
        tls=tls,
        unix=unix,
        proxy=proxy,
        max_redirects=max_redirects,
        registry=registry,
        clock=None,
        poller=None,
        executor=None,
        on_error=on_error,
        **settings,
    )
    return BlockingConnection(client, timeout_s)


__all__ = ["BlockingConnection", "connect"]
