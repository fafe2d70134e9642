"""HTTP/1.1 heads, written safely (RFC 9112): whatever is written here is read back the same by ``http.py``.

The danger on this side is injection: a header value that came from somebody else and has a line end in it makes
two fields of one, or two requests. So every name and value is checked where it is rendered, in one place.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from ..api.errors import InvalidArgument
from ..api.http import HeaderFields, Request, Response
from .http import CONTENT_BYTES, OWS, TARGET_BYTES, split_target
from .tokens import is_token
from .uri import is_authority

_REQUEST_TARGET: Final = re.compile("[" + re.escape(TARGET_BYTES.decode("ascii")) + "]+")
_FIELD_CONTENT: Final = re.compile("[" + re.escape(CONTENT_BYTES.decode("latin-1")) + "]*")


def render_request(request: Request) -> bytes:
    """Return the head of a request as it goes on the wire; what ``HeadParser`` reads back.

    ``path`` and ``query`` are not looked at: ``target`` is what is sent. White space around values is
    dropped. Raises ``InvalidArgument`` for a method that is no token, a target ``HeadParser`` would refuse,
    and header fields that ``check_fields`` refuses.
    """
    target = request.target
    if not is_token(request.method):
        raise InvalidArgument("a method is a token (RFC 9110 §9.1)", method=request.method)
    if not _REQUEST_TARGET.fullmatch(target) or split_target(target) is None:
        raise InvalidArgument("a target is a path or an http URI in visible ASCII (RFC 9112 §3.2)")
    return _render(f"{request.method} {target} HTTP/1.1", request.headers)


def render_connect(authority: str, headers: HeaderFields = ()) -> bytes:
    """Return the head of a request that asks a proxy for a tunnel (RFC 9110 §9.3.6).

    ``authority`` is ``host:port`` (an IPv6 address in brackets), and becomes ``Host`` as well; ``headers`` follow.
    Raises ``InvalidArgument`` for an authority without a port, or one that is none, and header fields that
    ``check_fields`` refuses.
    """
    # RFC 9112 §3.2.3: the only form of target that CONNECT has, and nothing else does.
    if not is_authority(authority) or not authority.rpartition(":")[2].isdigit():
        raise InvalidArgument("a tunnel leads to host:port (RFC 9112 §3.2.3)")
    return _render(f"CONNECT {authority} HTTP/1.1", (("Host", authority), *headers))


def render_response(response: Response) -> bytes:
    """Return a response, head and body, as it goes on the wire.

    An empty reason becomes the usual one. ``Content-Length`` is added wherever the status allows a body,
    unless the headers have it. Raises ``InvalidArgument`` for a status outside 100 to 599, a body with a
    status that has none (1xx, 204, 304: RFC 9110 §6.4.1), a ``Content-Length`` that is not the body's,
    ``Transfer-Encoding`` (bodies are sent whole), a reason with control characters, and what ``check_fields``
    refuses.
    """
    status, body = response.status, response.body
    if not 100 <= status <= 599:
        raise InvalidArgument("a status is 100 to 599", status=status)
    reason = response.reason or _default_reason(status)
    if not _FIELD_CONTENT.fullmatch(reason):
        raise InvalidArgument("a reason phrase has no control characters", status=status)
    headers = tuple(response.headers)
    lengths = response.values("Content-Length")
    if response.values("Transfer-Encoding"):
        raise InvalidArgument("a body is sent whole: Transfer-Encoding is not for responses of ours")
    if status < 200 or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        if body or lengths:
            raise InvalidArgument("this status has neither body nor length (RFC 9110 §6.4.1)", status=status)
    elif not lengths:
        headers += (("Content-Length", str(len(body))),)
    elif lengths != (str(len(body)),):
        raise InvalidArgument("Content-Length is not the length of the body", body_bytes=len(body))
    return _render(f"HTTP/1.1 {status} {reason}", headers) + body


def check_fields(headers: HeaderFields) -> None:
    """Check header fields that the caller wants to send; the wall against header injection.

    Raises ``InvalidArgument`` for a name that is no token, and for a value with CR, LF, NUL or another
    control character but HTAB, or with characters beyond latin-1. The message never quotes the value.
    """
    for name, value in headers:
        if not is_token(name):
            raise InvalidArgument("a header name is a token (RFC 9110 §5.1)", name=name)
        if not _FIELD_CONTENT.fullmatch(value):
            raise InvalidArgument("a header value has no control characters and is latin-1", name=name)


def _default_reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""  # RFC 9112 §4: the reason phrase may be empty, the space before it may not


def _render(start_line: str, headers: HeaderFields) -> bytes:
    check_fields(headers)
    lines = [start_line, *(f"{name}: {value.strip(OWS)}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


__all__ = ["check_fields", "render_connect", "render_request", "render_response"]
