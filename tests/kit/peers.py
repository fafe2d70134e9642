"""Peers of real connections: a server's and a client's, on the simulated network and on Unix sockets, against a
hand-made other end.

The other end speaks through a plain transport and a codec of its own: it does what a check tells it to do, at the
level of frames, which no polite client or server would.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypedDict

from hioload_ws import Client, Server
from hioload_ws.api import (
    BINARY,
    END_OF_STREAM,
    TEXT,
    WOULD_BLOCK,
    CloseReceived,
    Codec,
    CodecEvent,
    ConnectionLost,
    ConnectOptions,
    ListenOptions,
    OpenEvent,
    PingReceived,
    Role,
    TcpAddress,
    Transport,
    UnixAddress,
)
from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.api.handler import AnyHandler
from hioload_ws.fake import SimNetwork, fake_codec
from hioload_ws.protocol.message import WireMessage
from hioload_ws.transport import UnixProvider

_KEY: Final = base64.b64encode(bytes(16)).decode()
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_SECOND: Final = 1_000_000_000
_PORT: Final = 9001
_numbers = itertools.count(1)


class World(Protocol):
    """What lies between the ends."""

    def settle(self) -> None:
        """Let arrive what is on its way, and let the connection's side handle it."""

    def rest(self) -> None:
        """Let some time pass, where time can."""

    def close(self) -> None:
        """Let go of everything on the connection's side. From any thread."""


class Simulated:
    """A network in virtual time."""

    def __init__(self) -> None:
        self.network = SimNetwork()

    def settle(self) -> None:
        self.network.settle()

    def rest(self) -> None:
        self.network.run_for(_SECOND)

    def close(self) -> None:
        """Nothing of the system was opened."""


class UnixSocket:
    """The system, where a Unix socket is: what is written there can be read at once, so nobody has to wait."""

    def __init__(self) -> None:
        self.address = UnixAddress(f"@contract-peer-{os.getpid()}-{next(_numbers)}")
        self.turn: Callable[[int], int] = lambda timeout_ns: 0
        self.end: Callable[[], object] = lambda: None

    def settle(self) -> None:
        idle_count = 0
        while idle_count < 3:
            idle_count = 0 if self.turn(0) else idle_count + 1

    rest = settle

    def close(self) -> None:
        self.end()


class WirePeer:
    """The hand-made end: a transport, and a codec of the role that the connection has not."""

    def __init__(self, world: World, transport: Transport, role: Role, leftover: bytes) -> None:
        self.world = world
        self.transport = transport
        self.codec: Codec = fake_codec(role)
        self.connection: WebSocketConnection
        self.reading = True
        self.messages: list[str | bytes] = []
        self.heard_pings: list[bytes] = []
        self.heard_close: tuple[int | None, str] | None = None
        self._gone = False
        self._memory = memoryview(bytearray(65536))
        self._take(self.codec.receive(memoryview(bytearray(leftover))))

    def settle(self) -> None:
        self.world.settle()
        while not self._gone and self._move():
            self.world.settle()
        self.world.rest()

    def deliver(self, data: str | bytes) -> None:
        kind, payload = (TEXT, data.encode()) if isinstance(data, str) else (BINARY, data)
        self.transport.send(self.codec.encode_message(kind, payload))

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        self.transport.send(self.codec.encode_close(code, reason))

    def vanish(self) -> None:
        self._gone = True
        self.transport.close()

    def close(self) -> None:
        self.vanish()
        self.world.close()

    def reads(self, wanted: bool) -> None:
        self.reading = wanted

    def received(self) -> Sequence[str | bytes]:
        return self.messages

    def pings(self) -> Sequence[bytes]:
        return self.heard_pings

    def close_frame(self) -> tuple[int | None, str] | None:
        return self.heard_close

    def _move(self) -> bool:
        """Write and read once; return whether anything moved."""
        try:
            before_bytes = self.transport.pending_bytes
            moved = self.transport.flush() != before_bytes
            count_bytes = self.transport.recv_into(self._memory) if self.reading else WOULD_BLOCK
        except ConnectionLost:
            count_bytes = END_OF_STREAM
        if count_bytes == END_OF_STREAM:
            self.vanish()
        elif count_bytes != WOULD_BLOCK:
            self._take(self.codec.receive(self._memory[:count_bytes]))
            return True
        return moved

    def _take(self, events: Sequence[CodecEvent]) -> None:
        for event in events:
            if isinstance(event, PingReceived):
                self.heard_pings.append(event.payload)
            elif isinstance(event, CloseReceived):
                self.heard_close = (None if event.code == 1005 else event.code, event.reason)
                self.transport.send(self.codec.answer(event))
                if self.codec.role is Role.SERVER:
                    self.transport.shutdown()  # RFC 6455 §7.1.1: the server is the one that hangs up
            elif isinstance(event, WireMessage):
                self.messages.append(event.text if event.kind == TEXT else event.copy())


