"""Closing: status codes, the body of a close frame, and which error is answered with which code.

The body is empty, or two bytes of code (network order) and a reason in UTF-8 (RFC 6455 §5.5.1):

     0               1               2 ... 125
    +---------------+---------------+------------------+
    |   code, high  |   code, low   |  reason (UTF-8)  |
    +---------------+---------------+------------------+

Some codes are only ever *reported*, never sent: 1005 (the frame had none), 1006 (no frame came), 1015 (TLS
failed). The IANA registry has since added 1012 to 1014 to what may be sent (RFC 6455 §7.4, §11.7).
"""

from __future__ import annotations

from typing import Final

from ..api.errors import Cancelled, InvalidArgument, ProtocolViolation, ResourceError
from .utf8 import Utf8Checker

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
PROTOCOL_ERROR: Final = 1002
NO_STATUS: Final = 1005
"""Reported when a close frame has no body (RFC 6455 §7.1.5)."""
ABNORMAL: Final = 1006
"""Reported when the stream ended without a close frame (RFC 6455 §7.1.5)."""
INVALID_DATA: Final = 1007
MESSAGE_TOO_BIG: Final = 1009
INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013

MAX_REASON_BYTES: Final = 123

_FIRST_BYTES: Final = frozenset(
    code >> 8 for code in (*range(1000, 1004), *range(1007, 1015), *range(3000, 5000))
)
"""First bytes that some code for the wire begins with."""


def is_wire_code(code: int) -> bool:
    """Return whether a close frame may carry ``code``: 1000 to 1003, 1007 to 1014, 3000 to 4999."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def check_close_body(body: bytes, complete: bool) -> None:
    """Judge the body of a close frame, or the part of it that has arrived, unmasked.

    Raises ``ProtocolViolation`` as soon as no completion can be right: 1002 for the code (RFC 6455 §7.4),
    1007 for the reason (§8.1). That the body is not a single byte is judged from the header already.
    """
    if len(body) < 2:
        if body and body[0] not in _FIRST_BYTES:
            raise ProtocolViolation("a close code that may not be sent", first_byte=body[0])
        return
    code = int.from_bytes(body[:2], "big")
    if not is_wire_code(code):
        raise ProtocolViolation("a close code that may not be sent", code_sent=code)
    if not Utf8Checker().feed(body[2:], complete):
        raise ProtocolViolation("a close reason that is not UTF-8", close_code=INVALID_DATA)


def parse_close(body: bytes) -> tuple[int, str]:
    """Return code and reason of a complete close frame; (1005, "") for an empty body (RFC 6455 §7.1.5).

    Raises ``ProtocolViolation`` as ``check_close_body``.
    """
    if not body:
        return NO_STATUS, ""
    check_close_body(body, True)
    return int.from_bytes(body[:2], "big"), body[2:].decode()


def build_close(code: int | None, reason: str) -> bytes:
    """Return the body of a close frame: empty for ``None``.

    Raises ``InvalidArgument`` for a code that may not be sent, a reason without code, and a reason that is
    above 123 bytes of UTF-8 or can't be encoded.
    """
    if code is None:
        if reason:
            raise InvalidArgument("a close frame without a code has no reason either", reason=reason)
        return b""
    if not is_wire_code(code):
        raise InvalidArgument("this close code may not be sent", close_code=code)
    try:
        text = reason.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument("the close reason is not valid text", reason=reason) from error
    if len(text) > MAX_REASON_BYTES:
        raise InvalidArgument("a close reason has at most 123 bytes", reason_bytes=len(text))
    return code.to_bytes(2, "big") + text


def close_code_for(error: BaseException) -> int:
    """Return the status code to close a connection with because of ``error``; always one for the wire.

    The peer's violations carry theirs; a limit of ours is 1013 (try again later); cancelling is 1001;
    whatever else escapes, from a handler say, is 1011 (RFC 6455 §7.4.1).
    """
    if isinstance(error, ProtocolViolation):
        return error.close_code if is_wire_code(error.close_code) else PROTOCOL_ERROR
    if isinstance(error, ResourceError):
        return TRY_AGAIN_LATER
    if isinstance(error, Cancelled):
        return GOING_AWAY
    return INTERNAL_ERROR


__all__ = [
    "ABNORMAL",
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "INVALID_DATA",
    "MAX_REASON_BYTES",
    "MESSAGE_TOO_BIG",
    "NORMAL",
    "NO_STATUS",
    "PROTOCOL_ERROR",
    "TRY_AGAIN_LATER",
    "build_close",
    "check_close_body",
    "close_code_for",
    "is_wire_code",
    "parse_close",
]
