"""The pool against a model: any order of acquire, slice, retain, release, misuse and close.

Each live lease carries a canary of its own over its whole slot; two leases that shared a byte would overwrite
each other's. After every step the books agree with the model and the canaries are intact.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hioload_ws.api.buffer import Buffer
from hioload_ws.api.errors import (
    DoubleRelease,
    ForeignRelease,
    InvalidArgument,
    PoolClosed,
    ResourceExhausted,
    UseAfterRelease,
)
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.pool.slab import PAGE_BYTES

MIB = 1 << 20
LIMIT_BYTES = 12 * MIB
SIZES = [0, -1, 1, 2048, 2049, 5000, 65536, MIB, MIB + 1, 4 * MIB, LIMIT_BYTES + 1]
Call: TypeAlias = Callable[[], object]


class Name:
    """The model of one name: its offset in the slot, and the counts it holds."""

    def __init__(self, buffer: Buffer, lease: Model, start: int) -> None:
        self.buffer, self.lease, self.start, self.count = buffer, lease, start, 1


class Model:
    """The model of one lease: the canary in its slot, and its names."""

    def __init__(self, buffer: Buffer, canary: bytes) -> None:
        self.size_bytes, self.canary = len(buffer), canary
        self.names = [Name(buffer, self, 0)]

    @property
    def count(self) -> int:
        return sum(name.count for name in self.names)


def expected_capacity(size_bytes: int) -> int:
    if size_bytes > MIB:
        return -(-size_bytes // PAGE_BYTES) * PAGE_BYTES
    return max(2048, 1 << (size_bytes - 1).bit_length())


class PoolMachine(RuleBasedStateMachine):
    @initialize(level=st.sampled_from(["disabled", "simple", "advanced", "paranoid"]))
    def make(self, level: str) -> None:
        self.pool = SlabBufferPool(
            limit_bytes=LIMIT_BYTES, slab_bytes=65536, large_cache_bytes=5 * MIB, leaks=level
        )
        self.other = SlabBufferPool(slab_bytes=65536, leaks="disabled")
        self.watched, self.closed = level != "disabled", False
        self.leases: list[Model] = []
        self.dead: list[Name] = []
        self.acquired_count = self.refused_count = self.canary_number = 0

    def pick(self, index: int) -> Name:
        names = [name for lease in self.leases for name in lease.names if name.count]
        return names[index % len(names)]

    def any_live(self) -> bool:
        return bool(self.leases)

    @rule(size_bytes=st.sampled_from(SIZES), polite=st.booleans())
    def acquire(self, size_bytes: int, polite: bool) -> None:
        if self.closed or size_bytes < 1:
            with pytest.raises(PoolClosed if self.closed else InvalidArgument):
                self.pool.acquire(size_bytes)
            return
        buffer: Buffer | None
        try:
            buffer = self.pool.try_acquire(size_bytes) if polite else self.pool.acquire(size_bytes)
        except ResourceExhausted:
            assert not polite
            buffer = None
        if buffer is None:
            self.refused_count += 1
            return
        assert size_bytes <= LIMIT_BYTES
        self.acquired_count += 1
        assert len(buffer) == len(buffer.data()) == size_bytes
        capacity = expected_capacity(size_bytes)
        assert capacity <= buffer.capacity <= capacity + (capacity // 4 if size_bytes > MIB else 0)
        self.canary_number = self.canary_number % 255 + 1
        canary = bytes([self.canary_number])
        data = buffer.data()
        for start in range(0, size_bytes, MIB):
            part = data[start : start + MIB]
            part[:] = canary * len(part)
        self.leases.append(Model(buffer, canary))

    @precondition(any_live)
    @rule(index=st.integers(0, 30), cut=st.tuples(st.floats(0, 1), st.floats(0, 1)))
    def slice(self, index: int, cut: tuple[float, float]) -> None:
        name = self.pick(index)
        start, stop = sorted(int(part * len(name.buffer)) for part in cut)
        part = name.buffer.slice(start, stop)
        assert len(part) == stop - start
        assert part.capacity == name.buffer.capacity - start
        name.lease.names.append(Name(part, name.lease, name.start + start))
        with pytest.raises(InvalidArgument):
            name.buffer.slice(0, len(name.buffer) + 1)

    @precondition(any_live)
    @rule(index=st.integers(0, 30))
    def retain(self, index: int) -> None:
        name = self.pick(index)
        assert name.buffer.retain() is name.buffer
        name.count += 1

    @precondition(any_live)
    @rule(index=st.integers(0, 30), through_pool=st.booleans())
    def release(self, index: int, through_pool: bool) -> None:
        name = self.pick(index)
        if through_pool:
            self.pool.release(name.buffer)
        else:
            name.buffer.release()
        name.count -= 1
        if name.count == 0:
            self.dead.append(name)
        if name.lease.count == 0:
            self.leases.remove(name.lease)

    @precondition(any_live)
    @rule(index=st.integers(0, 30))
    def release_to_a_foreign_pool(self, index: int) -> None:
        with pytest.raises(ForeignRelease):
            self.other.release(self.pick(index).buffer)

    @rule(index=st.integers(0, 30), through_pool=st.booleans())
    def misuse_a_finished_name(self, index: int, through_pool: bool) -> None:
        if not self.dead:
            return
        name = self.dead[index % len(self.dead)]
        assert name.buffer.ref_count == name.lease.count
        with pytest.raises(DoubleRelease):
            if through_pool:
                self.pool.release(name.buffer)
            else:
                name.buffer.release()
        uses: list[Call] = [name.buffer.data, name.buffer.view, name.buffer.copy, name.buffer.retain]
        uses.append(lambda: name.buffer.slice(0, 0))
        for use in uses:
            with pytest.raises(UseAfterRelease):
                use()

    @rule(really=st.integers(0, 15))
    def close(self, really: int) -> None:
        if really == 0:
            self.pool.close()
            self.closed = True

    @invariant()
    def books_agree_with_the_model(self) -> None:
        if not hasattr(self, "pool"):
            return
        stats = self.pool.stats()
        assert stats.acquired_count == self.acquired_count
        assert stats.in_use_count == len(self.leases)
        assert stats.released_count == self.acquired_count - len(self.leases)
        assert stats.refused_count == self.refused_count
        assert stats.in_use_bytes == sum(lease.names[0].buffer.capacity for lease in self.leases)
        assert stats.in_use_bytes <= stats.mapped_bytes <= LIMIT_BYTES
        for entry in stats.classes:
            assert entry.acquired_count - entry.released_count == entry.in_use_count >= 0
        listed = [(report.size_bytes, report.ref_count) for report in self.pool.leaks()]
        assert listed == ([(lease.size_bytes, lease.count) for lease in self.leases] if self.watched else [])
        assert self.other.stats().acquired_count == self.other.stats().released_count == 0

    @invariant()
    def canaries_are_intact(self) -> None:
        for lease in getattr(self, "leases", []):
            for name in lease.names:
                assert name.buffer.ref_count == lease.count
                if name.count:
                    view = name.buffer.view()
                    for start in range(0, len(view), MIB):
                        part = view[start : start + MIB]
                        assert part == lease.canary * len(part)

    def teardown(self) -> None:
        if not hasattr(self, "pool"):
            return
        self.pool.close()
        self.other.close()
        for lease in self.leases:
            for name in lease.names:
                for _ in range(name.count):
                    name.buffer.release()
        stats = self.pool.stats()
        assert (stats.in_use_count, stats.released_count) == (0, self.acquired_count)
        gc.collect()
        assert self.pool.stats().mapped_bytes == 0


TestPoolAgainstTheModel = PoolMachine.TestCase
TestPoolAgainstTheModel.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
