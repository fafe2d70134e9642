"""Codecs that receive what is not there, or do not receive what is: see ``codec.py`` for what they deviate from."""

from __future__ import annotations

from collections.abc import Sequence

from ...api.codec import CloseReceived, CodecEvent, PingReceived, PongReceived, Role, StreamEnded
from ...api.errors import InvalidState, ProtocolViolation
from ...api.extension import Extension
from ...api.pool import BufferPool
from ..frames import BINARY, PING
from ..mutation import Gallery
from ..suites.codec import CodecContract
from .codec import Correct
from .codec_receiving import Note
from .codec_receiving import Text as TextChecker

GALLERY = Gallery(CodecContract)


@GALLERY.mutant("COD-01", "takes memory for the messages to come as it is made")
class TakesEarly(Correct):
    def __init__(
        self, role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
    ) -> None:
        super().__init__(role, pool=pool, max_message_bytes=max_message_bytes, extensions=extensions)
        self.buffer = pool.acquire(4096)


@GALLERY.mutant("COD-01", "is a server whatever it is asked to be")
class AlwaysServer(Correct):
    def __init__(
        self, role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
    ) -> None:
        super().__init__(Role.SERVER, pool=pool, max_message_bytes=max_message_bytes, extensions=extensions)


@GALLERY.mutant("COD-02", "loses the last byte of messages above 64 KiB")
class LosesByte(Correct):
    def assembled(self) -> bytes:
        whole = super().assembled()
        return whole[:-1] if len(whole) > 65536 else whole


@GALLERY.mutant("COD-02", "takes text for binary messages when it is empty")
class EmptyIsBinary(Correct):
    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        if final and not piece and not self.parts:
            self.kind = BINARY
        super().take_data(piece, final, events)


@GALLERY.mutant("COD-03", "starts the key anew where a payload was cut")
class StartsKeyAnew(Correct):
    def unmasked(self, piece: bytes, key: bytes) -> bytes:
        self.taken, taken = 0, self.taken
        piece = super().unmasked(piece, key)
        self.taken = taken
        return piece


@GALLERY.mutant("COD-03", "uses the key of the first frame for all that came with it")
class KeepsKey(Correct):
    first_key = b""

    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        self.first_key = b""
        return super().receive(data)

    def unmasked(self, piece: bytes, key: bytes) -> bytes:
        self.first_key = self.first_key or key
        return super().unmasked(piece, self.first_key)


@GALLERY.mutant("COD-04", "puts control frames before messages")
class ControlFirst(Correct):
    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        events = super().receive(data)
        return sorted(events, key=lambda each: not isinstance(each, (PingReceived, PongReceived)))


@GALLERY.mutant("COD-05", "loses a header of which one byte has come")
class LosesHeader(Correct):
    def read_header(self, stash: bytes) -> tuple[int, int] | None:
        found = super().read_header(stash)
        if found is None and len(stash) == 5:
            self.stash = b""
        return found


@GALLERY.mutant("COD-05", "loses what comes after 3 MiB of a message")
class LosesRest(Correct):
    def assembled(self) -> bytes:
        return super().assembled()[: 3 * 1024 * 1024]


@GALLERY.mutant("COD-06", "hands out each fragment as a message")
class EachFragment(Correct):
    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        kind = self.kind
        super().take_data(piece, final or self.head is None, events)
        self.kind = 0 if final else kind


@GALLERY.mutant("COD-06", "takes an empty fragment for the end")
class EmptyEnds(Correct):
    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        super().take_data(piece, final, events)
        if not final and self.head is None and not piece and self.stored_bytes():
            self.kind, self.parts = 0, []


@GALLERY.mutant("COD-07", "forgets the message when a ping comes between")
class ForgetsAtPing(Correct):
    def take_control(self, opcode: int, piece: bytes, complete: bool, events: list[CodecEvent]) -> None:
        super().take_control(opcode, piece, complete, events)
        if opcode == PING:
            self.parts = []


@GALLERY.mutant("COD-08", "lends the payload of a ping")
class LendsPing(Correct):
    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        events = super().receive(data)
        for each in events:
            if isinstance(each, PingReceived):
                size_bytes = len(each.payload)
                data[:size_bytes] = each.payload
                each.payload = data[:size_bytes]  # type: ignore[assignment]  # that is what is wrong with it
        return events


