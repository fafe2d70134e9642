"""Roles: what a connection is given by whoever made it, so that it need not know whether that is a server.

An ``Opening`` plays the opening handshake and is dropped when that is decided. A ``Host`` is told when the
connection opened and when it has gone. ``Established`` carries what the handshake agreed on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..api.codec import Role
from ..api.errors import HioloadError
from ..api.handler import CloseEvent, Handler
from ..protocol.familiar import KeptHead

if TYPE_CHECKING:
    from .connection import WebSocketConnection


class Established:
    """What a handshake agreed on. Immutable: connections whose handshakes came to the same share one.

    ``extensions`` are the names of those agreed. ``head`` makes the request again from what its connection keeps.
    """

    __slots__ = ("extensions", "handler", "head", "params", "subprotocol")

    def __init__(
        self,
        handler: Handler,
        head: KeptHead,
        *,
        params: Mapping[str, str],
        subprotocol: str | None,
        extensions: tuple[str, ...],
    ) -> None:
        self.handler = handler
        self.head = head
        self.params = params
        self.subprotocol = subprotocol
        self.extensions = extensions


class Opening(ABC):
    """The opening handshake of one connection: reads until it can open the connection or has refused it."""

    __slots__ = ()

    @abstractmethod
    def receive(self, connection: WebSocketConnection, data: memoryview) -> None:
        """Take all of ``data`` (borrowed); call ``connection.open`` or ``connection.refuse`` when decided.

        May raise ``HandshakeFailed``, which ends the connection at once.
        """

    @abstractmethod
    def failed(self, error: HioloadError) -> None:
        """The connection ended before it was opened or refused."""


class Host(ABC):
    """Whom a connection belongs to: a server or a client."""

    __slots__ = ()

    role: Role

    @abstractmethod
    def opened(self, connection: WebSocketConnection) -> None:
        """The handshake is done; no message was delivered yet. What this raises closes the connection."""

    @abstractmethod
    def closed(self, connection: WebSocketConnection, event: CloseEvent | None) -> None:
        """A connection has gone; without an event when it was never opened."""


__all__ = ["Established", "Host", "Opening"]
