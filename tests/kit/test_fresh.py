"""Components that were broken without a look at the kit: real ones, each with one mistake that people make.

The mutants that ship with the kit prove each requirement. These ask the question from the other side: is a mistake
that somebody makes found, by the requirement that a reader of the interface would name, and not by a time-out?
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hioload_ws.api import EMPTY, END_OF_STREAM, AffinityState, BufferPool, Clock, Scope, Transport
from hioload_ws.api.errors import DoubleRelease, TransportClosed
from hioload_ws.contract import (
    AffinityContract,
    BufferPoolContract,
    Contract,
    ExecutorContract,
    MpmcRingContract,
    Outcome,
    RingContract,
    SchedulerContract,
    TransportContract,
    check,
)
from hioload_ws.contract.text import render
from hioload_ws.internal import SystemAffinity, SysTopology, TimerScheduler, WorkerExecutor
from hioload_ws.pool import MpmcRing, SlabBufferPool
from hioload_ws.transport import memory_pair


class Wrapped:
    """Does everything as another object does, except for what a subclass says."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class IgnoresLimit(Wrapped):
    """Receives as much as it likes."""

    def recv_into(self, buffer: Any, /) -> int:
        if not isinstance(buffer, bytearray) or not buffer:
            return int(self.inner.recv_into(buffer))
        room = bytearray(65536)
        count = int(self.inner.recv_into(room))
        if count > 0:
            buffer[:count] = room[:count]  # a bytearray grows
        return count


class LosesByte(Wrapped):
    """Loses the last byte of what is larger than 64 KiB."""

    def send(self, batch: Sequence[Any], /) -> int:
        cut = [item[:-1] if isinstance(item, bytes) and len(item) > 65536 else item for item in batch]
        return int(self.inner.send(cut))


class Mutates(Wrapped):
    """Uses the caller's memory for its own work, as one that masks in place does."""

    def send(self, batch: Sequence[Any], /) -> int:
        left = int(self.inner.send(batch))
        for item in batch:
            if isinstance(item, bytearray) and item:
                item[0] ^= 0xFF
        return left


class ReusesView(Wrapped):
    """Receives into the buffer of the call before, too: it has kept a view of it."""

    last: memoryview | None = None

    def recv_into(self, buffer: Any, /) -> int:
        count = int(self.inner.recv_into(buffer))
        if count > 0:
            view = memoryview(buffer).cast("B")
            if self.last is not None:
                size = min(count, len(self.last))
                self.last[:size] = view[:size]
            self.last = view
        return count


class DiesAfterMuch(Wrapped):
    """Has a counter that overflows."""

    sent_bytes = 0

    def send(self, batch: Sequence[Any], /) -> int:
        self.sent_bytes += sum(len(item) for item in batch)
        if self.sent_bytes > 3 * 1024 * 1024:
            raise OverflowError("the counter is full")
        return int(self.inner.send(batch))


class WritesAfterClose(Wrapped):
    """Accepts and forgets what is sent after close."""

    def send(self, batch: Sequence[Any], /) -> int:
        try:
            return int(self.inner.send(batch))
        except TransportClosed:
            return 0


class FailsOnSecondClose(Wrapped):
    """Was not made to be closed twice."""

    closed = False

    def close(self) -> None:
        if self.closed:
            raise TransportClosed("closed already")
        self.closed = True
        self.inner.close()


class HangsAtSecondEnd(Wrapped):
    """Waits for more after it has told the end once."""

    ended = False

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()
        self.inner.close()

    def recv_into(self, buffer: Any, /) -> int:
        if self.ended:
            self.closed.wait()
        count = int(self.inner.recv_into(buffer))
        self.ended = count == END_OF_STREAM
        return count


def pair_of(kind: type[Wrapped]) -> Callable[[], tuple[Transport, Transport]]:
    def make() -> tuple[Any, Any]:
        near, far = memory_pair()
        return kind(near), kind(far)

    make.__name__ = kind.__name__
    return make


def shrinks(*, limit_bytes: int | None) -> BufferPool:
    """A pool that gives memory back in the size of the name that was released last."""

    class Shrinks(SlabBufferPool):
        __slots__ = ("lost",)

        def release(self, buffer: Any) -> None:
            if buffer.ref_count == 1 and len(buffer) < 1000:
                buffer.retain()  # what is left of the block is never seen again
            super().release(buffer)

    return Shrinks(limit_bytes=limit_bytes)


def hands_out_twice(*, limit_bytes: int | None) -> BufferPool:
    """A pool that puts what is released twice into its list of free memory twice."""

    class HandsOutTwice(SlabBufferPool):
        __slots__ = ()

        def release(self, buffer: Any) -> None:
            slot = buffer._slot
            try:
                super().release(buffer)
            except DoubleRelease:
                slot.home.free.append(slot)

    return HandsOutTwice(limit_bytes=limit_bytes)


