"""The broken ones among pools: see ``buffer.py`` for what they deviate from."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from ...api.errors import DoubleRelease, ResourceExhausted
from ...api.pool import LeakReport, PoolStats
from ..mutation import Gallery
from ..suites.buffer_pool import BufferPoolContract
from .buffer import Block, Lease, Pool

GALLERY = Gallery(BufferPoolContract)


@GALLERY.mutant("BPL-01", "gives at most one mebibyte")
class AtMostOneMebibyte(Pool):
    def try_acquire(self, size_bytes: int) -> Lease | None:
        return super().try_acquire(min(size_bytes, 1024 * 1024))


@GALLERY.mutant("BPL-02", "takes size 0 for size 1")
class ZeroIsOne(Pool):
    def try_acquire(self, size_bytes: int) -> Lease | None:
        return super().try_acquire(size_bytes or 1)


@GALLERY.mutant("BPL-03", "gives the same memory to two leases, now and then")
class GivesTwice(Pool):
    def find(self, size_bytes: int) -> bytearray | None:
        memory = super().find(size_bytes)
        if memory is not None and self.acquired % 25 == 24:
            self.free.setdefault(size_bytes, []).append(memory)
        return memory


class _Unchecked(Lease):
    def release(self) -> None:
        if not self.own:
            self.block.pool.free[len(self.block.memory)].append(self.block.memory)
        else:
            super().release()


@GALLERY.mutant("BPL-04", "hands out the same memory twice after a double release")
class HandsOutTwice(Pool):
    name = _Unchecked


@GALLERY.mutant("BPL-05", "miscounts what came back")
class Miscounts(Pool):
    def take_back(self, block: Block) -> None:
        super().take_back(block)
        if self.released == 30:
            self.released += 1


@GALLERY.mutant("BPL-05", "counts the release of a slice, too")
class CountsSlices(Pool):
    class name(Lease):  # noqa: N801 - the pool's attribute
        def release(self) -> None:
            if self.own and self.block.count > 1 and len(self) == 1:
                self.block.pool.released += 1
                self.block.pool.acquired += 1
            super().release()


@GALLERY.mutant("BPL-06", "counts the bytes asked for, not those in use")
class CountsAsked(Pool):
    def try_acquire(self, size_bytes: int) -> Lease | None:
        lease = super().try_acquire(size_bytes)
        if lease is not None:
            self.used_bytes += size_bytes - lease.capacity
        return lease


@GALLERY.mutant("BPL-07", "goes beyond its limit by a quarter")
class BeyondLimit(Pool):
    def __init__(self, *, limit_bytes: int | None) -> None:
        super().__init__(limit_bytes=limit_bytes and limit_bytes * 5 // 4)


@GALLERY.mutant("BPL-07", "raises where None is the answer")
class RaisesForNone(Pool):
    def try_acquire(self, size_bytes: int) -> Lease | None:
        lease = super().try_acquire(size_bytes)
        if lease is None:
            raise ResourceExhausted("the limit is reached")
        return lease


@GALLERY.mutant("BPL-08", "raises MemoryError when it is exhausted")
class RaisesMemoryError(Pool):
    def acquire(self, size_bytes: int) -> Lease:
        lease = self.try_acquire(size_bytes)
        if lease is None:
            raise MemoryError
        return lease


@GALLERY.mutant("BPL-08", "does not count what it refuses")
class DoesNotCountRefused(Pool):
    def stats(self) -> PoolStats:
        self.refused = 0
        return super().stats()


@GALLERY.mutant("BPL-09", "loses a block with every hundredth release")
class LosesBlocks(Pool):
    def take_back(self, block: Block) -> None:
        super().take_back(block)
        if self.released % 100 == 0:
            self.free[len(block.memory)].pop()


@GALLERY.mutant("BPL-10", "takes back only as much as the last slice had")
class TakesBackSlice(Pool):
    class name(Lease):  # noqa: N801 - the pool's attribute
        def release(self) -> None:
            if self.own and self.block.count == 1 and len(self) < 1000:
                self.block.memory = self.block.memory[: len(self)]
            super().release()


@GALLERY.mutant("BPL-10", "keeps no more of the memory than the slice at its beginning that was released last")
class KeepsSlice(Pool):
    class name(Lease):  # noqa: N801 - the pool's attribute
        is_slice = False

        def slice(self, start: int, stop: int) -> Lease:
            part = super().slice(start, stop)
            setattr(part, "is_slice", True)
            return part

        def release(self) -> None:
            is_last = self.own and self.block.count == 1
            super().release()
            if is_last and self.is_slice and not self.start:
                self.block.pool.free[len(self.block.memory)][-1] = self.block.memory[: len(self)]


@GALLERY.mutant("BPL-11", "gives back all counts at once")
class GivesBackAll(Pool):
    def release(self, buffer: Lease) -> None:
        while buffer.block.count > 1:
            buffer.block.count -= 1
        buffer.release()


@GALLERY.mutant("BPL-12", "takes whatever it is given")
class TakesForeign(Pool):
    def release(self, buffer: Lease) -> None:
        buffer.release()


@GALLERY.mutant("BPL-13", "ignores a double release")
class IgnoresDouble(Pool):
    def release(self, buffer: Lease) -> None:
        try:
            super().release(buffer)
        except DoubleRelease:
            return


@GALLERY.mutant("BPL-14", "answers None after close")
class NoneAfterClose(Pool):
    def try_acquire(self, size_bytes: int) -> Lease | None:
        return None if self.closed else super().try_acquire(size_bytes)


@GALLERY.mutant("BPL-14", "revokes the leases that are out when it is closed")
class RevokesAtClose(Pool):
    def __init__(self, *, limit_bytes: int | None) -> None:
        super().__init__(limit_bytes=limit_bytes)
        self.out: list[Lease] = []

    def try_acquire(self, size_bytes: int) -> Lease | None:
        lease = super().try_acquire(size_bytes)
        self.out += [] if lease is None else [lease]
        return lease

    def close(self) -> None:
        super().close()
        for lease in self.out:
            lease.own = 0


@GALLERY.mutant("BPL-15", "fails on the second close")
class FailsOnSecondClose(Pool):
    def close(self) -> None:
        if self.closed:
            raise RuntimeError("closed already")
        super().close()


@GALLERY.mutant("BPL-16", "stays open after a block")
class StaysOpen(Pool):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        return None


@GALLERY.mutant("BPL-17", "reports a leak for ever")
class ReportsForever(Pool):
    def leaks(self) -> Sequence[LeakReport]:
        return [LeakReport(1, 1, 1, "") for _ in range(min(self.acquired, 3))]


@GALLERY.mutant("BPL-18", "forgets where a slice begins when it is sliced again")
class ForgetsStart(Pool):
    class name(Lease):  # noqa: N801 - the pool's attribute
        def slice(self, start: int, stop: int) -> Lease:
            return super().slice(0, stop - start) if self.start else super().slice(start, stop)


__all__ = ["GALLERY"]
