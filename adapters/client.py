"""Client: one connection to a server, with callbacks, on a reactor of its own.

    client = Client("wss://example.org/rooms/lobby")

    @client.on_message
    def show(conn, message):
        print(message.text)

    client.run()

The thread in ``run`` (or in ``turn``) owns everything; from others there is ``post``. Whoever prefers calls that
wait to callbacks takes ``connect`` from ``blocking.py``, which is this client turned step by step.

A response other than 101 is a ``HandshakeFailed`` that carries it as ``response``, and the caller decides. Redirects
are followed where ``max_redirects`` says how many (``follow.py``), a proxy is used where ``proxy`` names one
(``proxy.py``); all of it together has the one time limit of the opening handshake. To come back after a connection
broke is ``reconnect.py``.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from ..api.clock import Clock
from ..api.codec import Role
from ..api.errors import HandshakeFailed, HioloadError, InvalidArgument, InvalidState
from ..api.executor import Executor
from ..api.extension import ExtensionFactory
from ..api.handler import AnyHandler, CloseEvent, CloseHandler, Handler, OpenEvent, OpenHandler
from ..api.http import HeaderFields, Response
from ..api.poller import Poller
from ..api.registry import TransportRegistry
from ..api.types import ANY_NODE, Nanoseconds
from ..control.config import ServerConfig
from ..control.metrics import MetricsRegistry
from ..internal.clock import SystemClock
from ..internal.executor import WorkerExecutor
from ..internal.faults import ErrorHook, log_error
from ..internal.late_executor import LateExecutor
from ..internal.reactor import PollReactor
from ..pool.buffer_pool import SlabBufferPool
from ..protocol.client_handshake import ClientHandshake
from ..protocol.codec import WebSocketCodec
from ..protocol.familiar import WHOLE_HEAD
from ..protocol.uri import WebSocketUri, parse_uri
from ..session.store import ShardedSessions
from ..transport.registry import default_registry
from .accelerate import use_accelerators
from .connection import WebSocketConnection
from .coroutine_handlers import adapt
from .dial import Dialer
from .follow import Trail
from .hub import ConnectionSettings, Hub, ns
from .proxy import ProxyChoice
from .roles import Established, Host, Opening
from .traffic import Traffic

_THREAD_COUNT = 4  # for functions that block: one connection has no use for many

_Handler = TypeVar("_Handler", bound=AnyHandler)
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

    __slots__ = ("_client", "_handshake")

    def __init__(self, client: Client, handshake: ClientHandshake) -> None:
        self._client = client
        self._handshake = handshake

    def receive(self, connection: WebSocketConnection, data: memoryview) -> None:
        """Feed the response; open the connection, or end it when the response is wrong."""
        handshake = self._handshake
        try:
            response = handshake.feed(data)
        except HandshakeFailed as error:
            error.response = handshake.response
            self._client.refused(connection, error)
            return
        if response is not None:
            self._client.open(connection, handshake, response)

    def failed(self, error: HioloadError) -> None:
        """Keep the reason for whoever waits."""
        self._client.failed(error)


class Client(Host):
    """A WebSocket client with callbacks. Used once: it connects, serves, and ends.

    Thread rules: the thread that turns it; ``post`` from any.
    """

    role = Role.CLIENT

    pool: SlabBufferPool
    """Where payload memory comes from."""
    executor: Executor
    """Threads for functions that block; they start with the first of these."""
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
        proxy: ProxyChoice = None,
        max_redirects: int = 0,
        registry: TransportRegistry | None = None,
        clock: Clock | None = None,
        poller: Callable[[], Poller] | None = None,
        executor: Executor | None = None,
        on_error: ErrorHook = log_error,
        **settings: object,
    ) -> None:
        """Prepare a connection to ``url`` (RFC 6455 §3); nothing is opened yet.

        ``subprotocols`` and ``extensions`` are offered in this order; ``headers`` are added to the request.
        ``tls``: context for ``wss``, by default one that checks certificate and host name. ``unix``: connect to
        this Unix socket; the URL then only says what to ask for. ``proxy``: go through this HTTP proxy (a URL or a
        ``Proxy``), or ``"env"`` through the one of the environment; ``None``: directly. ``max_redirects``: how many
        redirects to follow, 0 to 100, never from ``wss`` to ``ws``; ``headers`` go to the origin of ``url`` only.
        ``settings`` are fields of ``ServerConfig``, those named in ``SETTINGS``. ``on_error`` gets what handlers
        raise. Raises ``InvalidArgument`` for whatever of it is wrong, ``NotSupported`` for a SOCKS proxy.
        """
        self.config = _checked(settings)
        self._trail = Trail(parse_uri(url), headers, max_redirects)
        if tls is not None and not self.uri.secure and not max_redirects:
            raise InvalidArgument("TLS is for wss URLs", url=url)
        registry = default_registry() if registry is None else registry
        self._dialer = Dialer(registry, self.config, unix=unix, tls=tls, proxy=proxy)
        self._clock = SystemClock() if clock is None else clock
        self._make_poller = poller
        make = partial(WorkerExecutor, on_error=on_error)
        self.executor = LateExecutor(ANY_NODE, _THREAD_COUNT, make) if executor is None else executor
        self._on_error = on_error
        self._subprotocols, self._extensions, self._origin = subprotocols, extensions, origin
        self._handshake = self._new_handshake()
        self._end_of_opening_ns = Nanoseconds(0)
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
        self._is_moving = False

    def on_message(self, handler: _Handler) -> _Handler:
        """Decorator: the function handles each message; or it is a coroutine function, and handles all of them."""
        self._message_handler = adapt(handler)
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

    @property
    def uri(self) -> WebSocketUri:
        """Where it asks, or is connected: the URL it was made with, or where that was redirected to."""
        return self._trail.uri

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
        try:
            settings = ConnectionSettings.from_config(self.config)
            traffic = Traffic(self.metrics)
            read_bytes = self.config.read_buffer_bytes
            self._hub = Hub(reactor, self.pool, settings, read_bytes, traffic, self._on_error, self.executor)
            self._end_of_opening_ns = self.now_ns() + settings.handshake_timeout_ns
            self._ask()
        except BaseException:
            self.close()
            raise

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
                connection.drop()
            hub.close()
            hub.reactor.close()
        self.executor.shutdown(cancel_queued=True, timeout_ns=ns(self.config.close_timeout_s))
        self._sessions.close()
        self.pool.close()

    def refused(self, connection: WebSocketConnection, error: HandshakeFailed) -> None:
        """For the opening: the server did not agree. Ask where it points to, or end with the error."""
        self.response = error.response
        try:
            self._is_moving = self._trail.follow(error, may_leave=self._dialer.unix is None)
        except HandshakeFailed as refusal:
            refusal.response, refusal.__cause__ = error.response, error
            error = refusal
        connection.finish(error)
        if self._is_moving:
            self._is_moving = False
            try:
                self._handshake = self._new_handshake()
                self._ask()
            except HioloadError as failure:
                self.failed(failure)

    def failed(self, error: HioloadError) -> None:
        """For the opening: there will be no connection, unless this is the end of one that was redirected."""
        if not self._is_moving:
            self.failure = error

    def open(self, connection: WebSocketConnection, handshake: ClientHandshake, response: Response) -> None:
        """For the opening: the server has agreed."""
        hub = self._running_hub()
        self.response = response
        codec = WebSocketCodec(
            Role.CLIENT,
            limits=hub.settings.limits,
            pool=hub.pool,
            mask_key=hub.mask_key,
            extensions=handshake.extensions,
        )
        established = Established(
            self._message_handler,
            WHOLE_HEAD,
            params={},
            subprotocol=handshake.subprotocol,
            extensions=tuple(extension.name for extension in handshake.extensions),
        )
        session = self._sessions.create()
        connection.open(established, codec, session, handshake.request(), handshake.leftover)

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

    def _new_handshake(self) -> ClientHandshake:
        return ClientHandshake(
            self.uri,
            secrets.token_bytes(KEY_BYTES),  # RFC 6455 §4.1 item 7: random, fresh for each connection
            subprotocols=self._subprotocols,
            extensions=self._extensions,
            headers=self._trail.headers,
            origin=self._origin,
            max_head_bytes=self.config.max_head_bytes,
            max_header_count=self.config.max_header_count,
        )

    def _ask(self) -> None:
        """Connect to where the trail leads, and send the request. What this raises leaves nothing open."""
        transport = self._dialer.connect(self.uri)
        try:
            opening = ClientOpening(self, self._handshake)
            connection = WebSocketConnection(self._running_hub(), transport, self, opening)
        except BaseException:
            transport.close()
            raise
        connection.expect_opening_by(self._end_of_opening_ns)
        connection.queue_head(self._handshake.request())

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


__all__ = ["KEY_BYTES", "SETTINGS", "Client"]
