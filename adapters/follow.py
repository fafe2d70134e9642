"""Follow: how far a client goes after redirects, and what it takes along.

Off unless asked for: RFC 6455 §4.2.2 leaves it to the client, browsers do not do it, and a program that is sent
somewhere else by whoever answers should have said that it wants to be. Where it did, the rules are in
``protocol/redirect.py``, and two more are here:

- no more than a number of them, so that two servers that point at each other end (RFC 9110 §15.4);
- header fields that the caller added, which is where credentials are, go to the origin they were meant for and to no
  other. Once dropped they stay so, though a later redirect may lead back.
"""

from __future__ import annotations

from typing import Final

from ..api.errors import HandshakeFailed, InvalidArgument
from ..api.http import HeaderFields
from ..protocol.redirect import STATUSES, redirect_target, same_origin
from ..protocol.uri import WebSocketUri

MAX_REDIRECTS: Final = 100
"""More than anybody needs; browsers give up at 20."""


class Trail:
    """Where a client has been sent. Thread rules: one thread."""

    __slots__ = ("_left_count", "_limit", "headers", "uri")

    uri: WebSocketUri
    """Where it asks now."""
    headers: HeaderFields
    """What it takes along there."""

    def __init__(self, uri: WebSocketUri, headers: HeaderFields, max_redirects: int) -> None:
        """Begin at ``uri``. Raises ``InvalidArgument`` unless ``max_redirects`` is 0 to ``MAX_REDIRECTS``."""
        if not 0 <= max_redirects <= MAX_REDIRECTS:
            raise InvalidArgument(f"redirects to follow are 0 to {MAX_REDIRECTS}", max_redirects=max_redirects)
        self.uri = uri
        self.headers = headers
        self._limit = self._left_count = max_redirects

    def follow(self, refusal: HandshakeFailed, *, may_leave: bool) -> bool:
        """Move to where the server that refused us points; ``False``: it does not, or nobody wants to follow.

        ``may_leave``: whether another origin can be reached at all. Raises ``HandshakeFailed`` for a redirect that
        is not followed: too many, malformed, from ``wss`` to ``ws``, to another origin without ``may_leave``.
        """
        response = refusal.response
        if not self._limit or response is None or response.status not in STATUSES:
            return False
        if not self._left_count:
            raise HandshakeFailed("too many redirects", status=response.status, max_redirects=self._limit)
        target = redirect_target(self.uri, response)
        if not same_origin(self.uri, target):
            if not may_leave:
                raise HandshakeFailed(
                    "the redirect leads away from the Unix socket", status=response.status, host=target.host
                )
            self.headers = ()
        self._left_count -= 1
        self.uri = target
        return True


__all__ = ["MAX_REDIRECTS", "Trail"]
