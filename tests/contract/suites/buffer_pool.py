"""The contract of ``BufferPool``: memory of one node, handed out as leases, with books that balance.

``make(limit_bytes=...)`` bounds the memory that a pool may use. How it rounds sizes is its own affair; that it
never gives out more than the limit, and goes on giving after everything came back, is not.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...api.buffer import Buffer
from ...api.errors import DoubleRelease, ForeignRelease, InvalidArgument, PoolClosed, ResourceExhausted
from ...api.pool import BufferPool, PoolStats
from ..hostile import HUGE_BYTES, SIZES
from ..model import Operation, explore
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial
from .buffer import acquire

BUFFER_POOL = (
    must("BPL-01", "acquire gives a buffer of exactly the size asked for, counted once, up to megabytes."),
    must("BPL-02", "A size below 1 raises InvalidArgument, and nothing is taken.", "BPL-01"),
    must("BPL-03", "No byte belongs to two leases at once.", "BPL-01"),
    must("BPL-04", "After a double release the memory is not handed out twice.", "BPL-03"),
    must("BPL-05", "The books balance at every moment: acquired less released is in use.", "BPL-01"),
    must("BPL-06", "The totals are the sums over the classes, and bytes in use those of the leases.", "BPL-05"),
    must("BPL-07", "Never more than the limit is given out; then try_acquire answers None.", "BPL-01"),
    must("BPL-08", "Where try_acquire answers None, acquire raises ResourceExhausted; both are counted.", "BPL-07"),
    must("BPL-09", "What came back can be acquired again, as often as you like.", "BPL-07"),
    must("BPL-10", "A pool of which slices were released still has all its memory.", "BPL-09"),
    must("BPL-11", "release(buffer) gives back one count, of a slice as well.", "BPL-05"),
    must("BPL-12", "release of another pool's buffer raises ForeignRelease; both books stay.", "BPL-11"),
    must("BPL-13", "release without a count left raises DoubleRelease; the books stay.", "BPL-11"),
    must("BPL-14", "After close acquiring raises PoolClosed, and leases that are out stay valid.", "BPL-01"),
    must("BPL-15", "Closing twice is closing once, and stats still answers.", "BPL-14"),
    must("BPL-16", "Leaving a with block closes the pool.", "BPL-14"),
    must("BPL-17", "leaks() tells of nothing when all is released.", "BPL-05"),
    must("BPL-18", "Any mixture of operations keeps content, counts and books.", "BPL-03", "BPL-11", "BPL-13"),
)

LIMIT_BYTES = 4 * 1024 * 1024
PIECE_BYTES = 64 * 1024


@dataclass(slots=True)
class _Name:
    """What a model knows of a name: its content, its lease, and its own counts."""

    buffer: Buffer
    content: bytes
    lease: int
    count: int


def _draw(rng: random.Random) -> Operation:
    calls = ("acquire", "acquire", "slice", "slice", "slice", "retain", "release", "release", "pool.release")
    return rng.choice(calls), rng.randint(0, 9_999)


class BufferPoolContract(Contract, name="buffer-pool", requirements=BUFFER_POOL):
    """What every buffer pool owes; override ``make``."""

    def make(self, *, limit_bytes: int | None) -> BufferPool:
        """Return a new pool; ``limit_bytes`` bounds the memory that it may use, ``None`` is no bound."""
        raise NotImplementedError

    def pool(self, trial: Trial, limit_bytes: int | None = None) -> BufferPool:
        """Return a fresh pool."""
        return trial.make(self.make, limit_bytes=limit_bytes)

    @requirement("BPL-01")
    def sizes_are_exact(self, trial: Trial) -> None:
        pool = self.pool(trial)
        for size_bytes in (*SIZES[1:], 2 * 1024 * 1024, HUGE_BYTES):
            buffer = acquire(trial, pool, size_bytes)
            found = (len(buffer), len(buffer.data()), buffer.ref_count, buffer.node)
            trial.equal(found, (size_bytes, size_bytes, 1, pool.node), "len, bytes, count and node")
            trial.did(f"try_acquire({size_bytes})")
            other = pool.try_acquire(size_bytes)
            trial.true(other is not None, "there is memory enough")
            pool.release(other or buffer)

    @requirement("BPL-02")
    def sizes_below_one_are_refused(self, trial: Trial) -> None:
        pool = self.pool(trial)
        before = pool.stats()
        for size_bytes in (0, -1, -(2**40)):
            for name, call in (("acquire", pool.acquire), ("try_acquire", pool.try_acquire)):
                text = f"{name}({size_bytes})"
                trial.raises(InvalidArgument, text, lambda f=call, n=size_bytes: f(n))  # type: ignore[misc]
        after = pool.stats()
        trial.equal((after.acquired_count, after.in_use_count), (before.acquired_count, 0), "acquired, in use")

    @requirement("BPL-03")
    def leases_do_not_overlap(self, trial: Trial) -> None:
        pool = self.pool(trial)
        out: list[tuple[Buffer, bytes]] = []
        for number in range(trial.rounds(150, 3000)):
            if len(out) > 30 or (out and trial.rng.random() < 0.4):
                buffer, wanted = out.pop(trial.rng.randrange(len(out)))
                trial.equal(buffer.copy(), wanted, "the content of a lease that nobody else wrote to")
                trial.did("release()")
                buffer.release()
            else:
                size_bytes = trial.rng.choice((1, 100, 2048, 2049, 4096, 9000, 65537))
                buffer = acquire(trial, pool, size_bytes)
                wanted = bytes([number % 255 + 1]) * size_bytes
                buffer.data()[:] = wanted
                out.append((buffer, wanted))
        for buffer, wanted in out:
            trial.equal(buffer.copy(), wanted, "the content of a lease that nobody else wrote to")

    @requirement("BPL-04")
    def double_release_hands_out_once(self, trial: Trial) -> None:
        pool = self.pool(trial)
        for size_bytes in (1000, PIECE_BYTES, HUGE_BYTES):
            buffer = acquire(trial, pool, size_bytes)
            buffer.release()
            trial.did("release(), again; whatever it answers")
            try:
                buffer.release()
            except Exception as error:
                trial.did(f"it raised {type(error).__name__}")
            first, second = acquire(trial, pool, size_bytes), acquire(trial, pool, size_bytes)
            first.data()[:4] = b"mine"
            second.data()[:4] = b"your"
            trial.equal(bytes(first.view()[:4]), b"mine", "the first lease after the second was written to")

    def books(self, trial: Trial, pool: BufferPool) -> PoolStats:
        """Return the books, after looking whether they balance."""
        books = pool.stats()
        trial.equal(books.acquired_count - books.released_count, books.in_use_count, "acquired less released")
        return books

    @requirement("BPL-05")
    def books_balance(self, trial: Trial) -> None:
        pool = self.pool(trial)
        out: list[Buffer] = []
        acquired = released = 0
        for _ in range(trial.rounds(200, 5000)):
            choice = trial.rng.random()
            if out and choice < 0.4:
                trial.did("release()")
                out.pop(trial.rng.randrange(len(out))).release()
                released += 1
            elif out and choice < 0.6:
                trial.did("slice(), release the slice, retain(), release(): nothing that the books show")
                out[0].slice(0, 1).release()
                out[0].retain().release()
            else:
                out.append(acquire(trial, pool, trial.rng.choice((1, 3000, PIECE_BYTES, 2**20 + 1))))
                acquired += 1
            books = self.books(trial, pool)
            found = (books.acquired_count, books.released_count, books.in_use_count)
            trial.equal(found, (acquired, released, len(out)), "acquired, released, in use")

    @requirement("BPL-06")
    def totals_are_sums(self, trial: Trial) -> None:
        pool = self.pool(trial)
        out = [acquire(trial, pool, size_bytes) for size_bytes in (1, 2048, 2049, PIECE_BYTES, HUGE_BYTES)]
        for _ in range(len(out) + 1):
            books = self.books(trial, pool)
            sums = (
                sum(each.acquired_count for each in books.classes),
                sum(each.released_count for each in books.classes),
                sum(each.in_use_count for each in books.classes),
                sum(each.mapped_bytes for each in books.classes),
            )
            totals = (books.acquired_count, books.released_count, books.in_use_count, books.mapped_bytes)
            trial.equal(sums, totals, "acquired, released, in use and mapped, summed over the classes")
            trial.equal(books.in_use_bytes, sum(each.capacity for each in out), "the bytes in use")
            if out:
                trial.did("release()")
                out.pop().release()

    def fill(self, trial: Trial, pool: BufferPool) -> list[Buffer]:
        """Acquire pieces until there are no more; never more than the limit has room for."""
        out: list[Buffer] = []
        trial.did(f"try_acquire({PIECE_BYTES}) until None")
        while (buffer := pool.try_acquire(PIECE_BYTES)) is not None:
            out.append(buffer)
            trial.defer(lambda each=buffer: each.ref_count and each.release())  # type: ignore[misc]
            trial.true(len(out) * PIECE_BYTES <= LIMIT_BYTES, "no more than the limit is given out", got=len(out))
        trial.true(out, "a pool with a limit of 4 MiB gives out something", got=out)
        return out

    @requirement("BPL-07")
    def limit_is_kept(self, trial: Trial) -> None:
        pool = self.pool(trial, LIMIT_BYTES)
        self.fill(trial, pool)
        for _ in range(3):
            trial.same(pool.try_acquire(PIECE_BYTES), None, "what an exhausted pool answers")
        trial.same(pool.try_acquire(LIMIT_BYTES + 1), None, "what is answered to more than the limit")

    @requirement("BPL-08")
    def exhaustion_is_told(self, trial: Trial) -> None:
        pool = self.pool(trial, LIMIT_BYTES)
        out = self.fill(trial, pool)
        before = self.books(trial, pool)
        trial.raises(ResourceExhausted, f"acquire({PIECE_BYTES})", lambda: pool.acquire(PIECE_BYTES))
        after = self.books(trial, pool)
        trial.equal(after.in_use_count, len(out), "the buffers in use")
        trial.equal(after.refused_count, before.refused_count + 1, "the requests refused")

    @requirement("BPL-09")
    def memory_comes_back(self, trial: Trial) -> None:
        pool = self.pool(trial, LIMIT_BYTES)
        count = len(self.fill_and_release(trial, pool))
        for _ in range(trial.rounds(5, 100)):
            trial.equal(len(self.fill_and_release(trial, pool)), count, "how many pieces there are again")
        for _ in range(trial.rounds(200, 5000)):
            pool.acquire(PIECE_BYTES).release()
            trial.alive()

    def fill_and_release(self, trial: Trial, pool: BufferPool) -> list[Buffer]:
        """Take all there is and give it back."""
        out = self.fill(trial, pool)
        for buffer in out:
            buffer.release()
        return out

    @requirement("BPL-10")
    def slices_cost_no_memory(self, trial: Trial) -> None:
        pool = self.pool(trial, LIMIT_BYTES)
        count = len(self.fill_and_release(trial, pool))
        capacities = {buffer.capacity for buffer in self.fill_and_release(trial, pool)}
        for start, stop in ((1, 100), (0, 100), (0, 1), (0, 0), (0, PIECE_BYTES - 1)):
            for buffer in self.fill(trial, pool):
                trial.did(f"slice({start}, {stop}), release the buffer, then the slice")
                part = buffer.slice(start, stop)
                buffer.release()
                part.release()
            out = self.fill(trial, pool)
            trial.equal(len(out), count, "how many pieces there are again")
            sizes = {(len(each), len(each.data())) for each in out}
            trial.equal(sizes, {(PIECE_BYTES, PIECE_BYTES)}, "their len, and the bytes of their data()")
            trial.equal({each.capacity for each in out}, capacities, "their capacities")
            for buffer in out:
                buffer.release()

    @requirement("BPL-11")
    def release_takes_one_count(self, trial: Trial) -> None:
        pool = self.pool(trial)
        buffer = acquire(trial, pool, 1000)
        part = buffer.slice(0, 10)
        trial.did("release(a slice), release(the buffer)")
        pool.release(part)
        trial.equal((buffer.ref_count, pool.stats().in_use_count), (1, 1), "the count, and the buffers in use")
        pool.release(buffer)
        trial.equal((buffer.ref_count, pool.stats().in_use_count), (0, 0), "the count, and the buffers in use")

    @requirement("BPL-12")
    def foreign_buffers_are_refused(self, trial: Trial) -> None:
        pool, other = self.pool(trial), self.pool(trial)
        buffer = acquire(trial, other, 1000)
        before = (pool.stats(), other.stats())
        trial.raises(ForeignRelease, "release(a buffer of another pool)", lambda: pool.release(buffer))
        trial.equal((pool.stats(), other.stats()), before, "the books of both pools")
        trial.equal(buffer.ref_count, 1, "the count of the buffer")

    @requirement("BPL-13")
    def double_release_is_refused(self, trial: Trial) -> None:
        pool = self.pool(trial)
        buffer = acquire(trial, pool, 1000)
        pool.release(buffer)
        before = pool.stats()
        trial.raises(DoubleRelease, "release(buffer), again", lambda: pool.release(buffer))
        trial.equal(pool.stats(), before, "the books")

    @requirement("BPL-14")
    def closed_pool_refuses(self, trial: Trial) -> None:
        pool = self.pool(trial)
        buffer = acquire(trial, pool, 1000)
        acquire(trial, pool, 1000).release()
        trial.did("close()")
        pool.close()
        trial.raises(PoolClosed, "acquire(1000) after close", lambda: pool.acquire(1000))
        trial.raises(PoolClosed, "try_acquire(1000) after close", lambda: pool.try_acquire(1000))
        buffer.data()[:] = b"x" * 1000
        trial.equal(buffer.copy(), b"x" * 1000, "the content of a lease that was out")
        pool.release(buffer)
        trial.equal(pool.stats().in_use_count, 0, "the buffers in use")

    @requirement("BPL-15")
    def closing_is_idempotent(self, trial: Trial) -> None:
        pool = self.pool(trial)
        acquire(trial, pool, 1000).release()
        pool.close()
        before = self.books(trial, pool)
        for _ in range(2):
            trial.did("close(), again")
            pool.close()
        trial.equal(self.books(trial, pool), before, "the books")

    @requirement("BPL-16")
    def blocks_close(self, trial: Trial) -> None:
        pool = self.pool(trial)
        with pool as inside:
            trial.same(inside, pool, "what the block is given")
            acquire(trial, pool, 1).release()
        trial.raises(PoolClosed, "acquire(1) after the block", lambda: pool.acquire(1))

    @requirement("BPL-17")
    def nothing_leaks(self, trial: Trial) -> None:
        pool = self.pool(trial)
        buffers = [acquire(trial, pool, size_bytes) for size_bytes in (1, 3000, HUGE_BYTES)]
        out = len(pool.leaks())
        trial.true(out in (0, 3), "leaks() lists all leases that are out, or none where it does not track", got=out)
        for buffer in buffers:
            buffer.slice(0, 1).release()
            buffer.release()
        trial.equal(list(pool.leaks()), [], "the leaks when all is released")

    @requirement("BPL-18")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, lambda script: self._replay(trial, script), scripts=trial.rounds(15, 300))

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        """Do a script with names of leases; the model knows content, own counts, and which lease a name is of."""
        pool = self.pool(trial)
        names: list[_Name] = []
        leases: list[int] = []
        for number, (call, at) in enumerate(script):
            name = names[at % len(names)] if names else None
            trial.did(f"{call} {at}")
            if call == "acquire":
                buffer = pool.acquire((1, 100, 2048, 2049, 9000)[at % 5])
                content = random.Random(number).randbytes(len(buffer))
                buffer.data()[:] = content
                names.append(_Name(buffer, content, len(leases), 1))
                leases.append(1)
            elif name is not None and name.count:
                leases[name.lease] += 1 if call in ("slice", "retain") else -1
                self._use(pool, names, name, call, at)
            elif name is not None and call == "release":
                trial.raises(DoubleRelease, "release() without a count", name.buffer.release)
            self._compare(trial, pool, names, leases)

    def _use(self, pool: BufferPool, names: list[_Name], name: _Name, call: str, at: int) -> None:
        """Do something with a name that has a count."""
        if call == "slice":
            start = min(at // 16 % 40, len(name.content))
            stop = min(start + 50, len(name.content))
            names.append(_Name(name.buffer.slice(start, stop), name.content[start:stop], name.lease, 1))
        elif call == "retain":
            name.buffer.retain()
            name.count += 1
        else:
            name.count -= 1
            if call == "release":
                name.buffer.release()
            else:
                pool.release(name.buffer)

    def _compare(self, trial: Trial, pool: BufferPool, names: Sequence[_Name], leases: Sequence[int]) -> None:
        for name in names:
            if name.count:
                trial.equal(name.buffer.copy(), name.content, "the content of a lease")
                trial.equal(name.buffer.ref_count, leases[name.lease], "the count of a lease")
        books = pool.stats()
        out = sum(1 for count in leases if count)
        found = books.acquired_count, books.released_count, books.in_use_count
        trial.equal(found, (len(leases), len(leases) - out, out), "acquired, released, in use")


SUITES = (BufferPoolContract,)

__all__ = ["SUITES", "BufferPoolContract"]
