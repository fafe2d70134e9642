"""The contract of ``Buffer``: counted leases on pooled memory.

A buffer comes from a pool, so a pool is what ``make`` returns; what the *pool* owes is in ``buffer_pool.py``.
Memory is told apart by what is written into it: each lease gets a pattern of its own, and a lease whose pattern
changes has been given to somebody else as well.
"""

from __future__ import annotations

from collections.abc import Callable

from ...api.buffer import Buffer
from ...api.errors import DoubleRelease, InvalidArgument, UseAfterRelease
from ...api.pool import BufferPool
from ..hostile import HUGE_BYTES, SIZES, content
from ..interleave import interruptions
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

BUFFER = (
    must("BUF-01", "data() and view() have exactly len bytes, format B, contiguous; only data() is writable."),
    must("BUF-02", "What is written through data() is what view() and copy() show.", "BUF-01"),
    must("BUF-03", "copy() is independent of the buffer.", "BUF-02"),
    must("BUF-04", "len is what was asked for and never more than capacity.", "BUF-01"),
    must("BUF-05", "A new lease counts one; retain adds one and answers the same buffer; release takes one."),
    must("BUF-06", "A slice is the same memory, not a copy, at the offsets asked for.", "BUF-02", "BUF-05"),
    must("BUF-07", "A slice adds one to the shared count and takes it back.", "BUF-06"),
    must("BUF-08", "Releasing a slice never shrinks the buffer or its slot.", "BUF-07"),
    must("BUF-09", "A slice outside the buffer raises InvalidArgument and counts nothing.", "BUF-07"),
    must("BUF-10", "A slice keeps the memory alive when its origin was released.", "BUF-07"),
    must("BUF-11", "After the last release all access raises UseAfterRelease.", "BUF-05"),
    must("BUF-12", "After the last release len, capacity, node and ref_count (0) still answer.", "BUF-05"),
    must("BUF-13", "One release too many raises DoubleRelease and changes no books.", "BUF-05"),
    must("BUF-14", "A slice released twice does not take the count of its origin.", "BUF-07", "BUF-13"),
    must("BUF-15", "Leaving a with block releases one count, whatever was raised.", "BUF-05"),
    must("BUF-16", "Releasing is legal after the pool was closed.", "BUF-05"),
    must("BUF-17", "Two threads that release at once give the memory back once.", "BUF-05"),
)


