"""Broken object pools and unusual ones. ``Correct`` keeps the idle objects in a dict, under a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from ...api.errors import DoubleRelease, PoolClosed
from ...api.pool import ObjectPoolStats
from ..mutation import Gallery
from ..suites.object_pool import ObjectPoolContract, Thing

GALLERY = Gallery(ObjectPoolContract)


class Correct:
    """A pool with one lock around everything, the user's functions too."""

    def __init__(
        self, factory: Callable[[], Thing], reset: Callable[[Thing], object], max_idle: int
    ) -> None:
        self.factory = factory
        self.clean = reset
        self.max_idle = max_idle
        self.idle: dict[int, Thing] = {}
        self.books: ObjectPoolStats[Thing] = ObjectPoolStats(0, 0, 0, 0, 0)
        self.closed = False
        self.lock = threading.RLock()

    def count(self, created: int = 0, acquired: int = 0, released: int = 0, discarded: int = 0) -> None:
        old = self.books
        self.books = replace(
            old,
            created_count=old.created_count + created,
            acquired_count=old.acquired_count + acquired,
            released_count=old.released_count + released,
            discarded_count=old.discarded_count + discarded,
        )

    def acquire(self) -> Thing:
        with self.lock:
            if self.closed:
                raise PoolClosed("closed")
            if self.idle:
                self.count(acquired=1)
                return self.idle.popitem()[1]
            thing = self.factory()
            self.count(created=1, acquired=1)
            return thing

    def release(self, item: Thing) -> None:
        with self.lock:
            if id(item) in self.idle:
                raise DoubleRelease("idle already")
            self.count(released=1)
            try:
                self.clean(item)
            except BaseException:
                self.count(discarded=1)
                raise
            self.keep(item)

    def keep(self, item: Thing) -> None:
        if self.closed or len(self.idle) >= self.max_idle:
            self.count(discarded=1)
        else:
            self.idle[id(item)] = item

    def stats(self) -> ObjectPoolStats[Thing]:
        with self.lock:
            return replace(self.books, idle_count=len(self.idle))

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.count(discarded=len(self.idle))
            self.idle.clear()


@GALLERY.mutant("OBJ-01", "makes an object before anybody asks")
class Eager(Correct):
    def __init__(
        self, factory: Callable[[], Thing], reset: Callable[[Thing], object], max_idle: int
    ) -> None:
        super().__init__(factory, reset, max_idle)
        self.keep(factory())


@GALLERY.mutant("OBJ-02", "leaves the object that it gives out among the idle ones, now and then")
class SharesSometimes(Correct):
    def acquire(self) -> Thing:
        thing = super().acquire()
        if self.books.acquired_count % 10 == 0:
            self.idle[id(thing)] = thing
        return thing


@GALLERY.mutant("OBJ-03", "does not reset")
class DoesNotReset(Correct):
    def release(self, item: Thing) -> None:
        self.count(released=1)
        self.keep(item)


@GALLERY.mutant("OBJ-03", "resets twice")
class ResetsTwice(Correct):
    def release(self, item: Thing) -> None:
        super().release(item)
        self.clean(item)


@GALLERY.mutant("OBJ-04", "never reuses anything")
class NeverReuses(Correct):
    def keep(self, item: Thing) -> None:
        self.count(discarded=1)


@GALLERY.mutant("OBJ-05", "hands the same object out twice after a double release")
class HandsOutTwice(Correct):
    def __init__(
        self, factory: Callable[[], Thing], reset: Callable[[Thing], object], max_idle: int
    ) -> None:
        super().__init__(factory, reset, max_idle)
        self.number = 0

    def release(self, item: Thing) -> None:
        self.clean(item)
        self.count(released=1)
        self.keep(item)

    def keep(self, item: Thing) -> None:
        self.number += 1
        if len(self.idle) < self.max_idle:
            self.idle[self.number] = item


@GALLERY.mutant("OBJ-05", "answers a double release with the right error, after it has counted it")
class CountsDoubleRelease(Correct):
    def release(self, item: Thing) -> None:
        if id(item) in self.idle:
            self.count(released=1)
        super().release(item)


@GALLERY.mutant("OBJ-06", "keeps one more than it may")
class OneTooMany(Correct):
    def keep(self, item: Thing) -> None:
        self.max_idle += 1
        super().keep(item)
        self.max_idle -= 1


@GALLERY.mutant("OBJ-07", "holds on to what is out")
class HoldsOn(Correct):
    def acquire(self) -> Thing:
        self.last = super().acquire()
        return self.last


@GALLERY.mutant("OBJ-08", "miscounts what it drops")
class Miscounts(Correct):
    def keep(self, item: Thing) -> None:
        super().keep(item)
        if self.books.released_count == 20:
            self.count(discarded=1)


@GALLERY.mutant("OBJ-09", "counts an object that the factory failed to make")
class CountsFailure(Correct):
    def acquire(self) -> Thing:
        if not self.idle and not self.closed:
            self.count(created=1, acquired=1)
            return self.factory()
        return super().acquire()


@GALLERY.mutant("OBJ-10", "keeps an object whose reset failed")
class KeepsHalfReset(Correct):
    def release(self, item: Thing) -> None:
        try:
            super().release(item)
        except DoubleRelease:
            raise
        except BaseException:
            self.keep(item)
            raise


@GALLERY.mutant("OBJ-11", "serves after close, from what is idle")
class ServesAfterClose(Correct):
    def close(self) -> None:
        self.closed = bool(not self.idle)


@GALLERY.mutant("OBJ-11", "holds the idle objects after close")
class HoldsAfterClose(Correct):
    def close(self) -> None:
        self.kept = list(self.idle.values())
        super().close()


@GALLERY.mutant("OBJ-12", "refuses a release after close")
class RefusesRelease(Correct):
    def release(self, item: Thing) -> None:
        if self.closed:
            raise PoolClosed("closed")
        super().release(item)


@GALLERY.mutant("OBJ-13", "raises when it is closed again")
class RaisesOnSecondClose(Correct):
    def close(self) -> None:
        if self.closed:
            raise PoolClosed("closed already")
        super().close()


@GALLERY.mutant("OBJ-14", "looks for an idle object and takes it, with time for another in between")
class LooksThenTakes(Correct):
    def acquire(self) -> Thing:
        if not self.idle:
            return super().acquire()
        key, thing = next(reversed(self.idle.items()))
        self.idle.pop(key, None)
        self.count(acquired=1)
        return thing


@GALLERY.mutant("OBJ-15", "looks for a double release before the lock")
class LooksBeforeLock(Correct):
    def release(self, item: Thing) -> None:
        if id(item) in self.idle:
            raise DoubleRelease("idle already")
        with self.lock:
            self.clean(item)
            self.count(released=1)
            self.idle[-id(item) if id(item) in self.idle else id(item)] = item


GALLERY.oddball("one lock around everything, the user's functions too")(Correct)


@GALLERY.oddball("gives out the object that has waited longest")
class OldestFirst(Correct):
    def acquire(self) -> Thing:
        with self.lock:
            if len(self.idle) > 1:
                newest = self.idle.pop(next(iter(self.idle)))
                self.idle[id(newest)] = newest
            return super().acquire()


__all__ = ["GALLERY"]
