"""Rings that are right as long as they are small, and as long as little has gone through them."""

from __future__ import annotations

from collections.abc import Iterable

from ...api.ring import EMPTY
from ..mutation import Gallery
from ..suites.ring import MpmcRingContract, RingContract
from .ring import Correct

GALLERY = Gallery(RingContract, MpmcRingContract)


@GALLERY.mutant("RNG-03", "mixes up the first two items where it has more than 64 places and all are taken")
class LosesAtBig(Correct):
    def try_enqueue(self, item: object) -> bool:
        accepted = super().try_enqueue(item)
        if self.capacity > 64 and len(self.items) == self.capacity:
            self.items.rotate(1)
        return accepted


@GALLERY.mutant("RNG-04", "lets the oldest item go for a new one where it has more than 64 places")
class Overwrites(Correct):
    def try_enqueue(self, item: object) -> bool:
        if self.capacity > 64 and len(self.items) == self.capacity:
            self.try_dequeue()
        return super().try_enqueue(item)


@GALLERY.mutant("RNG-06", "gives the item before once more when its counter goes round at 512")
class WrapsAt512(Correct):
    count = 0
    before: object = None

    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        if item is not EMPTY:
            self.count += 1
            if self.count == 512:
                return self.before
            self.before = item
        return item


@GALLERY.mutant("RNG-09", "takes at most 256 items of a batch")
class TakesByte(Correct):
    def enqueue_batch(self, items: Iterable[object]) -> int:
        source = iter(items)
        return super().enqueue_batch(item for _, item in zip(range(256), source, strict=False))


@GALLERY.mutant("RNG-11", "gives at most 256 items in a batch")
class GivesByte(Correct):
    def dequeue_batch(self, max_items: int) -> list[object]:
        return super().dequeue_batch(min(max_items, 256))


__all__ = ["GALLERY"]
