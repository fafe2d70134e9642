"""Codecs that send what is wrong, or end wrong: see ``codec.py`` for what they deviate from."""

from __future__ import annotations

from collections.abc import Sequence

from ...api.codec import CloseReceived, CodecEvent, PongReceived, Role, ViolationDetected
from ...api.errors import InvalidArgument, InvalidState, ProtocolViolation
from ...api.message import MessageKind
from ...api.transport import Sendable
from ...api.types import ReadableMemory
from ..frames import CLOSE, CONTINUATION, PING, Frame
from ..mutation import Gallery
from ..suites.codec import CodecContract
from .codec import Correct
from .codec_receiving import DATA

GALLERY = Gallery(CodecContract)


@GALLERY.mutant("COD-34", "always writes lengths of eight bytes above 125")
class LongLengths(Correct):
    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        frame = Frame(opcode, body, final, reserved, self.key())
        return (frame.build(8 if len(body) > 125 else None),)


@GALLERY.mutant("COD-34", "sends no message that is empty")
class DropsEmpty(Correct):
    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        return super().data_frame(opcode, body, final, reserved, payload) if body else ()


@GALLERY.mutant("COD-35", "does not mask control frames")
class BareControl(Correct):
    def control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        super().control(opcode, payload)
        return (Frame(opcode, bytes(payload)).build(),)


@GALLERY.mutant("COD-35", "masks as a server, too")
class AlwaysMasks(Correct):
    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        return (Frame(opcode, body, final, reserved, b"\x01\x02\x03\x04").build(),)


@GALLERY.mutant("COD-36", "takes one key per connection")
class OneKey(Correct):
    def key(self) -> bytes | None:
        return None if self.role is Role.SERVER else b"\x01\x02\x03\x04"


@GALLERY.mutant("COD-37", "masks writable memory in place")
class MasksInPlace(Correct):
    def memory(self, payload: Sendable) -> bytes:
        found = super().memory(payload)
        if isinstance(payload, bytearray) and self.role is Role.CLIENT:
            payload[:] = bytes(each ^ 0x55 for each in payload)
        return found


@GALLERY.mutant("COD-38", "counts items, not bytes")
class CountsItems(Correct):
    def memory(self, payload: Sendable) -> bytes:
        found = super().memory(payload)
        return found[: len(payload)] if isinstance(payload, memoryview) else found


@GALLERY.mutant("COD-38", "sends 3 MiB of a message at most")
class SendsAtMost(Correct):
    def memory(self, payload: Sendable) -> bytes:
        return super().memory(payload)[: 3 * 1024 * 1024]

    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        return super().data_frame(opcode, body, final, reserved, body)


@GALLERY.mutant("COD-38", "takes a view that is not contiguous, and sends what it finds")
class TakesSpread(Correct):
    def memory(self, payload: Sendable) -> bytes:
        return payload.tobytes() if isinstance(payload, memoryview) else super().memory(payload)


@GALLERY.mutant("COD-39", "copies what a server sends")
class Copies(Correct):
    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        return self.frame(opcode, body, final, reserved)


