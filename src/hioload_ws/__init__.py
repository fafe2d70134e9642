"""hioload-ws: a WebSocket and network-server library whose every part can be read, replaced and checked.

The names here are what most programs need. Everything else is one room further: ``hioload_ws.api`` has the
interfaces and errors, ``hioload_ws.fake`` the stand-ins for tests, and each room's README says what is in it.
"""

__version__ = "0.1.0"

from .adapters import (
    Backoff,
    BlockingConnection,
    Client,
    Proxy,
    Reconnect,
    Server,
    blocking,
    connect,
    reconnecting,
)
from .api import (
    BINARY,
    TEXT,
    Cancelled,
    CloseEvent,
    Connection,
    ConnectionLost,
    Handler,
    HandshakeFailed,
    HioloadError,
    Message,
    Middleware,
    OpenEvent,
    ProxyRefused,
    Request,
    Response,
    TimedOut,
    TransportClosed,
)
from .control import ServerConfig
from .internal import in_worker, sleep

__all__ = [
    "BINARY",
    "TEXT",
    "Backoff",
    "BlockingConnection",
    "Cancelled",
    "Client",
    "CloseEvent",
    "Connection",
    "ConnectionLost",
    "Handler",
    "HandshakeFailed",
    "HioloadError",
    "Message",
    "Middleware",
    "OpenEvent",
    "Proxy",
    "ProxyRefused",
    "Reconnect",
    "Request",
    "Response",
    "Server",
    "ServerConfig",
    "TimedOut",
    "TransportClosed",
    "__version__",
    "blocking",
    "connect",
    "in_worker",
    "reconnecting",
    "sleep",
]
