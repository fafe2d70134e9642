"""HTTP/1.1 heads, read strictly (RFC 9112): what the opening handshake travels in.

Two programs that read the same bytes differently are how requests get smuggled. So nothing is repaired here:
lines end with CR LF and nothing else, no line is folded, no control byte passes, a length is stated once or
not at all. Whatever is refused by one reader in the chain and accepted by another is refused.

**The grammar is a table** (``_GRAMMAR``). A *place* in it says which bytes stay, which lead on to another
place, and what some of the others are called when they are refused. Reading is walking through the places; a
run of bytes that stay is skipped by one search in C. The walk needs no more input than it has, so bytes may
come cut anywhere, a fault of syntax is found at its own byte, and the outcome never depends on the cuts. What
a line *means* (Content-Length, form of the target) is looked at when it ends. Each byte is looked at once.

Glossary: *head*, start line and header fields up to and with the blank line; *field*, one header line.

Stricter than RFC 9112 allows: empty lines before the request line (§2.2), repeated equal Content-Length
fields (§6.3), and a status line without the space before an empty reason are refused. A request for any
version but 1.1 is answered with 505, since RFC 6455 §4.1 needs 1.1 and there is no 1.2. A target is in origin
form or an absolute http(s) URI (RFC 9112 §3.2.1 and §3.2.2, RFC 6455 §4.2.1); the forms for CONNECT and
OPTIONS are not.
"""

from __future__ import annotations

import re
from typing import Final, Generic, Literal, NoReturn, TypeVar, cast, overload

from ..api.errors import HandshakeFailed, InvalidArgument, InvalidState
from ..api.http import Request, Response
from ..api.types import ReadableMemory
from .tokens import TOKEN_BYTES
from .uri import is_authority

DEFAULT_MAX_HEAD_BYTES: Final = 16384
DEFAULT_MAX_HEADER_COUNT: Final = 100

_HeadT = TypeVar("_HeadT", Request, Response)

_CR: Final = b"\r"
_LF: Final = b"\n"
_SPACE: Final = b" "
_DIGITS: Final = b"0123456789"
_VISIBLE: Final = bytes(range(0x21, 0x7F))

OWS: Final = " \t"
"""Optional white space (RFC 9110 §5.6.3)."""

TARGET_BYTES: Final = _VISIBLE.replace(b"#", b"")
"""What a request target is made of; it has no fragment (RFC 9112 §3.2)."""

CONTENT_BYTES: Final = b"\t " + _VISIBLE + bytes(range(0x80, 0x100))
"""What the value of a header field is made of: field-content with obs-text (RFC 9110 §5.5)."""

_BARE_LF: Final = {_LF: (400, "a line ends with LF alone (RFC 9112 §2.2)")}
_SPACED_NAME: Final = {b" \t": (400, "white space between header name and colon (RFC 9112 §5.1)")}
_FOLDED: Final = {b" \t": (400, "a folded header line (RFC 9112 §5.2)")}
_OTHER_VERSION: Final = {_DIGITS: (505, "the HTTP version is not 1.1 (RFC 6455 §4.1)")}

_Leads = dict[bytes, str]
_Faults = dict[bytes, tuple[int, str]]
_Row = tuple[bytes, _Leads, _Faults]


def _version(prefix: str, then: bytes, following: str) -> dict[str, _Row]:
    """Return the places of "HTTP/1.1" (RFC 9112 §2.3), followed by one byte that leads to another place."""
    rows: dict[str, _Row] = {}
    for index, letter in enumerate("HTTP/1.1"):
        faults = _OTHER_VERSION if letter.isdigit() else {}
        rows[f"{prefix} {index}"] = (b"", {letter.encode(): f"{prefix} {index + 1}"}, faults)
    rows[f"{prefix} 8"] = (b"", {then: following}, {})
    return rows


# Place: (bytes that stay, bytes that lead on and where to, bytes whose fault has a name of its own).
_GRAMMAR: Final[dict[str, _Row]] = {
    "method": (b"", {TOKEN_BYTES: "rest of method"}, {}),
    "rest of method": (TOKEN_BYTES, {_SPACE: "target"}, {}),
    "target": (b"", {b"/Hh": "rest of target"}, {}),
    "rest of target": (TARGET_BYTES, {_SPACE: "request version 0"}, {}),
    **_version("request version", _CR, "end of start line"),
    **_version("response version", _SPACE, "status"),
    **_version("1.x version", _SPACE, "status"),
    "1.x version 7": (b"", {b"01": "1.x version 8"}, _OTHER_VERSION),
    "status": (b"", {b"12345": "status, digit 2"}, {}),
    "status, digit 2": (b"", {_DIGITS: "status, digit 3"}, {}),
    "status, digit 3": (b"", {_DIGITS: "space before reason"}, {}),
    "space before reason": (b"", {_SPACE: "reason"}, {}),
    "reason": (CONTENT_BYTES, {_CR: "end of start line"}, _BARE_LF),
    "end of start line": (b"", {_LF: "field"}, {}),
    "field": (b"", {TOKEN_BYTES: "name", _CR: "end of head"}, {**_FOLDED, **_BARE_LF}),
    "name": (TOKEN_BYTES, {b":": "value"}, _SPACED_NAME),
    "value": (CONTENT_BYTES, {_CR: "end of field"}, _BARE_LF),
    "end of field": (b"", {_LF: "field"}, {}),
    "end of head": (b"", {_LF: "done"}, {}),
    "done": (b"", {}, {}),
}


