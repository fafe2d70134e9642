"""Bench: a workbench for the inner parts of the adapters: a real reactor, door and connections in virtual time.

Transports are scripted, so a test decides which bytes arrive when, and sees how the answers leave. The peer is a
codec of the other role: what it makes of the bytes is what a real peer would.
"""

from __future__ import annotations

from collections.abc import Callable

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.adapters.door import Door, RequestHook
from hioload_ws.adapters.hub import ConnectionSettings, Hub
from hioload_ws.adapters.roles import Host
from hioload_ws.adapters.routing import Router
from hioload_ws.adapters.server_sessions import SessionDesk
from hioload_ws.adapters.traffic import Traffic
from hioload_ws.api import CloseEvent, CodecEvent, Connection, Handler, HandshakeFailed, Message, Response, Role
from hioload_ws.control import ServerConfig
from hioload_ws.control.metrics import MetricsRegistry
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.executor import FakeExecutor
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.fake.transport import ScriptedTransport
from hioload_ws.internal.reactor import PollReactor
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol.client_handshake import ClientHandshake
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.uri import parse_uri
from hioload_ws.session.store import ShardedSessions
from tests.adapters.bare import BareTransport

MASK = b"\x01\x02\x03\x04"
SECOND = 1_000_000_000
ROADS = ("clear", "express", "lane")


