"""Whole requests: the short road of reading a head, for one that came in one piece and has nothing unusual.

``HeadParser`` walks through a table, byte for byte where it has to, so that a head may be cut anywhere and each fault
is found at its own byte. A head that is here whole and right needs neither: one regular expression says whether it
is, in C, and two calls cut it apart. What this road takes, the parser would take, and make the same of it; whatever
else it leaves to the parser, its clear twin, faults above all.

*Unusual* are: another method than GET, a target in absolute form, anything about a body, and bytes behind the head.
Every run in the expression is possessive, so its time is in proportion to the head, whatever that is.
"""

from __future__ import annotations

import re
from typing import Final

from ..api.http import Request
from .http import CONTENT_BYTES, OWS, TARGET_BYTES
from .tokens import TOKEN_BYTES


def _any_of(allowed: bytes) -> bytes:
    return b"[" + re.escape(allowed) + b"]"


_HEAD: Final = re.compile(
    b"GET (/%b*+) HTTP/1\\.1\r\n((?:%b++:%b*+\r\n)*+)\r\n"
    % (_any_of(TARGET_BYTES), _any_of(TOKEN_BYTES), _any_of(CONTENT_BYTES))
)
_FRAMING: Final = re.compile(b"content-length|transfer-encoding", re.IGNORECASE)


def whole_request(data: bytes, max_head_bytes: int, max_header_count: int) -> Request | None:
    """Return the request, if ``data`` is the head of one, whole, right, within the limits and nothing unusual; else
    ``None``. Never raises."""
    found = _HEAD.fullmatch(data)
    if found is None or len(data) > max_head_bytes or _FRAMING.search(data):
        return None
    target, fields = found.groups()
    lines = fields.decode("latin-1").split("\r\n")
    lines.pop()  # what follows the last line's end: nothing
    if len(lines) > max_header_count:
        return None
    parts = [line.partition(":") for line in lines]
    headers = tuple([(name, value.strip(OWS)) for name, _, value in parts])
    text = target.decode("ascii")
    path, _, query = text.partition("?")
    return Request("GET", text, headers, path, query)


__all__ = ["whole_request"]