class _Place:
    """A row of the grammar, compiled: one search skips what stays, one lookup leads on."""

    __slots__ = ("faults", "leads", "name", "stops")

    def __init__(self, name: str, row: _Row) -> None:
        stay, _leads, faults = row
        self.name = name
        self.stops = re.compile(b"[^" + re.escape(stay) + b"]" if stay else b"(?s:.)")
        self.leads: dict[int, _Place] = {}
        self.faults = {byte: fault for group, fault in faults.items() for byte in group}


_PLACES: Final = {name: _Place(name, row) for name, row in _GRAMMAR.items()}
for _name, _row in _GRAMMAR.items():
    _PLACES[_name].leads = {byte: _PLACES[then] for group, then in _row[1].items() for byte in group}

_METHOD: Final = _PLACES["method"]
_RESPONSE_VERSION: Final = _PLACES["response version 0"]
_ANY_MINOR_VERSION: Final = _PLACES["1.x version 0"]
_NAME: Final = _PLACES["name"]
_END_OF_START_LINE: Final = _PLACES["end of start line"]
_END_OF_FIELD: Final = _PLACES["end of field"]
_DONE: Final = _PLACES["done"]

_ABSOLUTE_TARGET: Final = re.compile(r"https?://([^/?]*)([^?]*)(?:\?(.*))?", re.IGNORECASE)


