"""Door: what happens between an accepted transport and an open connection.

The request's head is read, whole and within its limits; then four questions are asked in this order. Is there
room? If not, 503, and accepting goes on. Does a request hook want to answer it itself (a health check, a page,
a 401)? Is it a correct opening handshake (RFC 6455 §4.2.1)? Does a route want its path (404)? Only then the 101
goes out, and the connection is open.

A refused peer gets its answer even when the server is full, since a reset tells nobody anything. But only so
many at a time: beyond ``MAX_REFUSALS`` a transport is closed without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ..api.codec import Role
from ..api.errors import HandshakeFailed, HioloadError, ResourceExhausted
from ..api.handler import Handler
from ..api.http import Request, Response
from ..api.transport import Transport
from ..protocol.codec import WebSocketCodec
from ..protocol.common_codec import CommonCodec
from ..protocol.familiar import FamiliarHeads, KeptHead
from ..protocol.handshake_config import HandshakeConfig
from ..protocol.negotiation import switching_plain
from ..protocol.server_handshake import ServerHandshake, failure_response
from .connection import WebSocketConnection
from .express import open_lane
from .hub import Hub
from .roles import Established, Host, Opening
from .routing import Router
from .server_sessions import SessionDesk

MAX_REFUSALS = 64
"""Most connections that are being refused for lack of room at one time."""

RequestHook: TypeAlias = Callable[[Request], Response | None]
"""Looks at each complete request before the handshake is checked. A response is sent and ends the connection;
``None`` lets the request go on. Called on the reactor's thread: it must not block."""

_MAX_AGREEMENTS = 1024

_FULL = Response(503, headers=(("Retry-After", "1"),), body=b"too many connections\n")
_NO_ROUTE = Response(404, body=b"no such path\n")
_FAILED = Response(500, body=b"internal error\n")


class ServerOpening(Opening):
    """Reads one request and asks the door about it."""

    __slots__ = ("_door", "_handshake", "_is_full")

    def __init__(self, door: Door, *, is_full: bool) -> None:
        self._door = door
        self._handshake: ServerHandshake | None = None
        self._is_full = is_full

    def receive(self, connection: WebSocketConnection, data: memoryview) -> None:
        """Feed the request's head; answer it once it is complete or wrong."""
        handshake = self._handshake
        if handshake is None:
            door = self._door
            if not self._is_full and door.open_as_before(connection, data):
                return
            handshake = self._handshake = ServerHandshake(door.handshake_config, door.heads)
        try:
            if handshake.read(data):
                self._decide(connection, handshake)
        except HandshakeFailed as error:
            self._refuse(connection, handshake, failure_response(error))

    def failed(self, error: HioloadError) -> None:
        """Count what never became a request."""
        self._door.leave(self._is_full)
        self._door.hub.traffic.handshake_failed(error.code.value)

    def _decide(self, connection: WebSocketConnection, handshake: ServerHandshake) -> None:
        door = self._door
        response = _FULL if self._is_full else door.ask_hooks(handshake)
        if response is not None:
            connection.refuse(handshake.reject(response))
            door.leave(self._is_full)
            return
        handshake.check()
        found = door.router.find(handshake.path)
        if found is None:
            self._refuse(connection, handshake, _NO_ROUTE)
            return
        try:
            session = door.desk.begin()
        except ResourceExhausted:
            self._refuse(connection, handshake, _FULL)
            return
        try:
            response_head = handshake.accept()
        except Exception as error:
            # An extension of the user's, perhaps. Nothing is agreed then, and nothing has left.
            session.cancel()
            door.hub.report(error, handshake.accept)
            self._refuse(connection, handshake, _FAILED)
            return
        connection.queue_head(response_head)
        head, request = handshake.kept()
        established = door.established(handshake, head, *found)
        connection.open(established, door.codec(handshake), session, request, handshake.leftover)

    def _refuse(self, connection: WebSocketConnection, handshake: ServerHandshake, response: Response) -> None:
        connection.refuse(handshake.reject(response))
        self._door.leave(self._is_full)
        self._door.hub.traffic.handshake_failed(str(response.status))