def miscounts(*, limit_bytes: int | None) -> BufferPool:
    """A pool that counts a refusal as an acquire."""

    class Miscounts(SlabBufferPool):
        __slots__ = ()

        def stats(self) -> Any:
            books = super().stats()
            return replace(books, acquired_count=books.acquired_count + books.refused_count + 1)

    return Miscounts(limit_bytes=limit_bytes)


class PublishesFirst(MpmcRing[object]):
    """Puts a place into the queue and then fills it."""

    __slots__ = ()

    def try_enqueue(self, item: object) -> bool:
        box: list[object] = [None]
        accepted = super().try_enqueue(box)
        box[0] = item
        return accepted

    def try_dequeue(self) -> Any:
        box = super().try_dequeue()
        return box[0] if isinstance(box, list) else box

    def enqueue_batch(self, items: Any) -> int:
        return super().enqueue_batch([item] for item in items)

    def dequeue_batch(self, max_items: int) -> list[object]:
        return [box[0] if isinstance(box, list) else box for box in super().dequeue_batch(max_items)]


class LosesWhenFull(MpmcRing[object]):
    """Makes room for what is new."""

    __slots__ = ()

    def try_enqueue(self, item: object) -> bool:
        if not super().try_enqueue(item):
            assert super().try_dequeue() is not EMPTY
            super().try_enqueue(item)
        return True


class Deaf(Wrapped):
    """A handle that answers a cancel and does nothing about it."""

    def cancel(self) -> bool:
        return not self.inner.done


class FiresCancelled(Wrapped):
    """A scheduler with such handles."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(TimerScheduler(clock))

    def __len__(self) -> int:
        return len(self.inner)

    def schedule(self, delay_ns: int, function: Callable[[], object]) -> Deaf:
        return Deaf(self.inner.schedule(delay_ns, function))


class ReportsRequested(Wrapped):
    """An affinity that reports what it was asked for, not what is in force."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(SystemAffinity(scope, SysTopology()))

    def pin(self, cpus: Any) -> AffinityState:
        self.asked = frozenset(cpus)
        state: AffinityState = self.inner.pin(self.asked)
        return replace(state, cpus=self.asked)

    def state(self) -> AffinityState:
        state: AffinityState = self.inner.state()
        return replace(state, cpus=getattr(self, "asked", state.cpus))


def loses_on_resize(*, worker_count: int, queue_capacity: int) -> Any:
    """An executor that begins with a new queue when it is resized."""

    class Loses(WorkerExecutor):
        __slots__ = ()

        def resize(self, worker_count: int) -> None:
            self._queue.clear()
            super().resize(worker_count)

    return Loses(worker_count, queue_capacity=queue_capacity, on_error=lambda error, origin: None)


FRESH: list[tuple[type[Contract], Callable[..., object], str]] = [
    (TransportContract, pair_of(IgnoresLimit), "TRN-05"),
    (TransportContract, pair_of(LosesByte), "TRN-04"),
    (TransportContract, pair_of(ReusesView), "TRN-08"),
    (TransportContract, pair_of(Mutates), "TRN-24"),
    (TransportContract, pair_of(DiesAfterMuch), "TRN-09"),
    (TransportContract, pair_of(WritesAfterClose), "TRN-41"),
    (TransportContract, pair_of(FailsOnSecondClose), "TRN-42"),
    (TransportContract, pair_of(HangsAtSecondEnd), "TRN-32"),
    (BufferPoolContract, hands_out_twice, "BPL-13"),
    (BufferPoolContract, shrinks, "BPL-18"),
    (BufferPoolContract, miscounts, "BPL-05"),
    (RingContract, PublishesFirst, "RNG-15"),
    (MpmcRingContract, LosesWhenFull, "RNG-04"),
    (SchedulerContract, FiresCancelled, "SCH-06"),
    (ExecutorContract, loses_on_resize, "EXE-14"),
    # With one CPU nothing else can be in force, and only a request that was refused can be reported.
    (AffinityContract, ReportsRequested, "AFF-03" if len(os.sched_getaffinity(0)) > 1 else "AFF-04"),
]


@pytest.mark.parametrize(("suite", "make", "id"), FRESH, ids=lambda each: getattr(each, "__name__", each))
def test_a_mistake_is_found(suite: type[Contract], make: Callable[..., object], id: str) -> None:
    report = check(suite, make)
    finding = report[id].finding
    assert report[id].outcome is Outcome.FAIL and finding is not None, render(report)
    assert "factory" not in finding.summary, render(report)
    assert not [each for each in report.failures if each.finding is not None and each.finding.hung], render(report)
