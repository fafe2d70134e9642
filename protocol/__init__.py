"""The room of the protocol: RFC 6455 for both roles, without I/O. See README.md."""

from .client_handshake import ClientHandshake
from .codec import WebSocketCodec
from .deflate import PermessageDeflate
from .handshake_config import UNSET, HandshakeConfig, OriginCheck, SubprotocolChoice, Unset
from .http import HeadParser
from .http_rendering import render_request, render_response
from .limits import Limits
from .message import WireMessage
from .server_handshake import ServerHandshake, accept_key, failure_response
from .uri import WebSocketUri, parse_uri

__all__ = [
    "UNSET",
    "ClientHandshake",
    "HandshakeConfig",
    "HeadParser",
    "Limits",
    "OriginCheck",
    "PermessageDeflate",
    "ServerHandshake",
    "SubprotocolChoice",
    "Unset",
    "WebSocketCodec",
    "WebSocketUri",
    "WireMessage",
    "accept_key",
    "failure_response",
    "parse_uri",
    "render_request",
    "render_response",
]