@GALLERY.mutant("COD-08", "cuts payloads of control frames at 124 bytes")
class CutsPing(Correct):
    def take_control(self, opcode: int, piece: bytes, complete: bool, events: list[CodecEvent]) -> None:
        super().take_control(opcode, piece[:124], complete, events)


@GALLERY.mutant("COD-09", "says 1000 where a close frame has no code")
class NoCodeIsNormal(Correct):
    def closed(self, body: bytes) -> CloseReceived:
        return super().closed(body or b"\x03\xe8")


@GALLERY.mutant("COD-09", "reads on behind a close frame")
class ReadsOn(Correct):
    def take_control(self, opcode: int, piece: bytes, complete: bool, events: list[CodecEvent]) -> None:
        behind = self.stash
        super().take_control(opcode, piece, complete, events)
        if behind and not self.receiving:
            self.receiving, self.stash = True, behind


class _EachPiece(TextChecker):
    def feed(self, piece: bytes, final: bool) -> None:
        if self.decoder.getstate()[0]:
            raise ProtocolViolation("cut", close_code=1007)
        super().feed(piece, final)


@GALLERY.mutant("COD-10", "checks each piece of text by itself")
class ChecksPieces(Correct):
    def begin_message(self, first: int) -> None:
        super().begin_message(first)
        self.text = _EachPiece()


@GALLERY.mutant("COD-11", "lends the memory it was given, and does not say when that ends")
class LendsForEver(Correct):
    def end_loans(self) -> None:
        self.lent.clear()

    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        events = super().receive(data)
        for each in events:
            if isinstance(each, Note):
                data[: len(each)] = bytes(each.payload)
                each.payload = data[: len(each)]
        return events


@GALLERY.mutant("COD-12", "ends retained messages like the others")
class EndsRetained(Correct):
    def end_loans(self) -> None:
        for each in self.lent:
            each.retained = 0
        super().end_loans()


@GALLERY.mutant("COD-13", "still receives after the end of the stream")
class AfterEnd(Correct):
    def receive_end(self) -> Sequence[CodecEvent]:
        events = super().receive_end()
        self.receiving = bool(events)
        return events


@GALLERY.mutant("COD-14", "tells the end each time it is asked")
class EndsTwice(Correct):
    def receive_end(self) -> Sequence[CodecEvent]:
        super().receive_end()
        return (StreamEnded(),)


class Direct(Correct):
    target_bytes = 30000


@GALLERY.mutant("COD-15", "gives targets of a fixed size, whatever is left")
class FixedTargets(Direct):
    def direct_target(self) -> memoryview | None:
        found = super().direct_target()
        self.target = found if found is None else memoryview(bytearray(self.target_bytes))
        return self.target


@GALLERY.mutant("COD-15", "gives a target that can't be written")
class ReadOnlyTargets(Direct):
    def direct_target(self) -> memoryview | None:
        found = super().direct_target()
        return found if found is None else found.toreadonly()


@GALLERY.mutant("COD-16", "takes the whole target, however much was received")
class WholeTarget(Direct):
    def receive_direct(self, count_bytes: int) -> Sequence[CodecEvent]:
        if self.target is not None and 0 < count_bytes <= len(self.target):
            count_bytes = len(self.target)
        return super().receive_direct(count_bytes)


@GALLERY.mutant("COD-16", "does not check text that was received directly")
class TrustsDirect(Direct):
    def receive_direct(self, count_bytes: int) -> Sequence[CodecEvent]:
        self.text = _Trusting()
        return super().receive_direct(count_bytes)


class _Trusting(TextChecker):
    def feed(self, piece: bytes, final: bool) -> None:
        return None


@GALLERY.mutant("COD-17", "takes a count that is too large for as much as there is")
class ClipsCount(Direct):
    def receive_direct(self, count_bytes: int) -> Sequence[CodecEvent]:
        largest = 0 if self.target is None else len(self.target)
        return super().receive_direct(max(0, min(count_bytes, largest)))


@GALLERY.mutant("COD-17", "has nothing against no target")
class NoTargetIsFine(Correct):
    def receive_direct(self, count_bytes: int) -> Sequence[CodecEvent]:
        try:
            return super().receive_direct(count_bytes)
        except InvalidState:
            return ()


@GALLERY.mutant("COD-18", "keeps the memory of a message that came in two pieces")
class KeepsMemory(Correct):
    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        if not final and piece:
            self.pool.acquire(len(piece))
        super().take_data(piece, final, events)


__all__ = ["GALLERY"]
