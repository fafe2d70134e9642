"""Sending: from messages and control frames to parts for the wire.

A server's payload goes out as it is, by reference, behind a header of 2 to 10 bytes; only where it is so
short that one part is cheaper for the transport than two are they joined. A client has to mask with a fresh,
unpredictable key per frame (RFC 6455 §5.3), so its payload is copied once, in the masking itself.

The state is a table: rows are what was sent last, columns what is to be sent now.

    state            whole   first fragment   continuation   last continuation   close
    IDLE             IDLE    IN_MESSAGE       -              -                   CLOSED
    IN_MESSAGE       -       -                IN_MESSAGE     IDLE                CLOSED
    CLOSED           -       -                -              -                   CLOSED

Pings and pongs may go out in every state but CLOSED (RFC 6455 §5.4: they may stand between fragments).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final

from ..api.errors import InvalidArgument, InvalidState
from ..api.extension import Extension
from ..api.message import BINARY, TEXT, MessageKind
from ..api.transport import Sendable
from ..api.types import ReadableMemory
from .close import build_close
from .frames import CLOSE, CONTINUATION, FIN, MASKED, MAX_CONTROL_BYTES, PING, PONG, build_header
from .masks import SHORT_BYTES, masked

JOIN_BYTES: Final = 512
"""Up to here header and payload are joined: copying 512 bytes costs less than a second part."""

IDLE: Final = 0
IN_MESSAGE: Final = 1
CLOSED: Final = 2
_NO: Final = -1

SHORT_HEADERS: Final = tuple(
    tuple(build_header(FIN | kind, length, 0) for length in range(SHORT_BYTES + 1)) for kind in range(BINARY + 1)
)
"""Headers of whole, unmasked data frames with a length of seven bits: by kind (``TEXT`` or ``BINARY``), then by
length."""

MEDIUM_HEADER: Final = Struct(">BBH").pack
"""``MEDIUM_HEADER(FIN | kind, 126, length)``: the same for a length of 16 bits."""

STATE_NAMES: Final = ("idle", "in-message", "closed")

# Columns: 2 * first + final.
NEXT_STATE: Final = (
    # continuation, last continuation, first fragment, whole
    (_NO, _NO, IN_MESSAGE, IDLE),
    (IN_MESSAGE, IDLE, _NO, _NO),
    (_NO, _NO, _NO, _NO),
)


class Sender:
    """The sending half of a codec; ``api.Codec`` says what its calls do."""

    __slots__ = ("_extensions", "_kind", "_mask_bit", "_mask_key", "_plain", "_state", "heads")

    def __init__(self, masks: bool, mask_key: Callable[[], bytes], extensions: Sequence[Extension]) -> None:
        self._mask_bit = MASKED if masks else 0
        self._mask_key = mask_key
        self._extensions = tuple(extensions)
        # Whether a payload goes out as it is.
        self._plain = not masks and not extensions
        self._state = IDLE
        self.heads = SHORT_HEADERS if self._plain else None
        """Where not ``None``: a short, whole message goes out now as ``heads[kind][length]`` and its bytes."""
        self._kind: MessageKind = 0  # of the fragmented message in progress

    @property
    def open(self) -> bool:
        """Whether no close frame was encoded yet."""
        return self._state != CLOSED

    @property
    def resting(self) -> bool:
        """Whether this half is open and no message unfinished."""
        return self._state == IDLE

    def reopen(self) -> None:
        """After the half has closed: be as if it were new, for another connection."""
        self._enter(IDLE)

    def encode_message(
        self, kind: MessageKind, payload: Sendable, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        """Return the parts of one data frame."""
        if kind != TEXT and kind != BINARY:
            raise InvalidArgument("a message is TEXT or BINARY", kind=kind)
        state = self._state
        following = NEXT_STATE[state][2 * bool(first) + bool(final)]
        if following == _NO:
            raise InvalidState(
                "this frame may not be sent now", state=STATE_NAMES[state], first=first, final=final
            )
        if not first and kind != self._kind:
            raise InvalidState("a fragment of another kind than its message", kind=kind, started=self._kind)
        payload = _plain(payload)
        opcode = kind if first else CONTINUATION
        if final:
            opcode |= FIN
        for extension in self._extensions:
            encoded, reserved_bits = extension.encode(kind, _memory(payload), first, final)
            payload = encoded
            opcode |= reserved_bits
        # Only now, so that an error above leaves the state as it was.
        self._enter(following)
        self._kind = kind
        return self._frame(opcode, payload)

    def encode_ping(self, payload: ReadableMemory = b"") -> Sequence[Sendable]:
        """Return a ping frame."""
        if payload == b"" and self._state != CLOSED and not self._mask_bit:
            return _EMPTY_PING  # what keep-alive sends to thousands of idle connections
        return self._control(PING, payload)

    def encode_pong(self, payload: ReadableMemory = b"") -> Sequence[Sendable]:
        """Return a pong frame."""
        return self._control(PONG, payload)

    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        """Return a close frame, and close this half."""
        body = build_close(code, reason)
        if self._state == CLOSED:
            return ()
        self._enter(CLOSED)
        return self._frame(FIN | CLOSE, body)

    def close(self) -> None:
        """Close this half without a frame. Idempotent."""
        self._enter(CLOSED)
        self._extensions = ()

    def _enter(self, state: int) -> None:
        self._state = state
        self.heads = SHORT_HEADERS if state == IDLE and self._plain else None

    def _control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        if self._state == CLOSED:
            raise InvalidState("the sending half is closed", state=STATE_NAMES[CLOSED])
        body = bytes(payload)
        if len(body) > MAX_CONTROL_BYTES:  # RFC 6455 §5.5
            raise InvalidArgument("a control frame has at most 125 bytes", length=len(body))
        return self._frame(FIN | opcode, body)

    def _frame(self, first_byte: int, payload: Sendable) -> Sequence[Sendable]:
        """Return header and payload as one part or two."""
        length = len(payload)
        header = build_header(first_byte, length, self._mask_bit)
        if self._mask_bit:
            key = self._mask_key()
            body = masked(_memory(payload), key)
            return (header + key + body,) if length <= JOIN_BYTES else (header + key, body)
        if length <= JOIN_BYTES and isinstance(payload, _PLAIN):
            return (header + payload,)
        return (header, payload)


_EMPTY_PING: Final = (bytes((FIN | PING, 0)),)
_PLAIN: Final = (bytes, bytearray, memoryview)


def _plain(payload: Sendable) -> Sendable:
    """Return the payload with ``len`` counting bytes; refuse a view that is not contiguous."""
    if type(payload) is memoryview and (payload.format != "B" or payload.ndim != 1 or not payload.contiguous):
        try:
            return payload.cast("B")
        except TypeError as error:
            raise InvalidArgument("a view that is not contiguous can't be sent") from error
    return payload


def _memory(payload: Sendable) -> ReadableMemory:
    """Return the memory of a payload, for whoever has to look at the bytes."""
    return payload if isinstance(payload, _PLAIN) else payload.view()


__all__ = [
    "CLOSED",
    "IDLE",
    "IN_MESSAGE",
    "JOIN_BYTES",
    "MEDIUM_HEADER",
    "NEXT_STATE",
    "SHORT_HEADERS",
    "STATE_NAMES",
    "Sender",
]
