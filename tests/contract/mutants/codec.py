"""Codecs that are right, and unusual. The broken ones are in ``codec_broken*.py``.

``Correct`` is the protocol in its plainest form. Its receiving half is in ``codec_receiving.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...api.buffer import Buffer
from ...api.codec import CloseReceived, CodecEvent, PingReceived, Role, ViolationDetected
from ...api.errors import InvalidArgument, InvalidState, NotSupported
from ...api.extension import Extension
from ...api.message import MessageKind
from ...api.pool import BufferPool
from ...api.transport import Sendable
from ...api.types import ReadableMemory
from ..frames import CLOSE, CONTINUATION, PING, PONG, Frame, close_body, joined
from ..mutation import Gallery
from ..suites.codec import CodecContract
from .codec_receiving import DATA, Receiving

GALLERY = Gallery(CodecContract)

class Correct(Receiving):
    """A codec that copies."""

    def frame(self, opcode: int, payload: bytes, final: bool = True, reserved: int = 0) -> Sequence[Sendable]:
        return (Frame(opcode, payload, final, reserved, self.key()).build(),)

    def key(self) -> bytes | None:
        return None if self.role is Role.SERVER else (next(self.keys) * 0x9E3779B1 % 2**32).to_bytes(4, "big")

    def answer(self, event: CodecEvent) -> Sequence[Sendable]:
        if not self.sending:
            return ()
        if isinstance(event, PingReceived):
            return self.encode_pong(event.payload)
        if isinstance(event, CloseReceived):
            return self.encode_close(None if event.code == 1005 else event.code)
        if isinstance(event, ViolationDetected):
            return self.encode_close(event.error.close_code)
        return ()

    def encode_message(
        self, kind: MessageKind, payload: Sendable, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        if kind not in DATA:
            raise InvalidArgument("unknown")
        self.check_sending()
        if first == bool(self.sent_kind):
            raise InvalidState("out of order")
        body = self.memory(payload)
        reserved = 0
        for each in self.extensions:
            encoded, bits = each.encode(kind, body, first, final)
            body = bytes(encoded)
            reserved |= bits
        self.sent_kind = 0 if final else kind
        return self.data_frame(kind if first else CONTINUATION, body, final, reserved, payload)

    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        """``payload`` is what the caller gave; it may take the place of ``body`` where nothing changed it."""
        if self.role is Role.CLIENT or self.extensions:
            return self.frame(opcode, body, final, reserved)
        whole = Frame(opcode, body, final, reserved).build()
        return (whole[: len(whole) - len(body)], payload)

    def memory(self, payload: Sendable) -> bytes:
        if isinstance(payload, (bytes, bytearray)):
            return bytes(payload)
        if isinstance(payload, memoryview):
            if not payload.contiguous:
                raise InvalidArgument("not contiguous")
            return payload.tobytes()
        buffer: Buffer = payload
        return buffer.copy()

    def check_sending(self) -> None:
        if not self.sending:
            raise InvalidState("closed")

    def encode_ping(self, payload: ReadableMemory = b"") -> Sequence[Sendable]:
        return self.control(PING, payload)

    def encode_pong(self, payload: ReadableMemory = b"") -> Sequence[Sendable]:
        return self.control(PONG, payload)

    def control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        self.check_sending()
        if len(payload) > 125:
            raise InvalidArgument("too long")
        return self.frame(opcode, bytes(payload))

    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        if code is None:
            if reason:
                raise InvalidArgument("a reason without a code")
        elif not self.may_be_sent(code) or len(reason.encode()) > 123:
            raise InvalidArgument("a wrong code or reason")
        if not self.sending:
            return ()
        self.sending = False
        return self.frame(CLOSE, close_body(code, reason))

    def close(self) -> None:
        self.end_loans()
        self.end()
        self.sending = False
        for each in self.extensions:
            each.close()


GALLERY.oddball("copies everything, and has no direct targets")(Correct)


@GALLERY.oddball("wants one byte at a time, directly")
class OneByte(Correct):
    target_bytes = 1

    def direct_target(self) -> memoryview | None:
        if self.head is not None and self.head[1] > 1000 and self.head[1] - self.taken > 300:
            return None
        return super().direct_target()


@GALLERY.oddball("wants every payload directly, all of it")
class AllDirect(Correct):
    target_bytes = 1 << 40


@GALLERY.oddball("cuts what it sends into parts of a few bytes")
class ManyParts(Correct):
    def frame(self, opcode: int, payload: bytes, final: bool = True, reserved: int = 0) -> Sequence[Sendable]:
        whole = joined(super().frame(opcode, payload, final, reserved))
        return [whole[at : at + 3] for at in range(0, min(len(whole), 30), 3)] + [whole[30:]]


@GALLERY.oddball("does not know extensions")
def without_extensions(
    role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
) -> Correct:
    if extensions:
        raise NotSupported("no extensions")
    return Correct(role, pool=pool, max_message_bytes=max_message_bytes)


__all__ = ["GALLERY", "Correct"]
