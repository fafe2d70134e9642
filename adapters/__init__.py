"""The room people enter by: server, client, routing and command line. See README.md."""

from .blocking import BlockingConnection, connect
from .blocking_handlers import blocking
from .client import Client
from .connection import WebSocketConnection
from .proxy import Proxy
from .routing import Group, Router, compose
from .server import Server

__all__ = [
    "BlockingConnection",
    "Client",
    "Group",
    "Proxy",
    "Router",
    "Server",
    "WebSocketConnection",
    "blocking",
    "compose",
    "connect",
]
