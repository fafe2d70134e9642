"""Connection: what a handler holds, and the way of a message through it.

That way is short on purpose: ``_read`` -> codec -> ``_process`` -> handler -> ``send`` -> ``flush``. One read
brings many frames, each is handled in place, and everything that was sent meanwhile leaves in one call. What
is sent in the connection's own turn may refer to the very memory it was received in; the turn ends with the
flush, so nothing is copied on our side. What is sent at any other time leaves at the end of the reactor's turn,
and borrowed memory is copied for that.

What coroutines await is in ``conversing.py``, status, time limits and the end in ``lifetime.py``, bytes and
back-pressure in ``wire.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from threading import get_ident

from ..api.connection import SendableMessage
from ..api.errors import (
    ConnectionLost,
    HioloadError,
    InvalidArgument,
    ResourceExhausted,
    TransportClosed,
)
from ..api.handler import CloseEvent
from ..api.http import Request
from ..api.message import BINARY, TEXT, MessageKind
from ..api.session import Session, SessionStatus
from ..api.transport import Sendable, Transport
from ..api.types import ReadableMemory
from ..protocol.codec import WebSocketCodec
from ..protocol.common_codec import CommonCodec
from ..protocol.frames import FIN
from ..protocol.masks import SHORT_BYTES
from ..protocol.message import WireMessage
from ..protocol.sender import MEDIUM_HEADER, SHORT_HEADERS
from .coroutine_handlers import CoroutineHandler
from .hub import Hub
from .inbound import READ_BUDGET_BYTES, Inbound
from .roles import Established, Host, Opening

_ACTIVE = SessionStatus.ACTIVE
_CLOSED = SessionStatus.CLOSED
_MEDIUM = range(SHORT_BYTES + 1, 1 << 16)  # what a length of 16 bits says
_INTERNAL_ERROR = 1011
_PLAIN = (bytes, bytearray, memoryview)


class WebSocketConnection(Inbound):
    """Implements ``api.connection.Connection`` for both roles. Thread rules: its reactor's thread."""

    __slots__ = ()

    def __init__(self, hub: Hub, transport: Transport, host: Host, opening: Opening) -> None:
        """Take over the transport and start to read the handshake; errors as ``Reactor.register``."""
        super().__init__(hub, transport, host, opening)
        self._lent = False
        hub.connections[self] = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._status.name.lower()} peer={self.peer_address}>"

    @property
    def session(self) -> Session:
        """The connection's session; cancelling it closes the connection with code 1001."""
        session = self._session
        if session is None:
            raise self._not_agreed()
        return session

    @property
    def request(self) -> Request:
        """The opening handshake's request."""
        request = self._request
        if isinstance(request, bytes):
            request = self._request = self._agreed().head.request(request)
        return request

    @property
    def path(self) -> str:
        """The request's path, percent-encoded as it came."""
        request = self._request
        return self._agreed().head.path(request) if isinstance(request, bytes) else request.path

    @property
    def params(self) -> Mapping[str, str]:
        """Values of the route's ``:name`` segments, percent-decoded."""
        return self._agreed().params

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol both ends agreed on, or ``None``."""
        return self._agreed().subprotocol

    def send(self, data: SendableMessage) -> int:
        """Queue one message and return ``pending_bytes``; contract as ``api.connection.Connection.send``."""
        hub = self._hub
        if hub.express is self:
            # A message that goes out as it is: what follows below, with all that is settled left out.
            if type(data) is WireMessage:
                memory, size_bytes = data.memory, data.size_bytes
                if type(memory) is bytes and size_bytes <= SHORT_BYTES:
                    queued_bytes = self._queued_bytes + size_bytes + 2
                    if queued_bytes <= self._settings.send_limit_bytes:
                        self._queued_bytes = queued_bytes
                        self._out.append(SHORT_HEADERS[data.kind][size_bytes] + memory)
                        return queued_bytes
                elif memory is (read := hub.read).lent:
                    # It lies at the start of the read memory, and there is room for its header before it.
                    queued_bytes = self._queued_bytes + size_bytes + 4
                    if queued_bytes <= self._settings.send_limit_bytes:
                        self._queued_bytes = queued_bytes
                        hub.in_place_bytes += 2
                        self._out.append(read.reply(FIN | data.kind, size_bytes))
                        return queued_bytes
                elif type(memory) is memoryview and size_bytes in _MEDIUM:
                    # It lies somewhere in the read memory, with others.
                    queued_bytes = self._queued_bytes + size_bytes + 4
                    if queued_bytes <= self._settings.send_limit_bytes:
                        self._queued_bytes = queued_bytes
                        hub.in_place_bytes += 2
                        hub.split_count += 1
                        self._out += (MEDIUM_HEADER(FIN | data.kind, 126, size_bytes), memory)
                        return queued_bytes
            self._leave_express()
        if self._status is not _ACTIVE or hub.owner_id != get_ident():
            self._check_open()
        kind, part = self._sendable(data)
        size_bytes = len(part)
        if self._pending_bytes + self._queued_bytes + size_bytes > self._settings.send_limit_bytes:
            raise self._too_much(size_bytes)
        parts = self.codec.sender.encode_message(kind, part)
        self._out += parts
        self._queued_bytes += sum(map(len, parts))
        if not isinstance(part, _PLAIN):
            self._hold(part)
        if hub.current is not self:
            self._ask_for_flush()
        traffic = hub.traffic
        traffic.messages_sent.count += 1
        traffic.bytes_sent.count += size_bytes
        return self._pending_bytes + self._queued_bytes

    def send_encoded(self, parts: Sequence[bytes], size_bytes: int) -> bool:
        """Queue a message that was encoded once for many; ``size_bytes`` is its payload.

        For broadcasts. ``False``, and nothing queued, when the connection is not open, its limit is reached,
        or its extensions would have encoded it otherwise.
        """
        room_bytes = self._settings.send_limit_bytes - self._pending_bytes - self._queued_bytes
        if self._status is not _ACTIVE or size_bytes > room_bytes or self._agreed().extensions:
            return False
        self._queue(parts)
        traffic = self._hub.traffic
        traffic.messages_sent.count += 1
        traffic.bytes_sent.count += size_bytes
        return True

    def ping(self, payload: ReadableMemory = b"") -> None:
        """Send a ping of 0 to 125 bytes (else ``InvalidArgument``); ``TransportClosed`` once closing."""
        self._check_open()
        self._queue(self.codec.encode_ping(payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake; contract as ``api.connection.Connection.close``."""
        self._hub.check_thread()
        if self._opening is not None:
            self.finish(ConnectionLost("closed before the opening handshake was done"))
        elif self._status is _ACTIVE:
            if isinstance(self.codec, CommonCodec):
                self.codec = self.codec.split()  # which then knows that we have closed
            parts = self.codec.encode_close(code, reason)
            self._close_reason = reason
            self._queue(parts)
            self._begin_closing()
            if self.conversation is not None:
                self.conversation.discard_waiting()

    def queue_head(self, head: bytes) -> None:
        """For openings: send the request or response that comes before the first frame."""
        self._queue((head,))

    def open(
        self,
        established: Established,
        codec: WebSocketCodec,
        session: Session,
        request: bytes | Request,
        leftover: bytes = b"",
    ) -> None:
        """For openings: the handshake is done. The host is told, then what arrived behind it, ``leftover``, is
        processed. ``request`` is the request, or what ``established.head`` makes it of."""
        self._opening = None
        self._established = established
        self._session = session
        self._request = request
        self.codec = codec
        self._handler = established.handler
        self._status = _ACTIVE
        if self.codec.sender.heads is not None:
            self._bare = self._bare_socket()
        self._message_ns = self._heard_ns
        session.advance(_ACTIVE)
        session.on_done(self._session_ended)
        self._hub.traffic.connections_opened.count += 1
        self._begin_keep_alive()
        try:
            self._host.opened(self)
        except Exception as error:
            self.application_failed(error, self._host.opened)
        if isinstance(self._handler, CoroutineHandler) and self._status is _ACTIVE:
            self._handler = self._handler.attach(self)
        if leftover and self._status is not _CLOSED:
            self._receive(memoryview(bytearray(leftover)))

    def _check_open(self) -> None:
        self._hub.check_thread()
        if self._status is not _ACTIVE:
            raise TransportClosed("the connection is not open", status=self._status.name.lower())

    def _too_much(self, size_bytes: int) -> ResourceExhausted:
        return ResourceExhausted(
            "the peer does not read fast enough for what is sent",
            pending_bytes=self.pending_bytes,
            message_bytes=size_bytes,
            limit_bytes=self._settings.send_limit_bytes,
        )

    def _sendable(self, data: SendableMessage) -> tuple[MessageKind, Sendable]:
        """Return kind and payload: ``bytes``, a buffer, or in our own turn a view of borrowed memory."""
        part: Sendable
        if isinstance(data, bytes):
            return BINARY, data
        if isinstance(data, str):
            try:
                return TEXT, data.encode()
            except UnicodeEncodeError as error:
                raise InvalidArgument("text with a lone surrogate has no UTF-8") from error
        if isinstance(data, WireMessage):
            kind, part = data.kind, data.sendable()
            if isinstance(part, memoryview) and self._hub.current is not self:
                # It lies in the read memory, which is filled again before our batch leaves.
                part = bytes(part)
            return kind, part
        kind, view = kind_and_view(data)
        if self._hub.current is not self:
            # Borrowed until our caller returns, and the batch leaves later than that.
            return kind, bytes(view)
        self._lent = True
        return kind, view

    def _receive_opening(self, opening: Opening, data: memoryview) -> None:
        opening.receive(self, data)

    def application_failed(self, error: Exception, origin: object) -> None:
        """A handler or hook raised: that is reported, and ends this connection only (RFC 6455 §7.4.1)."""
        self._hub.report(error, origin)
        self.close(_INTERNAL_ERROR, "internal error")

    def _close_codec(self) -> None:
        if not isinstance(self.codec, CommonCodec):
            self.codec.close()

    def _gone(self, error: HioloadError | None) -> None:
        event = None
        if self._established is not None:
            event = CloseEvent(self, self._close_code or 0, self._close_reason, error)
        self._hub.drained(self)
        if self.conversation is None:
            self._leave(event)
        else:  # when no coroutine handles anything of it any more
            self.conversation.connection_closed(partial(self._leave, event))

    def _leave(self, event: CloseEvent | None) -> None:
        self._hub.connections.pop(self, None)
        self._host.closed(self, event)


def kind_and_view(data: object) -> tuple[MessageKind, memoryview]:
    """Return kind and bytes of other memory or of anybody's message; ``InvalidArgument`` for all else."""
    if isinstance(data, (bytearray, memoryview)):
        kind, view = BINARY, memoryview(data)
    else:
        try:
            kind, view = data.kind, memoryview(data.data)  # type: ignore[attr-defined]  # asked, not known
        except (AttributeError, TypeError) as error:
            raise InvalidArgument(
                "a message is str, bytes, bytearray, memoryview or a Message", type=type(data).__name__
            ) from error
    if not view.c_contiguous:
        raise InvalidArgument("a view must be contiguous", strides=view.strides)
    return kind, view if view.format == "B" and view.ndim == 1 else view.cast("B")


__all__ = ["READ_BUDGET_BYTES", "WebSocketConnection", "kind_and_view"]
