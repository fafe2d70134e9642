"""WebSocket URIs: ``ws://host:port/path?query`` taken apart (RFC 6455 §3).

A client needs four things from a URI: whether to use TLS, where to connect, what to ask for (the *resource
name*), and what to write into ``Host``. Nothing is repaired on the way. A URI that RFC 6455 §3 does not allow
is refused with a sentence that says what to do instead, because guessing (escaping a space, dropping a
fragment) makes two programs see two different addresses, and that is how requests end up where nobody meant
them to go.

The messages never quote the URI itself: its query or user-info may hold a secret, and messages reach logs.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from ..api.errors import InvalidArgument

WS_PORT: Final = 80
"""Default port of ``ws`` (RFC 6455 §3)."""

WSS_PORT: Final = 443
"""Default port of ``wss`` (RFC 6455 §3)."""

_MAX_PORT_DIGITS: Final = 5

# RFC 3986 §2: unreserved, sub-delims, pct-encoded; §3.2.2 reg-name; §3.3 path-abempty; §3.4 query.
_PLAIN: Final = r"A-Za-z0-9\-._~!$&'()*+,;="
_ESCAPE: Final = r"%[0-9A-Fa-f]{2}"
_AUTHORITY: Final = re.compile(
    rf"(?:\[(?P<ipv6>[0-9A-Fa-f:.]++)\]|(?P<name>(?:[{_PLAIN}]|{_ESCAPE})+))(?::(?P<port>[0-9]*+))?"
)
_PATH: Final = re.compile(rf"(?:[{_PLAIN}:@/]|{_ESCAPE})*")
_QUERY: Final = re.compile(rf"(?:[{_PLAIN}:@/?]|{_ESCAPE})*")
_VISIBLE_ASCII: Final = re.compile(r"[\x21-\x7e]*+")
_PATH_OR_QUERY: Final = re.compile(r"[/?]")


@dataclass(frozen=True, slots=True)
class WebSocketUri:
    """A checked WebSocket URI; ``parse_uri`` makes it.

    ``host`` is in lower case and an IPv6 address has no brackets, ready to connect to; ``port`` is 1 to
    65535. ``resource`` is path and query as on the wire, not percent-decoded. ``text`` is what was parsed.
    """

    secure: bool
    host: str
    port: int
    resource: str
    text: str

    @property
    def host_header(self) -> str:
        """The value of ``Host``: the port only where it is not the default (RFC 6455 §4.1 item 4)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default_port = WSS_PORT if self.secure else WS_PORT
        return host if self.port == default_port else f"{host}:{self.port}"


def is_authority(text: str) -> bool:
    """Say whether ``text`` is ``host`` or ``host:port`` (RFC 3986 §3.2), without user-info and not empty."""
    match = _AUTHORITY.fullmatch(text)
    return match is not None and _is_host(match) and _port(match, WS_PORT) is not None


def parse_uri(text: str) -> WebSocketUri:
    """Return the parts of a WebSocket URI.

    An empty path becomes ``/``; an empty query loses its question mark, as RFC 6455 §3 builds the resource
    name. Raises ``InvalidArgument`` for another scheme than ``ws`` and ``wss``, characters that RFC 3986 does
    not allow, a fragment, user-info, and a host or port that is none.
    """
    if not _VISIBLE_ASCII.fullmatch(text):
        raise InvalidArgument("a URI is visible ASCII: percent-encode paths, use the xn-- form of host names")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in ("ws", "wss"):
        raise InvalidArgument("a WebSocket URI starts with ws:// or wss://")
    if "#" in text:
        raise InvalidArgument("a WebSocket URI has no fragment (RFC 6455 §3): write a literal # as %23")
    secure = scheme.lower() == "wss"
    split = _PATH_OR_QUERY.search(rest)
    end = split.start() if split else len(rest)
    host, port = _parse_authority(rest[:end], WSS_PORT if secure else WS_PORT)
    return WebSocketUri(secure, host, port, _resource_name(rest[end:]), text)


def _parse_authority(authority: str, default_port: int) -> tuple[str, int]:
    if "@" in authority:
        # RFC 6455 §3 has no user-info. Sending it silently nowhere would look like a login that fails.
        raise InvalidArgument("a WebSocket URI has no user-info: send credentials in an Authorization header")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or not _is_host(match):
        raise InvalidArgument("the host of the URI is empty or malformed", authority=authority)
    port = _port(match, default_port)
    if port is None:
        raise InvalidArgument("the port of a URI is 1 to 65535", authority=authority)
    return (match["ipv6"] or match["name"]).lower(), port


def _is_host(match: re.Match[str]) -> bool:
    if match["ipv6"] is None:
        return True
    try:
        ipaddress.IPv6Address(match["ipv6"])
    except ValueError:
        return False
    return True


def _port(match: re.Match[str], default_port: int) -> int | None:
    """Return the port, the default where there is none (also for ``host:``, RFC 3986 §3.2.3), or ``None``."""
    if not match["port"]:
        return default_port
    digits = match["port"].lstrip("0")
    if not digits or len(digits) > _MAX_PORT_DIGITS:
        return None
    port = int(digits)
    return port if port <= 0xFFFF else None


def _resource_name(path_and_query: str) -> str:
    """Return the resource name (RFC 6455 §3)."""
    path, _, query = path_and_query.partition("?")
    if not _PATH.fullmatch(path) or not _QUERY.fullmatch(query):
        raise InvalidArgument("the path or query of the URI has a character that must be percent-encoded")
    return (path or "/") + ("?" + query if query else "")


__all__ = ["WSS_PORT", "WS_PORT", "WebSocketUri", "is_authority", "parse_uri"]
