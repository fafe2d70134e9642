"""Client: one connection to a server, with callbacks, on a reactor of its own.

    client = Client("wss://example.org/rooms/lobby")

    @client.on_message
    def show(conn, message):
        print(message.text)

    client.run()

The thread in ``run`` (or in ``turn``) owns everything; from others there is ``post``. Whoever prefers calls that
wait to callbacks takes ``connect`` from ``blocking.py``, which is this client turned step by step.

Redirects and proxies are not followed: a response other than 101 is a ``HandshakeFailed`` that carries it
as ``response``, and the caller decides.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from ..api.clock import Clock
from ..api.codec import Role
from ..api.errors import HandshakeFailed, HioloadError, InternalError, InvalidArgument, InvalidState
from ..api.extension import ExtensionFactory
from ..api.handler import CloseEvent, CloseHandler, Handler, OpenEvent, OpenHandler
from ..api.http import HeaderFields, Request, Response
from ..api.poller import Poller
from ..api.registry import ConnectOptions, TransportRegistry
from ..api.transport import Address, TcpAddress, Transport, UnixAddress
from ..api.types import Nanoseconds
from ..control.config import ServerConfig
from ..control.metrics import MetricsRegistry
from ..internal.clock import SystemClock
from ..internal.faults import ErrorHook, log_error
from ..internal.reactor import PollReactor
from ..pool.buffer_pool import SlabBufferPool
from ..protocol.client_handshake import ClientHandshake
from ..protocol.codec import WebSocketCodec
from ..protocol.http import HeadParser
from ..protocol.uri import WebSocketUri, parse_uri
from ..session.store import ShardedSessions
from ..transport.registry import default_registry
from .accelerate import use_accelerators
from .connection import WebSocketConnection
from .hub import ConnectionSettings, Hub
from .roles import Established, Host, Opening
from .traffic import Traffic

_Handler = TypeVar("_Handler", bound=Handler)
_OpenHandler = TypeVar("_OpenHandler", bound=OpenHandler)
_CloseHandler = TypeVar("_CloseHandler", bound=CloseHandler)

KEY_BYTES: Final = 16

SETTINGS: Final = frozenset(
    {
        "close_timeout_s",
        "handshake_timeout_s",
        "high_water_bytes",
        "idle_timeout_s",
        "low_water_bytes",
        "mask_accelerator",
        "max_fragments",
        "max_frame_bytes",
        "max_head_bytes",
        "max_header_count",
        "max_message_bytes",
        "ping_interval_s",
        "ping_timeout_s",
        "pool_limit_bytes",
        "read_buffer_bytes",
        "send_limit_bytes",
    }
)
"""The fields of ``ServerConfig`` that concern any connection, and so can be set for a client too."""


class ClientOpening(Opening):
    """Waits for the server's response to our request."""

    __slots__ = ("_client", "_handshake", "_request")

    def __init__(self, client: Client, handshake: ClientHandshake, request: Request) -> None:
        self._client = client
        self._handshake = handshake
        self._request = request

    def receive(self, connection: WebSocketConnection, data: memoryview) -> None:
        """Feed the response; open the connection, or end it when the response is wrong."""
        handshake = self._handshake
        try:
            response = handshake.feed(data)
        except HandshakeFailed as error:
            self._client.response = error.response = handshake.response
            connection.finish(error)
            return
        if response is not None:
            connection.open(self._client.establish(handshake, self._request, response))

    def failed(self, error: HioloadError) -> None:
        """Keep the reason for whoever waits."""
        self._client.failure = error