class BufferContract(Contract, name="buffer", requirements=BUFFER):
    """What every buffer owes; override ``make``."""

    def make(self, *, limit_bytes: int | None) -> BufferPool:
        """Return a new pool; ``limit_bytes`` bounds the memory that it may use, ``None`` is no bound."""
        raise NotImplementedError

    def lease(self, trial: Trial, size_bytes: int = 1000) -> tuple[BufferPool, Buffer]:
        """Return a fresh pool and a lease from it."""
        pool = trial.make(self.make, limit_bytes=None)
        return pool, acquire(trial, pool, size_bytes)

    @requirement("BUF-01")
    def views_are_exact(self, trial: Trial) -> None:
        for size_bytes in (*SIZES[1:], HUGE_BYTES):
            _, buffer = self.lease(trial, size_bytes)
            for name, view, readonly in (("data()", buffer.data(), False), ("view()", buffer.view(), True)):
                trial.did(name)
                form = (view.nbytes, view.format, view.contiguous, view.ndim, view.readonly)
                wanted = (size_bytes, "B", True, 1, readonly)
                trial.equal(form, wanted, f"bytes, format, contiguous, dimensions, read-only of {name}")

    @requirement("BUF-02")
    def memory_remembers(self, trial: Trial) -> None:
        for size_bytes in (*SIZES[1:], HUGE_BYTES):
            _, buffer = self.lease(trial, size_bytes)
            wanted = content(size_bytes, trial.rng)
            trial.did("data()[:] = content")
            buffer.data()[:] = wanted
            trial.equal(buffer.copy(), wanted, "copy()")
            trial.equal(bytes(buffer.view()), wanted, "view()")
            trial.equal(bytes(buffer.data()), wanted, "data()")

    @requirement("BUF-03")
    def copies_are_independent(self, trial: Trial) -> None:
        _, buffer = self.lease(trial, 100)
        buffer.data()[:] = b"a" * 100
        copied = buffer.copy()
        trial.true(type(copied) is bytes, "copy() is bytes", got=copied)
        buffer.data()[:] = b"b" * 100
        trial.equal(copied, b"a" * 100, "the copy after the buffer was changed")

    @requirement("BUF-04")
    def length_is_what_was_asked_for(self, trial: Trial) -> None:
        for size_bytes in (*SIZES[1:], HUGE_BYTES):
            _, buffer = self.lease(trial, size_bytes)
            trial.equal(len(buffer), size_bytes, "len(buffer)")
            trial.true(buffer.capacity >= size_bytes, "capacity is len or more", got=buffer.capacity)

    @requirement("BUF-05")
    def counts_are_kept(self, trial: Trial) -> None:
        _, buffer = self.lease(trial)
        trial.equal(buffer.ref_count, 1, "the count of a new lease")
        for count in (2, 3):
            trial.did("retain()")
            trial.same(buffer.retain(), buffer, "what retain() answers")
            trial.equal(buffer.ref_count, count, "the count")
        for count in (2, 1, 0):
            trial.did("release()")
            buffer.release()
            trial.equal(buffer.ref_count, count, "the count")

    @requirement("BUF-06")
    def slices_are_the_same_memory(self, trial: Trial) -> None:
        _, buffer = self.lease(trial, 5000)
        wanted = bytearray(content(5000, trial.rng))
        buffer.data()[:] = wanted
        for start, stop in ((0, 5000), (0, 0), (5000, 5000), (1, 2), (100, 4999)):
            trial.did(f"slice({start}, {stop})")
            part = buffer.slice(start, stop)
            trial.equal(len(part), stop - start, "the length of the slice")
            trial.equal(part.capacity, buffer.capacity - start, "the capacity of the slice")
            part.data()[:] = wanted[start:stop] = content(stop - start, trial.rng)
            trial.equal(buffer.copy(), bytes(wanted), "the buffer, after its slice was written")
            inner = part.slice(0, (stop - start) // 2)
            trial.equal(inner.copy(), part.copy()[: len(inner)], "a slice of the slice")
            inner.release()
            part.release()
        buffer.release()

    @requirement("BUF-07")
    def slices_share_the_count(self, trial: Trial) -> None:
        pool, buffer = self.lease(trial)
        part = buffer.slice(10, 20)
        trial.equal((buffer.ref_count, part.ref_count), (2, 2), "the counts after slice()")
        inner = part.slice(1, 2)
        trial.equal((buffer.ref_count, inner.ref_count), (3, 3), "the counts after a slice of the slice")
        inner.release()
        part.release()
        trial.equal(buffer.ref_count, 1, "the count after both were released")
        trial.equal(pool.stats().in_use_count, 1, "the buffers in use")

    @requirement("BUF-08")
    def slices_do_not_shrink(self, trial: Trial) -> None:
        pool, buffer = self.lease(trial, 3000)
        size_bytes = buffer.capacity
        buffer.data()[:] = wanted = content(3000, trial.rng)
        trial.did("slice(0, 10).release()")
        buffer.slice(0, 10).release()
        trial.equal((len(buffer), buffer.capacity), (3000, size_bytes), "len and capacity")
        trial.equal(buffer.copy(), wanted, "the content")
        for start, stop in ((5, 6), (0, 10), (0, 0), (0, 2999)):
            trial.did(f"slice({start}, {stop}), release the buffer, then the slice")
            part = buffer.slice(start, stop)
            buffer.release()
            part.release()
            buffer = acquire(trial, pool, 3000)
            found = (len(buffer), buffer.capacity, len(buffer.data()))
            trial.equal(found, (3000, size_bytes, 3000), "len, capacity and bytes of the next lease")
            buffer.data()[:] = wanted
            trial.equal(buffer.copy(), wanted, "the content of the next lease")

    @requirement("BUF-09")
    def slices_outside_are_refused(self, trial: Trial) -> None:
        _, buffer = self.lease(trial, 100)
        for start, stop in ((-1, 5), (5, 4), (0, 101), (101, 101), (-5, -1)):
            call = f"slice({start}, {stop})"
            trial.raises(InvalidArgument, call, lambda a=start, b=stop: buffer.slice(a, b))  # type: ignore[misc]
            trial.equal(buffer.ref_count, 1, "the count after it")

    @requirement("BUF-10")
    def slices_keep_memory_alive(self, trial: Trial) -> None:
        pool, buffer = self.lease(trial, 3000)
        wanted = content(3000, trial.rng)
        buffer.data()[:] = wanted
        part = buffer.slice(1000, 2000)
        trial.did("release the origin of a slice, and write into a new lease")
        buffer.release()
        other = acquire(trial, pool, 3000)
        other.data()[:] = bytes(3000)
        trial.equal(part.copy(), wanted[1000:2000], "the slice")
        trial.equal(part.ref_count, 1, "its count")

    @requirement("BUF-11")
    def released_memory_is_out_of_reach(self, trial: Trial) -> None:
        _, buffer = self.lease(trial)
        buffer.release()
        calls: tuple[tuple[str, Callable[[], object]], ...] = (
            ("data()", buffer.data),
            ("view()", buffer.view),
            ("copy()", buffer.copy),
            ("slice(0, 1)", lambda: buffer.slice(0, 1)),
            ("retain()", buffer.retain),
        )
        for name, call in calls:
            trial.raises(UseAfterRelease, f"{name} after the last release", call)
        trial.equal(buffer.ref_count, 0, "the count after all that")

    @requirement("BUF-12")
    def released_lease_still_answers(self, trial: Trial) -> None:
        pool, buffer = self.lease(trial)
        before = (len(buffer), buffer.capacity, buffer.node)
        trial.equal(buffer.node, pool.node, "the node of the buffer")
        buffer.release()
        trial.did("release(), and another lease of the same size")
        acquire(trial, pool, 1000)
        trial.equal((len(buffer), buffer.capacity, buffer.node), before, "len, capacity and node afterwards")
        trial.equal(buffer.ref_count, 0, "the count")

    @requirement("BUF-13")
    def double_release_is_refused(self, trial: Trial) -> None:
        pool, buffer = self.lease(trial)
        other = acquire(trial, pool, 1000)
        buffer.release()
        before = pool.stats()
        for _ in range(2):
            trial.raises(DoubleRelease, "release() once too often", buffer.release)
        trial.equal(pool.stats(), before, "the pool's books after it")
        trial.equal(other.ref_count, 1, "the count of another lease")
        trial.did("a new lease, which may have the same memory; then release() of the old one again")
        new = acquire(trial, pool, 1000)
        trial.raises(DoubleRelease, "release() of the old lease", buffer.release)
        trial.equal(new.ref_count, 1, "the count of the new lease")

    @requirement("BUF-14")
    def slices_take_no_other_count(self, trial: Trial) -> None:
        _, buffer = self.lease(trial)
        part = buffer.slice(0, 10)
        part.release()
        trial.raises(DoubleRelease, "release() of a slice, again", part.release)
        trial.equal(buffer.ref_count, 1, "the count of the origin")
        trial.equal(len(buffer.data()), 1000, "the bytes of the origin")

    @requirement("BUF-15")
    def blocks_release(self, trial: Trial) -> None:
        _, buffer = self.lease(trial)
        with buffer as inside:
            trial.same(inside, buffer, "what the block is given")
            trial.equal(buffer.ref_count, 1, "the count inside")
        trial.equal(buffer.ref_count, 0, "the count after the block")
        _, buffer = self.lease(trial)
        buffer.retain()

        def block() -> None:
            with buffer:
                raise _Fault

        trial.raises(_Fault, "a with block that raises", block)
        trial.equal(buffer.ref_count, 1, "the count after a block that raised")

    @requirement("BUF-16")
    def release_after_close(self, trial: Trial) -> None:
        pool, buffer = self.lease(trial)
        buffer.data()[:] = wanted = content(1000, trial.rng)
        trial.did("close() of the pool, while a lease is out")
        pool.close()
        trial.equal(buffer.copy(), wanted, "the content after close()")
        trial.did("release()")
        buffer.release()
        trial.equal((buffer.ref_count, pool.stats().in_use_count), (0, 0), "the count, and the buffers in use")

    @requirement("BUF-17")
    def threads_release_once(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            pool, buffer = self.lease(trial)
            buffer.retain()
            trial.did(f"hold release() at step {schedule.at}, and release() another count meanwhile")
            schedule.run(buffer.release, buffer.release)
            books = pool.stats()
            trial.equal((buffer.ref_count, books.in_use_count), (0, 0), "the count, and the buffers in use")
            first, second = acquire(trial, pool, 1000), acquire(trial, pool, 1000)
            first.data()[:] = b"1" * 1000
            second.data()[:] = b"2" * 1000
            trial.equal(first.copy(), b"1" * 1000, "the content of the first of two new leases")


class _Fault(Exception):
    """Raised by a block."""


def acquire(trial: Trial, pool: BufferPool, size_bytes: int) -> Buffer:
    """Return a lease that is released at the end if it is still out."""
    trial.did(f"acquire({size_bytes})")
    buffer = pool.acquire(size_bytes)
    trial.defer(lambda: _release_all(buffer))
    return buffer


def _release_all(buffer: Buffer) -> None:
    """Let go of what a check left, so that a pool that reports leaks has nothing to report."""
    try:
        for _ in range(8):
            buffer.release()
    except Exception:
        return  # none left


SUITES = (BufferContract,)

__all__ = ["SUITES", "BufferContract", "acquire"]
