"""Broken messages and unusual ones. ``Correct`` is a loan that is its own message: bytes, and a count."""

from __future__ import annotations

import threading
from typing import Self

from ...api.errors import DoubleRelease, UseAfterRelease
from ...api.message import MessageKind
from ..mutation import Gallery
from ..suites.message import MessageContract

GALLERY = Gallery(MessageContract)


class Correct:
    """A message and its loan."""

    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        self.kind = kind
        self.payload: bytes | bytearray | memoryview = payload
        self.lock = threading.Lock()
        self.borrowed = True
        self.count = 0

    @property
    def message(self) -> Self:
        return self

    def end(self) -> None:
        self.borrowed = False

    def check(self) -> None:
        if not (self.borrowed or self.count):
            raise UseAfterRelease("ended")

    @property
    def data(self) -> memoryview:
        self.check()
        return memoryview(self.payload).toreadonly()

    @property
    def text(self) -> str:
        self.check()
        return bytes(self.payload).decode()

    def __len__(self) -> int:
        return len(self.payload)

    def copy(self) -> bytes:
        self.check()
        return bytes(self.payload)

    def retain(self) -> Self:
        with self.lock:
            self.check()
            self.count += 1
        return self

    def release(self) -> None:
        with self.lock:
            if not self.count:
                raise DoubleRelease("not retained")
            self.count -= 1


@GALLERY.mutant("MSG-01", "counts characters")
class CountsCharacters(Correct):
    def __len__(self) -> int:
        return len(self.text) if self.kind == 1 else super().__len__()


@GALLERY.mutant("MSG-01", "loses what is above 64 KiB")
class LosesRest(Correct):
    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        super().__init__(kind, payload[: 65536 + 1])


@GALLERY.mutant("MSG-02", "lends memory that can be written")
class Writable(Correct):
    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        super().__init__(kind, bytearray(payload))  # type: ignore[arg-type]  # memory that can be written

    @property
    def data(self) -> memoryview:
        self.check()
        return memoryview(self.payload)


@GALLERY.mutant("MSG-03", "returns a view for a copy")
class ViewForCopy(Correct):
    def copy(self) -> bytes:
        return self.data  # type: ignore[return-value]  # that is what is wrong with it


@GALLERY.mutant("MSG-04", "puts a mark for what is not UTF-8")
class Marks(Correct):
    @property
    def text(self) -> str:
        self.check()
        return bytes(self.payload).decode(errors="replace")


@GALLERY.mutant("MSG-04", "takes a byte order mark away")
class TakesMark(Correct):
    @property
    def text(self) -> str:
        self.check()
        return bytes(self.payload).decode("utf-8-sig")


@GALLERY.mutant("MSG-05", "still has its text when it has ended")
class StillText(Correct):
    @property
    def text(self) -> str:
        return bytes(self.payload).decode(errors="ignore")


@GALLERY.mutant("MSG-05", "can be retained when it has ended")
class ComesBack(Correct):
    def retain(self) -> Self:
        self.count += 1
        return self


@GALLERY.mutant("MSG-06", "does not copy what it is retained for")
class KeepsView(Correct):
    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        self.memory = bytearray(payload)
        super().__init__(kind, memoryview(self.memory))  # type: ignore[arg-type]  # a view of shared memory

    def end(self) -> None:
        self.memory[:] = bytes(len(self.memory))
        super().end()


@GALLERY.mutant("MSG-06", "answers another message")
class AnotherMessage(Correct):
    def retain(self) -> Self:
        super().retain()
        return type(self)(self.kind, bytes(self.payload))


@GALLERY.mutant("MSG-07", "ends with the first release")
class EndsAtFirst(Correct):
    def release(self) -> None:
        super().release()
        if not self.borrowed:
            self.count = 0


@GALLERY.mutant("MSG-08", "has nothing against a release too many")
class AnyRelease(Correct):
    def release(self) -> None:
        if self.count:
            super().release()


@GALLERY.mutant("MSG-08", "takes the handler's loan for a release too many")
class TakesLoan(Correct):
    def release(self) -> None:
        try:
            super().release()
        except DoubleRelease:
            self.borrowed = False
            raise


@GALLERY.mutant("MSG-09", "ends with the last release, though it is still lent")
class EndsEarly(Correct):
    def release(self) -> None:
        super().release()
        self.borrowed = self.borrowed and self.count > 0


@GALLERY.mutant("MSG-10", "belongs to the thread that made it")
class OneThread(Correct):
    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        super().__init__(kind, payload)
        self.owner = threading.get_ident()

    def release(self) -> None:
        if threading.get_ident() != self.owner:
            raise RuntimeError("another thread")
        super().release()


@GALLERY.mutant("MSG-11", "counts in two steps")
class TwoSteps(Correct):
    def release(self) -> None:
        count = self.count
        if not count:
            raise DoubleRelease("not retained")
        self.count = count - 1


GALLERY.oddball("bytes of its own, and a count")(Correct)


@GALLERY.oddball("a view of shared memory that is copied when it is retained, and overwritten at the end")
class CopiesLate(Correct):
    def __init__(self, kind: MessageKind, payload: bytes) -> None:
        self.memory = bytearray(payload)
        super().__init__(kind, memoryview(self.memory))  # type: ignore[arg-type]  # a view of shared memory

    def retain(self) -> Self:
        super().retain()
        self.payload = bytes(self.payload)
        return self

    def end(self) -> None:
        self.memory[:] = b"\xee" * len(self.memory)
        super().end()


__all__ = ["GALLERY", "Correct"]