def server_peer(handler: AnyHandler, *, send_limit_bytes: int) -> WirePeer:
    """Return the peer of a server's connection on the simulated network."""
    world = Simulated()
    network = world.network
    app = Server("server", _PORT, on_error=_ignore, **_limits(send_limit_bytes), **network.host("server").seams)
    opened = _routed(app, handler)
    network.serve(app)
    transport = network.host("client").registry.get("tcp").connect(TcpAddress("server", _PORT), ConnectOptions())
    network.settle()
    return _knock(world, transport, opened)


def unix_server_peer(handler: AnyHandler, *, send_limit_bytes: int) -> WirePeer:
    """Return the peer of a server's connection on a Unix socket."""
    world = UnixSocket()
    app = Server(unix=world.address.path, on_error=_ignore, **_limits(send_limit_bytes))
    opened = _routed(app, handler)

    def end() -> None:
        # Whoever ends the check need not be the thread that turned the server, which is over by then.
        if app._hub is not None:
            app._hub.owner_id = None
        app.shutdown()

    app.start()
    world.turn, world.end = app.turn, end
    world.settle()
    transport = UnixProvider().connect(world.address, ConnectOptions())
    transport.flush()
    return _knock(world, transport, opened)


def client_peer(handler: AnyHandler, *, send_limit_bytes: int) -> WirePeer:
    """Return the peer of a client's connection on the simulated network."""
    world = Simulated()
    network = world.network
    listener = network.host("server").registry.get("tcp").listen(TcpAddress("server", _PORT), ListenOptions())
    client = Client(
        f"ws://server:{_PORT}/rooms/7?x=1",
        on_error=_ignore,
        **_limits(send_limit_bytes),
        **network.host("client").seams,
    )
    opened = _listening(client, handler)
    network.connect(client)
    network.settle()
    [transport] = listener.accept_batch(1)
    return _answer(world, transport, opened)


def unix_client_peer(handler: AnyHandler, *, send_limit_bytes: int) -> WirePeer:
    """Return the peer of a client's connection on a Unix socket."""
    world = UnixSocket()
    listener = UnixProvider().listen(world.address, ListenOptions())
    try:
        client = Client(
            "ws://server/rooms/7?x=1", unix=world.address.path, on_error=_ignore, **_limits(send_limit_bytes)
        )
        opened = _listening(client, handler)
        client.start()
        world.turn, world.end = client.turn, client.close
        world.settle()
        [transport] = listener.accept_batch(1)
    finally:
        listener.close()
    return _answer(world, transport, opened)


def _routed(app: Server, handler: AnyHandler) -> list[WebSocketConnection]:
    """Give a server its handler; return where its connections are noted."""
    opened: list[WebSocketConnection] = []
    app.route("/rooms/:room")(handler)
    app.on_open(lambda event: _note(opened, event))
    return opened


def _listening(client: Client, handler: AnyHandler) -> list[WebSocketConnection]:
    """Give a client its handler; return where its connection is noted."""
    opened: list[WebSocketConnection] = []
    client.on_message(handler)
    client.on_open(lambda event: _note(opened, event))
    return opened


def _knock(world: World, transport: Transport, opened: list[WebSocketConnection]) -> WirePeer:
    """Play a client's opening handshake."""
    request = (
        f"GET /rooms/7?x=1 HTTP/1.1\r\nHost: server\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    transport.send([request.encode()])
    world.settle()
    _, leftover = _head(transport)
    peer = WirePeer(world, transport, Role.CLIENT, leftover)
    [peer.connection] = opened
    return peer


def _answer(world: World, transport: Transport, opened: list[WebSocketConnection]) -> WirePeer:
    """Play a server's opening handshake."""
    world.settle()
    head, leftover = _head(transport)
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    key = next(value for name, value in lines.items() if name.lower() == "sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    response = (
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    transport.send([response.encode()])
    world.settle()
    peer = WirePeer(world, transport, Role.SERVER, leftover)
    [peer.connection] = opened
    return peer


class _Limits(TypedDict):
    send_limit_bytes: int
    high_water_bytes: int
    low_water_bytes: int


def _limits(send_limit_bytes: int) -> _Limits:
    """Return the settings for a send limit: the water marks have to lie below it."""
    return _Limits(
        send_limit_bytes=send_limit_bytes,
        high_water_bytes=send_limit_bytes // 2,
        low_water_bytes=send_limit_bytes // 4,
    )


def _head(transport: Transport) -> tuple[str, bytes]:
    """Read a head of HTTP, which has arrived; return it, and what is behind it."""
    memory = bytearray(65536)
    count_bytes = transport.recv_into(memory)
    head, _, rest = bytes(memory[:count_bytes]).partition(b"\r\n\r\n")
    return head.decode(), rest


def _note(opened: list[WebSocketConnection], event: OpenEvent) -> None:
    assert isinstance(event.connection, WebSocketConnection)
    opened.append(event.connection)


def _ignore(error: BaseException, origin: object) -> None:
    """What handlers raise is what the checks made them raise."""


__all__ = ["WirePeer", "client_peer", "server_peer", "unix_client_peer", "unix_server_peer"]
