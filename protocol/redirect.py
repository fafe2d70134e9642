"""Redirect: where a response of the 3xx class sends a client, and whether it may go there (RFC 9110 §15.4).

RFC 6455 §4.2.2 lets a server redirect and lets a client choose whether to follow. Following is a matter of trust:
whoever can answer a request decides where the next one goes. So what is decided here is narrow. The status is
one that means "ask there" (300 offers a choice, 304 and 305 mean something else). The target is a WebSocket URI,
or the ``http`` one that stands for it, absolute or relative to the one that was asked. And it does not lead from
``wss`` to ``ws``: what was encrypted stays so.

*Origin* here is scheme, host and port (RFC 6454 §4). What belongs to one, such as credentials, is not for another;
``ws`` and ``wss`` of one host are two.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin

from ..api.errors import HandshakeFailed, InvalidArgument
from ..api.http import Response
from .uri import WebSocketUri, parse_uri

STATUSES: Final = frozenset({301, 302, 303, 307, 308})
"""Those that name one place to ask instead; that the request is a GET makes all of them the same."""

_SCHEMES: Final = {"http": "ws", "https": "wss"}


def redirect_target(uri: WebSocketUri, response: Response) -> WebSocketUri:
    """Return where ``response``, whose status is one of ``STATUSES``, sends whoever asked for ``uri``.

    A fragment is dropped (RFC 9110 §10.2.2 allows one, RFC 6455 §3 does not). Raises ``HandshakeFailed`` with the
    status when there is not exactly one ``Location``, when it is no WebSocket URI, and when it would leave
    ``wss`` for ``ws``.
    """
    status = response.status
    locations = response.values("Location")
    if len(locations) != 1:
        raise HandshakeFailed("a redirect has one Location", status=status, count=len(locations))
    location = locations[0]
    try:
        if " " in location or "\t" in location:  # ``urljoin`` would drop some of them without a word
            raise InvalidArgument("a URI has no white space")
        text = urljoin(uri.text, location).partition("#")[0]
        scheme, separator, rest = text.partition("://")
        target = parse_uri(_SCHEMES.get(scheme.lower(), scheme) + separator + rest)
    except ValueError as error:  # ``InvalidArgument`` is one, and what ``urljoin`` raises for half an IPv6 address
        words = error.message if isinstance(error, InvalidArgument) else str(error)
        raise HandshakeFailed(f"the redirect leads nowhere: {words}", status=status) from error
    if uri.secure and not target.secure:
        raise HandshakeFailed("the redirect leaves wss for ws, and is not followed", status=status)
    return target


def same_origin(one: WebSocketUri, other: WebSocketUri) -> bool:
    """Say whether two URIs have scheme, host and port in common (RFC 6454 §5)."""
    return (one.secure, one.host, one.port) == (other.secure, other.host, other.port)


__all__ = ["STATUSES", "redirect_target", "same_origin"]
