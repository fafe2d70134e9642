"""Object pools whose races show only where different operations of two threads meet."""

from __future__ import annotations

from ...api.errors import DoubleRelease
from ..mutation import Gallery
from ..suites.object_pool import ObjectPoolContract, Thing
from .object_pool import Correct

GALLERY = Gallery(ObjectPoolContract)


class TwoLooks(Correct):
    """A pool that says beforehand whether it will keep what comes back."""

    def will_keep(self) -> bool:
        raise NotImplementedError

    def may_keep(self) -> bool:
        raise NotImplementedError

    def release(self, item: Thing) -> None:
        kept = self.will_keep()
        with self.lock:
            if id(item) in self.idle:
                raise DoubleRelease("idle already")
            self.clean(item)
            self.count(released=1)
            if kept and self.may_keep():
                self.idle[id(item)] = item
            else:
                self.count(discarded=1)


@GALLERY.mutant("OBJ-16", "looks for a free place before it takes the lock, and keeps one too many")
class LooksForPlaceFirst(TwoLooks):
    def will_keep(self) -> bool:
        return len(self.idle) < self.max_idle

    def may_keep(self) -> bool:
        return not self.closed


@GALLERY.mutant("OBJ-16", "looks whether it is closed before it takes the lock, and keeps what comes after close")
class LooksIfClosedFirst(TwoLooks):
    def will_keep(self) -> bool:
        return not self.closed

    def may_keep(self) -> bool:
        return len(self.idle) < self.max_idle


@GALLERY.mutant("OBJ-16", "counts what comes back outside its lock, in three steps as C would not")
class CountsOutside(Correct):
    def release(self, item: Thing) -> None:
        with self.lock:
            if id(item) in self.idle:
                raise DoubleRelease("idle already")
            self.clean(item)
        self.count(released=1)
        with self.lock:
            self.keep(item)


@GALLERY.mutant("OBJ-16", "counts what it makes outside its lock, in three steps as C would not")
class CountsMadeOutside(Correct):
    def acquire(self) -> Thing:
        if self.idle or self.closed:
            return super().acquire()
        thing = self.factory()
        self.count(created=1, acquired=1)
        return thing


__all__ = ["GALLERY"]
