"""Tunnel: asking an HTTP proxy for a connection to somewhere else (CONNECT, RFC 9110 §9.3.6), without I/O.

RFC 6455 §4.1 has a client that uses a proxy ask it for a connection to host and port, and speak WebSocket over
what it gets, as if it had connected by itself. The proxy never reads what is inside; for ``wss`` it could not.

The exchange is one request and one response. Any 2xx means that the tunnel stands, and that whatever follows the
head is the far end's: Content-Length and Transfer-Encoding of such a response mean nothing and are ignored, as
the RFC says. Any other status is the proxy's refusal, with its reason in words and, for 407, with the ways to
authenticate. Proxies still answer as HTTP/1.0, often; here, and only here, that is taken.

*User name and password* go into ``Proxy-Authorization``, as Basic of RFC 7617: the only scheme that every proxy
has, and one that hides nothing from whoever listens between us and the proxy.
"""

from __future__ import annotations

import base64

from ..api.errors import HandshakeFailed
from ..api.http import HeaderFields, Response
from ..api.types import ReadableMemory
from .http import DEFAULT_MAX_HEAD_BYTES, DEFAULT_MAX_HEADER_COUNT, HeadParser
from .http_rendering import render_connect


class TunnelHandshake:
    """One request for a tunnel, and what the proxy says to it; a new one per connection. Thread rules: one thread."""

    __slots__ = ("_parser", "_request")

    def __init__(
        self,
        host: str,
        port: int,
        *,
        headers: HeaderFields = (),
        max_head_bytes: int = DEFAULT_MAX_HEAD_BYTES,
        max_header_count: int = DEFAULT_MAX_HEADER_COUNT,
    ) -> None:
        """Prepare the request for ``host`` (a name, or an address without brackets) and ``port``.

        ``headers`` follow ``Host``; the limits are those of the response's head. Raises ``InvalidArgument``
        for what of it is malformed or out of range.
        """
        self._request = render_connect(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", headers)
        self._parser = HeadParser(
            max_head_bytes=max_head_bytes,
            max_header_count=max_header_count,
            is_response=True,
            allow_http_1_0=True,
        )

    def request(self) -> bytes:
        """Return the request to send; the same bytes every time."""
        return self._request

    def feed(self, data: ReadableMemory) -> Response | None:
        """Read on; return the response once the tunnel stands, ``None`` while the head is not complete.

        ``data`` is borrowed for the call, cut anywhere. Raises ``HandshakeFailed`` for a response that is
        malformed or too large (status 0) and for one that is not 2xx (its status, and ``response`` has it);
        ``InvalidState`` after either end.
        """
        response = self._parser.feed(data)
        if response is not None:
            if not 200 <= response.status < 300:
                error = HandshakeFailed("the proxy does not connect us", status=response.status)
                error.response = response
                raise error
        return response

    @property
    def leftover(self) -> bytes:
        """What came behind the head in the same ``feed``: the first bytes of the far end."""
        return self._parser.leftover


def basic_credentials(user: str, password: str) -> str:
    """Return the value of ``Proxy-Authorization`` for a user name and a password (RFC 7617 §2, UTF-8)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


__all__ = ["TunnelHandshake", "basic_credentials"]
