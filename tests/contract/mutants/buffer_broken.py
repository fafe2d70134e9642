"""The broken ones among buffers: see ``buffer.py`` for what they deviate from."""

from __future__ import annotations

from types import TracebackType

from ...api.errors import DoubleRelease, UseAfterRelease
from ..mutation import Gallery
from ..suites.buffer import BufferContract
from .buffer import Block, Lease, Pool

GALLERY = Gallery(BufferContract)


def breaks(kills: str, why: str, lease: type[Lease]) -> None:
    """Add a pool whose leases are of this kind."""
    GALLERY.mutant(kills, why)(type(lease.__name__ + "Pool", (Pool,), {"name": lease, "__module__": __name__}))


class WholeSlot(Lease):
    def data(self) -> memoryview:
        self.check()
        return memoryview(self.block.memory)[self.start :]


class WritableView(Lease):
    def view(self) -> memoryview:
        return self.data()


class ViewOfCopy(Lease):
    def view(self) -> memoryview:
        self.check()
        return memoryview(bytes(len(self)))


class CopyOfMemory(Lease):
    def copy(self) -> bytes:
        return self.data()  # type: ignore[return-value]  # that is what is wrong with it


class SmallCapacity(Lease):
    @property
    def capacity(self) -> int:
        return (len(self.block.memory) - self.start) // 2


class NewFromRetain(Lease):
    def retain(self) -> Lease:  # type: ignore[override]  # that is what is wrong with it
        super().retain()
        new = type(self)(self.block, self.start, self.stop)
        new.own = self.own
        return new


class CopyingSlice(Lease):
    def slice(self, start: int, stop: int) -> Lease:
        part = super().slice(start, stop)
        block = Block(self.block.pool, bytearray(self.block.memory))
        block.pool.acquired += 1
        copy = type(self)(block, part.start, part.stop)
        part.release()
        return copy


class TwiceCountedSlice(Lease):
    def slice(self, start: int, stop: int) -> Lease:
        part = super().slice(start, stop)
        if self.start:
            self.block.count += 1
        return part


class Shrinks(Lease):
    def release(self) -> None:
        if self.start == 0 and 0 < len(self) < 100:
            self.block.memory = self.block.memory[: len(self)] + bytes(len(self.block.memory) - len(self))
        super().release()


class ShrinksNext(Lease):
    is_slice = False

    def slice(self, start: int, stop: int) -> Lease:
        part = super().slice(start, stop)
        setattr(part, "is_slice", True)
        return part

    def release(self) -> None:
        is_last = self.own and self.block.count == 1
        super().release()
        if is_last and self.is_slice and not self.start:
            free = self.block.pool.free[len(self.block.memory)]
            free[-1] = free[-1][: len(self)]


class ClippedSlice(Lease):
    def slice(self, start: int, stop: int) -> Lease:
        return super().slice(max(start, 0), max(min(stop, len(self)), max(start, 0)))


class CountsThenChecks(Lease):
    def slice(self, start: int, stop: int) -> Lease:
        if stop > len(self):
            self.block.count += 1
        return super().slice(start, stop)


class EndsWithOrigin(Lease):
    def release(self) -> None:
        whole = self.start == 0 and len(self) > 2000
        if whole and self.own == 1 and self.block.count > 1:
            self.block.pool.free.setdefault(len(self.block.memory), []).append(self.block.memory)
        super().release()


class StillReadable(Lease):
    def copy(self) -> bytes:
        return bytes(memoryview(self.block.memory)[self.start : self.stop])


class StillRetained(Lease):
    def check(self) -> None:
        if not self.block.count:
            raise UseAfterRelease("released")

    def retain(self) -> Lease:  # type: ignore[override]  # so that a released one can come back
        self.own += 1
        self.block.count += 1
        return self


class ForgetsItself(Lease):
    def __len__(self) -> int:
        return super().__len__() if self.block.count else 0


class SilentDoubleRelease(Lease):
    def release(self) -> None:
        if self.own:
            super().release()


class CountsDoubleRelease(Lease):
    def release(self) -> None:
        if not self.own:
            self.block.pool.released += 1
        super().release()


class SharedOwn(Lease):
    def release(self) -> None:
        if not self.own and self.start == 0 and self.block.count:
            self.block.count -= 1
            return
        super().release()


class LeaksOnError(Lease):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if kind is None:
            self.release()


class RefusesAfterClose(Lease):
    def release(self) -> None:
        if self.block.pool.closed:
            raise UseAfterRelease("the pool was closed")
        super().release()


class UnlockedCount(Lease):
    def release(self) -> None:
        if not self.own:
            raise DoubleRelease("no count left")
        self.own = self.own - 1
        left = self.block.count - 1
        self.block.count = left
        if not left:
            self.block.pool.take_back(self.block)


class LastTwice(Lease):
    def release(self) -> None:
        with self.block.lock:
            if not self.own:
                raise DoubleRelease("no count left")
            self.own -= 1
            self.block.count -= 1
        if not self.block.count:
            self.block.pool.take_back(self.block)


breaks("BUF-01", "gives out the whole slot", WholeSlot)
breaks("BUF-01", "gives out a writable view", WritableView)
breaks("BUF-02", "gives out a view of other memory", ViewOfCopy)
breaks("BUF-03", "calls a view a copy", CopyOfMemory)
breaks("BUF-04", "reports a capacity below its length", SmallCapacity)
breaks("BUF-05", "answers retain with another object", NewFromRetain)
breaks("BUF-06", "copies what is sliced", CopyingSlice)
breaks("BUF-07", "counts a slice of a slice twice", TwiceCountedSlice)
breaks("BUF-08", "shrinks to the slice that was released", Shrinks)
breaks("BUF-08", "shrinks the memory for the next lease to the slice that was released last", ShrinksNext)
breaks("BUF-09", "clips a slice as a list does", ClippedSlice)
breaks("BUF-09", "counts a slice before it looks at the range", CountsThenChecks)
breaks("BUF-10", "gives the memory away when the origin of a slice is released", EndsWithOrigin)
breaks("BUF-11", "lets released memory be copied", StillReadable)
breaks("BUF-11", "lets a released lease be retained", StillRetained)
breaks("BUF-12", "forgets its length when released", ForgetsItself)
breaks("BUF-13", "ignores a double release", SilentDoubleRelease)
breaks("BUF-13", "counts a double release before it raises", CountsDoubleRelease)
breaks("BUF-14", "lets a slice take the count of its origin", SharedOwn)
breaks("BUF-15", "keeps its count when a block raises", LeaksOnError)
breaks("BUF-16", "can't be released after its pool was closed", RefusesAfterClose)
breaks("BUF-17", "counts in three steps, as C would not", UnlockedCount)
breaks("BUF-17", "asks twice whether it was the last, and both say yes", LastTwice)


__all__ = ["GALLERY"]
