"""Broken rings, each with the requirement that has to notice, and odd ones that are right.

All are made from one small ring over a deque. It is as plain as a ring can be, so that what differs is what is
wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ...api.errors import InvalidArgument
from ...api.ring import EMPTY
from ...internal.inbox import Inbox
from ..mutation import Gallery
from ..suites.ring import RingContract

GALLERY = Gallery(RingContract)


class PlainRing:
    """A ring for one thread at a time. What the mutants are made from."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise InvalidArgument("a capacity is 1 or more", capacity=capacity)
        self.size = capacity
        self.items: deque[object] = deque()

    @property
    def capacity(self) -> int:
        """Most items it holds."""
        return self.size

    def __len__(self) -> int:
        return len(self.items)

    def try_enqueue(self, item: object) -> bool:
        """Append the item, or refuse it."""
        if len(self.items) >= self.size:
            return False
        self.items.append(item)
        return True

    def try_dequeue(self) -> object:
        """Take the oldest item, or ``EMPTY``."""
        return self.items.popleft() if self.items else EMPTY

    def enqueue_batch(self, items: Iterable[object]) -> int:
        """Append items until one does not fit."""
        count = 0
        iterator = iter(items)
        while len(self.items) < self.size:
            try:
                self.items.append(next(iterator))
            except StopIteration:
                break
            count += 1
        return count

    def dequeue_batch(self, max_items: int) -> list[object]:
        """Take up to ``max_items`` of the oldest."""
        if max_items < 0:
            raise InvalidArgument("max_items is 0 or more", max_items=max_items)
        return [self.items.popleft() for _ in range(min(max_items, len(self.items)))]


@GALLERY.mutant("RNG-01", "rounds its capacity up to a power of two")
class RoundedUp(PlainRing):
    """Capacity 3 becomes 4."""

    def __init__(self, capacity: int) -> None:
        super().__init__(1 << (capacity - 1).bit_length())


@GALLERY.mutant("RNG-02", "answers None when it is empty")
class NoneWhenEmpty(PlainRing):
    """``None`` may be an item."""

    def try_dequeue(self) -> object:
        return self.items.popleft() if self.items else None


@GALLERY.mutant("RNG-03", "gives out the newest item first")
class Stack(PlainRing):
    """Last in, first out."""

    def try_dequeue(self) -> object:
        return self.items.pop() if self.items else EMPTY


@GALLERY.mutant("RNG-04", "makes room by dropping the oldest item")
class Overwriting(PlainRing):
    """A ring that never refuses."""

    def try_enqueue(self, item: object) -> bool:
        if len(self.items) >= self.size:
            self.items.popleft()
        return super().try_enqueue(item)


@GALLERY.mutant("RNG-05", "keeps a refused item alive")
class RemembersRefused(PlainRing):
    """Notes what did not fit."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.refused: list[object] = []

    def try_enqueue(self, item: object) -> bool:
        accepted = super().try_enqueue(item)
        if not accepted:
            self.refused.append(item)
        return accepted


@GALLERY.mutant("RNG-06", "stops after its places were used twice")
class WornOut(PlainRing):
    """Counts what has passed, and never back."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.passed = 0

    def try_enqueue(self, item: object) -> bool:
        if self.passed >= 2 * self.size + 4:
            return False
        self.passed += 1
        return super().try_enqueue(item)


@GALLERY.mutant("RNG-07", "takes an item that is false for no item")
class FalseIsNothing(PlainRing):
    """Tests the item where it should test the length."""

    def try_dequeue(self) -> object:
        item = super().try_dequeue()
        return item if item else EMPTY


@GALLERY.mutant("RNG-08", "remembers the last item that it gave out")
class Hoarder(PlainRing):
    """A slot that is not cleared."""

    last: object = None

    def try_dequeue(self) -> object:
        self.last = super().try_dequeue()
        return self.last


@GALLERY.mutant("RNG-10", "takes one item too many from the iterator")
class Greedy(PlainRing):
    """Looks for room after it has taken the item."""

    def enqueue_batch(self, items: Iterable[object]) -> int:
        count = 0
        for item in items:
            if not self.try_enqueue(item):
                break
            count += 1
        return count


@GALLERY.mutant("RNG-11", "gives out one item too few in a batch")
class Stingy(PlainRing):
    """An off-by-one at the end."""

    def dequeue_batch(self, max_items: int) -> list[object]:
        return super().dequeue_batch(max(max_items - 1, 0) if max_items >= 0 else max_items)


@GALLERY.mutant("RNG-12", "takes a negative number for everything")
class NegativeIsAll(PlainRing):
    """As a slice would."""

    def dequeue_batch(self, max_items: int) -> list[object]:
        return super().dequeue_batch(len(self.items) if max_items < 0 else max_items)


@GALLERY.oddball("asks for its items twice before it gives one out")
class Hesitant(Inbox[object]):
    """Slow, and right."""

    def try_dequeue(self) -> object:
        len(self)
        return super().try_dequeue()


__all__ = ["GALLERY", "PlainRing"]
