"""The server's side of the opening handshake (RFC 6455 §4.2), without I/O.

Four steps, one call each, so that a server can look at the request between them::

    feed(bytes) ...      the request's head, however the bytes are cut
        |
    is_upgrade ----no--> reject(response)     a plain GET: health check, wrong door
        | yes
    check() --raises---> reject(failure_response(error))
        |
    accept() ----------> the 101 response; from here on ``subprotocol`` and ``extensions`` hold

Exactly one answer leaves: after ``accept`` or ``reject`` both refuse. Nothing here is sent, timed or logged.

Two roads lead through these steps. The *short road* is for heads that came before, but for their key (see
``familiar.py``): they are not read and checked a second time. The *long road* is for all others, and what it has
checked it teaches the short one. (Reading has a short road of its own, ``whole_request.py``.)

The order of the checks is the order in which a refusal helps most: what is not a WebSocket request at all is
told so (405, 426) before details are criticised (400), and the origin hook (403) comes last, so that it sees
well-formed requests only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from ..api.errors import HandshakeFailed, InvalidArgument, InvalidState
from ..api.extension import Extension
from ..api.http import HeaderFields, Request, Response
from ..api.types import ReadableMemory
from .familiar import PERSONAL_FIELDS, WHOLE_HEAD, FamiliarHead, FamiliarHeads, KeptHead
from .handshake_config import UNSET, HandshakeConfig, Unset
from .http import HeadParser, split_target
from .http_rendering import render_request, render_response
from .negotiation import (
    WEBSOCKET_VERSION,
    accept_key,
    accept_offers,
    check_extra_headers,
    choose_subprotocol,
    close_all,
    is_handshake_key,
    lists_token,
    parse_subprotocols,
    switching_plain,
)
from .tokens import ListedExtension, parse_extensions, render_extensions
from .uri import is_authority
from .whole_request import whole_request


class ServerHandshake:
    """One opening handshake as the server sees it; a new one per connection.

    Thread rules: one thread at a time. A caller that drops it after ``accept`` owns ``extensions`` and closes
    them; before that it holds nothing but memory.
    """

    __slots__ = ("_answered", "_checked", "_config", "_extensions", "_familiar", "_heads", "_key", "_offers",
                 "_parser", "_request", "_subprotocol", "_subprotocols", "_whole")  # fmt: skip

    def __init__(self, config: HandshakeConfig, heads: FamiliarHeads | None = None) -> None:
        """Start before the first byte, under ``config``. ``heads``: those that were checked under the same
        configuration, for the short road; what is checked here is added."""
        self._config = config
        self._heads = heads
        self._parser: HeadParser[Request] | None = None
        self._request: Request | None = None
        self._familiar: FamiliarHead | None = None
        self._key = self._whole = b""  # checked, so in form; a head that came in one piece
        self._checked = False
        self._answered = False
        self._offers: Sequence[ListedExtension] = ()
        self._subprotocols: tuple[str, ...] = ()
        self._subprotocol: str | None = None
        self._extensions: tuple[Extension, ...] = ()

    def feed(self, data: ReadableMemory) -> Request | None:
        """Read on; return the request once its head is complete, ``None`` while it is not.

        ``data`` is borrowed for the call. Raises ``HandshakeFailed`` for a head that is malformed or too
        large, and ``InvalidState`` after either end, as ``HeadParser.feed`` does.
        """
        return self.request if self.read(data) else None

    def read(self, data: ReadableMemory) -> bool:
        """As ``feed``, but only say whether the head is complete: ``request`` makes a value of it if needed."""
        parser = self._parser
        if parser is None:
            if self._familiar is not None or self._request is not None:
                raise InvalidState("the head of the request is complete")
            config = self._config
            if self._heads is not None:
                self._whole = whole = bytes(data)
                known = self._heads.recognise(whole)
                if known is not None:
                    self._familiar, self._key = known
                    return True
                self._request = whole_request(whole, config.max_head_bytes, config.max_header_count)
                if self._request is not None:
                    return True
            self._parser = parser = HeadParser(
                max_head_bytes=config.max_head_bytes, max_header_count=config.max_header_count
            )
        else:
            self._whole = b""
        self._request = parser.feed(data)
        if parser.leftover:
            self._whole = b""
        return self._request is not None

    @property
    def request(self) -> Request:
        """The request. Raises ``InvalidState`` before it is complete."""
        if self._request is None:
            if self._familiar is None:
                raise InvalidState("the head of the request is not complete")
            self._request = self._familiar.request(self._key)
        return self._request

    @property
    def path(self) -> str:
        """``request.path``, without making a request of it."""
        return self.request.path if self._familiar is None else self._familiar.path()

    def kept(self) -> tuple[KeptHead, bytes]:
        """Return the request in the form in which it is worth to be kept: see ``KeptHead``."""
        if self._familiar is not None:
            return self._familiar, self._key
        return WHOLE_HEAD, self._whole or render_request(self.request)

    @property
    def leftover(self) -> bytes:
        """What came after the head: a further HTTP request, or frames of a client that did not wait, which
        RFC 6455 §4.1 forbids it ("MUST wait for a response")."""
        return b"" if self._parser is None else self._parser.leftover

    @property
    def is_upgrade(self) -> bool:
        """Whether the request asks for WebSocket in its ``Upgrade``, rightly or not: ``check`` tells.

        Raises ``InvalidState`` before the request is complete.
        """
        return lists_token(self.request.values("Upgrade"), "websocket")

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol agreed; ``None`` for none, and before ``accept``."""
        return self._subprotocol

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions agreed, in the order of the chain; empty before ``accept``."""
        return self._extensions

    @property
    def repeats(self) -> bool:
        """Whether every request with this head, whatever its key, is accepted with ``switching_plain`` under this
        configuration: after ``accept``, where no function was asked and nothing was agreed on."""
        config = self._config
        return (
            self._familiar is not None
            and self._subprotocol is None
            and config.check_origin is None
            and config.select_subprotocol is None
            and not (self._offers and config.extensions)
        )

    def check(self) -> None:
        """Check everything RFC 6455 §4.2.1 asks of the request, and the origin.

        Raises ``HandshakeFailed`` with the status to answer: 405 another method than GET, 426 no upgrade to
        WebSocket or another version of it, 403 the origin hook said no, 400 the rest. Raises ``InvalidState``
        before the request is complete. What the origin hook raises passes through. May be repeated.
        """
        self._checked = False
        familiar = self._familiar
        if familiar is None:
            self._check_at_length(self.request)
        else:
            self._subprotocols, self._offers = familiar.subprotocols, familiar.offers
        allows = self._config.check_origin
        if allows is not None:
            request = self.request
            origin = request.header("Origin")
            # RFC 6455 §4.2.2 item 4: the origin is compared in lower case.
            if not allows(None if origin is None else origin.lower(), request):
                raise HandshakeFailed("the origin is not welcome", status=403)
        self._checked = True

    def _check_at_length(self, request: Request) -> None:
        """The long road: everything but the origin hook."""
        fields: dict[str, tuple[str, ...]] = {}
        for name, value in request.headers:
            lower = name.lower()
            fields[lower] = (*fields.get(lower, ()), value)
        for check in _CHECKS:
            check(request, fields)
        # RFC 6455 §4.2.1 items 8 and 9.
        self._subprotocols = parse_subprotocols(fields.get("sec-websocket-protocol", ()))
        self._offers = parse_extensions(fields.get("sec-websocket-extensions", ()), status=400)
        self._key = fields["sec-websocket-key"][0].encode("ascii")
        if self._whole and self._heads is not None and PERSONAL_FIELDS.isdisjoint(fields):
            self._heads.learn(self._whole, self._key, request, self._subprotocols, self._offers)

    def accept(self, *, extra_headers: HeaderFields = (), subprotocol: str | None | Unset = UNSET) -> bytes:
        """Agree on subprotocol and extensions; return the 101 response (RFC 6455 §4.2.2 item 5).

        ``extra_headers`` follow those of the handshake. ``subprotocol`` overrides what the configuration
        would choose: one that the client offers, or ``None`` for none. Raises ``InvalidState`` before
        ``check`` passed and after an answer; ``InvalidArgument`` for a header that is malformed or the
        handshake's own, for a subprotocol the client did not offer, whoever chose it, and for an extension
        that answers something that is no token. What hooks and extensions raise passes through. After any of
        these nothing is agreed and no extension is left open.
        """
        self._refuse_second_answer()
        if not self._checked:
            raise InvalidState("accept() before check() has passed")
        if extra_headers:
            check_extra_headers(extra_headers)
        if subprotocol is not UNSET:
            chosen = subprotocol
        elif self._subprotocols or self._config.select_subprotocol is not None:
            chosen = self._choose_subprotocol()
        else:
            chosen = None
        if chosen is not None and chosen not in self._subprotocols:
            # RFC 6455 §4.2.2 item 4: derived from the client's handshake. A client would fail the connection.
            raise InvalidArgument("the client did not offer this subprotocol", subprotocol=chosen)
        factories = self._config.extensions
        answers, extensions = accept_offers(self._offers, factories) if factories else ([], ())
        if chosen is None and not answers and not extra_headers:
            response = switching_plain(self._key)
        else:
            try:
                response = render_response(self._switching(chosen, answers, extra_headers))
            except BaseException:
                close_all(extensions)
                raise
        self._answered = True
        self._subprotocol = chosen
        self._extensions = extensions
        return response

    def reject(self, response: Response) -> bytes:
        """Return an HTTP response that ends the handshake; allowed at any time, also before the head is in.

        ``Connection: close`` is added where there is no Connection header: what follows on this connection is
        not looked at any more. Raises ``InvalidState`` after an answer, ``InvalidArgument`` for a status
        below 200 (it would not end anything) and for what ``render_response`` refuses.
        """
        self._refuse_second_answer()
        if response.status < 200:
            raise InvalidArgument("a handshake is rejected with a final status", status=response.status)
        headers = tuple(response.headers)
        if response.header("Connection") is None:
            headers += (("Connection", "close"),)
        rejection = render_response(Response(response.status, response.reason, headers, response.body))
        self._answered = True
        return rejection

    def _refuse_second_answer(self) -> None:
        if self._answered:
            raise InvalidState("the handshake has been answered")

    def _choose_subprotocol(self) -> str | None:
        config = self._config
        if config.select_subprotocol is not None:
            return config.select_subprotocol(self._subprotocols)
        return choose_subprotocol(self._subprotocols, config.subprotocols)

    def _switching(
        self, subprotocol: str | None, answers: list[ListedExtension], extra_headers: HeaderFields
    ) -> Response:
        """Return the response of RFC 6455 §4.2.2 item 5; ``switching_plain`` is its short form."""
        key = self._key.decode("ascii")
        headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_key(key)),
        ]
        if subprotocol is not None:
            headers.append(("Sec-WebSocket-Protocol", subprotocol))
        if answers:
            # One field, never two: RFC 6455 §11.3.2 for responses.
            headers.append(("Sec-WebSocket-Extensions", render_extensions(answers)))
        return Response(101, headers=(*headers, *extra_headers))


_Fields: TypeAlias = Mapping[str, tuple[str, ...]]
"""Header fields by their names in lower case: all values, in order."""


def _check_method(request: Request, fields: _Fields) -> None:
    if request.method != "GET":  # RFC 6455 §4.2.1 item 1
        raise HandshakeFailed("the method of a handshake is GET", status=405)


def _check_host(request: Request, fields: _Fields) -> None:
    hosts = fields.get("host", ())
    if len(hosts) != 1 or not is_authority(hosts[0]):  # RFC 6455 §4.2.1 item 2, RFC 9112 §3.2
        raise HandshakeFailed("a request has exactly one valid Host", status=400)
    parts = split_target(request.target)
    authority = parts[0] if parts else ""  # the parser refuses a target without parts
    if authority and authority.lower() != hosts[0].lower():
        # RFC 9112 §3.2.2 lets a server ignore Host here. Whoever reads Host would then route to another one.
        raise HandshakeFailed("Host differs from the request target", status=400)


def _check_body(request: Request, fields: _Fields) -> None:
    lengths = fields.get("content-length", ())
    if fields.get("transfer-encoding", ()) or any(length.strip("0") for length in lengths):
        # Its bytes would be read as frames, or the frames as a body by somebody before us.
        raise HandshakeFailed("a handshake has no body", status=400)


def _check_upgrade(request: Request, fields: _Fields) -> None:
    if not lists_token(fields.get("upgrade", ()), "websocket"):  # RFC 6455 §4.2.1 item 3
        raise HandshakeFailed("Upgrade does not ask for websocket", status=426)
    if not lists_token(fields.get("connection", ()), "upgrade"):  # RFC 6455 §4.2.1 item 4
        raise HandshakeFailed("Connection does not list Upgrade", status=400)


def _check_version(request: Request, fields: _Fields) -> None:
    versions = fields.get("sec-websocket-version", ())
    if versions != (WEBSOCKET_VERSION,):  # RFC 6455 §4.2.1 item 6, §4.4, §11.3.5
        raise HandshakeFailed("Sec-WebSocket-Version is not 13, once", status=426)


def _check_key(request: Request, fields: _Fields) -> None:
    keys = fields.get("sec-websocket-key", ())
    if len(keys) != 1:  # RFC 6455 §11.3.1
        raise HandshakeFailed("Sec-WebSocket-Key must appear exactly once", status=400)
    if not is_handshake_key(keys[0]):  # RFC 6455 §4.2.1 item 5
        raise HandshakeFailed("Sec-WebSocket-Key is not the base64 of 16 bytes", status=400)


def _check_origin_count(request: Request, fields: _Fields) -> None:
    if len(fields.get("origin", ())) > 1:  # RFC 6454 §7.3: one; with two, which one would be checked?
        raise HandshakeFailed("Origin appears more than once", status=400)


_CHECKS: Final[tuple[Callable[[Request, _Fields], None], ...]] = (
    _check_method,
    _check_host,
    _check_body,
    _check_upgrade,
    _check_version,
    _check_key,
    _check_origin_count,
)

# RFC 9110 §15.5.6 and §15.5.22, RFC 6455 §4.2.2 item 4 (version), RFC 9110 §7.8 (Upgrade needs Connection).
_STATUS_HEADERS: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    405: (("Allow", "GET"), ("Connection", "close")),
    426: (
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", WEBSOCKET_VERSION),
        ("Connection", "Upgrade, close"),
    ),
}


def failure_response(error: HandshakeFailed) -> Response:
    """Return the response that tells a client why its handshake failed; for ``ServerHandshake.reject``.

    The status is the error's where that is one of 400 to 599, else 400. The body is its message, in plain
    text, without the context: what the peer sent is not echoed. Never raises.
    """
    status = error.status if 400 <= error.status <= 599 else 400
    headers = _STATUS_HEADERS.get(status, (("Connection", "close"),))
    body = (error.message + "\n").encode("utf-8", "replace")
    return Response(status, headers=(*headers, ("Content-Type", "text/plain; charset=utf-8")), body=body)


__all__ = ["ServerHandshake", "accept_key", "failure_response"]
