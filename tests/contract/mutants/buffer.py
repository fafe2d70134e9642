"""Broken buffers and pools, and unusual ones.

``Pool`` and ``Lease`` are right and plain: memory is a ``bytearray`` in whole kibibytes, free memory waits in a
list by size, counts are numbers under a lock. Each mutant replaces a method or two.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ...api.errors import (
    DoubleRelease,
    ForeignRelease,
    InvalidArgument,
    PoolClosed,
    ResourceExhausted,
    UseAfterRelease,
)
from ...api.pool import ClassStats, LeakReport, PoolStats
from ...api.types import NodeId
from ..mutation import Gallery
from ..suites.buffer import BufferContract
from ..suites.buffer_pool import BufferPoolContract

GALLERY = Gallery(BufferContract, BufferPoolContract)


class Block:
    """Memory with the number of counts on it."""

    def __init__(self, pool: Pool, memory: bytearray) -> None:
        self.pool = pool
        self.memory = memory
        self.count = 1
        self.lock = threading.Lock()


class Lease:
    """A name of a lease: its own counts, and a window on the block."""

    def __init__(self, block: Block, start: int, stop: int) -> None:
        self.block = block
        self.start, self.stop = start, stop
        self.own = 1

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def capacity(self) -> int:
        return len(self.block.memory) - self.start

    @property
    def node(self) -> NodeId:
        return self.block.pool.node

    @property
    def ref_count(self) -> int:
        return self.block.count

    def check(self) -> None:
        if not self.own or not self.block.count:
            raise UseAfterRelease("released")

    def data(self) -> memoryview:
        self.check()
        return memoryview(self.block.memory)[self.start : self.stop]

    def view(self) -> memoryview:
        return self.data().toreadonly()

    def copy(self) -> bytes:
        return bytes(self.data())

    def add(self) -> None:
        self.check()
        with self.block.lock:
            self.block.count += 1

    def slice(self, start: int, stop: int) -> Lease:
        if not 0 <= start <= stop <= len(self):
            raise InvalidArgument("outside")
        self.add()
        return type(self)(self.block, self.start + start, self.start + stop)

    def retain(self) -> Self:
        self.add()
        self.own += 1
        return self

    def release(self) -> None:
        with self.block.lock:
            if not self.own:
                raise DoubleRelease("no count left")
            self.own -= 1
            self.block.count -= 1
            last = not self.block.count
        if last:
            self.block.pool.take_back(self.block)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()


class Pool:
    """A pool: free memory by size, and the books."""

    name: type[Lease] = Lease
    node = NodeId(0)

    def __init__(self, *, limit_bytes: int | None) -> None:
        self.limit_bytes = limit_bytes
        self.free: dict[int, list[bytearray]] = {}
        self.acquired = self.released = self.refused = self.used_bytes = self.mapped_bytes = 0
        self.closed = False

    def try_acquire(self, size_bytes: int) -> Lease | None:
        if size_bytes < 1:
            raise InvalidArgument("a size is 1 or more")
        if self.closed:
            raise PoolClosed("closed")
        memory = self.find(-(-size_bytes // 1024) * 1024)
        if memory is None:
            self.refused += 1
            return None
        self.acquired += 1
        self.used_bytes += len(memory)
        return self.name(Block(self, memory), 0, size_bytes)

    def find(self, size_bytes: int) -> bytearray | None:
        waiting = self.free.get(size_bytes)
        if waiting:
            return waiting.pop()
        if self.limit_bytes is not None and self.mapped_bytes + size_bytes > self.limit_bytes:
            return None
        self.mapped_bytes += size_bytes
        return bytearray(size_bytes)

    def acquire(self, size_bytes: int) -> Lease:
        lease = self.try_acquire(size_bytes)
        if lease is None:
            raise ResourceExhausted("the limit is reached")
        return lease

    def take_back(self, block: Block) -> None:
        self.released += 1
        self.used_bytes -= len(block.memory)
        self.free.setdefault(len(block.memory), []).append(block.memory)

    def release(self, buffer: Lease) -> None:
        if buffer.block.pool is not self:
            raise ForeignRelease("of another pool")
        buffer.release()

    def stats(self) -> PoolStats:
        in_use = self.acquired - self.released
        one = ClassStats(0, self.acquired, self.released, in_use, 0, 1, self.mapped_bytes)
        return PoolStats(
            self.acquired,
            self.released,
            in_use,
            self.used_bytes,
            self.mapped_bytes,
            self.refused,
            "normal",
            (one,),
            {},
        )

    def leaks(self) -> Sequence[LeakReport]:
        return ()

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


GALLERY.oddball("memory in whole kibibytes, nothing shared between sizes")(Pool)


@GALLERY.oddball("a pool that forgets its memory at once and makes it anew each time")
class MakesAnew(Pool):
    def take_back(self, block: Block) -> None:
        super().take_back(block)
        self.mapped_bytes -= len(self.free[len(block.memory)].pop())


__all__ = ["GALLERY", "Block", "Lease", "Pool"]
