"""The room people enter by: server, client, routing and command line. See README.md."""

from .backoff import Backoff
from .blocking import BlockingConnection, connect
from .blocking_handlers import blocking
from .client import Client
from .connection import WebSocketConnection
from .proxy import Proxy
from .reconnect import Reconnect, reconnecting
from .routing import Group, Router, compose
from .server import Server

__all__ = [
    "Backoff",
    "BlockingConnection",
    "Client",
    "Group",
    "Proxy",
    "Reconnect",
    "Router",
    "Server",
    "WebSocketConnection",
    "blocking",
    "compose",
    "connect",
    "reconnecting",
]
