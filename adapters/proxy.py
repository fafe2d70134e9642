"""Proxy: which HTTP proxy a client goes through, and how it asks that for a connection.

Only when asked: a program that did not say ``proxy=`` connects directly, whatever its environment says, because a
variable that somebody set for something else must not decide where messages go. ``proxy="env"`` asks for the
conventions that curl, wget and Python have in common:

- ``https_proxy`` is for ``wss``. For ``ws`` it is ``https_proxy`` as well, then ``http_proxy``: RFC 6455 §4.1 prefers
  the one for HTTPS, since that is the one which lets a tunnel through. Then, for both, ``all_proxy``.
- ``no_proxy`` lists, with commas, who is reached directly: ``*`` for all, a host name (its subdomains too, with or
  without a dot or ``*.`` in front), an address, a network (``10.0.0.0/8``), each but the last with ``:port`` if wanted.
- A name in lower case wins over the same in upper case. ``HTTP_PROXY`` does not count inside a CGI program, where
  any client could set it by a header field ``Proxy`` (RFC 3875 §4.1.18).

The way is always a tunnel (CONNECT), for ``ws`` too: RFC 6455 §4.1 asks for that, and it keeps a proxy from rewriting
a handshake that it half understands.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote

from ..api.errors import HandshakeFailed, InvalidArgument, NotSupported, ProxyRefused
from ..api.http import HeaderFields
from ..api.transport import TcpAddress
from ..protocol.http_rendering import check_fields
from ..protocol.tunnel import TunnelHandshake, basic_credentials
from ..protocol.uri import WebSocketUri, parse_uri
from .tls import client_context

ENVIRONMENT: Final = "env"
"""As ``proxy=``: whatever the environment says."""

_VARIABLES: Final = {True: ("https_proxy", "all_proxy"), False: ("https_proxy", "http_proxy", "all_proxy")}
_SCHEMES: Final = {"http": "ws", "https": "wss"}


class Proxy:
    """An HTTP proxy: where it is, whether it is spoken to over TLS, and what it is told. Immutable; any thread."""

    __slots__ = ("address", "headers", "tls")

    address: TcpAddress
    """Where it is."""
    tls: ssl.SSLContext | None
    """The context to speak TLS to it with; ``None`` for a proxy that is spoken to in the clear."""
    headers: HeaderFields
    """What is added to the request for a tunnel, ``Proxy-Authorization`` included. Never sent to the far end."""

    def __init__(self, url: str, *, headers: HeaderFields = (), tls: ssl.SSLContext | None = None) -> None:
        """Take ``http://[USER:PASSWORD@]HOST[:PORT]``, or ``https://`` for TLS to the proxy itself.

        ``http://`` may be left out. The default ports are 80 and 443; user name and password are percent-decoded
        and sent as Basic (RFC 7617). ``headers`` are for other ways to authenticate. ``tls`` is for an ``https``
        proxy; by default certificate and host name are checked. Raises ``InvalidArgument`` for a URL or header
        fields that are malformed and ``NotSupported`` for SOCKS. No message quotes the URL: it may hold a password.
        """
        scheme, _, rest = url.partition("://") if "://" in url else ("http", "", url)
        scheme = scheme.lower()
        if scheme.startswith("socks"):
            raise NotSupported("SOCKS proxies are not spoken to, only HTTP ones that let CONNECT through")
        if scheme not in _SCHEMES:
            raise InvalidArgument("a proxy is http://[USER:PASSWORD@]HOST[:PORT], or https://")
        user_info, at, place = rest.rpartition("@")
        uri = parse_uri(f"{_SCHEMES[scheme]}://{place}")
        if uri.resource != "/":
            raise InvalidArgument("a proxy has no path")
        if tls is not None and not uri.secure:
            raise InvalidArgument("TLS is for https proxies; the one for the far end is the client's")
        check_fields(headers)
        self.address = TcpAddress(uri.host, uri.port)
        self.tls = (tls or client_context()) if uri.secure else None
        self.headers = (("Proxy-Authorization", _basic(user_info)), *headers) if at else tuple(headers)

    def __repr__(self) -> str:
        return f"<Proxy {'https' if self.tls else 'http'}://{self.address}>"


ProxyChoice: TypeAlias = "Proxy | str | None"
"""A proxy, its URL, ``"env"`` for what the environment says, or ``None`` for none."""


def choose_proxy(choice: ProxyChoice, uri: WebSocketUri, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for ``uri``; ``None``: connect directly. Raises what ``Proxy`` raises."""
    if isinstance(choice, str):
        return proxy_of_environment(uri, environ) if choice == ENVIRONMENT else Proxy(choice)
    return choice