class HeadParser(Generic[_HeadT]):
    """Reads one head from bytes that come cut anywhere; a new parser per head.

    Memory: at most ``max_head_bytes`` and the header fields made of them. Thread rules: one at a time.
    """

    __slots__ = (
        "_finished",
        "_framing",
        "_head",
        "_headers",
        "_is_response",
        "_leftover",
        "_line_start",
        "_max_head_bytes",
        "_max_header_count",
        "_place",
        "_position",
        "_start_line",
        "_target_parts",
    )

    @overload
    def __init__(
        self: HeadParser[Request],
        *,
        max_head_bytes: int = ...,
        max_header_count: int = ...,
        is_response: Literal[False] = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: HeadParser[Response],
        *,
        max_head_bytes: int = ...,
        max_header_count: int = ...,
        is_response: Literal[True],
        allow_http_1_0: bool = ...,
    ) -> None: ...
    def __init__(
        self,
        *,
        max_head_bytes: int = DEFAULT_MAX_HEAD_BYTES,
        max_header_count: int = DEFAULT_MAX_HEADER_COUNT,
        is_response: bool = False,
        allow_http_1_0: bool = False,
    ) -> None:
        """Read a request, or a response; ``max_head_bytes`` (1 or more) counts all of the head, the blank
        line too, ``max_header_count`` (0 or more) its header lines. Raises ``InvalidArgument`` below that.
        ``allow_http_1_0``: a response may be of either version, as those of proxies are."""
        check_limits(max_head_bytes, max_header_count)
        self._max_head_bytes = max_head_bytes
        self._max_header_count = max_header_count
        self._is_response = is_response
        self._place = (_ANY_MINOR_VERSION if allow_http_1_0 else _RESPONSE_VERSION) if is_response else _METHOD
        self._head = bytearray()
        self._position = 0  # Invariant: every byte before it was looked at; none is looked at twice.
        self._line_start = 0
        self._start_line = ""
        self._target_parts = ("", "", "")
        self._headers: list[tuple[str, str]] = []
        self._framing: set[str] = set()
        self._leftover = b""
        self._finished = False

    @property
    def leftover(self) -> bytes:
        """What came after the blank line in the last ``feed``; empty before the head is complete."""
        return self._leftover

    def feed(self, data: ReadableMemory) -> _HeadT | None:
        """Read on; return the head once it is complete, ``None`` while it is not.

        ``data`` is borrowed for the call, any length, cut anywhere. Raises ``HandshakeFailed`` at the first
        byte that proves a fault. Its ``status`` is what a server answers: 400 malformed, 414 a request line
        beyond the limit, 431 a head beyond a limit, 505 another HTTP version; it is 0 for a response, which
        nobody answers. Raises ``InvalidState`` after the head is complete or has failed.
        """
        if self._finished:
            raise InvalidState("the head is complete or has failed; read the next one with a new parser")
        with memoryview(data) as given, given.cast("B") as view:
            old_count = len(self._head)
            self._head += view[: self._max_head_bytes - old_count]
            self._walk()
            if self._place is not _DONE:
                if self._position == self._max_head_bytes:
                    self._fail_too_large()
                return None
            self._finished = True
            self._leftover = bytes(view[self._position - old_count :])
        self._head = bytearray()
        return cast(_HeadT, self._build())  # which of the two is decided in ``__init__``

    def _walk(self) -> None:
        """Move through the places until the bytes or the head end."""
        head = self._head
        place = self._place
        while place is not _DONE:
            stop = place.stops.search(head, self._position)
            if stop is None:
                self._position = len(head)
                break
            self._position = stop.start()
            following = place.leads.get(head[self._position])
            if following is None:
                self._fail_at(place, head[self._position])
            if following is _NAME and len(self._headers) == self._max_header_count:
                self._fail(431, "too many header fields", max_header_count=self._max_header_count)
            self._position += 1
            if place is _END_OF_FIELD:
                self._take_field(self._take_line())
            elif place is _END_OF_START_LINE:
                self._take_start_line(self._take_line())
            place = following
        self._place = place

    def _take_line(self) -> str:
        """Return the line that ended just now, without its end."""
        line = self._head[self._line_start : self._position - 2].decode("latin-1")
        self._line_start = self._position
        return line

    def _take_start_line(self, line: str) -> None:
        self._start_line = line
        if not self._is_response:
            parts = split_target(line.split(" ")[1])
            if parts is None:
                self._fail(400, "the request target is neither a path nor an http URI (RFC 9112 §3.2)")
            self._target_parts = parts

    def _take_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.strip(OWS)
        self._headers.append((name, value))
        framing = name.lower()
        if framing not in ("content-length", "transfer-encoding"):
            return
        # RFC 9112 §6.3: a length said twice, or in two ways, is how two readers come to differ.
        if framing == "content-length" and not (value.isascii() and value.isdigit()):
            self._fail(400, "Content-Length is no number (RFC 9112 §6.3)")
        if framing == "content-length" and framing in self._framing:
            self._fail(400, "Content-Length appears twice (RFC 9112 §6.3)")
        self._framing.add(framing)
        if len(self._framing) > 1:
            self._fail(400, "Content-Length and Transfer-Encoding together (RFC 9112 §6.1)")

    def _build(self) -> Request | Response:
        headers = tuple(self._headers)
        if self._is_response:
            _, status, reason = self._start_line.split(" ", 2)
            return Response(int(status), reason, headers)
        method, target, _ = self._start_line.split(" ")
        _, path, query = self._target_parts
        return Request(method, target, headers, path, query)

    def _fail_too_large(self) -> NoReturn:
        # RFC 9110 §15.5.15 for the request line, RFC 6585 §5 for the rest.
        in_request_line = not self._is_response and not self._start_line
        status, what = (414, "request line") if in_request_line else (431, "head")
        self._fail(status, f"the {what} is too large", max_head_bytes=self._max_head_bytes)

    def _fail_at(self, place: _Place, byte: int) -> NoReturn:
        unnamed = (400, f"a byte that has no place here: {place.name}")
        status, message = place.faults.get(byte, unnamed)
        self._fail(status, message, byte=byte, offset=self._position)

    def _fail(self, status: int, message: str, **context: object) -> NoReturn:
        self._finished = True
        self._head = bytearray()
        raise HandshakeFailed(message, status=0 if self._is_response else status, **context)


def check_limits(max_head_bytes: int, max_header_count: int) -> None:
    """Raise ``InvalidArgument`` unless a head may have 1 byte or more and 0 header fields or more."""
    if max_head_bytes < 1:
        raise InvalidArgument("a head has at least one byte", max_head_bytes=max_head_bytes)
    if max_header_count < 0:
        raise InvalidArgument("a number of header fields is 0 or more", max_header_count=max_header_count)


def split_target(target: str) -> tuple[str, str, str] | None:
    """Return authority, path and query of a request target, or ``None`` where it has neither form we take.

    Origin form ("/path?query") has the authority "". In absolute form (RFC 9112 §3.2.2) an empty path becomes
    "/"; user-info is refused, as RFC 9110 §4.2.4 advises. Nothing is percent-decoded.
    """
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return "", path, query
    match = _ABSOLUTE_TARGET.fullmatch(target)
    if match is None or not is_authority(match[1]):
        return None
    return match[1], match[2] or "/", match[3] or ""


__all__ = [
    "CONTENT_BYTES",
    "DEFAULT_MAX_HEADER_COUNT",
    "DEFAULT_MAX_HEAD_BYTES",
    "OWS",
    "TARGET_BYTES",
    "HeadParser",
    "check_limits",
    "split_target",
]