class Peer:
    """The other end of a scripted transport: sends frames, and understands what comes back."""

    def __init__(self, bench: Bench, transport: ScriptedTransport, role: Role = Role.CLIENT) -> None:
        self.bench = bench
        self.transport = transport
        self.codec = WebSocketCodec(role, pool=bench.peer_pool, mask_key=lambda: MASK)
        self._seen_bytes = 0
        self._handshake: ClientHandshake | None = None

    def request(self, url: str = "ws://test/", *, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
        """Return an opening request; ``response`` then checks the answer to it."""
        self._handshake = ClientHandshake(parse_uri(url), bytes(range(16)), headers=headers)
        return self._handshake.request()

    def response(self) -> Response:
        """Return the server's response, right or wrong."""
        handshake = self._handshake
        assert handshake is not None
        try:
            handshake.feed(self.new_bytes())
        except HandshakeFailed:
            pass
        else:
            self._seen_bytes -= len(handshake.leftover)
        assert handshake.response is not None
        return handshake.response

    def new_bytes(self) -> bytes:
        """Return what was sent to this peer since it was last asked."""
        fresh = bytes(self.transport.sent[self._seen_bytes :])
        self._seen_bytes = len(self.transport.sent)
        return fresh

    def events(self) -> list[CodecEvent]:
        """Return the frames that were sent to this peer since it was last asked."""
        return list(self.codec.receive(memoryview(bytearray(self.new_bytes()))))

    def messages(self) -> list[bytes]:
        """As ``events``, when all of them are messages: their payloads."""
        found = []
        for event in self.events():
            assert isinstance(event, WireMessage)
            found.append(event.copy())
        return found

    def send(self, kind: int, payload: bytes) -> None:
        """Let a message arrive at the other end."""
        self.transport.feed(self.encode(kind, payload))

    def encode(self, kind: int, payload: bytes) -> bytes:
        """Return a message as it lies on the wire."""
        return joined(self.codec.encode_message(kind, payload))

    def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Let a close frame arrive at the other end."""
        self.transport.feed(joined(self.codec.encode_close(code, reason)))


def joined(parts: object) -> bytes:
    """Return the parts of a frame as one piece."""
    assert isinstance(parts, (tuple, list))
    return b"".join(bytes(part) for part in parts)


class RecordingHost(Host):
    """Keeps what connections tell; ``on_open`` may be set to act on it."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.connections: list[WebSocketConnection] = []
        self.ends: list[CloseEvent | None] = []
        self.on_open: Callable[[WebSocketConnection], object] = lambda connection: None
        self.on_end: Callable[[WebSocketConnection], object] = lambda connection: None

    def opened(self, connection: WebSocketConnection) -> None:
        self.connections.append(connection)
        self.on_open(connection)

    def closed(self, connection: WebSocketConnection, event: CloseEvent | None) -> None:
        self.ends.append(event)
        self.on_end(connection)


class Bench:
    """Everything on one table."""

    def __init__(self, road: str = "clear", **settings: object) -> None:
        """``road``: one of ``ROADS``. On all but the first transports lend their socket, so that messages take the
        express road of ``inbound.py``, on the last all that are ready together that of ``express.py``."""
        assert road in ROADS
        self._transport_type = ScriptedTransport if road == "clear" else BareTransport
        self.clock = VirtualClock(start_ns=SECOND)
        self.poller = ScriptedPoller(self.clock)
        self.errors: list[BaseException] = []
        self.reactor = PollReactor(self.poller, self.clock, on_error=self._note)
        self.executor = FakeExecutor(self.clock, on_error=self._note)
        self.pool = SlabBufferPool(leaks="advanced")
        self.peer_pool = SlabBufferPool(leaks="advanced")
        self.config = ServerConfig.from_mapping(settings)
        self.metrics = MetricsRegistry()
        self.traffic = Traffic(self.metrics)
        self.hub = Hub(
            self.reactor,
            self.pool,
            ConnectionSettings.from_config(self.config),
            self.config.read_buffer_bytes,
            self.traffic,
            self._note,
            self.executor,
        )
        self.host = RecordingHost(Role.SERVER)
        self.router = Router()
        self.hooks: list[RequestHook] = []
        self.sessions = ShardedSessions(self.clock)
        self.door = Door(
            self.hub,
            self.host,
            self.router,
            self.hooks,
            SessionDesk(self.hub, self.sessions),
            HandshakeConfig(subprotocols=self.config.subprotocols),
            self.config.max_connections,
        )
        if road != "lane":
            self.reactor.lane = None
        self.transports: list[ScriptedTransport] = []
        self.received: list[tuple[int, bytes]] = []
        self.handler: Handler = self.echo
        self.router.fallback = lambda connection, message: self.handler(connection, message)

    def _note(self, error: BaseException, origin: object) -> None:
        self.errors.append(error)

    def echo(self, connection: Connection, message: Message) -> None:
        self.received.append((message.kind, message.copy()))
        connection.send(message)

    def transport(self) -> ScriptedTransport:
        """Return a new transport that nobody owns yet."""
        transport = self._transport_type(self.poller, len(self.transports))
        self.transports.append(transport)
        return transport

    def admit(self) -> Peer:
        """Let a peer connect; nothing was sent yet."""
        transport = self.transport()
        self.door.admit(transport)
        return Peer(self, transport)

    def open(self, url: str = "ws://test/") -> tuple[WebSocketConnection, Peer]:
        """Let a peer connect and finish the handshake."""
        peer = self.admit()
        peer.transport.feed(peer.request(url))
        self.turn()
        assert peer.response().status == 101
        return self.host.connections[-1], peer

    def turn(self) -> None:
        """Turn the reactor until nothing happens any more."""
        for _ in range(10_000):
            if not self.reactor.run_once(0):
                return
        raise AssertionError("the reactor never comes to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass in steps of the deadlines' tick, so that every limit is looked at."""
        end_ns = self.clock.now_ns() + round(seconds * SECOND)
        while self.clock.now_ns() < end_ns:
            self.clock.advance(min(50_000_000, end_ns - self.clock.now_ns()))
            self.turn()

    def close(self) -> None:
        """Release everything and assert that nothing is left."""
        for connection in tuple(self.hub.connections):
            connection.drop()
        self.hub.close()
        self.reactor.close()
        assert self.pool.stats().in_use_count == 0, self.pool.leaks()
        self.pool.close()
        self.peer_pool.close()
        assert len(self.sessions) == 0