@GALLERY.mutant("COD-40", "repeats the kind on each fragment")
class RepeatsKind(Correct):
    def encode_message(
        self, kind: MessageKind, payload: Sendable, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        super().encode_message(kind, payload, final=final, first=first)
        return self.frame(kind, self.memory(payload), final)


@GALLERY.mutant("COD-41", "counts a fragment that it refused")
class CountsRefused(Correct):
    def encode_message(
        self, kind: MessageKind, payload: Sendable, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        try:
            return super().encode_message(kind, payload, final=final, first=first)
        except InvalidState:
            self.sent_kind = 0 if final else kind
            raise


@GALLERY.mutant("COD-41", "begins a message within a message")
class BeginsWithin(Correct):
    def encode_message(
        self, kind: MessageKind, payload: Sendable, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        self.sent_kind = 0 if first else self.sent_kind
        return super().encode_message(kind, payload, final=final, first=first)


@GALLERY.mutant("COD-42", "sends messages of any kind")
class AnyKind(Correct):
    def encode_message(
        self, kind: MessageKind, payload: Sendable, *, final: bool = True, first: bool = True
    ) -> Sequence[Sendable]:
        if kind not in DATA:
            return self.frame(kind & 0x0F, self.memory(payload), final)
        return super().encode_message(kind, payload, final=final, first=first)


@GALLERY.mutant("COD-43", "cuts the payload of a ping at 125 bytes")
class CutsPings(Correct):
    def control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        return super().control(opcode, payload[:125])


@GALLERY.mutant("COD-43", "sends no ping within a message")
class NoPingWithin(Correct):
    def control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        if self.sent_kind:
            raise InvalidState("within a message")
        return super().control(opcode, payload)


@GALLERY.mutant("COD-44", "sends a second close frame")
class ClosesTwice(Correct):
    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        self.sending = True
        return super().encode_close(code, reason)


@GALLERY.mutant("COD-44", "counts the reason in characters")
class CountsCharacters(Correct):
    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        return super().encode_close(code, reason.encode()[: len(reason)].decode(errors="ignore"))


@GALLERY.mutant("COD-45", "sends pings after the close frame")
class PingsAfter(Correct):
    def control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        return self.frame(opcode, bytes(payload))


@GALLERY.mutant("COD-46", "is closed by a code that it refuses")
class ClosedByRefusal(Correct):
    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        try:
            return super().encode_close(code, reason)
        except InvalidArgument:
            self.sending = False
            raise


@GALLERY.mutant("COD-46", "sends 1005 and 1006")
class SendsReserved(Correct):
    def may_be_sent(self, code: int) -> bool:
        return code in (1005, 1006) or super().may_be_sent(code)


@GALLERY.mutant("COD-47", "sends 1005 where there is no code")
class SendsNoStatus(Correct):
    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        if code is not None or reason:
            return super().encode_close(code, reason)
        self.sending = False
        return self.frame(CLOSE, b"\x03\xed")


@GALLERY.mutant("COD-48", "stops to receive when it has said good-bye")
class DeafAfterClose(Correct):
    def encode_close(self, code: int | None = 1000, reason: str = "") -> Sequence[Sendable]:
        self.receiving = False
        return super().encode_close(code, reason)


@GALLERY.mutant("COD-48", "stops to send when the peer has said good-bye")
class MuteAfterClose(Correct):
    def closed(self, body: bytes) -> CloseReceived:
        self.sending = False
        return super().closed(body)


@GALLERY.mutant("COD-49", "answers a pong, too")
class AnswersPong(Correct):
    def answer(self, event: CodecEvent) -> Sequence[Sendable]:
        return self.encode_pong(b"") if isinstance(event, PongReceived) else super().answer(event)


@GALLERY.mutant("COD-49", "answers a ping with an empty pong")
class EmptyPong(Correct):
    def encode_pong(self, payload: ReadableMemory = b"") -> Sequence[Sendable]:
        return super().encode_pong()


@GALLERY.mutant("COD-50", "answers every close frame with 1000")
class AlwaysNormal(Correct):
    def answer(self, event: CodecEvent) -> Sequence[Sendable]:
        if isinstance(event, CloseReceived) and self.sending:
            return self.encode_close()
        return super().answer(event)


@GALLERY.mutant("COD-51", "answers every violation with 1002")
class AlwaysProtocolError(Correct):
    def answer(self, event: CodecEvent) -> Sequence[Sendable]:
        if isinstance(event, ViolationDetected) and self.sending:
            return self.encode_close(1002)
        return super().answer(event)


@GALLERY.mutant("COD-52", "raises where it can't answer any more")
class RaisesAnswers(Correct):
    def answer(self, event: CodecEvent) -> Sequence[Sendable]:
        self.check_sending()
        return super().answer(event)


@GALLERY.mutant("COD-53", "fails on the second close")
class ClosesOnce(Correct):
    closed_before = False

    def close(self) -> None:
        if self.closed_before:
            raise InvalidState("closed")
        self.closed_before = True
        super().close()


@GALLERY.mutant("COD-53", "keeps the memory of an unfinished message when it is closed")
class KeepsUnfinished(Correct):
    buffer = None

    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        if self.buffer is not None:
            self.buffer.release()
        self.buffer = None if final else self.pool.acquire(100)
        super().take_data(piece, final, events)

    def receive_end(self) -> Sequence[CodecEvent]:
        if self.buffer is not None:
            self.buffer.release()
            self.buffer = None
        return super().receive_end()


@GALLERY.mutant("COD-54", "receives after close")
class ReceivesClosed(Correct):
    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        before, self.receiving = self.receiving, self.receiving or not self.sending
        events = super().receive(data)
        self.receiving = before
        return events


@GALLERY.mutant("COD-55", "passes extensions in the same order when it receives")
class SameOrder(Correct):
    def decoded(self, piece: bytes, final: bool) -> bytes:
        self.extensions, before = self.extensions[::-1], self.extensions
        try:
            return super().decoded(piece, final)
        finally:
            self.extensions = before


@GALLERY.mutant("COD-55", "sets the bits of extensions on each fragment")
class BitsOnEach(Correct):
    def data_frame(
        self, opcode: int, body: bytes, final: bool, reserved: int, payload: Sendable
    ) -> Sequence[Sendable]:
        bits = self.claimed if opcode == CONTINUATION else reserved
        return super().data_frame(opcode, body, final, bits, payload)


@GALLERY.mutant("COD-56", "lets pings pass the extensions")
class PingsPass(Correct):
    def control(self, opcode: int, payload: ReadableMemory) -> Sequence[Sendable]:
        if opcode == PING:
            for each in self.extensions:
                payload = each.encode(2, payload, True, True)[0]
        return super().control(opcode, payload)


@GALLERY.mutant("COD-57", "tells extensions no limit")
class NoLimit(Correct):
    def decoded(self, piece: bytes, final: bool) -> bytes:
        limit_bytes, self.limit_bytes = self.limit_bytes, 1 << 40
        try:
            return super().decoded(piece, final)
        finally:
            self.limit_bytes = limit_bytes


@GALLERY.mutant("COD-57", "says 1002 whatever an extension refuses")
class OneCode(Correct):
    def decoded(self, piece: bytes, final: bool) -> bytes:
        try:
            return super().decoded(piece, final)
        except ProtocolViolation as error:
            raise ProtocolViolation("an extension refused it") from error


@GALLERY.mutant("COD-58", "leaves its extensions open")
class LeavesOpen(Correct):
    def close(self) -> None:
        self.extensions = ()
        super().close()


__all__ = ["GALLERY"]
