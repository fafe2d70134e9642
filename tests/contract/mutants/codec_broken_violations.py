"""Codecs that forgive what RFC 6455 forbids, or refuse it late: see ``codec.py`` for what they deviate from."""

from __future__ import annotations

from collections.abc import Sequence

from ...api.codec import CloseReceived, CodecEvent, Role, ViolationDetected
from ...api.errors import InvalidArgument, ProtocolViolation
from ..frames import CLOSE, CONTINUATION, FIN, PING, PONG
from ..mutation import Gallery
from ..suites.codec import CodecContract
from .codec import Correct
from .codec_receiving import DATA
from .codec_receiving import Text as TextChecker

GALLERY = Gallery(CodecContract)


@GALLERY.mutant("COD-19", "takes frames with and without mask")
class AnyMask(Correct):
    def judge_mask(self, mask: int) -> None:
        return None


class _FirstByte(Correct):
    """Forgives what ``forgives`` says of a first byte."""

    def forgives(self, first: int) -> bool:
        return False

    def judge_first(self, first: int) -> None:
        if not self.forgives(first):
            super().judge_first(first)


@GALLERY.mutant("COD-20", "ignores unknown control frames")
class UnknownControl(_FirstByte):
    def forgives(self, first: int) -> bool:
        return first & 0x0F > PONG

    def take_control(self, opcode: int, piece: bytes, complete: bool, events: list[CodecEvent]) -> None:
        if opcode <= PONG:
            super().take_control(opcode, piece, complete, events)


@GALLERY.mutant("COD-21", "does not look at the reserved bits of control frames")
class BitsOfControl(_FirstByte):
    def forgives(self, first: int) -> bool:
        return first & 0x08 != 0 and first & 0x07 < 3 and first & FIN != 0


@GALLERY.mutant("COD-22", "takes pings of any length")
class LongPings(Correct):
    def judge_control(self, first: int, length: int) -> None:
        if first & 0x0F != PING:
            super().judge_control(first, length)


@GALLERY.mutant("COD-22", "takes control frames that are not final")
class ControlInPieces(_FirstByte):
    def forgives(self, first: int) -> bool:
        return first in (CLOSE, PING, PONG)


@GALLERY.mutant("COD-23", "takes a continuation of nothing for a new message")
class ContinuesNothing(Correct):
    def judge_order(self, opcode: int) -> None:
        if opcode != CONTINUATION:
            super().judge_order(opcode)

    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        self.kind = self.kind or 2
        super().take_data(piece, final, events)


@GALLERY.mutant("COD-23", "gives up a message when another begins")
class GivesUp(Correct):
    def judge_order(self, opcode: int) -> None:
        if opcode not in DATA:
            super().judge_order(opcode)

    def begin_message(self, first: int) -> None:
        self.parts = []
        super().begin_message(first)


@GALLERY.mutant("COD-24", "takes lengths in a form that is too long")
class LongForms(Correct):
    def judge_length(self, extended: int, least: int, most: int) -> None:
        super().judge_length(extended, least, 1 << 62)


@GALLERY.mutant("COD-25", "takes every close code from 1000 on")
class AnyCode(Correct):
    def judge_close(self, body: bytes, complete: bool) -> None:
        if body[:2] < b"\x03\xe8":
            super().judge_close(body, complete)


@GALLERY.mutant("COD-26", "puts a mark for what is not UTF-8 in a close reason")
class MarksReasons(Correct):
    def judge_close(self, body: bytes, complete: bool) -> None:
        super().judge_close(body[:2], complete)

    def closed(self, body: bytes) -> CloseReceived:
        reason = body[2:].decode(errors="replace")
        return CloseReceived(int.from_bytes(body[:2], "big"), reason) if body else super().closed(body)


class _Lenient(TextChecker):
    def feed(self, piece: bytes, final: bool) -> None:
        super().feed(piece, False)


@GALLERY.mutant("COD-27", "takes text that ends within a character")
class EndsWithin(Correct):
    def begin_message(self, first: int) -> None:
        super().begin_message(first)
        self.text = _Lenient()


class _Surrogates(TextChecker):
    def __init__(self) -> None:
        super().__init__()
        self.all = b""

    def feed(self, piece: bytes, final: bool) -> None:
        self.all += piece
        try:
            self.all.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            TextChecker().feed(self.all, final)


@GALLERY.mutant("COD-27", "takes the halves of surrogates, as Python can")
class TakesSurrogates(Correct):
    def begin_message(self, first: int) -> None:
        super().begin_message(first)
        self.text = _Surrogates()


@GALLERY.mutant("COD-28", "has no limit for frames, but looks at the message in the end")
class LimitAtEnd(Correct):
    def judge_limit(self, least: int) -> None:
        return None

    def assembled(self) -> bytes:
        if self.stored_bytes() > self.limit_bytes:
            raise ProtocolViolation("too long", close_code=1009)
        return super().assembled()


@GALLERY.mutant("COD-29", "limits each fragment by itself")
class LimitsFragments(Correct):
    def judge_limit(self, least: int) -> None:
        parts, self.parts = self.parts, []
        try:
            super().judge_limit(least)
        finally:
            self.parts = parts


@GALLERY.mutant("COD-30", "refuses the limit itself")
class BelowLimit(Correct):
    def judge_limit(self, least: int) -> None:
        if least + self.stored_bytes() == self.limit_bytes:
            raise ProtocolViolation("too long", close_code=1009)
        super().judge_limit(least)


class _LateText(TextChecker):
    def __init__(self) -> None:
        super().__init__()
        self.all = b""

    def feed(self, piece: bytes, final: bool) -> None:
        self.all += piece
        if final:
            super().feed(self.all, final)


@GALLERY.mutant("COD-31", "looks at text when the message is complete")
class LateText(Correct):
    def begin_message(self, first: int) -> None:
        super().begin_message(first)
        self.text = _LateText()


@GALLERY.mutant("COD-31", "reads a header before it judges any of it")
class LateHeader(Correct):
    def read_header(self, stash: bytes) -> tuple[int, int] | None:
        return super().read_header(stash) if len(stash) > 1 else None


@GALLERY.mutant("COD-32", "forgets what came before a violation")
class OnlyViolation(Correct):
    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        events = super().receive(data)
        return events[-1:] if events and isinstance(events[-1], ViolationDetected) else events


@GALLERY.mutant("COD-33", "raises where a mask is wrong")
class Raises(Correct):
    def judge_mask(self, mask: int) -> None:
        if bool(mask) != (self.role is Role.SERVER):
            raise InvalidArgument("a wrong mask")


__all__ = ["GALLERY"]