class Door:
    """Lets transports in, one by one. Thread rules: the reactor's thread."""

    __slots__ = (
        "_agreements",
        "_common",
        "_handshake_config",
        "_hooks",
        "_host",
        "_refusal_count",
        "_usual",
        "heads",
        "hub",
        "max_connections",
        "desk",
        "router",
    )

    def __init__(
        self,
        hub: Hub,
        host: Host,
        router: Router,
        hooks: list[RequestHook],
        desk: SessionDesk,
        handshake_config: HandshakeConfig,
        max_connections: int,
    ) -> None:
        """Let at most ``max_connections`` in at a time, connecting and closing ones included."""
        self.hub = hub
        self.router = router
        self.desk = desk
        self.max_connections = max_connections
        self.handshake_config = handshake_config
        self._common: CommonCodec | None = None
        self._host = host
        self._hooks = hooks
        self._refusal_count = 0
        open_lane(hub)

    @property
    def handshake_config(self) -> HandshakeConfig:
        """What is asked of handshakes that begin from now on. Heads that were checked under another one are
        forgotten when it changes."""
        return self._handshake_config

    @handshake_config.setter
    def handshake_config(self, config: HandshakeConfig) -> None:
        self._handshake_config = config
        self.heads = FamiliarHeads()
        self._agreements: dict[tuple[object, ...], Established] = {}
        self._usual: dict[KeptHead, Established] = {}

    def admit(self, transport: Transport) -> None:
        """Take over an accepted transport."""
        hub = self.hub
        is_full = len(hub.connections) - self._refusal_count >= self.max_connections
        if is_full:
            hub.traffic.connections_refused.count += 1
            if self._refusal_count >= MAX_REFUSALS:
                transport.close()
                return
            self._refusal_count += 1
        opening = ServerOpening(self, is_full=is_full)
        try:
            WebSocketConnection(hub, transport, self._host, opening)
        except Exception as error:
            # Not registered, so nobody else will close it.
            self.leave(is_full)
            transport.close()
            hub.report(error, self.admit)

    def open_as_before(self, connection: WebSocketConnection, data: memoryview) -> bool:
        """Open a connection whose request is, but for its key, one that was answered before, and has only one answer;
        ``False``, with nothing done, for any other. The short road of ``ServerOpening._decide``."""
        if not self._usual or self._hooks:
            return False
        known = self.heads.recognise(bytes(data))
        if known is None:
            return False
        head, key = known
        established = self._usual.get(head)
        found = self.router.find(head.path())
        if established is None or found is None or found[0] is not established.handler:
            return False
        try:
            session = self.desk.begin()
        except ResourceExhausted:
            return False  # which is answered on the other road
        connection.queue_head(switching_plain(key))
        connection.open(established, self._common_codec(), session, key)
        return True

    def ask_hooks(self, handshake: ServerHandshake) -> Response | None:
        """Return the first answer of a hook, 500 for one that raised, or ``None``."""
        for hook in self._hooks:
            try:
                response = hook(handshake.request)
            except Exception as error:
                self.hub.report(error, hook)
                return _FAILED
            if response is not None:
                return response
        return None

    def established(
        self, handshake: ServerHandshake, head: KeptHead, handler: Handler, params: Mapping[str, str]
    ) -> Established:
        """Return what an accepted handshake agreed on: what another one did, where that came to the same."""
        subprotocol = handshake.subprotocol
        extensions = tuple([extension.name for extension in handshake.extensions])
        if params:
            return Established(handler, head, params=params, subprotocol=subprotocol, extensions=extensions)
        key = (head, handler, subprotocol, extensions)
        found = self._agreements.get(key)
        if found is None:
            if len(self._agreements) >= _MAX_AGREEMENTS:
                self._agreements.clear()
            found = Established(handler, head, params=params, subprotocol=subprotocol, extensions=extensions)
            self._agreements[key] = found
        if handshake.repeats:
            if len(self._usual) >= _MAX_AGREEMENTS:
                self._usual.clear()
            self._usual[head] = found
        return found

    def codec(self, handshake: ServerHandshake) -> WebSocketCodec:
        """Return the codec for an accepted handshake: the common one, unless extensions were agreed."""
        if handshake.extensions:
            hub = self.hub
            return WebSocketCodec(
                Role.SERVER,
                limits=hub.settings.limits,
                pool=hub.pool,
                mask_key=hub.mask_key,
                extensions=handshake.extensions,
            )
        return self._common_codec()

    def _common_codec(self) -> CommonCodec:
        hub = self.hub
        limits = hub.settings.limits
        common = self._common
        if common is None or common.limits is not limits:
            common = CommonCodec(Role.SERVER, limits=limits, pool=hub.pool, mask_key=hub.mask_key)
            self._common = common
        return common

    def leave(self, is_full: bool) -> None:
        """A connection that was refused for lack of room got its answer, or went."""
        if is_full:
            self._refusal_count -= 1


__all__ = ["MAX_REFUSALS", "Door", "RequestHook", "ServerOpening"]