class Client(Host):
    """A WebSocket client with callbacks. Used once: it connects, serves, and ends.

    Thread rules: the thread that turns it; ``post`` from any.
    """

    role = Role.CLIENT

    pool: SlabBufferPool
    """Where payload memory comes from."""
    metrics: MetricsRegistry
    """The counters of the connection, as a server's."""
    connection: WebSocketConnection | None
    """The connection once it is open, also after it closed."""
    response: Response | None
    """The head of the server's response, also of one that refused us."""
    failure: HioloadError | None
    """Why the connection never opened."""
    closed_event: CloseEvent | None
    """How the connection ended."""

    def __init__(
        self,
        url: str,
        *,
        subprotocols: Sequence[str] = (),
        extensions: Sequence[ExtensionFactory] = (),
        headers: HeaderFields = (),
        origin: str | None = None,
        tls: ssl.SSLContext | None = None,
        unix: str | None = None,
        registry: TransportRegistry | None = None,
        clock: Clock | None = None,
        poller: Callable[[], Poller] | None = None,
        on_error: ErrorHook = log_error,
        **settings: object,
    ) -> None:
        """Prepare a connection to ``url`` (RFC 6455 §3); nothing is opened yet.

        ``subprotocols`` and ``extensions`` are offered in this order; ``headers`` are added to the request.
        ``tls``: context for ``wss``, by default one that checks certificate and host name. ``unix``: connect to
        this Unix socket; the URL then only says what to ask for. ``settings`` are fields of ``ServerConfig``,
        those named in ``SETTINGS``. ``on_error`` gets what handlers raise. Raises ``InvalidArgument`` for
        whatever of it is wrong.
        """
        self.config = _checked(settings)
        self.uri: WebSocketUri = parse_uri(url)
        if tls is not None and not self.uri.secure:
            raise InvalidArgument("TLS is for wss URLs", url=url)
        self._address: Address = TcpAddress(self.uri.host, self.uri.port) if unix is None else UnixAddress(unix)
        self._tls = ssl.create_default_context() if self.uri.secure and tls is None else tls
        self._registry = default_registry() if registry is None else registry
        self._clock = SystemClock() if clock is None else clock
        self._make_poller = poller
        self._on_error = on_error
        self._handshake = ClientHandshake(
            self.uri,
            secrets.token_bytes(KEY_BYTES),  # RFC 6455 §4.1 item 7: random, fresh for each connection
            subprotocols=subprotocols,
            extensions=extensions,
            headers=headers,
            origin=origin,
            max_head_bytes=self.config.max_head_bytes,
            max_header_count=self.config.max_header_count,
        )
        self._open_handlers: list[OpenHandler] = []
        self._close_handlers: list[CloseHandler] = []
        self._message_handler: Handler = _ignore
        self._hub: Hub | None = None
        self._sessions = ShardedSessions(shard_count=1, clock=self._clock)
        self.pool = SlabBufferPool(limit_bytes=self.config.pool_limit_bytes)
        self.metrics = MetricsRegistry()
        self.connection = None
        self.response = None
        self.failure = None
        self.closed_event = None

    def on_message(self, handler: _Handler) -> _Handler:
        """Decorator: the function handles each message."""
        self._message_handler = handler
        return handler

    def on_open(self, handler: _OpenHandler) -> _OpenHandler:
        """Decorator: the function is called with an ``OpenEvent`` before the first message."""
        self._open_handlers.append(handler)
        return handler

    def on_close(self, handler: _CloseHandler) -> _CloseHandler:
        """Decorator: the function is called with a ``CloseEvent``, once, if the connection was open."""
        self._close_handlers.append(handler)
        return handler

    @property
    def ended(self) -> bool:
        """Whether the connection has gone, or could not be made."""
        return self.failure is not None or self.closed_event is not None

    def now_ns(self) -> Nanoseconds:
        """Return the client's monotonic time."""
        return self._clock.now_ns()

    def start(self) -> None:
        """Begin to connect; ``turn`` goes on with it.

        Name resolution may block. Raises ``InvalidState`` the second time and what
        ``TransportProvider.connect`` raises; everything is released then.
        """
        if self._hub is not None:
            raise InvalidState("a client connects once")
        use_accelerators(self.config.mask_accelerator)
        poller = None if self._make_poller is None else self._make_poller()
        reactor = PollReactor(poller, self._clock, on_error=self._on_error)
        transport: Transport | None = None
        try:
            settings = ConnectionSettings.from_config(self.config)
            traffic = Traffic(self.metrics)
            hub = Hub(reactor, self.pool, settings, self.config.read_buffer_bytes, traffic, self._on_error)
            self._hub = hub
            provider = self._registry.get("unix" if isinstance(self._address, UnixAddress) else "tcp")
            options = ConnectOptions(tls=self._tls, server_name=self.uri.host)
            transport = provider.connect(self._address, options)
            opening = ClientOpening(self, self._handshake, _request_of(self._handshake))
            connection = WebSocketConnection(hub, transport, self, opening)
        except BaseException:
            if transport is not None:
                transport.close()
            self.close()
            raise
        connection.queue_head(self._handshake.request())

    def turn(self, timeout_ns: Nanoseconds | None = None) -> int:
        """Make one turn of the reactor that waits at most ``timeout_ns``; return the work done."""
        return self._running_hub().reactor.run_once(timeout_ns)

    def run(self) -> CloseEvent:
        """Connect, serve until the connection has closed, release everything; return how it closed.

        Raises what ``start`` raises, and ``HandshakeFailed``, ``ConnectionLost`` or ``TimedOut`` when the
        connection never opened.
        """
        try:
            self.start()
            while not self.ended:
                self.turn()
        finally:
            self.close()
        if self.closed_event is None:
            raise self.failure or InvalidState("the client was closed before it connected")
        return self.closed_event

    def post(self, function: Callable[[], object]) -> bool:
        """Have ``function()`` run on the client's thread, from any thread; ``False`` when that can't be.
        Raises ``InvalidState`` before the start and after the end."""
        return self._running_hub().reactor.post(function)

    def close(self) -> None:
        """Release everything at once; an open connection is dropped without a closing handshake. Idempotent.

        To end politely call ``connection.close()`` and turn until ``ended``.
        """
        hub = self._hub
        if hub is not None:
            for connection in tuple(hub.connections):
                connection.finish()
            hub.close()
            hub.reactor.close()
        self._sessions.close()
        self.pool.close()

    def establish(self, handshake: ClientHandshake, request: Request, response: Response) -> Established:
        """For the opening: make what the connection needs once the server has agreed."""
        hub = self._running_hub()
        self.response = response
        codec = WebSocketCodec(
            Role.CLIENT,
            limits=hub.settings.limits,
            pool=hub.pool,
            mask_key=hub.mask_key,
            extensions=handshake.extensions,
        )
        return Established(
            codec,
            self._message_handler,
            self._sessions.create(),
            request,
            params={},
            subprotocol=handshake.subprotocol,
            extensions=tuple(extension.name for extension in handshake.extensions),
            leftover=handshake.leftover,
        )

    def opened(self, connection: WebSocketConnection) -> None:
        """Tell the open handlers."""
        self.connection = connection
        for handler in self._open_handlers:
            handler(OpenEvent(connection))

    def closed(self, connection: WebSocketConnection, event: CloseEvent | None) -> None:
        """Tell the close handlers; without an event ``failure`` says why."""
        self.closed_event = event
        for handler in self._close_handlers if event is not None else ():
            try:
                handler(event)  # type: ignore[arg-type]  # there are none without an event
            except Exception as error:
                self._running_hub().report(error, handler)

    def _running_hub(self) -> Hub:
        if self._hub is None:
            raise InvalidState("the client has not started")
        return self._hub


def _checked(settings: Mapping[str, object]) -> ServerConfig:
    """Return the settings of a client, as a configuration whose other fields nobody looks at."""
    unknown = settings.keys() - SETTINGS
    if unknown:
        raise InvalidArgument("unknown settings of a client", unknown=sorted(unknown), known=sorted(SETTINGS))
    return ServerConfig.from_mapping(settings, "Client")


def _ignore(connection: object, message: object) -> None:
    """Handle messages for a client that did not ask for any."""


def _request_of(handshake: ClientHandshake) -> Request:
    """Return our request as a value, for ``Connection.request``."""
    head = handshake.request()
    request = HeadParser(max_head_bytes=len(head), max_header_count=len(head)).feed(head)
    if request is None:  # pragma: no cover - what we render is complete
        raise InternalError("our own request is incomplete")
    return request


__all__ = ["KEY_BYTES", "SETTINGS", "Client"]
