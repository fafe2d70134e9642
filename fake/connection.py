"""Connection for unit tests of handlers: no server, no transport, no codec.

    connection = FakeConnection("/rooms/7", params={"room": "7"})
    connection.deliver(talk, "hello")
    assert connection.sent == ["hello"]

``deliver`` does what the library does around a handler: the message is borrowed until the handler returns, a
handler that raises closes the connection with code 1011 (and here the test sees the exception), and nothing is
delivered once closing has begun. Sent bytes count as taken at once; with ``peer_reads`` false they stay pending,
until the send limit is met.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..adapters.connection import kind_and_view
from ..api.connection import SendableMessage
from ..api.errors import InvalidArgument, ResourceExhausted, TransportClosed
from ..api.handler import Handler
from ..api.http import HeaderFields, Request
from ..api.message import TEXT
from ..api.session import SessionStatus
from ..api.transport import Features, MemoryAddress
from ..api.types import ReadableMemory
from ..protocol.close import ABNORMAL, GOING_AWAY, INTERNAL_ERROR, NO_STATUS, build_close
from ..session.session import LiveSession
from .clock import VirtualClock
from .memory import FakeBufferPool
from .message import fake_message
from .session import virtual_session

_MAX_PING_BYTES = 125  # RFC 6455 §5.5


class FakeConnection:
    """Implements ``api.connection.Connection``; open from the start. Thread rules: one thread.

    ``target`` is the request's, ``headers`` its header fields, ``params`` what a route would have found.
    """

    peer_address = MemoryAddress("fake-peer")
    local_address = MemoryAddress("fake-local")

    def __init__(
        self,
        target: str = "/",
        *,
        params: Mapping[str, str] | None = None,
        headers: HeaderFields = (),
        subprotocol: str | None = None,
        send_limit_bytes: int = 1 << 20,
        peer_reads: bool = True,
        clock: VirtualClock | None = None,
    ) -> None:
        path, _, query = target.partition("?")
        self.request = Request("GET", target, tuple(headers), path, query)
        """The request that a client would have sent."""
        self.params: Mapping[str, str] = dict(params or {})
        self.subprotocol = subprotocol
        self.session: LiveSession = virtual_session(VirtualClock() if clock is None else clock)
        """A real session in virtual time; cancelling it closes the connection with code 1001."""
        self.session.advance(SessionStatus.ACTIVE)
        self.session.on_done(lambda session: self._session_ended())
        self.pool = FakeBufferPool()
        """Where retained messages lie; ``pool.check_leaks()`` tells whether all were released."""
        self.sent: list[str | bytes] = []
        """The messages sent, text as ``str``."""
        self.pings: list[bytes] = []
        """The payloads of the pings sent."""
        self.pending_bytes = 0
        """What was sent and not taken; see ``take_bytes``."""
        self.close_sent: tuple[int | None, str] | None = None
        """Code (``None``: without one) and reason of the close frame that the peer was sent, ours or an answer."""
        self.close_code: int | None = None
        self.close_reason = ""
        self._send_limit_bytes = send_limit_bytes
        self._peer_reads = peer_reads

    @property
    def status(self) -> SessionStatus:
        """The connection's status, which is its session's."""
        return self.session.status

    @property
    def path(self) -> str:
        """The request's path."""
        return self.request.path

    def features(self) -> Features:
        """There is no transport, so there is nothing it can do."""
        return Features("fake")

    def send(self, data: SendableMessage) -> int:
        """Keep a message in ``sent``; contract as ``api.connection.Connection.send``."""
        self._check_open()
        message: str | bytes
        if isinstance(data, str):
            try:
                size_bytes = len(data.encode())
            except UnicodeEncodeError as error:
                raise InvalidArgument("text with a lone surrogate has no UTF-8") from error
            message = data
        else:
            kind, view = kind_and_view(memoryview(data) if isinstance(data, bytes) else data)
            size_bytes = len(view)
            message = str(view, "utf-8") if kind == TEXT else bytes(view)
        if self.pending_bytes + size_bytes > self._send_limit_bytes:
            raise ResourceExhausted("the peer does not read", pending_bytes=self.pending_bytes, size_bytes=size_bytes)
        self.sent.append(message)
        if not self._peer_reads:
            self.pending_bytes += size_bytes
        return self.pending_bytes

    def ping(self, payload: ReadableMemory = b"") -> None:
        """Keep a ping in ``pings``; contract as ``api.connection.Connection.ping``."""
        self._check_open()
        if len(payload) > _MAX_PING_BYTES:
            raise InvalidArgument("a ping has at most 125 bytes", size_bytes=len(payload))
        self.pings.append(bytes(payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to close; contract as ``api.connection.Connection.close``. What was sent is in ``close_sent``;
        ``close_code`` comes with the peer's answer: ``peer_closes`` ends it."""
        if self.status is SessionStatus.ACTIVE:
            build_close(code, reason)
            self.close_sent, self.close_reason = (code, reason), reason
            self.session.advance(SessionStatus.CLOSING)

    def deliver(self, handler: Handler, data: str | bytes) -> None:
        """Let a message arrive and ``handler`` process it; nothing happens once closing has begun.

        What the handler raises closes the connection with code 1011 and passes through.
        """
        if self.status is not SessionStatus.ACTIVE:
            return
        message = fake_message(data, self.pool)
        try:
            handler(self, message)
        except Exception:
            self.close(INTERNAL_ERROR, "internal error")
            raise
        finally:
            message.expire()

    def take_bytes(self) -> int:
        """Let the peer read what is pending; return how much that was."""
        taken_bytes, self.pending_bytes = self.pending_bytes, 0
        return taken_bytes

    def peer_closes(self, code: int | None = 1000, reason: str = "") -> None:
        """Let the peer's close frame arrive (``None``: without a code): it is answered, unless it is an answer, and
        the connection is closed. Nothing happens when it was."""
        if self.status is not SessionStatus.CLOSED:
            self.close_sent = self.close_sent or (code, "")
            self._end(NO_STATUS if code is None else code, reason)

    def peer_vanishes(self) -> None:
        """Let the connection break: it is closed with code 1006. Nothing happens when it was closed."""
        if self.status is not SessionStatus.CLOSED:
            self._end(ABNORMAL, "")

    def _end(self, code: int, reason: str) -> None:
        self.close_code, self.close_reason = code, reason or self.close_reason
        self.session.advance(SessionStatus.CLOSED)

    def _session_ended(self) -> None:
        """The session was cancelled: the peer is told, and answers at once. (Or the connection has ended it.)"""
        if self.close_code is None:
            self.close_sent = self.close_sent or (GOING_AWAY, "session cancelled")
            self._end(self.close_sent[0] or GOING_AWAY, self.close_sent[1])

    def _check_open(self) -> None:
        if self.status is not SessionStatus.ACTIVE:
            raise TransportClosed("the connection is not open", status=self.status.name.lower())


__all__ = ["FakeConnection"]