def proxy_of_environment(uri: WebSocketUri, environ: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that the environment has for ``uri``, if any; see the top of this module.

    Raises what ``Proxy`` raises, with the variable's name: to go past a proxy that we can't use would be to guess.
    """
    if is_exempt(uri.host, uri.port, _variable(environ, "no_proxy")):
        return None
    for name in _VARIABLES[uri.secure]:
        url = _variable(environ, name)
        if url:
            try:
                return Proxy(url)
            except (InvalidArgument, NotSupported) as error:
                raise type(error)(f"{name}: {error.message}", **error.context) from error
    return None


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Say whether ``no_proxy`` lists a host (in lower case, an IPv6 address without brackets) and port."""
    address = _address(host)
    for item in no_proxy.lower().replace(",", " ").split():
        if item == "*":
            return True
        if "/" in item:
            if address is not None and _holds(item, address):
                return True
            continue
        name, colon, digits = item.rpartition(":")
        if not colon or not digits.isdigit() or (":" in name and not name.endswith("]")):
            name = item  # without a port; an IPv6 address has colons of its own
        elif int(digits) != port:
            continue
        name = name.strip("[]").removeprefix("*").removeprefix(".")
        if address is not None and address == _address(name):
            return True
        if name and (host == name or (address is None and host.endswith("." + name))):
            return True
    return False


class ConnectExchange:
    """Asks a proxy for a tunnel to one host and port; a ``transport.tunnel.Exchange``. One per connection."""

    __slots__ = ("_handshake", "_proxy")

    def __init__(self, proxy: Proxy, uri: WebSocketUri, *, max_head_bytes: int, max_header_count: int) -> None:
        self._proxy = proxy
        self._handshake = TunnelHandshake(
            uri.host,
            uri.port,
            headers=proxy.headers,
            max_head_bytes=max_head_bytes,
            max_header_count=max_header_count,
        )

    def request(self) -> bytes:
        """Return the CONNECT request."""
        return self._handshake.request()

    def feed(self, data: memoryview) -> bool:
        """Read on in the answer; ``True`` once the tunnel stands. Raises ``ProxyRefused``."""
        try:
            return self._handshake.feed(data) is not None
        except HandshakeFailed as error:
            refusal = ProxyRefused(self._words(error), status=error.status, proxy=str(self._proxy.address))
            refusal.response = error.response
            raise refusal from error

    @property
    def leftover(self) -> bytes:
        """The first bytes of the far end, if they came with the answer."""
        return self._handshake.leftover

    def _words(self, error: HandshakeFailed) -> str:
        if error.response is None:
            return f"the proxy's answer is not HTTP as we know it: {error.message}"
        if error.status != 407:
            return error.message
        if any(name.lower() == "proxy-authorization" for name, _ in self._proxy.headers):
            return "the proxy does not take these credentials"
        return "the proxy wants credentials: http://USER:PASSWORD@HOST:PORT"


def _variable(environ: Mapping[str, str], name: str) -> str:
    upper = "" if name == "http_proxy" and "REQUEST_METHOD" in environ else environ.get(name.upper(), "")
    return environ.get(name, upper).strip()


def _basic(user_info: str) -> str:
    try:
        user, _, password = (unquote(part, errors="strict") for part in user_info.partition(":"))
    except UnicodeDecodeError as error:
        raise InvalidArgument("user name and password are UTF-8, percent-encoded where they must be") from error
    # RFC 7617 §2: a colon ends the name, control characters are in neither.
    if ":" in user or not (user + password).isprintable():
        raise InvalidArgument("a user name has no colon, and neither it nor a password has control characters")
    return basic_credentials(user, password)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


__all__ = [
    "ENVIRONMENT",
    "ConnectExchange",
    "Proxy",
    "ProxyChoice",
    "choose_proxy",
    "is_exempt",
    "proxy_of_environment",
]
