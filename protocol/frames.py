"""Frames: the header of RFC 6455 §5.2, read and written.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-------+-+-------------+-------------------------------+
    |F|R|R|R|opcode |M| length      | extended length: 16 bits if   |
    |I|S|S|S| (4)   |A| (7)         | length is 126, 64 if it is    |
    |N|V|V|V|       |S|             | 127, else absent              |
    | |1|2|3|       |K|             |                               |
    +-+-+-+-+-------+-+-------------+-------------------------------+
    | masking key (32), if MASK is set      | payload ...
    +---------------------------------------+-----------------------

The first byte is judged by a table, one for each of the two states that a receiving half can be in: between
messages, and inside a fragmented one. Each cell says what the frame *is* there (``CONTROL``, ``START``,
``CONTINUE``) or which rule it breaks. The rest is judged on *prefixes*: as soon as the bytes that have
arrived leave no legal completion, the header is refused.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from ..api.errors import ProtocolViolation
from ..api.message import BINARY, TEXT
from .close import MESSAGE_TOO_BIG

FIN: Final = 0x80
RSV_BITS: Final = 0x70
OPCODE_BITS: Final = 0x0F
MASKED: Final = 0x80
LENGTH_BITS: Final = 0x7F

CONTINUATION: Final = 0x0
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
CONTROL_BIT: Final = 0x8
"""Opcodes with this bit are control frames (RFC 6455 §5.5)."""

MAX_CONTROL_BYTES: Final = 125
MAX_HEADER_BYTES: Final = 14

_LENGTH_16: Final = 126
_LENGTH_64: Final = 127

# What a first byte means. Positive: go on. Negative: an index into _FAULTS.
CONTROL: Final = 1
START: Final = 2
CONTINUE: Final = 3
_BAD_OPCODE: Final = -1
_BAD_RSV: Final = -2
_CUT_CONTROL: Final = -3
_NOTHING_TO_CONTINUE: Final = -4
_MESSAGE_INSIDE_MESSAGE: Final = -5

_FAULTS: Final = {
    _BAD_OPCODE: "a reserved opcode",  # RFC 6455 §5.2
    _BAD_RSV: "a reserved bit that no extension claims here",  # RFC 6455 §5.2
    _CUT_CONTROL: "a fragmented control frame",  # RFC 6455 §5.5
    _NOTHING_TO_CONTINUE: "a continuation without a message to continue",  # RFC 6455 §5.4
    _MESSAGE_INSIDE_MESSAGE: "a new message inside a fragmented one",  # RFC 6455 §5.4
}


@cache
def first_byte_table(in_message: bool, claimed_bits: int) -> tuple[int, ...]:
    """Return what each of the 256 first bytes means: ``CONTROL``, ``START``, ``CONTINUE``, or a fault (< 0).

    ``in_message``: a fragmented message is unfinished. ``claimed_bits``: the reserved bits that the agreed
    extensions claim; they may stand on the first frame of a message only (RFC 7692 §6.1 says so for RSV1,
    and ``api.Extension`` has no place for them elsewhere).
    """
    return tuple(_meaning(first, in_message, claimed_bits) for first in range(256))


def _meaning(first: int, in_message: bool, claimed_bits: int) -> int:
    opcode, reserved = first & OPCODE_BITS, first & RSV_BITS
    if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        return _BAD_OPCODE
    if reserved & ~(claimed_bits if opcode in (TEXT, BINARY) else 0):
        return _BAD_RSV
    if opcode & CONTROL_BIT:
        return CONTROL if first & FIN else _CUT_CONTROL
    if opcode == CONTINUATION:
        return CONTINUE if in_message else _NOTHING_TO_CONTINUE
    return _MESSAGE_INSIDE_MESSAGE if in_message else START


def first_byte_fault(meaning: int, first: int) -> ProtocolViolation:
    """Return the error for a negative cell of the table."""
    return ProtocolViolation(_FAULTS[meaning], first_byte=first)


def parse_header(prefix: bytes, expects_mask: bool, limit_bytes: int) -> tuple[int, int] | None:
    """Judge a header whose first byte was judged already; return its size and the payload's length in bytes.

    ``prefix``: 1 to 14 bytes that begin with the header. ``expects_mask``: whether frames from this peer must
    be masked (else they must not be). ``limit_bytes``: the most that a data frame may announce here. Returns
    ``None`` while the header is incomplete. Raises ``ProtocolViolation`` as soon as the prefix has no legal
    completion.
    """
    if len(prefix) < 2:
        return None
    first, second = prefix[0], prefix[1]
    if (second >= MASKED) is not expects_mask:  # RFC 6455 §5.1
        raise ProtocolViolation("an unmasked client frame" if expects_mask else "a masked server frame")
    length = second & LENGTH_BITS
    extended_bytes = 0
    if first & CONTROL_BIT:
        if length > MAX_CONTROL_BYTES:  # RFC 6455 §5.5
            raise ProtocolViolation("a control frame above 125 bytes", length=length)
        if length == 1 and first & OPCODE_BITS == CLOSE:  # RFC 6455 §5.5.1: two bytes of code, if any
            raise ProtocolViolation("a close frame with one byte of payload")
    else:
        if length >= _LENGTH_16:
            extended_bytes = 2 if length == _LENGTH_16 else 8
            length = _least_length(prefix[2 : 2 + extended_bytes], extended_bytes)
        if length > limit_bytes:  # RFC 6455 §10.4
            raise ProtocolViolation(
                "a frame above the limit",
                close_code=MESSAGE_TOO_BIG,
                announced_bytes=length,
                limit_bytes=limit_bytes,
            )
    header_bytes = 2 + extended_bytes + (4 if expects_mask else 0)
    return (header_bytes, length) if len(prefix) >= header_bytes else None


def _least_length(known: bytes, extended_bytes: int) -> int:
    """Return the smallest length that begins with the bytes known so far; the length itself when all are."""
    missing_bits = 8 * (extended_bytes - len(known))
    least = int.from_bytes(known, "big") << missing_bits
    most = least | (1 << missing_bits) - 1
    if least >> 63:  # RFC 6455 §5.2: the most significant bit must be 0
        raise ProtocolViolation("a length with its top bit set", length=least)
    if most < (_LENGTH_16 if extended_bytes == 2 else 1 << 16):  # RFC 6455 §5.2: the minimal encoding
        raise ProtocolViolation("a length that is not encoded minimally", length=most)
    return least


# Headers of short frames, built once: a look-up instead of a pack per frame.
_SHORT_HEADERS: Final = {
    (first, mask_bit): tuple(bytes((first, mask_bit | length)) for length in range(_LENGTH_16))
    for first in (0x00, TEXT, BINARY, FIN, FIN | TEXT, FIN | BINARY, FIN | CLOSE, FIN | PING, FIN | PONG)
    for mask_bit in (0, MASKED)
}


def build_header(first: int, length: int, mask_bit: int) -> bytes:
    """Return a header without its masking key; ``mask_bit`` is 0 or ``MASKED``. The length is encoded
    minimally (RFC 6455 §5.2)."""
    if length < _LENGTH_16:
        short = _SHORT_HEADERS.get((first, mask_bit))
        return bytes((first, mask_bit | length)) if short is None else short[length]
    if length < 1 << 16:
        return bytes((first, mask_bit | _LENGTH_16)) + length.to_bytes(2, "big")
    return bytes((first, mask_bit | _LENGTH_64)) + length.to_bytes(8, "big")


__all__ = [
    "CLOSE",
    "CONTINUATION",
    "CONTINUE",
    "CONTROL",
    "CONTROL_BIT",
    "FIN",
    "MASKED",
    "MAX_CONTROL_BYTES",
    "MAX_HEADER_BYTES",
    "OPCODE_BITS",
    "PING",
    "PONG",
    "RSV_BITS",
    "START",
    "build_header",
    "first_byte_fault",
    "first_byte_table",
    "parse_header",
]
