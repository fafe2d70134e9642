"""Broken extensions and unusual ones, and their factories. ``Correct`` compresses each message by itself."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ...api.errors import HandshakeFailed, InvalidArgument, ProtocolViolation
from ...api.extension import RSV1, RSV2, ExtensionAnswer, ExtensionParameters
from ...api.message import MessageKind
from ...api.types import ReadableMemory
from ..mutation import Gallery
from ..suites.extension import ExtensionContract, ExtensionFactoryContract

GALLERY = Gallery(ExtensionContract)
_FACTORIES = Gallery(ExtensionFactoryContract)


class Correct:
    """An extension that holds back what it sends until the message ends."""

    name = "x-packed"
    rsv_bits = RSV1

    def __init__(self) -> None:
        self.held: list[bytes] = []
        self.unpacker = zlib.decompressobj()

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        self.held.append(bytes(payload))
        return self.packed() if final else b"", RSV1 if first else 0

    def packed(self) -> bytes:
        whole = b"".join(self.held)
        self.held.clear()
        return zlib.compress(whole, 1)

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        self.unpacker = zlib.decompressobj()
        return bool(rsv_bits)

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        made = self.unpacked(chunk, max_bytes)
        if len(made) > max_bytes:
            raise ProtocolViolation("too long", close_code=1009)
        if final:
            self.judge_end()
        return made

    def unpacked(self, chunk: ReadableMemory, max_bytes: int) -> bytes:
        try:
            return self.unpacker.decompress(chunk, max_bytes + 1)
        except zlib.error as error:
            raise ProtocolViolation("not packed", close_code=1007) from error

    def judge_end(self) -> None:
        if not self.unpacker.eof or self.unpacker.unused_data:
            raise ProtocolViolation("cut, or too long", close_code=1007)

    def close(self) -> None:
        self.held.clear()


def both(kind: type[Correct]) -> type[tuple[Correct, Correct]]:
    """Return a factory of both ends, which is named like the extension."""

    def make(cls: type[tuple[Correct, Correct]]) -> tuple[Correct, Correct]:
        return kind(), kind()

    return type(kind.__name__, (tuple,), {"__new__": make, "__module__": __name__})


def breaks(kills: str, why: str, kind: type[Correct]) -> None:
    """Add the ends of a broken extension."""
    GALLERY.mutant(kills, why)(both(kind))


class OddName(Correct):
    name = "x packed"


class LosesLargeEnd(Correct):
    def packed(self) -> bytes:
        whole = b"".join(self.held)
        self.held = [whole[:-1] if len(whole) > 65536 else whole]
        return super().packed()


class TextOnly(Correct):
    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        made, bits = super().encode(kind, payload, first, final)
        return made, bits if kind == 1 else 0


class ForgetsFragments(Correct):
    def packed(self) -> bytes:
        self.held = self.held[:1] + [each for each in self.held[1:] if len(each) != 3]
        return super().packed()


class BitsOnLast(Correct):
    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        made, bits = super().encode(kind, payload, first, final)
        return made, RSV1


class ForeignBits(Correct):
    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        made, bits = super().encode(kind, payload, first, final)
        return made, bits | RSV2 if first else bits


class EachPieceAnew(Correct):
    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        if not final and len(chunk) == 1:
            self.unpacker = zlib.decompressobj()
        return super().decode(chunk, final, max_bytes)


class NoEmptyEnd(Correct):
    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        if final and not chunk:
            raise ProtocolViolation("an empty end")
        return super().decode(chunk, final, max_bytes)


class Tires(Correct):
    count = 0

    def packed(self) -> bytes:
        self.count += 1
        if self.count == 20:
            self.held = [each[::-1] for each in self.held]
        return super().packed()


class WritesToMemory(Correct):
    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        made = super().decode(chunk, final, max_bytes)
        if isinstance(chunk, memoryview) and not chunk.readonly:
            chunk[:] = bytes(len(chunk))
        return made


class OnlyBytes(Correct):
    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        if isinstance(payload, memoryview) and payload.readonly:
            raise InvalidArgument("memory that can be written is wanted")
        return super().encode(kind, payload, first, final)


class OneMore(Correct):
    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        return super().decode(chunk, final, max_bytes + 1)


class OneLess(Correct):
    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        return super().decode(chunk, final, max_bytes - 1)


class UnpacksFirst(Correct):
    def unpacked(self, chunk: ReadableMemory, max_bytes: int) -> bytes:
        return super().unpacked(chunk, 1 << 40)


class RaisesOwn(Correct):
    def unpacked(self, chunk: ReadableMemory, max_bytes: int) -> bytes:
        return self.unpacker.decompress(chunk, max_bytes + 1)


class SharedHalves(Correct):
    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        self.held.clear()
        return super().begin(kind, rsv_bits)


class ClosesOnce(Correct):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise InvalidArgument("closed")
        self.closed = True


breaks("EXT-01", "has a name that is no token", OddName)
breaks("EXT-02", "loses the last byte above 64 KiB", LosesLargeEnd)
breaks("EXT-02", "sets its bit for text only, and packs all", TextOnly)
breaks("EXT-03", "loses a fragment of three bytes", ForgetsFragments)
breaks("EXT-04", "sets its bit on each frame", BitsOnLast)
breaks("EXT-04", "sets a bit that is not its own", ForeignBits)
breaks("EXT-05", "begins anew with each piece of one byte", EachPieceAnew)
breaks("EXT-05", "takes no empty end", NoEmptyEnd)
breaks("EXT-06", "gets the twentieth message wrong", Tires)
breaks("EXT-07", "writes to the memory that it decodes", WritesToMemory)
breaks("EXT-07", "encodes only memory that can be written, and bytes", OnlyBytes)
breaks("EXT-08", "lets one byte more than the limit pass", OneMore)
breaks("EXT-08", "refuses the limit itself", OneLess)
breaks("EXT-09", "makes all of a message before it looks at the limit", UnpacksFirst)
breaks("EXT-10", "raises what its library raises", RaisesOwn)
breaks("EXT-11", "forgets what it has to send when something is received", SharedHalves)
breaks("EXT-12", "fails on the second close", ClosesOnce)

GALLERY.oddball("holds back what it sends until the message ends")(both(Correct))


class NoBits(Correct):
    """Passes everything on, and claims no bit."""

    name = "x-nothing"
    rsv_bits = 0

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        return payload, 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        return True

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        if len(chunk) > max_bytes:
            raise ProtocolViolation("too long", close_code=1009)
        return chunk


GALLERY.oddball("does nothing")(both(NoBits))


class Factory:
    """A factory; its one parameter is a level."""

    name = Correct.name
    level: str | None = "1"

    def offers(self) -> Sequence[ExtensionParameters]:
        return [(("level", self.level),)]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        return self.answer(parameters) if self.knows(parameters) else None

    def knows(self, parameters: ExtensionParameters) -> bool:
        return [name for name, _ in parameters] == ["level"]

    def answer(self, parameters: ExtensionParameters) -> ExtensionAnswer:
        return ExtensionAnswer(tuple(parameters), self.extension())

    def accept_answer(self, parameters: ExtensionParameters) -> Correct:
        if not self.knows(parameters):
            raise HandshakeFailed("fits no offer")
        return self.extension()

    def extension(self) -> Correct:
        return Correct()


@_FACTORIES.mutant("EXF-01", "has another name than what it makes")
class AnotherName(Factory):
    name = "x-other"


@_FACTORIES.mutant("EXF-02", "offers a value that is no token")
class OddOffer(Factory):
    level = "one two"


@_FACTORIES.mutant("EXF-03", "answers what it does not accept")
class OddAnswer(Factory):
    def answer(self, parameters: ExtensionParameters) -> ExtensionAnswer:
        return ExtensionAnswer((("depth", "1"),), self.extension())


class _Mirrored(Correct):
    def packed(self) -> bytes:
        self.held = [b"".join(self.held)[::-1]]
        return super().packed()


@_FACTORIES.mutant("EXF-04", "has servers that send what clients do not understand")
class Misunderstands(Factory):
    def answer(self, parameters: ExtensionParameters) -> ExtensionAnswer:
        return ExtensionAnswer(tuple(parameters), _Mirrored())


@_FACTORIES.mutant("EXF-05", "accepts parameters that it does not know")
class AcceptsAll(Factory):
    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        return self.answer((("level", "1"),))


@_FACTORIES.mutant("EXF-05", "raises for parameters that it does not know")
class RaisesUnknown(Factory):
    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        if not self.knows(parameters):
            raise HandshakeFailed("unknown")
        return self.answer(parameters)


@_FACTORIES.mutant("EXF-06", "takes every answer")
class TakesAll(Factory):
    def accept_answer(self, parameters: ExtensionParameters) -> Correct:
        return self.extension()


@_FACTORIES.mutant("EXF-07", "makes one extension for all")
class OneForAll(Factory):
    def __init__(self) -> None:
        self.one = Correct()

    def extension(self) -> Correct:
        return self.one


_FACTORIES.oddball("one parameter, one offer")(Factory)


@_FACTORIES.oddball("prefers what it does not accept itself, in its second offer")
class TwoOffers(Factory):
    def offers(self) -> Sequence[ExtensionParameters]:
        return [(("level", None),), (("depth", "9"),)]


GALLERY.mutants += _FACTORIES.mutants
GALLERY.oddballs += _FACTORIES.oddballs

__all__ = ["GALLERY", "Correct", "Factory"]
