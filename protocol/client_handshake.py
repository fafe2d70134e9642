"""The client's side of the opening handshake (RFC 6455 §4.1), without I/O.

The client sends one request and believes nothing of the response until it is proved: the status, the upgrade,
the digest of its own key, and that subprotocol and extensions are among those it offered. A response that
came out of a cache, from a server that echoes, or from a proxy that understood half of it, fails one of
these.

The key is an argument: whoever runs the handshake draws 16 random bytes (``os.urandom``), a test takes fixed
ones. The first frames of the server may come in the same packet as its response; they are in ``leftover``.

A response that is not 101 ends the handshake, interim ones (RFC 9110 §15.2) too: no server has a reason to
send 100 or 103 to a request that asks to switch protocols. The response is kept for the caller, who may want
to follow a redirection or to authenticate; neither happens here.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Final

from ..api.errors import HandshakeFailed, InvalidArgument
from ..api.extension import Extension, ExtensionFactory
from ..api.http import HeaderFields, Request, Response
from ..api.types import ReadableMemory
from .http import DEFAULT_MAX_HEAD_BYTES, DEFAULT_MAX_HEADER_COUNT, HeadParser
from .http_rendering import render_request
from .negotiation import (
    KEY_BYTES,
    WEBSOCKET_VERSION,
    accept_answers,
    accept_key,
    check_extra_headers,
    check_factories,
    check_subprotocols,
    lists_token,
    make_offers,
)
from .tokens import parse_extensions, render_extensions, split_list
from .uri import WebSocketUri

_SWITCHING: Final = 101
_OWN_HEADERS: Final = frozenset({"host", "origin"})
"""Set from the URI and from ``origin``, beside those that make every handshake."""


class ClientHandshake:
    """One opening handshake as the client sees it; a new one per connection, with a new key.

    Thread rules: one thread at a time. After ``feed`` returned the response, the caller owns ``extensions``
    and closes them; before that it holds nothing but memory.
    """

    __slots__ = ("_extensions", "_factories", "_key", "_parser", "_request", "_response",
                 "_subprotocol", "_subprotocols")  # fmt: skip

    def __init__(
        self,
        uri: WebSocketUri,
        key: bytes,
        *,
        subprotocols: Sequence[str] = (),
        extensions: Sequence[ExtensionFactory] = (),
        headers: HeaderFields = (),
        origin: str | None = None,
        max_head_bytes: int = DEFAULT_MAX_HEAD_BYTES,
        max_header_count: int = DEFAULT_MAX_HEADER_COUNT,
    ) -> None:
        """Prepare the request for ``uri``.

        ``key`` is 16 bytes, random and fresh for every connection (RFC 6455 §4.1 item 7). ``subprotocols``
        and ``extensions`` are offered in this order of preference; ``headers`` follow those of the handshake;
        ``origin`` is sent where given. The limits are those of the response's head. Raises
        ``InvalidArgument`` for a key of another length, names that are no tokens or appear twice, headers
        that are malformed or the handshake's own, and limits out of range.
        """
        if len(key) != KEY_BYTES:
            raise InvalidArgument("a handshake key has 16 bytes", key_bytes=len(key))
        check_subprotocols(subprotocols)
        check_factories(extensions)
        check_extra_headers(headers, _OWN_HEADERS)
        self._key = base64.b64encode(key).decode("ascii")
        self._subprotocols = tuple(subprotocols)
        self._factories = tuple(extensions)
        self._parser = HeadParser(
            max_head_bytes=max_head_bytes, max_header_count=max_header_count, is_response=True
        )
        self._request = render_request(self._make_request(uri, headers, origin))
        self._response: Response | None = None
        self._subprotocol: str | None = None
        self._extensions: tuple[Extension, ...] = ()

    def request(self) -> bytes:
        """Return the request to send; the same bytes every time."""
        return self._request

    def feed(self, data: ReadableMemory) -> Response | None:
        """Read on; return the response once it is complete and right, ``None`` while it is not complete.

        ``data`` is borrowed for the call, cut anywhere. Raises ``HandshakeFailed`` for a response that is
        malformed or too large (status 0), that is not 101 (its status), or a 101 that breaks RFC 6455 §4.1
        (status 101); in the last two cases ``response`` has it. Raises ``InvalidState`` after either end.
        What extensions raise passes through. After a failure nothing is agreed and no extension is left open.
        """
        response = self._parser.feed(data)
        if response is not None:
            self._response = response
            self._check(response)
        return response

    @property
    def response(self) -> Response | None:
        """The head of the response, right or wrong; ``None`` before it is complete. Its body, if it has one,
        starts in ``leftover``."""
        return self._response

    @property
    def leftover(self) -> bytes:
        """What came after the head in the same ``feed``: the server's first frames."""
        return self._parser.leftover

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed; ``None`` for none, and before the handshake succeeded."""
        return self._subprotocol

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions agreed, in the order of the chain; empty before the handshake succeeded."""
        return self._extensions

    def _make_request(self, uri: WebSocketUri, headers: HeaderFields, origin: str | None) -> Request:
        """Return the request of RFC 6455 §4.1 items 2 to 12."""
        fields = [
            ("Host", uri.host_header),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self._key),
            ("Sec-WebSocket-Version", WEBSOCKET_VERSION),
        ]
        if origin is not None:
            fields.append(("Origin", origin))
        if self._subprotocols:
            fields.append(("Sec-WebSocket-Protocol", ", ".join(self._subprotocols)))
        offers = make_offers(self._factories)
        if offers:
            fields.append(("Sec-WebSocket-Extensions", render_extensions(offers)))
        return Request("GET", uri.resource, (*fields, *headers))

    def _check(self, response: Response) -> None:
        """Check the response as RFC 6455 §4.1 asks (items of its second list)."""
        if response.status != _SWITCHING:  # item 1
            raise HandshakeFailed("the server did not switch protocols", status=response.status)
        upgrades = split_list(response.values("Upgrade"))
        if [upgrade.lower() for upgrade in upgrades] != ["websocket"]:  # item 2
            raise _broken("Upgrade is not websocket")
        if not lists_token(response.values("Connection"), "upgrade"):  # item 3
            raise _broken("Connection does not list Upgrade")
        # Item 4 and §11.3.3: exactly once. No secret: a comparison in constant time would protect nothing.
        if response.values("Sec-WebSocket-Accept") != (accept_key(self._key),):
            raise _broken("Sec-WebSocket-Accept does not belong to our key")
        subprotocol = self._check_subprotocol(response.values("Sec-WebSocket-Protocol"))
        # Item 5. RFC 6455 allows several fields here in §4.2.2 and forbids them in §11.3.2; we read them.
        answers = parse_extensions(response.values("Sec-WebSocket-Extensions"), status=_SWITCHING)
        self._extensions = accept_answers(answers, self._factories)
        self._subprotocol = subprotocol

    def _check_subprotocol(self, values: tuple[str, ...]) -> str | None:
        if not values:
            return None
        if len(values) > 1:  # RFC 6455 §11.3.4
            raise _broken("Sec-WebSocket-Protocol appears more than once")
        if values[0] not in self._subprotocols:  # item 6
            raise _broken("the server chose a subprotocol that was not offered")
        return values[0]


def _broken(message: str) -> HandshakeFailed:
    return HandshakeFailed(message, status=_SWITCHING)


__all__ = ["ClientHandshake"]
