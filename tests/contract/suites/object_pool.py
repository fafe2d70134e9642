"""The contract of ``ObjectPool``: recycled objects, each given to one caller at a time.

The objects are the suite's own: it counts how often they are made and reset, so the books can be checked
against facts.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import cast

from ...api.errors import DoubleRelease, PoolClosed
from ...api.pool import ObjectPool
from ..interleave import interruptions
from ..requirement import must, requirement
from ..schedules import explore
from ..suite import Contract
from ..trial import Trial
from . import object_pool_history

OBJECT_POOL = (
    must("OBJ-01", "acquire answers with an object of the factory; a new pool has made none in store."),
    must("OBJ-02", "No object is given to two callers at once.", "OBJ-01"),
    must("OBJ-03", "A released object is reset, once, before anybody gets it again.", "OBJ-01"),
    must("OBJ-04", "A released object is reused instead of making another.", "OBJ-03"),
    must("OBJ-05", "Releasing what is idle already raises DoubleRelease and changes nothing.", "OBJ-04"),
    must("OBJ-06", "At most max_idle objects wait; more are dropped.", "OBJ-04"),
    must("OBJ-07", "The pool keeps no reference to an object that is out.", "OBJ-01"),
    must("OBJ-08", "The books balance: created is idle, dropped and out together.", "OBJ-06"),
    must("OBJ-09", "What the factory raises is passed on, and nothing is counted.", "OBJ-01"),
    must("OBJ-10", "What the reset raises is passed on, and the object is dropped.", "OBJ-04"),
    must("OBJ-11", "After close acquire raises PoolClosed, and idle objects are let go.", "OBJ-04"),
    must("OBJ-12", "After close an object can still be released, and is dropped.", "OBJ-11"),
    must("OBJ-13", "Closing twice is closing once.", "OBJ-11"),
    must("OBJ-14", "Two threads never get the same object, wherever one of them is held.", "OBJ-02"),
    must("OBJ-15", "An object released by two threads at once is idle once.", "OBJ-05"),
    must("OBJ-16", "Whatever the schedule, no object is out twice, and books and bound hold.", "OBJ-08", "OBJ-14"),
)


class Thing:
    """What is pooled: knows how often it was reset."""

    __slots__ = ("__weakref__", "dirty", "reset_count")

    def __init__(self) -> None:
        self.dirty = False
        self.reset_count = 0


class Workshop:
    """Makes and resets things, counts both, and raises on demand."""

    def __init__(self) -> None:
        self.made_count = 0
        self.fault: Exception | None = None

    def make(self) -> Thing:
        """The factory."""
        if self.fault is not None:
            raise self.fault
        self.made_count += 1
        return Thing()

    def reset(self, thing: Thing) -> None:
        """The reset function."""
        if self.fault is not None:
            raise self.fault
        thing.dirty = False
        thing.reset_count += 1


class ObjectPoolContract(Contract, name="object-pool", requirements=OBJECT_POOL):
    """What every object pool owes; override ``make``."""

    def make(
        self, factory: Callable[[], Thing], reset: Callable[[Thing], object], max_idle: int
    ) -> ObjectPool[Thing]:
        """Return a new pool of what ``factory`` makes, of which ``max_idle`` may wait for reuse."""
        raise NotImplementedError

    def pool(self, trial: Trial, max_idle: int = 8) -> tuple[ObjectPool[Thing], Workshop]:
        """Return a fresh pool and its workshop."""
        workshop = Workshop()
        return trial.make(self.make, workshop.make, workshop.reset, max_idle), workshop

    @requirement("OBJ-01")
    def objects_come_from_the_factory(self, trial: Trial) -> None:
        pool, workshop = self.pool(trial)
        trial.equal(workshop.made_count, 0, "the objects made before anybody asked")
        trial.did("acquire()")
        thing = pool.acquire()
        trial.true(type(thing) is Thing, "acquire() answers with what the factory made", got=thing)
        trial.equal(workshop.made_count, 1, "the objects made")

    @requirement("OBJ-02")
    def nobody_shares(self, trial: Trial) -> None:
        pool, _ = self.pool(trial, 4)
        out: list[Thing] = []
        for _ in range(trial.rounds(300, 5000)):
            if out and trial.rng.random() < 0.5:
                trial.did("release()")
                pool.release(out.pop(trial.rng.randrange(len(out))))
            else:
                trial.did("acquire()")
                out.append(pool.acquire())
            trial.equal(len({id(each) for each in out}), len(out), "the number of different objects that are out")

    @requirement("OBJ-03")
    def released_objects_are_reset(self, trial: Trial) -> None:
        pool, _ = self.pool(trial)
        thing = pool.acquire()
        thing.dirty = True
        trial.did("release() of a used object")
        pool.release(thing)
        trial.equal((thing.dirty, thing.reset_count), (False, 1), "used, and how often reset")
        again = pool.acquire()
        trial.true(not again.dirty, "an acquired object is like new")
        trial.true(again.reset_count <= 1, "it was reset once", got=again.reset_count)

    @requirement("OBJ-04")
    def objects_are_reused(self, trial: Trial) -> None:
        pool, workshop = self.pool(trial)
        out = [pool.acquire() for _ in range(3)]
        for thing in out:
            pool.release(thing)
        trial.did("acquire three, release them, acquire three")
        again = {id(pool.acquire()) for _ in range(3)}
        trial.equal(again, {id(thing) for thing in out}, "the identities of the three")
        trial.equal(workshop.made_count, 3, "the objects made")

    @requirement("OBJ-05")
    def double_release_is_refused(self, trial: Trial) -> None:
        pool, _ = self.pool(trial)
        first, second = pool.acquire(), pool.acquire()
        pool.release(first)
        pool.release(second)
        before = pool.stats()
        for thing in (first, second):
            trial.raises(DoubleRelease, "release() of an idle object", partial(pool.release, thing))
        trial.equal(pool.stats(), before, "the books after it")
        out = [pool.acquire() for _ in range(4)]
        trial.equal(len({id(each) for each in out}), 4, "the number of different objects acquired then")

    @requirement("OBJ-06")
    def idle_objects_are_bounded(self, trial: Trial) -> None:
        for max_idle in (0, 1, 3):
            pool, workshop = self.pool(trial, max_idle)
            out = [pool.acquire() for _ in range(5)]
            for thing in out:
                trial.did("release()")
                pool.release(thing)
            trial.equal(pool.stats().idle_count, max_idle, "the objects that wait")
            trial.equal(pool.stats().discarded_count, 5 - max_idle, "the objects dropped")
            for _ in range(5):
                pool.acquire()
            trial.equal(workshop.made_count, 10 - max_idle, "the objects made for ten acquires")

    @requirement("OBJ-07")
    def pool_forgets_what_is_out(self, trial: Trial) -> None:
        pool, _ = self.pool(trial)
        trial.did("acquire(), release(), acquire(), and forget it")
        thing = pool.acquire()
        pool.release(thing)
        thing = pool.acquire()
        watched = weakref.ref(thing)
        del thing
        gc.collect()
        trial.true(watched() is None, "an object that is out and forgotten is garbage", got=watched())

    @requirement("OBJ-08")
    def books_balance(self, trial: Trial) -> None:
        pool, workshop = self.pool(trial, 3)
        out: list[Thing] = []
        acquired = released = 0
        for _ in range(trial.rounds(200, 5000)):
            if out and trial.rng.random() < 0.5:
                trial.did("release()")
                pool.release(out.pop())
                released += 1
            else:
                trial.did("acquire()")
                out.append(pool.acquire())
                acquired += 1
            books = pool.stats()
            trial.equal(books.created_count, workshop.made_count, "created_count")
            trial.equal((books.acquired_count, books.released_count), (acquired, released), "acquired, released")
            there = books.idle_count + books.discarded_count + len(out)
            trial.equal(there, books.created_count, "idle, dropped and out together")

    @requirement("OBJ-09")
    def factory_may_raise(self, trial: Trial) -> None:
        pool, workshop = self.pool(trial)
        before = pool.stats()
        workshop.fault = fault = _Fault("the factory")
        error = trial.raises(_Fault, "acquire() while the factory raises", pool.acquire)
        trial.same(error, fault, "the exception")
        trial.equal(pool.stats(), before, "the books after it")
        workshop.fault = None
        trial.true(type(pool.acquire()) is Thing, "the pool works again")

    @requirement("OBJ-10")
    def reset_may_raise(self, trial: Trial) -> None:
        pool, workshop = self.pool(trial)
        thing = pool.acquire()
        workshop.fault = fault = _Fault("the reset")
        error = trial.raises(_Fault, "release() while the reset raises", lambda: pool.release(thing))
        trial.same(error, fault, "the exception")
        workshop.fault = None
        trial.equal(pool.stats().idle_count, 0, "the objects that wait")
        trial.true(pool.acquire() is not thing, "the dropped object does not come again")

    @requirement("OBJ-11")
    def closed_pool_refuses(self, trial: Trial) -> None:
        pool, _ = self.pool(trial)
        thing = pool.acquire()
        watched = weakref.ref(thing)
        pool.release(thing)
        del thing
        trial.did("close()")
        pool.close()
        trial.raises(PoolClosed, "acquire() after close", pool.acquire)
        gc.collect()
        trial.equal(pool.stats().idle_count, 0, "the objects that wait")
        trial.true(watched() is None, "idle objects are let go", got=watched())

    @requirement("OBJ-12")
    def closed_pool_takes_back(self, trial: Trial) -> None:
        pool, _ = self.pool(trial)
        thing = pool.acquire()
        pool.close()
        trial.did("release() after close")
        pool.release(thing)
        books = pool.stats()
        trial.equal((books.idle_count, books.discarded_count), (0, 1), "the objects that wait, and are dropped")

    @requirement("OBJ-13")
    def closing_is_idempotent(self, trial: Trial) -> None:
        pool, _ = self.pool(trial)
        pool.release(pool.acquire())
        pool.close()
        before = pool.stats()
        for _ in range(2):
            trial.did("close(), again")
            pool.close()
        trial.equal(pool.stats(), before, "the books")

    @requirement("OBJ-14")
    def threads_do_not_share(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            pool, _ = self.pool(trial)
            pool.release(pool.acquire())
            trial.did(f"hold acquire() at step {schedule.at}, and acquire() meanwhile")
            first, second = schedule.run(pool.acquire, pool.acquire)
            trial.true(first is not second, "two threads get two objects", got=first)

    @requirement("OBJ-15")
    def one_release_of_two_counts(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            pool, _ = self.pool(trial)
            thing = pool.acquire()
            trial.did(f"hold release() at step {schedule.at}, and release() the same object meanwhile")
            schedule.run(lambda: _released(pool, thing), lambda: _released(pool, thing))
            trial.true(pool.stats().idle_count == 1, "it is idle once", got=pool.stats().idle_count)
            trial.true(pool.acquire() is not pool.acquire(), "two acquires give two objects")

    @requirement("OBJ-16")
    def any_schedule(self, trial: Trial) -> None:
        out: list[object] = []

        def make(max_idle: int) -> ObjectPool[object]:
            return cast(ObjectPool[object], self.pool(trial, max_idle)[0])

        for scene in object_pool_history.scenes(make, out):
            explore(trial, scene, object_pool_history.judge(trial, out), quick=40)


class _Fault(Exception):
    """Raised by the workshop."""


def _released(pool: ObjectPool[Thing], thing: Thing) -> bool:
    try:
        pool.release(thing)
    except DoubleRelease:
        return False
    return True


SUITES = (ObjectPoolContract,)

__all__ = ["SUITES", "ObjectPoolContract", "Thing"]
